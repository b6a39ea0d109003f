"""Error grids against published vertices and somebody else's zones, and what must hold of any pair."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.errors import BadInput
from gemel.packs.diabetes.reports import grids
from gemel.packs.diabetes.reports.grids_page import CLARKE_LINES, PARKES_LINES, grid

GLUCOSE = st.floats(20, 600)

METHCOMP = [
    (409.5, 269.5, "BB"), (62.5, 200.5, "ED"), (106.5, 142.5, "BB"), (134.5, 64.5, "BB"), (107.5, 312.5, "CC"),
    (404.5, 337.5, "AA"), (299.5, 467.5, "CB"), (39.5, 465.5, "EE"), (66.5, 120.5, "DC"), (180.5, 312.5, "CB"),
    (318.5, 139.5, "DC"), (250.5, 163.5, "DB"), (97.5, 376.5, "CD"), (352.5, 161.5, "DC"), (372.5, 366.5, "AA"),
    (36.5, 334.5, "EE"), (75.5, 125.5, "BC"), (208.5, 418.5, "CB"), (268.5, 336.5, "BA"), (222.5, 23.5, "EC"),
    (103.5, 458.5, "CD"), (383.5, 479.5, "BA"), (479.5, 384.5, "AB"), (354.5, 428.5, "BA"),
    (21.5, 250.5, "EE"), (57.5, 205.5, "ED"), (487.5, 91.5, "DD"), (163.5, 355.5, "CC"), (41.5, 322.5, "ED"),
    (338.5, 92.5, "DC"), (301.5, 152.5, "DB"), (112.5, 211.5, "BC"), (391.5, 212.5, "BB"), (248.5, 82.5, "DC"),
    (359.5, 115.5, "DC"),
]  # fmt: skip
"""Pairs drawn at random, with the zones (Clarke, Parkes type 1) that the package methcomp 1.0.0 (PyPI, MIT) gives them."""

PFUETZNER = {
    "B": (((0, 50), (30, 50), (140, 170), (280, 380), (430, 550)), ((50, 0), (50, 30), (170, 145), (385, 300), (550, 450))),
    "C": (((0, 60), (30, 60), (50, 80), (70, 110), (260, 550)), ((120, 0), (120, 30), (260, 130), (550, 250))),
    "D": (((0, 100), (25, 100), (50, 125), (80, 215), (125, 550)), ((250, 0), (250, 40), (550, 150))),
    "E": (((0, 150), (35, 155), (50, 550)), ()),
}  # fmt: skip
"""10.1177/193229681300700517, type 1, as three programs that are not ours have them: upper and lower line of each zone."""


def letters(zones: np.ndarray) -> str:
    return "".join(grids.ZONES[zone] for zone in zones)


def one(judge: object, read: float, said: float) -> str:
    assert callable(judge)
    return letters(judge(np.array([read]), np.array([said])))


def test_the_zones_are_those_of_methcomp() -> None:
    read, said = (np.array([pair[k] for pair in METHCOMP], float) for k in (0, 1))
    assert letters(grids.clarke(read, said)) == "".join(pair[2][0] for pair in METHCOMP)
    assert letters(grids.parkes(read, said)) == "".join(pair[2][1] for pair in METHCOMP)


def test_the_lower_line_of_d_goes_from_250_40_to_550_150() -> None:
    """methcomp bends it at (410, 110), which is a vertex of type 2: there it is not followed."""
    assert one(grids.parkes, 484.0, 133.4) == "C" and one(grids.parkes, 484.0, 125.7) == "D"


@pytest.mark.parametrize("zone", "BCDE")
def test_on_both_sides_of_each_published_line_lie_the_zones_it_parts(zone: str) -> None:
    upper, lower = PFUETZNER[zone]
    better = grids.ZONES[grids.ZONES.index(zone) - 1]
    for line, side in ((upper, 1.0), (lower, -1.0)):
        for (x1, y1), (x2, y2) in pairwise(line):
            if x1 == x2:
                continue
            x, y = (x1 + x2) / 2, (y1 + y2) / 2
            assert one(grids.parkes, x, y + side * 0.01) == zone
            assert one(grids.parkes, x, y) == one(grids.parkes, x, y - side * 0.01) == better


@pytest.mark.parametrize(("read", "said", "zone"), [
    (100, 120, "A"), (100, 120.1, "B"), (100, 80, "A"), (69, 40, "A"), (69, 100, "D"), (70, 84, "A"), (60, 71, "A"),
    (58, 70, "D"), (70, 180, "E"), (180, 70, "E"), (300, 70, "E"), (300, 70.1, "D"), (240, 180, "B"), (241, 180, "D"),
    (100, 210, "B"), (100, 210.1, "C"), (150, 28, "B"), (150, 27.9, "C"), (130, 0, "B"),
    (200, 71, "B"), (300, 180, "D"), (300, 181, "B"),
])  # fmt: skip
def test_clarkes_rules_at_their_boundaries(read: float, said: float, zone: str) -> None:
    """A: within 20 %, or both low; C: said over read + 110, or under 7/5 (read - 130) for 130 to 180; D, E: the rectangles."""
    assert one(grids.clarke, read, said) == zone


@given(GLUCOSE)
def test_what_is_foretold_exactly_lies_in_a(read: float) -> None:
    assert one(grids.clarke, read, read) == one(grids.parkes, read, read) == "A"


@given(GLUCOSE, st.lists(st.floats(0, 900), min_size=2, max_size=20))
def test_the_consensus_grid_grows_worse_the_farther_off(read: float, offs: list[float]) -> None:
    off = np.array(sorted(offs))
    above = grids.parkes(np.full(len(off), read), read + off)
    below = grids.parkes(np.full(len(off), read), np.maximum(read - off, 0.0))
    assert (np.diff(above) >= 0).all() and (np.diff(below) >= 0).all()


@given(st.lists(st.tuples(GLUCOSE, GLUCOSE), min_size=1, max_size=50))
def test_every_pair_has_one_zone_and_shares_are_whole(pairs: list[tuple[float, float]]) -> None:
    read, said = np.array(pairs).T
    for judge in (grids.clarke, grids.parkes):
        zones = judge(read, said)
        found = grids.shares(zones)
        assert sum(found.zones.values()) == pytest.approx(1.0) and found.pairs == len(pairs)
        assert found.acceptable == pytest.approx(float((zones <= 1).mean()))


@given(st.floats(20, 400), st.floats(1.21, 3))
def test_within_20_percent_is_a_by_clarke_and_a_lost_low_never_is(read: float, factor: float) -> None:
    assert one(grids.clarke, read, 1.199 * read) == "A" and one(grids.clarke, read, 0.801 * read) == "A"
    if read > 70:
        assert one(grids.clarke, read, factor * read) != "A"


def test_what_is_no_pair_is_refused() -> None:
    for read, said in (([100], [100, 120]), ([np.nan], [100]), ([0], [100]), ([100], [-1])):
        with pytest.raises(BadInput):
            grids.clarke(np.array(read, float), np.array(said, float))
    assert np.isnan(grids.shares(np.zeros(0, int)).zones["A"])


def test_the_drawing_tells_the_shares_in_words() -> None:
    read, said = np.array([100.0, 100.0, 60.0, 300.0]), np.array([105.0, 130.0, 200.0, 60.0])
    drawn = grid("Clarke", read, said)
    assert "A 25.0 %, B 25.0 %, C 0.0 %, D 0.0 %, E 50.0 %" in drawn and drawn.count("<circle") == 4


@pytest.mark.parametrize("line", [*CLARKE_LINES, *PARKES_LINES])
def test_no_drawn_line_runs_through_a_zone(line: tuple[tuple[float, float], ...]) -> None:
    """On its two sides, or its two ends' sides, lie two zones: what is drawn is what is judged."""
    judge = grids.clarke if line in CLARKE_LINES else grids.parkes
    for (x1, y1), (x2, y2) in pairwise(line):
        across = np.array([y2 - y1, x1 - x2]) / np.hypot(x2 - x1, y2 - y1)
        x, y = 0.5 * (x1 + x2), 0.5 * (y1 + y2)
        a, b = (one(judge, x + side * across[0], y + side * across[1]) for side in (1.0, -1.0))
        assert a != b
