"""The tree is that of RFC 9162: compared with its definitions, written out naively, and with published vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.thread.merkle import (
    KEPT_LEVEL,
    Perfect,
    Tree,
    consistency_path,
    extends,
    fold,
    includes,
    inclusion_path,
    leaf_hash,
)

# Certificate Transparency's reference inputs, and the root after each of them (transparency-dev/merkle, testonly).
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_roots_are_the_published_ones() -> None:
    """After none, one … eight of the reference inputs."""
    leaves = [leaf_hash(bytes.fromhex(text)) for text in INPUTS]

    assert [fold(leaves[:size]).hex() for size in range(9)] == ROOTS


def test_proofs_are_the_published_ones() -> None:
    """Inclusion of input 5 in 8; consistency of 2 with 5 (same source)."""
    perfect = _perfect([leaf_hash(bytes.fromhex(text)) for text in INPUTS])

    assert [step.hex() for step in inclusion_path(5, 8, perfect)] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert [step.hex() for step in consistency_path(2, 5, perfect)] == [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]


# The definitions of RFC 9162, sections 2.1.1, 2.1.3.1 and 2.1.4.1, over leaf hashes.


def _k(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(d: Sequence[bytes]) -> bytes:
    """Return MTH(D)."""
    if len(d) < 2:
        return d[0] if d else sha256(b"").digest()
    k = _k(len(d))
    return sha256(b"\x01" + mth(d[:k]) + mth(d[k:])).digest()


def path(m: int, d: Sequence[bytes]) -> list[bytes]:
    """Return PATH(m, D)."""
    if len(d) == 1:
        return []
    k = _k(len(d))
    return [*path(m, d[:k]), mth(d[k:])] if m < k else [*path(m - k, d[k:]), mth(d[:k])]


def subproof(m: int, d: Sequence[bytes], b: bool) -> list[bytes]:
    """Return SUBPROOF(m, D, b)."""
    if m == len(d):
        return [] if b else [mth(d)]
    k = _k(len(d))
    return [*subproof(m, d[:k], b), mth(d[k:])] if m <= k else [*subproof(m - k, d[k:], False), mth(d[:k])]


def _leaves(n: int) -> list[bytes]:
    return [leaf_hash(str(i).encode()) for i in range(n)]


def _perfect(leaves: Sequence[bytes]) -> Perfect:
    return lambda level, place: mth(leaves[place << level : (place + 1) << level])


@given(st.integers(0, 700))
def test_a_tree_grown_leaf_by_leaf_has_the_defined_root(size: int) -> None:
    """And can be put down and taken up again anywhere."""
    leaves, half = _leaves(size), Tree()
    for leaf in leaves[: size // 3]:
        half.add(leaf)
    tree = Tree(half.size, half.peaks)
    for leaf in leaves[size // 3 :]:
        tree.add(leaf)

    assert (tree.size, tree.root) == (size, mth(leaves))


def test_completed_subtrees_are_reported_once() -> None:
    """Each perfect subtree from 256 leaves up, as soon as it is whole."""
    leaves, tree = _leaves(1_100), Tree()
    perfect = _perfect(leaves)

    found = [node for leaf in leaves for node in tree.add(leaf)]

    expected = {(8, i) for i in range(4)} | {(9, 0), (9, 1), (10, 0)}
    assert KEPT_LEVEL == 8
    assert {(level, place) for level, place, _ in found} == expected
    assert len(found) == len(expected)
    assert all(node == perfect(level, place) for level, place, node in found)


def test_peaks_that_do_not_fit_the_size_are_refused() -> None:
    """A tree cannot be taken up from something else."""
    with pytest.raises(ValueError, match="a tree of 3 leaves has 2 peaks, not 1"):
        Tree(3, [b""])


@settings(max_examples=200)
@given(st.data())
def test_inclusion_is_as_defined_and_holds_for_nothing_else(data: st.DataObject) -> None:
    """The path is PATH(m, D); another leaf, place, size, root or step breaks it."""
    size = data.draw(st.integers(1, 130))
    index = data.draw(st.integers(0, size - 1))
    leaves = _leaves(size)
    root, steps = mth(leaves), inclusion_path(index, size, _perfect(leaves))

    assert steps == path(index, leaves)
    assert includes(leaves[index], index, size, steps, root)
    assert not includes(leaf_hash(b"other"), index, size, steps, root)
    assert not any(includes(leaves[index], other, size, steps, root) for other in range(-1, size + 1) if other != index)
    assert not includes(leaves[index], index, size, steps, leaf_hash(b"other"))
    _broken(steps, lambda wrong: includes(leaves[index], index, size, wrong, root))


@settings(max_examples=200)
@given(st.data())
def test_growth_is_as_defined_and_holds_for_nothing_else(data: st.DataObject) -> None:
    """The path is PROOF(m, D); other roots or steps break it."""
    second = data.draw(st.integers(1, 130))
    first = data.draw(st.integers(1, second))
    leaves = _leaves(second)
    old, new = mth(leaves[:first]), mth(leaves)
    steps = consistency_path(first, second, _perfect(leaves))

    assert steps == subproof(first, leaves, True)
    assert extends(first, second, steps, old, new)
    assert not extends(first, second, steps, leaf_hash(b"other"), new)
    assert not extends(first, second, steps, old, leaf_hash(b"other"))
    _broken(steps, lambda wrong: extends(first, second, wrong, old, new))


def test_every_tree_begins_with_the_empty_one() -> None:
    """Its root is that of nothing, and there is no path."""
    assert extends(0, 5, [], sha256().digest(), mth(_leaves(5)))
    assert not extends(0, 5, [], mth(_leaves(1)), mth(_leaves(5)))
    assert not extends(5, 4, [], mth(_leaves(5)), mth(_leaves(4)))


def _broken(steps: list[bytes], holds: Callable[[list[bytes]], bool]) -> None:
    """A step changed, left out or added breaks a proof."""
    other = leaf_hash(b"other")
    assert not holds([*steps, other])
    for i in range(len(steps)):
        assert not holds([*steps[:i], other, *steps[i + 1 :]])
        assert not holds([*steps[:i], *steps[i + 1 :]])
