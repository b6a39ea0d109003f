"""Search: the frontier is the one that brute force finds, and what chance alone dropped was beaten surely."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import BadInput
from gemel.experiment.search import Design, depth, efficient, search

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=25)


def beaten(point: tuple[int, ...], by: tuple[int, ...]) -> bool:
    """Say it in words: nowhere worse, somewhere better."""
    return all(b <= a for a, b in zip(point, by, strict=True)) and by != point


@given(POINTS)
def test_the_frontier_is_that_of_brute_force(points: list[tuple[int, ...]]) -> None:
    """Every pair compared."""
    expected = [not any(beaten(p, q) for q in points) for p in points]
    assert efficient(np.array(points)).tolist() == expected


@given(POINTS)
def test_a_deeper_front_is_beaten_by_the_one_before(points: list[tuple[int, ...]]) -> None:
    """Each point of front k + 1 is beaten by one of front k."""
    found = depth(np.array(points))
    for p, level in zip(points, found, strict=True):
        assert level == 0 or any(beaten(p, q) for q, other in zip(points, found, strict=True) if other == level - 1)


def noisy(design: Design, keys: Sequence[int]) -> np.ndarray:
    """Cost a and delay 1/a, with draws that all designs share, and a waste that only some have."""
    size, waste = design.values["size"], design.values["waste"]
    common = np.array([np.random.default_rng(key).standard_normal(2) for key in keys])
    return np.array([size + waste, 10 / size + waste]) + common


DESIGNS = [
    Design(f"{size} {waste}", {"size": size, "waste": waste}) for size in range(1, 9) for waste in (0.0, 0.4, 2.0)
]


def test_a_search_finds_the_frontier_in_shared_noise() -> None:
    """Noise of 1 would hide gaps of .4, were it not shared; the frontier is all sizes without waste."""
    found = search(DESIGNS, noisy, ("cost", "delay"))
    assert sorted(one.design.name for one in found.efficient) == sorted(f"{size} 0.0" for size in range(1, 9))
    assert all(one.efficient == 1.0 for one in found.efficient)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_what_is_efficient_is_never_dropped(seed: int) -> None:
    """Whatever the draws: those on the true frontier saw every round."""
    found = search(DESIGNS, noisy, ("cost", "delay"), seed=seed)
    assert {one.draws for one in found.tried if one.design.values["waste"] == 0} == {32}


def test_designs_of_one_name_and_aims_that_are_no_numbers_are_refused() -> None:
    """Both would be silent mistakes."""
    with pytest.raises(BadInput, match="a name of its own"):
        search([DESIGNS[0], DESIGNS[0]], noisy, ("cost", "delay"))
    with pytest.raises(BadInput, match="not all numbers"):
        search(DESIGNS[:2], lambda design, keys: np.full((len(keys), 2), np.nan), ("cost", "delay"))
