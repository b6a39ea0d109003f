"""Proof that travels: an export, a proof and a checkpoint are checked by a stranger who has Python and one file."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from gemel.errors import BadInput, NotFound, Tampered
from gemel.facts import HOUSE, Draft
from gemel.testing.thread import draft
from gemel.thread import MemoryThread, open_thread
from gemel.thread.export import checkpoint_of, export, proof_of, verifier
from gemel.thread.signature import checkpoint_note, verifier_key
from gemel.thread.standalone import verify as alone
from gemel.thread.thinning import THINNED, covering
from gemel.thread.tiles import path_of
from gemel.thread.witness import since

COUNT = 600
LONG = 300
"""The fact whose record is too long for a bundle of tlog-tiles."""


def _thread(count: int = COUNT) -> MemoryThread:
    thread = MemoryThread()
    for start in range(0, count, 100):
        drafts = [
            draft(i, body={"value": i, "note": "long " * 15_000 if i + 1 == LONG else ""})
            for i in range(start, min(start + 100, count))
        ]
        thread.append(drafts, now=1_700_000_000_000 + start)
    return thread


@pytest.fixture(scope="module")
def thread() -> MemoryThread:
    """Return a thread of some hundred facts, one subject erased."""
    made = _thread()
    made.erase("max")
    return made


@pytest.fixture(scope="module")
def original(thread: MemoryThread, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an export."""
    return export(thread, tmp_path_factory.mktemp("export") / "log").folder


@pytest.fixture(scope="module")
def copy(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Return a function that gives the export as it was."""
    target = tmp_path_factory.mktemp("copy") / "log"

    def fresh() -> Path:
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(original, target)
        return target

    return fresh


def _alone(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the verifier as a stranger does: no packages, no site, another folder."""
    (cwd / "verify.py").write_bytes(verifier())
    command = [sys.executable, "-I", "-S", "verify.py", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


# a stranger


def test_a_stranger_checks_an_export_with_python_alone(thread: MemoryThread, original: Path, tmp_path: Path) -> None:
    """Exit 0 with the right key and an older checkpoint, 1 where something is wrong, 2 where there is nothing."""
    older = tmp_path / "older"
    older.write_text(checkpoint_note(300, _root(thread, 300), thread.public_key, thread.sign))

    good = _alone(original, "--key", thread.public_key, "--since", older, cwd=tmp_path)
    other = _alone(original, "--key", "00" * 32, cwd=tmp_path)
    nothing = _alone(tmp_path, cwd=tmp_path)

    assert (good.returncode, good.stderr) == (0, "")
    assert "600 facts" in good.stdout and "as signed" in good.stdout
    assert other.returncode == 1 and "NOT as signed" in other.stdout
    assert nothing.returncode == 2 and nothing.stderr.startswith("verify: ")


def _root(thread: MemoryThread, size: int) -> bytes:
    return alone.over([row.leaf for row in thread.rows()][:size])


def test_a_stranger_checks_the_proof_of_one_fact(thread: MemoryThread, tmp_path: Path) -> None:
    """Of an erased subject's fact too; a proof that was bent is refused."""
    proof = proof_of(thread, 2)
    (tmp_path / "good.json").write_text(json.dumps(proof))
    (tmp_path / "bent.json").write_text(json.dumps(proof | {"seq": 3}))

    assert thread.erased("max")
    good, bent = _alone("good.json", cwd=tmp_path), _alone("bent.json", cwd=tmp_path)
    assert (good.returncode, "fact 2 (max, acted/1) is among them" in good.stdout) == (0, True)
    assert (bent.returncode, "fact 3 (max, acted/1) says that it is another fact" in bent.stdout) == (1, True)


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 700), data=st.data())
def test_every_proof_of_a_tree_of_any_size_holds_for_the_other_implementation(size: int, data: st.DataObject) -> None:
    """The stand-alone verifier shares no code with the thread: roots and paths agree."""
    thread = _sized(size)
    seq = data.draw(st.integers(1, size))
    proof = thread.prove(seq)
    path = [bytes.fromhex(step) for step in proof.path]

    assert alone.root_from(alone.leaf_hash(bytes.fromhex(proof.record)), seq - 1, size, path) == _root(thread, size)
    assert thread.checkpoint(now=1).root == _root(thread, size).hex()


def _sized(size: int, held: dict[int, MemoryThread] = {}) -> MemoryThread:  # noqa: B006 - made once per size
    if size not in held:
        held[size] = MemoryThread()
        held[size].append([draft(i) for i in range(size)], now=1)
    return held[size]


# the formats are those of others


def test_a_checkpoint_of_the_go_checksum_database_is_read() -> None:
    """A note, its key and its id as published with Go's sumdb/note package."""
    key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    note = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
        "\n"
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    )
    assert alone.read_note(note, alone.read_key(key)).startswith("If you think")
    with pytest.raises(alone.Wrong):
        alone.read_note(note.replace("answer", "Answer"), alone.read_key(key))


@pytest.mark.parametrize(
    ("index", "path"), [(0, "000"), (999, "999"), (1_000, "x001/000"), (1_234_067, "x001/x234/067")]
)
def test_tiles_lie_where_tlog_tiles_says(index: int, path: str) -> None:
    """The example of the specification among them, in both implementations."""
    assert path == path_of(index, 256) == alone.path_of(index)
    assert f"{path}.p/17" == path_of(index, 17) == alone.path_of(index, 17)


def test_an_export_has_the_files_of_the_specification(original: Path) -> None:
    """600 entries: two full bundles and one of 88; the one with a long entry lies apart, in our own layout."""
    files = {path.relative_to(original).as_posix() for path in original.rglob("*") if path.is_file()}
    assert files == {
        "checkpoint", "contents", "key", "verify.py", "README.txt", "records/001",
        "tile/entries/000", "tile/entries/002.p/88", "tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2",
    }  # fmt: skip
    origin, size, root = (original / "checkpoint").read_text().split("\n")[:3]
    assert (size, len(base64.b64decode(root))) == ("600", 32)
    assert (original / "key").read_text().startswith(f"{origin}+")


VECTORS = [
    # RFC 8032, section 7.1: public key, message, signature of tests 1, 2, 3 and SHA(abc)
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
def test_signatures_of_the_standard_hold_and_no_others(public: str, message: str, signature: str) -> None:
    """RFC 8032's own examples; and one with the group's order added to it, which malleable code would take."""
    key, text, made = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    more = (int.from_bytes(made[32:], "little") + alone.ORDER).to_bytes(32, "little")

    assert alone.signed(key, text, made)
    assert not alone.signed(key, text + b"!", made)
    assert not alone.signed(key, text, made[:32] + more)


@settings(max_examples=40, deadline=None)
@given(
    secret=st.binary(min_size=32, max_size=32), message=st.binary(), place=st.integers(0, 95), mask=st.integers(0, 255)
)
def test_signatures_are_judged_as_openssl_judges_them(secret: bytes, message: bytes, place: int, mask: int) -> None:
    """A bit changed in key or signature, or none: both say the same."""
    from gemel.thread import signature_holds

    key = Ed25519PrivateKey.from_private_bytes(secret)
    both = bytearray(key.public_key().public_bytes_raw() + key.sign(message))
    both[place] ^= mask
    public, signature = bytes(both[:32]), bytes(both[32:])

    assert alone.signed(public, message, signature) == signature_holds(public.hex(), message, signature.hex())
    assert alone.signed(public, message, signature) == (mask == 0)


# tampering


def _found(folder: Path, since: str | None = None) -> list[str]:
    """Return what the verifier finds; an export that it cannot begin to read counts too."""
    try:
        return alone.check(folder, None, since).problems
    except alone.Unusable as error:
        return [str(error)]


def test_the_original_is_as_signed(original: Path) -> None:
    """Nothing is found where nothing was done."""
    assert _found(original) == []


@settings(max_examples=50, deadline=None)
@given(place=st.integers(0, 1 << 30), mask=st.integers(1, 255))
def test_any_byte_changed_is_found(copy: Callable[[], Path], place: int, mask: int) -> None:
    """In entries, tiles, checkpoint, contents and key; the verifier and the leaflet that lie beside are no part of it."""
    folder = copy()
    files = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.name not in ("verify.py", "README.txt")
    )
    file = files[place % len(files)]
    data = bytearray(file.read_bytes())
    data[place // len(files) % (len(data) - (file.name == "key"))] ^= mask
    file.write_bytes(data)

    assert _found(folder)


@settings(max_examples=30, deadline=None)
@given(seq=st.integers(1, COUNT), place=st.integers(0, 1 << 16), mask=st.integers(1, 255))
def test_a_byte_changed_in_an_entry_names_the_fact(
    thread: MemoryThread, copy: Callable[[], Path], seq: int, place: int, mask: int
) -> None:
    """The entry that is wrong, by its number and, where they can still be read, twin and kind."""
    folder, record = copy(), proof_of(thread, seq)["record"]
    assert isinstance(record, str)
    sealed = bytes.fromhex(record)
    for file in [*(folder / "tile/entries").rglob("*"), *(folder / "records").rglob("*")]:
        data = bytearray(file.read_bytes()) if file.is_file() else bytearray()
        if (start := data.find(sealed)) >= 0:
            data[start + place % len(sealed)] ^= mask
            file.write_bytes(data)

    assert [problem for problem in _found(folder) if problem.startswith(f"fact {seq} ")]


@pytest.mark.parametrize("way", ["delete", "insert", "reorder", "truncate", "double"])
def test_entries_taken_out_put_in_or_moved_are_found(thread: MemoryThread, copy: Callable[[], Path], way: str) -> None:
    """In a bundle of the standard layout, where every entry says its length."""
    folder = copy()
    file = folder / "tile/entries/000"
    entries = [file.read_bytes()[start:end] for start, end in _spans(file.read_bytes())]
    if way == "delete":
        del entries[40]
    if way == "insert":
        entries.insert(40, (3).to_bytes(2) + b"new")
    if way == "reorder":
        entries[40], entries[41] = entries[41], entries[40]
    if way == "truncate":
        del entries[100:]
    if way == "double":
        entries[41] = entries[40]
    file.write_bytes(b"".join(entries))

    expected = {"truncate": "fact 101 is missing", "double": "fact 42 "}.get(way, "fact 41 ")
    assert [problem for problem in _found(folder) if problem.startswith(expected)]


def _spans(data: bytes) -> list[tuple[int, int]]:
    spans, start = [], 0
    while start < len(data):
        spans.append((start, start + 2 + int.from_bytes(data[start : start + 2])))
        start = spans[-1][1]
    return spans


@pytest.mark.parametrize("name", ["tile/0/001", "tile/1/000.p/2", "tile/entries/000", "records/001", "contents", "key"])
def test_a_file_that_was_deleted_is_missed(copy: Callable[[], Path], name: str) -> None:
    """Each file of the log."""
    folder = copy()
    (folder / name).unlink()
    assert any(part in problem for problem in _found(folder) for part in (name, "is missing"))


def test_a_file_that_was_put_in_is_named(copy: Callable[[], Path]) -> None:
    """Nothing lies among the tiles that the log does not account for."""
    folder = copy()
    (folder / "tile/0/003").write_bytes(bytes(32))
    assert _found(folder) == ["tile/0/003 does not belong to a log of 600 facts"]


def test_whoever_has_no_key_cannot_write_a_log_of_their_own(copy: Callable[[], Path], tmp_path: Path) -> None:
    """A consistent log of other facts is not signed by the key that was asked for."""
    forged = export(_thread(20), tmp_path / "forged").folder
    real = alone.read_key((copy() / "key").read_text())
    assert alone.check(forged).problems == []
    assert alone.check(forged, real).problems


def test_an_older_copy_is_found_by_a_checkpoint_kept_elsewhere(tmp_path: Path) -> None:
    """The older export is as signed; only somebody who remembers more can tell."""
    thread = _thread(300)
    older = export(thread, tmp_path / "older").folder
    thread.append([draft(i) for i in range(50)], now=1_800_000_000_000)
    kept = checkpoint_of(thread)

    assert _found(older) == []
    assert _found(older, kept) == ["rolled back: facts 301 to 350 are missing; the older checkpoint covers them"]
    assert _found(export(thread, tmp_path / "newer").folder, kept) == []


def test_a_history_signed_anew_does_not_fit_the_checkpoint_that_was_kept(tmp_path: Path) -> None:
    """Whoever has the key may sign another past, but cannot change what others kept."""
    one, other = _thread(40), _thread(50)
    other._keys.signing = one._keys.signing
    kept = checkpoint_of(one)

    assert _found(export(other, tmp_path / "x").folder, kept) == [
        "the first 40 facts are not those of the older checkpoint"
    ]
    assert since(other, kept) == "the first 40 facts are not those of the older checkpoint"
    assert since(one, kept) is None


# parts of a log


def test_entries_of_some_twins_travel_with_the_tiles_of_all(thread: MemoryThread, tmp_path: Path) -> None:
    """What others' facts are stays at home; that there are such facts, and their hashes, does not."""
    made = export(thread, tmp_path / "x", twins=["lily"])

    assert (made.entries, made.size) == (COUNT // 3, COUNT)
    assert _found(made.folder) == []
    assert not any(b"max" in path.read_bytes() for path in (made.folder / "records").rglob("*") if path.is_file())
    with pytest.raises(NotFound, match="unknown twin 'nobody'; possible: lily, zoë"):
        export(thread, tmp_path / "y", twins=["nobody"])
    assert not (tmp_path / "y").exists()


def test_an_entry_left_out_of_a_part_is_missed(thread: MemoryThread, tmp_path: Path) -> None:
    """How many entries a part has, and which, is signed too."""
    folder = export(thread, tmp_path / "x", twins=["lily"]).folder
    file = folder / "records/000"
    data = file.read_bytes()
    file.write_bytes(data[12 + int.from_bytes(data[8:12]) :])

    assert _found(folder) == ["contents tells of 200 entries, and not of these 199"]


@settings(max_examples=25, deadline=None)
@given(count=st.sampled_from([0, 1, 2, 255, 256, 257, 511, 512, 513]), twins=st.sampled_from([(), ("lily",)]))
def test_a_log_of_any_size_is_as_signed(
    tmp_path_factory: pytest.TempPathFactory, count: int, twins: tuple[str, ...]
) -> None:
    """Empty, one short of a tile, a tile, one more."""
    folder = tmp_path_factory.mktemp("sizes") / "x"
    made = export(_thread(count), folder, twins if count else ())
    assert (made.size, _found(folder)) == (count, [])


# what is not exported


def test_a_store_that_was_changed_is_not_signed_anew(tmp_path: Path) -> None:
    """The fact is named, and no folder is left behind."""
    thread = _thread(20)
    thread.checkpoint(now=1)
    row = thread._rows[6]
    thread._rows[6] = row._replace(sealed=row.sealed[:-1] + bytes([row.sealed[-1] ^ 1]))
    with pytest.raises(Tampered, match=r"fact 7 \(lily, observed/1\) is not as it was written"):
        export(thread, tmp_path / "x")

    thread._rows[6] = thread._rows[6]._replace(leaf=alone.leaf_hash(thread._rows[6].record))
    with pytest.raises(Tampered, match=r"the first 20 facts are not those that were signed|do not add up"):
        export(thread, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_an_export_never_writes_over_anything(thread: MemoryThread, tmp_path: Path) -> None:
    """A folder that holds something is refused."""
    (tmp_path / "mine").write_text("x")
    with pytest.raises(BadInput, match="is there already"):
        export(thread, tmp_path)


def test_a_store_in_a_folder_is_exported_beside_its_writer(tmp_path: Path) -> None:
    """Reading and signing need no lock."""
    with open_thread(tmp_path / "store") as writer:
        writer.append([draft(i) for i in range(300)], now=1)
        with open_thread(tmp_path / "store", readonly=True) as reader:
            made = export(reader, tmp_path / "x")
        assert made.root == writer.checkpoint(now=2).root
    assert _found(tmp_path / "x") == []
    assert (tmp_path / "x/key").read_text().strip() == verifier_key(made.key)


def test_the_log_of_every_back_end_is_exported_proven_and_witnessed(store: str, tmp_path: Path) -> None:
    """SQLite and PostgreSQL give away the same proofs."""
    with open_thread(store) as thread:
        thread.append([draft(i) for i in range(300)], now=1)
        kept = checkpoint_of(thread)
        thread.append([draft(i) for i in range(50)], now=2)
        made = export(thread, tmp_path / "x", twins=["lily"])
        proof = json.dumps(proof_of(thread, 301))

        assert (made.size, made.entries, made.root) == (350, 117, thread.checkpoint(now=3).root)
        assert since(thread, kept) is None
    assert _found(tmp_path / "x", kept) == []
    assert alone.check_proof(proof, "proof", alone.read_key(made.key)).problems == []


def test_a_log_that_was_thinned_is_exported_with_the_hashes_that_are_left(store: str, tmp_path: Path) -> None:
    """The root is as before, and an entry that is taken out is missed all the same."""
    with open_thread(store) as thread:
        thread.append([draft(i) for i in range(9)], now=1)
        kept, rows = checkpoint_of(thread), list(thread.rows("max"))
        cover = thread.append([Draft(HOUSE, THINNED, covering(rows), 3, "keeper")], now=3).facts[0].seq
        assert thread.thin(cover) == 3
        made = export(thread, tmp_path / "x")
        assert (made.size, made.entries, made.root) == (10, 7, thread.checkpoint(now=4).root)
        assert since(thread, kept) is None
    assert _found(tmp_path / "x", kept) == []

    file = tmp_path / "x/records/000.p/10"
    data = file.read_bytes()
    file.write_bytes(data[12 + int.from_bytes(data[8:12]) :])
    assert _found(tmp_path / "x") == ["contents tells of 7 entries, and not of these 6"]


def test_the_command_verifies_what_it_gave_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """0: as written, 1: not, 2: nothing to verify; the store, its export, a proof, and with a checkpoint kept elsewhere."""
    from gemel.cli import main

    def gemel(words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["gemel", *words.split()])
        try:
            main()
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GEMEL_STORE", str(tmp_path / "store"))
    with open_thread(tmp_path / "store") as thread:
        thread.append([draft(i) for i in range(20)], now=1)
        public = thread.public_key
    shutil.copytree(tmp_path / "store", tmp_path / "older")
    with open_thread(tmp_path / "store") as thread:
        thread.append([draft(i) for i in range(5)], now=2)

    assert [gemel("export log"), gemel("prove 3 -o proof.json"), gemel("checkpoint -o kept")] == [0, 0, 0]
    for what in ("log", "proof.json", "store"):
        given = [f"verify {what}", f"verify {what} --key {public}", f"verify {what} --key {'00' * 32}"]
        assert [gemel(words) for words in given] == [0, 0, 1]
    rolled = ["verify --since kept", "verify older", "verify older --since kept"]
    assert [gemel(words) for words in rolled] == [0, 0, 1]
    nothing = ["verify nowhere", "verify kept", "export log", "prove 99"]
    assert [gemel(words) for words in nothing] == [2, 2, 2, 2]
    (tmp_path / "log/tile/0/000.p/25").write_bytes(bytes(800))
    assert gemel("verify log") == 1
