"""Keys: in a folder, wrapped by a master key, changed, backed up, put back; never a way back for who was erased."""

from __future__ import annotations

import json
import logging
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given, settings
from hypothesis import strategies as st
from keyring.backend import KeyringBackend
from typer.testing import CliRunner

from gemel.cli.main import app
from gemel.errors import BadInput, Refused, Tampered, Unavailable
from gemel.facts import DAY, HOUSE
from gemel.testing.thread import draft
from gemel.thread import key_backup, open_thread, verify_store
from gemel.thread.folder_keys import FolderKeys
from gemel.thread.key_backup import read_backup, restore, write_backup
from gemel.thread.key_stores import open_keys
from gemel.thread.keys import Keys, MemoryKeys, SubjectKey
from gemel.thread.wrapping import KeyWrapper, Master, file_master, keyring_master

PHRASE = "correct horse battery"
NONCE = b"n" * 12


class Ring(KeyringBackend):
    """A keyring in memory, that can be locked."""

    priority = 1  # type: ignore[assignment]  # a number will do

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        """Return what is kept."""
        if self.locked:
            raise RuntimeError("the keyring is locked")
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep it."""
        self.held[service, username] = password


class Service:
    """A key management service as somebody else's library: long wraps, errors of its own, and it may deny."""

    name = "the service"

    def __init__(self) -> None:
        self.inner = Master("inner", lambda: self.content, self._store)
        self.content: bytes | None = None
        self.denies: set[str] = set()

    def _store(self, content: bytes) -> None:
        self.content = content

    def _ask(self, what: str) -> None:
        if what in self.denies:
            raise PermissionError(f"AccessDenied: {what}")

    def wrap(self, secret: bytes, label: bytes) -> bytes:
        """Wrap as it likes."""
        self._ask("wrap")
        return b"arn:key/1 " + self.inner.wrap(secret, label).ljust(200, b".")

    def unwrap(self, wrapped: bytes, label: bytes) -> bytes:
        """Unwrap."""
        self._ask("unwrap")
        return self.inner.unwrap(wrapped[10:74], label)

    def renew(self) -> None:
        """Renew."""
        self._ask("renew")
        self.inner.renew()

    def retire(self) -> None:
        """Retire."""
        self._ask("retire")
        self.inner.retire()


SERVICE = Service()


@pytest.fixture
def ring() -> Iterator[Ring]:
    """Return the keyring of this test."""
    before, made = keyring.get_keyring(), Ring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.fixture(params=["memory", "folder", "file", "keyring", "service"])
def keys(request: pytest.FixtureRequest, tmp_path: Path, ring: Ring) -> Keys:
    """Return keys of each kind."""
    wrappers: dict[str, Callable[[], KeyWrapper]] = {
        "file": lambda: file_master(tmp_path / "master"), "keyring": lambda: keyring_master("test"), "service": Service,
    }  # fmt: skip
    if request.param == "memory":
        return MemoryKeys()
    made = wrappers[request.param]() if request.param in wrappers else None
    return FolderKeys(tmp_path / "keys", wrapper=made)


def sealed(key: SubjectKey | None, text: bytes = b"said") -> bytes:
    """Return something sealed with a key."""
    assert key is not None
    return key.cipher.encrypt(NONCE, text, b"label")


def opens(key: SubjectKey | None, data: bytes) -> bytes:
    """Return what it says."""
    assert key is not None
    return key.cipher.decrypt(NONCE, data, b"label")


# every kind


def test_each_subject_has_a_key_until_it_is_erased(keys: Keys) -> None:
    """Created, the same again, destroyed; and the others are as they were."""
    keys.create(["lily", "max"])
    first = sealed(keys.subject("lily"))

    assert opens(keys.subject("lily"), first) == b"said"
    assert keys.subject("nobody") is None and not keys.erased("nobody")
    keys.erase("lily")
    assert keys.subject("lily") is None and keys.erased("lily")
    assert keys.subject("max") is not None and not keys.erased("max")


def test_a_renewed_key_seals_anew_opens_the_old_and_marks_as_before(keys: Keys) -> None:
    """Several generations: rows stay readable, idempotency holds, and erasing destroys them all."""
    keys.create(["lily"])
    before = keys.subject("lily")
    assert before is not None
    old, mark = sealed(before), before.mark("k")
    for _ in range(3):
        keys.renew("lily")

    after = keys.subject("lily")
    assert after is not None
    assert (opens(after, old), opens(after, sealed(after)), after.mark("k")) == (b"said", b"said", mark)
    with pytest.raises(InvalidTag):
        opens(before, sealed(after))
    keys.erase("lily")
    assert keys.subject("lily") is None and keys.erased("lily")


def test_a_store_goes_on_over_changes_of_keys(tmp_path: Path) -> None:
    """Facts of all generations are read, duplicates are known, the store is intact, a reader beside it keeps up."""
    with open_thread(tmp_path / "store") as thread, open_thread(tmp_path / "store", readonly=True) as reader:
        for i in range(4):
            thread.append([draft(0, key=f"k{i}"), draft(0, key="once")], now=i)
            assert len(list(reader.read("lily"))) == i + 2
            thread._keys.renew("lily")  # type: ignore[union-attr]
        assert thread.append([draft(0, key="k0"), draft(0, key="k3")], now=9).duplicates == 2
        assert len(list(thread.read("lily"))) == 5
        assert thread.verify().problems == ()
        thread.erase("lily")
        assert list(thread.read("lily")) == [] and thread.verify().problems == ()


# the folder


def test_the_folder_is_its_owners_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What others could read is mended with a warning; who may only look, warns."""
    FolderKeys(tmp_path / "keys").create(["lily"])
    assert {oct(stat.S_IMODE(path.stat().st_mode)) for path in (tmp_path / "keys").iterdir()} == {"0o600"}
    for path in (tmp_path / "keys", tmp_path / "keys/subjects"):
        path.chmod(0o755)

    with caplog.at_level(logging.WARNING):
        FolderKeys(tmp_path / "keys", readonly=True)
        assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o755
        FolderKeys(tmp_path / "keys")

    assert [record.getMessage().split(" the keys")[0] for record in caplog.records] == [
        "others may read", "others could until now read",
    ]  # fmt: skip
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "keys/subjects").stat().st_mode) == 0o700 & 0o755


def test_what_cannot_be_mended_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's folder, open to all: nothing is written into it."""
    FolderKeys(tmp_path / "keys")
    (tmp_path / "keys").chmod(0o755)

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(Unavailable, match=r"others may read the keys in .*its owner must do `chmod -R go="):
        FolderKeys(tmp_path / "keys")


def test_an_erasure_cut_short_is_finished_when_opened(tmp_path: Path) -> None:
    """One tombstone among several generations is enough, whichever was written before the power went."""
    for which in range(3):
        folder = tmp_path / f"keys{which}"
        keys = FolderKeys(folder)
        keys.create(["max", "lily"])
        keys.renew("lily")
        keys.renew("lily")
        whole = (folder / "subjects").read_bytes()
        keys.erase("lily")
        erased = (folder / "subjects").read_bytes()
        keys.close()
        place = [128, 256, 384][which]
        torn = whole[:place] + erased[place : place + 128] + whole[place + 128 :]
        (folder / "subjects").write_bytes(torn)

        again = FolderKeys(folder)

        assert again.erased("lily") and again.subject("lily") is None and again.subject("max") is not None
        assert (folder / "subjects").read_bytes() == erased


# wrapped


def test_what_lies_in_the_folder_opens_nothing_without_the_master(tmp_path: Path) -> None:
    """No secret is in the files; without the master there is a clear sentence; nothing is taken for erased."""
    keys = FolderKeys(tmp_path / "keys", wrapper=file_master(tmp_path / "master"))
    keys.create(["lily"])
    signing = keys.make_signing().private_bytes_raw()
    secrets = [secret for _, held in keys.held() for secret in held or ()]
    on_disk = b"".join(path.read_bytes() for path in (tmp_path / "keys").iterdir())
    assert signing not in on_disk and not any(secret in on_disk for secret in secrets)
    assert stat.S_IMODE((tmp_path / "master").stat().st_mode) == 0o600
    (tmp_path / "master").unlink()

    again = FolderKeys(tmp_path / "keys", wrapper=file_master(tmp_path / "master"))
    with pytest.raises(Unavailable, match=r"the master key in .* has no master key 1; it has none"):
        again.subject("lily")
    assert not again.erased("lily")
    again.erase("lily")
    assert again.erased("lily")


def test_a_wrapped_key_belongs_to_its_subject(tmp_path: Path) -> None:
    """A key copied into another's slot is found out."""
    master = file_master(tmp_path / "master")
    wrapped = master.wrap(b"s" * 32, b"lily")
    assert master.unwrap(wrapped, b"lily") == b"s" * 32
    with pytest.raises(Tampered, match="not as it was written"):
        master.unwrap(wrapped, b"max")


def test_rotation_makes_old_copies_of_the_folder_worthless(tmp_path: Path) -> None:
    """All keys are as before, tombstones too; with the new master, an old copy of the folder opens nothing."""
    keys = FolderKeys(tmp_path / "keys", wrapper=file_master(tmp_path / "master"))
    keys.create(["lily", "max", "zoë"])
    keys.renew("max")
    keys.erase("zoë")
    data, public = sealed(keys.subject("max")), keys.make_signing().public_key()
    old = {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}

    assert keys.rotate() == 3

    assert opens(keys.subject("max"), data) == b"said" and keys.erased("zoë")
    assert keys.signing is not None and keys.signing.public_key() == public
    again = FolderKeys(tmp_path / "keys", wrapper=file_master(tmp_path / "master"))
    assert opens(again.subject("max"), data) == b"said"
    (tmp_path / "copy").mkdir(mode=0o700)
    for name, content in old.items():
        (tmp_path / "copy" / name).write_bytes(content)
    copy = FolderKeys(tmp_path / "copy", wrapper=file_master(tmp_path / "master"), readonly=True)
    with pytest.raises(Unavailable, match="has no master key 1; it has"):
        copy.subject("max")


@pytest.mark.parametrize("step", ["renew", "wrap", "rename", "sign", "retire"])
def test_a_rotation_cut_short_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Whatever step it dies in, all keys open, and rotating again finishes it."""
    service = Service()
    keys = FolderKeys(tmp_path / "keys", wrapper=service)
    keys.create(["lily", "max"])
    keys.make_signing()
    data, public = sealed(keys.subject("max")), keys.signing
    with monkeypatch.context() as patch:
        if step in ("renew", "wrap", "retire"):
            service.denies.add(step)
        else:
            at = {"rename": "gemel.thread.slots.Path.replace", "sign": "gemel.thread.folder_keys.FolderKeys.sign_with"}

            def fail(*_: Any, **__: Any) -> None:
                raise OSError(5, "Input/output error")

            patch.setattr(at[step], fail)
        with pytest.raises((Unavailable, OSError, PermissionError)):
            keys.rotate()
    service.denies.clear()

    again = FolderKeys(tmp_path / "keys", wrapper=service)
    assert opens(again.subject("max"), data) == b"said" and again.signing is not None and public is not None
    assert again.rotate() == 2
    assert len(service.content or b"") == 36
    assert opens(FolderKeys(tmp_path / "keys", wrapper=service).subject("lily"), sealed(again.subject("lily")))


def test_a_service_that_denies_is_an_error_of_the_environment(tmp_path: Path) -> None:
    """Reading and writing say so; erasing needs nobody's leave."""
    service = Service()
    FolderKeys(tmp_path / "keys", wrapper=service).create(["lily"])
    service.denies |= {"unwrap", "wrap"}
    keys = FolderKeys(tmp_path / "keys", wrapper=service)

    with pytest.raises(Unavailable, match="the service opened no key: AccessDenied: unwrap"):
        keys.subject("lily")
    with pytest.raises(Unavailable, match="the service wrapped no key: AccessDenied: wrap"):
        keys.create(["max"])
    keys.erase("lily")
    assert keys.erased("lily") and not keys.erased("max")


def test_plain_keys_are_not_taken_for_wrapped_ones(tmp_path: Path) -> None:
    """Nor the other way round: a forgotten setting must not look like an empty key store."""
    FolderKeys(tmp_path / "plain")
    FolderKeys(tmp_path / "wrapped", wrapper=Service())
    with pytest.raises(Unavailable, match="lie there as they are; GEMEL_KEYS says otherwise"):
        FolderKeys(tmp_path / "plain", wrapper=Service())
    with pytest.raises(Unavailable, match="lie there wrapped by a master key; GEMEL_KEYS says otherwise"):
        FolderKeys(tmp_path / "wrapped")
    with pytest.raises(BadInput, match="wrapped by no master key"):
        FolderKeys(tmp_path / "plain").rotate()


# addresses


def test_an_address_finds_the_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ring: Ring) -> None:
    """A folder, the keyring, a file, a service; and none is the default folder."""
    sys.modules["tests_keys_service"] = sys.modules[__name__]
    kinds = {
        "folder": str(tmp_path / "elsewhere"), "keyring": "keyring:family", "file": f"kms:file:{tmp_path / 'master'}",
        "service": "kms:tests_keys_service:Service", "default": None,
    }  # fmt: skip
    names = {}
    for kind, address in kinds.items():
        keys = open_keys(address, tmp_path / kind)
        keys.create(["lily"])
        assert keys.subject("lily") is not None
        names[kind] = (keys.folder.name, keys.wrapper.name if keys.wrapper else None)
    assert names == {
        "folder": ("elsewhere", None), "keyring": ("keyring", "the keyring's entry family"),
        "file": ("file", f"the master key in {tmp_path / 'master'}"), "service": ("service", "the service"),
        "default": ("default", None),
    }  # fmt: skip
    assert list(ring.held) == [("gemel", "family")]
    monkeypatch.setenv("GEMEL_KEYS", "keyring:family")
    assert open_keys(None, tmp_path / "keyring", readonly=True).subject("lily") is not None
    ring.locked = True
    with pytest.raises(Unavailable, match="the keyring's entry family cannot be used: the keyring is locked"):
        open_keys(None, tmp_path / "keyring", readonly=True).subject("lily")


@pytest.mark.parametrize("address", ["kms:", "keyring:", "kms:nobody", "kms:no.such:thing", "kms:json:nothing"])
def test_an_address_that_leads_nowhere_says_what_is_possible(tmp_path: Path, address: str) -> None:
    with pytest.raises(BadInput, match=r"possible: a folder, keyring:NAME"):
        open_keys(address, tmp_path / "keys")


def test_a_store_works_with_wrapped_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Append, read, verify, erase; and without the master nothing is read, and verify says why."""
    monkeypatch.setenv("GEMEL_KEYS", f"kms:file:{tmp_path / 'master'}")
    with open_thread(tmp_path / "store") as thread:
        thread.append([draft(i) for i in range(6)], now=1)
    with open_thread(tmp_path / "store") as thread:
        assert len(list(thread.read())) == 6
        thread.erase("lily")
        assert len(list(thread.read())) == 4
    assert verify_store(tmp_path / "store").problems == ()
    (tmp_path / "master").rename(tmp_path / "gone")
    with pytest.raises(Unavailable, match="has no master key"):
        verify_store(tmp_path / "store")


# backups


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make scrypt quick."""
    monkeypatch.setattr(key_backup, "COST", 1 << 4)


@pytest.mark.usefixtures("cheap")
def test_a_backup_brings_back_what_was_lost_but_nobody_who_was_erased(tmp_path: Path) -> None:
    """Erased before the backup, erased after it and on record, and not erased: only the last can be read again."""
    keys = FolderKeys(tmp_path / "keys")
    keys.make_signing()
    keys.create(["lily", "max", "zoë", HOUSE])
    keys.renew("max")
    data = {twin: sealed(keys.subject(twin)) for twin in ("lily", "max", "zoë")}
    keys.erase("zoë")
    write_backup(tmp_path / "b", keys, PHRASE, 0, 30)
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600

    lost = FolderKeys(tmp_path / "new")
    seen: list[bool] = []

    def on_record() -> list[str]:
        seen.append(lost.subject(HOUSE) is not None and lost.subject("lily") is None)
        return ["lily"]

    done = restore(read_backup(tmp_path / "b", PHRASE, 30 * DAY - 1), lost, on_record)

    assert seen == [True]
    assert (done.subjects, done.erased) == (2, 1)
    assert opens(lost.subject("max"), data["max"]) == b"said"
    assert [lost.erased(twin) for twin in ("lily", "zoë", "max")] == [True, True, False]
    assert lost.subject("lily") is None and lost.subject("zoë") is None
    again = restore(read_backup(tmp_path / "b", PHRASE, 1), lost, list)
    assert (again.subjects, again.erased) == (0, 1) and lost.erased("lily")


@pytest.mark.usefixtures("cheap")
@settings(max_examples=40)
@given(place=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_changed_backup_never_opens(tmp_path_factory: pytest.TempPathFactory, place: int, flip: int) -> None:
    """Any byte, also those of the day it expires."""
    folder = tmp_path_factory.mktemp("backup")
    keys = FolderKeys(folder / "keys")
    keys.make_signing()
    keys.create(["lily"])
    write_backup(folder / "b", keys, PHRASE, 0, 30)
    found = bytearray((folder / "b").read_bytes())
    found[place % len(found)] ^= flip
    (folder / "b").write_bytes(found)
    try:
        opened = read_backup(folder / "b", PHRASE, 1)
    except (BadInput, Refused):
        return
    assert dict(opened.subjects) == {id_: list(held or ()) for id_, held in keys.held()}  # base64 may have spare bits


@pytest.mark.usefixtures("cheap")
def test_a_backup_refuses_who_comes_late_or_does_not_know(tmp_path: Path) -> None:
    """After its expiry, with another passphrase, for another store; and it is not made to last or to be guessed."""
    keys, other = FolderKeys(tmp_path / "keys"), FolderKeys(tmp_path / "other")
    keys.make_signing()
    other.make_signing()
    write_backup(tmp_path / "b", keys, PHRASE, 0, 30)

    with pytest.raises(Refused, match=r"expired at 1970-01-31T00:00:00Z: who was erased since must stay so"):
        read_backup(tmp_path / "b", PHRASE, 30 * DAY)
    with pytest.raises(Refused, match="another passphrase"):
        read_backup(tmp_path / "b", PHRASE + "x", 1)
    opened = read_backup(tmp_path / "b", PHRASE, 1)
    with pytest.raises(Refused, match="of another store"):
        restore(opened, other, list)
    with pytest.raises(BadInput, match="too short"):
        write_backup(tmp_path / "c", keys, "short", 0, 30)
    with pytest.raises(BadInput, match="1 to 365"):
        write_backup(tmp_path / "c", keys, PHRASE, 0, 4000)
    with pytest.raises(BadInput, match="is not a backup"):
        (tmp_path / "c").write_text("{}")
        read_backup(tmp_path / "c", PHRASE, 0)


@pytest.mark.usefixtures("cheap")
def test_damaged_slots_are_put_back(tmp_path: Path) -> None:
    """A flipped bit in one key is mended from the backup; the rest stays."""
    keys = FolderKeys(tmp_path / "keys")
    keys.make_signing()
    keys.create(["lily", "max"])
    data = sealed(keys.subject("max"))
    write_backup(tmp_path / "b", keys, PHRASE, 0, 30)
    found = bytearray((tmp_path / "keys/subjects").read_bytes())
    found[128 + 40] ^= 1
    (tmp_path / "keys/subjects").write_bytes(found)
    hurt = FolderKeys(tmp_path / "keys")
    with pytest.raises(Unavailable, match="damaged"):
        hurt.subject("max")
    assert restore(read_backup(tmp_path / "b", PHRASE, 1), hurt, list).subjects == 1
    assert opens(hurt.subject("max"), data) == b"said"


@pytest.mark.usefixtures("cheap")
def test_keys_are_kept_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Backup, loss, restore; renew; rotate where there is a master; and the store is as it was."""
    monkeypatch.setenv("GEMEL_PASSPHRASE", PHRASE)
    store, run = str(tmp_path / "store"), CliRunner()

    def gemel(*words: str) -> dict[str, Any]:
        done = run.invoke(app, ["keys", *words, "--store", store, "--json"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    with open_thread(store) as thread:
        thread.append([draft(i) for i in range(6)], now=1)
    made = gemel("backup", str(tmp_path / "b"), "--days", "7")
    assert made["expires_at"] - made["made_at"] == 7 * DAY
    assert gemel("renew", "lily") == {"twin": "lily", "renewed": True}
    with open_thread(store) as thread:
        thread.append([draft(0)], now=2)
        thread.erase("max")
    for path in (tmp_path / "store/keys").iterdir():
        if path.name != "checkpoint":
            path.unlink()
    with pytest.raises(Unavailable, match="without its signing key"):
        open_thread(store)
    assert gemel("restore", str(tmp_path / "b"))["restored"] == 4
    with open_thread(store, readonly=True) as thread:
        assert len(list(thread.read("zoë"))) == 2
    with pytest.raises(BadInput, match="wrapped by no master key"):
        gemel("rotate")
    with open_thread(store), pytest.raises(Unavailable, match="is held by"):
        gemel("renew", "lily")
