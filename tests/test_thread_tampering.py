"""Any changed byte of a stored fact is found and the fact is named; what lies around facts is watched too."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import NotFound, Tampered
from gemel.facts import Draft, Fact
from gemel.testing.thread import draft
from gemel.thread import MemoryThread, open_thread, verify_store
from gemel.thread.export import checkpoint_of
from gemel.thread.signature import sign_checkpoint
from gemel.thread.witness import since

COUNT = 14
BIG = 9
"""The fact whose body needs more than one page."""
COLUMNS = ("twin", "kind", "true_at", "known_at", "mark", "leaf", "nonce", "sealed")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a closed store of a few facts."""
    folder = tmp_path_factory.mktemp("tampering") / "store"
    with open_thread(folder) as thread:
        for i in range(COUNT):
            body = {"value": i + 0.5, "note": "long " * 1_500 if i + 1 == BIG else ""}
            thread.append([draft(i, body=body, key=f"k{i}" if i % 3 else None)], now=1_700_000_000_000 + i)
    assert sorted(path.name for path in folder.iterdir()) == ["keys", "lock", "thread.db"]
    return folder


@pytest.fixture(scope="module")
def copy(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Return a function that gives the store as it was."""
    target = tmp_path_factory.mktemp("copy") / "store"

    def fresh() -> Path:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(original, target)
        return target

    return fresh


def _named(folder: Path, seq: int) -> bool:
    """Return whether verification finds something and names the fact."""
    verdict = verify_store(folder)
    assert not verdict.intact
    return any(
        part in problem for problem in verdict.problems for part in (f"fact {seq} ", f"fact {seq}:", f"fact {seq},")
    )


def _run(folder: Path, statement: str, *values: object) -> None:
    db = apsw.Connection(str(folder / "thread.db"))
    db.execute(statement, values)  # type: ignore[arg-type]  # SQLite values
    db.close()


def _cell(data: bytes, sealed: bytes) -> tuple[int, int]:
    """Return where the cell of a row lies in the file; what SQLite left in unused space is passed over."""
    for page in range(0, len(data), 4096):
        count = int.from_bytes(data[page + 3 : page + 5]) if data[page] == 0x0D else 0
        starts = [page + int.from_bytes(data[i : i + 2]) for i in range(page + 8, page + 8 + 2 * count, 2)]
        found = [start for start in starts if data.find(sealed[:64], start, start + 300) > 0]
        if found:
            start = max(found)
            following = min([place for place in starts if place > start], default=page + 4096)
            return start, min(following, data.index(sealed[:64], start) + len(sealed))
    raise AssertionError("the row is not in the file")


def _sealed(folder: Path, seq: int) -> bytes:
    db = apsw.Connection(str(folder / "thread.db"), flags=apsw.SQLITE_OPEN_READONLY)
    found = db.execute("SELECT sealed FROM fact WHERE rowid = ?", (seq,)).fetchall()[0][0]
    db.close()
    return found


def test_the_original_is_intact(original: Path) -> None:
    """Nothing is found where nothing was done."""
    assert verify_store(original).problems == ()


@settings(max_examples=150, deadline=None)
@given(seq=st.integers(1, COUNT), column=st.sampled_from(COLUMNS), place=st.integers(0, 1 << 16), bit=st.integers(0, 7))
def test_a_bit_flipped_in_a_column_is_found_and_the_fact_named(
    copy: Callable[[], Path], seq: int, column: str, place: int, bit: int
) -> None:
    """Through SQL, as somebody with the file and a tool would."""
    folder = copy()
    db = apsw.Connection(str(folder / "thread.db"))
    old = db.execute(f"SELECT {column} FROM fact WHERE rowid = ?", (seq,)).fetchall()[0][0]
    db.close()
    new: object
    if isinstance(old, int):
        new = old ^ (1 << place % 63)
    elif old is None:
        new = b"" if bit else bytes(16)
    else:
        content = bytearray(old.encode() if isinstance(old, str) else old)
        content[place % len(content)] ^= 1 << bit
        new = content.decode("latin-1") if isinstance(old, str) else bytes(content)

    _run(folder, f"UPDATE fact SET {column} = ? WHERE rowid = ?", new, seq)

    assert _named(folder, seq)


@settings(max_examples=150, deadline=None)
@given(seq=st.integers(1, COUNT), place=st.integers(0, 1 << 16), mask=st.integers(1, 255))
def test_a_byte_changed_in_the_file_is_found_and_the_fact_named(
    copy: Callable[[], Path], seq: int, place: int, mask: int
) -> None:
    """Anywhere in a row's cell: lengths, types, seq, columns, the pointer to further pages."""
    folder = copy()
    data = bytearray((folder / "thread.db").read_bytes())
    start, end = _cell(data, _sealed(folder, seq))
    data[start + place % (end - start)] ^= mask
    (folder / "thread.db").write_bytes(data)

    assert _named(folder, seq)


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 1 << 20), mask=st.integers(1, 255))
def test_a_byte_changed_on_a_further_page_is_found(copy: Callable[[], Path], place: int, mask: int) -> None:
    """Bodies that do not fit a page go on elsewhere."""
    folder = copy()
    sealed, data = _sealed(folder, BIG), bytearray((folder / "thread.db").read_bytes())
    inside = len(sealed) - 1 - place % 3_000
    at = data.index(sealed[inside - 16 : inside + 1]) + 16
    data[at] ^= mask
    (folder / "thread.db").write_bytes(data)

    assert _named(folder, BIG)


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0, 1 << 20), mask=st.integers(1, 255))
def test_a_byte_changed_anywhere_is_found_or_without_effect(
    original: Path, copy: Callable[[], Path], place: int, mask: int
) -> None:
    """Headers, indices, tree, checkpoints and unused space: if nothing is found, everything reads as before."""
    folder = copy()
    data = bytearray((folder / "thread.db").read_bytes())
    data[place % len(data)] ^= mask
    (folder / "thread.db").write_bytes(data)

    if verify_store(folder).intact:
        assert _everything(folder) == _everything(original)


def _everything(folder: Path) -> list[list[Fact]]:
    with open_thread(folder, readonly=True) as thread:
        return [
            list(thread.read()),
            *(list(thread.read(twin)) for twin in thread.twins()),
            list(thread.read("lily", true_from=0)),
            list(thread.read(kinds=["acted/1"])),
        ]


@settings(max_examples=25, deadline=None)
@given(start=st.integers(0, 40_000), length=st.integers(1, 20_000))
def test_a_wrecked_file_is_reported_without_a_traceback(copy: Callable[[], Path], start: int, length: int) -> None:
    """Whole stretches overwritten, or the file cut short."""
    folder = copy()
    data = (folder / "thread.db").read_bytes()
    start %= len(data)
    (folder / "thread.db").write_bytes(data[:start] + b"\xa5" * min(length, len(data) - start) + data[start + length :])
    verify_store(folder)

    (folder / "thread.db").write_bytes(data[:start])
    assert not verify_store(folder).intact


def test_a_page_of_facts_that_cannot_be_read_is_named_fact_by_fact(tmp_path: Path) -> None:
    """SQLite gives up on the page; verification goes on behind it."""
    with open_thread(tmp_path / "store") as thread:
        thread.append([draft(i) for i in range(200)], now=1)
    data = bytearray((tmp_path / "store" / "thread.db").read_bytes())
    page = data.index(_sealed(tmp_path / "store", 100)) // 4096 * 4096
    data[page : page + 8] = b"\xff" * 8
    (tmp_path / "store" / "thread.db").write_bytes(data)

    verdict = verify_store(tmp_path / "store")

    named = [seq for seq in range(1, 201) if any(f"fact {seq} cannot be read" in each for each in verdict.problems)]
    assert 100 in named
    assert named == list(range(named[0], named[-1] + 1))
    assert 5 < len(named) < 60


# whole facts


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("DELETE FROM fact WHERE rowid = 5", "fact 5 is missing"),
        (f"DELETE FROM fact WHERE rowid > {COUNT - 2}", f"facts {COUNT - 1} to {COUNT} are missing"),
        ("UPDATE fact SET rowid = 99 WHERE rowid = 5", "fact 5 is missing"),
        ("INSERT INTO fact SELECT * FROM fact WHERE mark IS NULL LIMIT 1", f"fact {COUNT + 1} (lily, observed/1) was"),
        ("UPDATE tree SET size = size - 1", "the tree"),
        ("UPDATE tree SET peaks = zeroblob(length(peaks))", "the tree's root is not that of the stored facts"),
        ("UPDATE tree SET known_at = known_at + 1", "the tree's time is not that of the last fact"),
        ("DELETE FROM tree", "the tree is of 0 facts"),
        ("UPDATE checkpoint SET root = replace(root, substr(root, 1, 1), 'x')", "are not those that were signed"),
        ("UPDATE checkpoint SET at = at + 1", f"the checkpoint of {COUNT} facts at 2023-11-14T22:13:20.014Z is"),
        ("DELETE FROM checkpoint", f"the last checkpoint, of {COUNT} facts, is missing"),
        ("UPDATE meta SET value = '00' WHERE name = 'public key'", "public key is not that of its signing key"),
        ("UPDATE meta SET value = '9' WHERE name = 'format'", "format"),
        ("DROP INDEX fact_when", "the definition of fact_when is not as it was written"),
        ("CREATE TRIGGER t AFTER INSERT ON fact BEGIN DELETE FROM fact; END", "the definition of t is not"),
        ("DROP TABLE fact", "the definition of fact is not"),
    ],
)  # fmt: skip
def test_what_sql_can_do_to_a_store_is_found(copy: Callable[[], Path], statement: str, problem: str) -> None:
    """Rows taken out, moved or put in; tree, checkpoints, key and schema changed."""
    folder = copy()
    _run(folder, statement)

    assert [each for each in verify_store(folder).problems if problem in each]


def test_two_facts_that_change_places_are_found(copy: Callable[[], Path]) -> None:
    """A row is sealed with its seq."""
    folder = copy()
    _run(folder, "UPDATE fact SET rowid = 99 WHERE rowid = 5")
    _run(folder, "UPDATE fact SET rowid = 5 WHERE rowid = 8")
    _run(folder, "UPDATE fact SET rowid = 8 WHERE rowid = 99")

    assert _named(folder, 5) and _named(folder, 8)


def test_a_thread_cut_short_with_its_tree_is_found(original: Path, tmp_path: Path) -> None:
    """Somebody who writes a shorter, consistent store is betrayed by the checkpoint; so is an older copy put back."""
    with open_thread(tmp_path / "store") as thread:
        thread.append([draft(i) for i in range(6)], now=1)
    older = (tmp_path / "store" / "thread.db").read_bytes()
    with open_thread(tmp_path / "store") as thread:
        thread.append([draft(i) for i in range(4)], now=1_000)
    (tmp_path / "store" / "thread.db").write_bytes(older)

    expected = "facts 7 to 10 are missing: they were signed at 1970-01-01T00:00:01Z"
    assert expected in verify_store(tmp_path / "store").problems
    with pytest.raises(Tampered, match="ends at fact 6, but 10 were signed"):
        open_thread(tmp_path / "store")
    with open_thread(tmp_path / "store", readonly=True) as thread:
        assert len(list(thread.read())) == 6


def test_an_older_copy_of_everything_is_found_only_by_a_checkpoint_kept_elsewhere(tmp_path: Path) -> None:
    """Facts, keys and remembered checkpoint put back together: inside, nothing tells; whoever kept one outside knows."""
    with open_thread(tmp_path / "store") as thread:
        thread.append([draft(i) for i in range(6)], now=1)
    shutil.copytree(tmp_path / "store", tmp_path / "older")
    with open_thread(tmp_path / "store") as thread:
        thread.append([draft(i) for i in range(4)], now=1_000)
        kept = checkpoint_of(thread)
    shutil.rmtree(tmp_path / "store")
    (tmp_path / "older").rename(tmp_path / "store")

    assert verify_store(tmp_path / "store").intact
    with open_thread(tmp_path / "store") as thread:
        assert since(thread, kept) == "rolled back: facts 7 to 10 are missing; the older checkpoint covers them"
        thread.append([draft(i, body={"other": i}) for i in range(9)], now=2_000)
        assert verify_store(tmp_path / "store").intact
        assert since(thread, kept) == "the first 10 facts are not those of the older checkpoint"
        assert since(thread, checkpoint_of(thread)) is None
        assert "bears no signature" in str(since(MemoryThread(), kept))


def test_a_history_written_anew_is_found(tmp_path: Path) -> None:
    """Other facts under the same keys: the old checkpoint does not fit them."""
    for name in ("a", "b"):
        with open_thread(tmp_path / name) as thread:
            thread.append([draft(i, body={"from": name}) for i in range(6)], now=1)
    (tmp_path / "a" / "thread.db").write_bytes((tmp_path / "b" / "thread.db").read_bytes())

    problems = verify_store(tmp_path / "a").problems
    assert "the store's public key is not that of its signing key" in problems
    assert "the first 6 facts are not those that were signed at 1970-01-01T00:00:00.001Z" in problems
    with pytest.raises(Tampered, match="does not belong to the keys beside it"):
        open_thread(tmp_path / "a")


def test_a_lost_key_is_not_an_erasure(copy: Callable[[], Path]) -> None:
    """Without its subject's key a fact cannot be read, and verification says so."""
    folder = copy()
    (folder / "keys" / "subjects").write_bytes(b"")

    assert _named(folder, 1)


@settings(max_examples=40, deadline=None)
@given(place=st.integers(0, 3 * 128 - 1), mask=st.integers(1, 255))
def test_a_damaged_key_is_found(copy: Callable[[], Path], place: int, mask: int) -> None:
    """Every byte of a slot but its padding counts."""
    folder = copy()
    path = folder / "keys" / "subjects"
    data = bytearray(path.read_bytes())
    data[place] ^= mask
    path.write_bytes(data)

    assert not verify_store(folder).intact


def test_reading_a_changed_fact_is_an_error_that_names_it(copy: Callable[[], Path]) -> None:
    """It is not passed on as if nothing were."""
    folder = copy()
    _run(folder, "UPDATE fact SET true_at = true_at + 1 WHERE rowid = 4")

    with open_thread(folder, readonly=True) as thread:
        with pytest.raises(Tampered, match=r"fact 4 \(lily, acted/1\) is not as it was written"):
            thread.get(4)
        with pytest.raises(Tampered, match="fact 4"):
            list(thread.read())


def test_a_store_that_is_not_there_is_not_intact(tmp_path: Path) -> None:
    """Nor is a file that is no database."""
    with pytest.raises(NotFound, match="no store in"):
        verify_store(tmp_path)

    (tmp_path / "thread.db").write_bytes(b"not a database, but a text that is long enough" * 100)
    assert not verify_store(tmp_path).intact
    with pytest.raises(Tampered):
        open_thread(tmp_path)


def test_memory_is_verified_too() -> None:
    """The same audit runs over rows that never were in a file."""
    thread = MemoryThread()
    thread.append([draft(i) for i in range(5)], now=1)
    signed = thread.checkpoint(now=2)
    thread._rows[2] = thread._rows[2]._replace(true_at=7)

    assert thread.verify().problems[:2] == (
        "fact 3 (zoë, observed/1) is not as it was written: its hash differs",
        "fact 3 (zoë, observed/1) is not as it was written: its body cannot be decrypted",
    )
    thread._checkpoints.append(sign_checkpoint(thread._keys.signing, 9, signed.root, 3))
    assert "facts 6 to 9 are missing: they were signed at 1970-01-01T00:00:00.003Z" in thread.verify().problems


def test_drafts_cannot_smuggle_a_body_past_the_hash() -> None:
    """Two facts that differ in any field differ in their record."""
    thread = MemoryThread()
    plain = Draft("a", "b/1", {"x": 1}, 0, "c")
    thread.append([plain, Draft("ab", "/1".replace("/", "b/"), {"x": 1}, 0, "c")], now=1)

    assert thread.prove(1).record[:60] != thread.prove(2).record[:60]
