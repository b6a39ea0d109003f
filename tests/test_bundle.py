"""Exchange between banks: what travels is what the grants allow, whole and provable; what arrives is all or nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tank
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from gemel.bank import Bank
from gemel.bank.arrivals import IMPORTED
from gemel.bank.bundle import opened, packed
from gemel.bank.bundle_check import checked
from gemel.bank.bundle_in import GONE, REFERENCES, receive
from gemel.bank.bundle_out import EXPORTED, Sent, send
from gemel.bank.bundle_seal import Passphrase, PrivateKey, PublicKey, new_key
from gemel.errors import BadInput, GemelError, NotFound, Refused, Tampered
from gemel.facts import DAY, HOUSE, MINUTE, Draft, Fact
from gemel.thread.codec import unseal_with_key
from gemel.thread.keys import SubjectKey
from gemel.thread.standalone import verify as alone
from gemel.thread.thinning import THINNED, covering
from gemel.twintype import TwinType

SECRET = PrivateKey("77" * 32)
PUBLIC = SECRET.public


def _observed(value: float, at: int, name: str = "gauge", **more: Any) -> Draft:
    body = {"name": name, "value": value, "unit": "L", "source": "", "key": f"{name}|{at}"}
    return Draft(
        "lily", "observed/1" if name == "gauge" else "acted/1", body, at, "stream:x", key=f"{name}|{at}", **more
    )


def _bank(where: str = "memory:") -> Bank:
    """Return a bank in which sarah holds lily, a tank, and lets dr-lee read its gauge."""
    bank = tank.bank(where)
    lily = bank.create("tank", "lily", by="sarah", attributes={"tank.leak": 0.0234375})
    lily.grant(to="dr-lee", purpose="care", read="gauge")
    lily.grant(to="acme", purpose="care", read="tap")
    bank.append([_observed(40.5 + i, tank.BORN + i, "gauge") for i in range(6)])
    bank.append([_observed(1.25 + i, tank.BORN + i, "tap") for i in range(3)])
    return bank


@pytest.fixture
def bank() -> Bank:
    """Return such a bank."""
    return _bank()


def _partial(bank: Bank, path: Path) -> Sent:
    return send(bank, ["lily"], path / "lily.gemel", by="dr-lee", purpose="care")


def _whole(bank: Bank, path: Path, name: str = "lily.gemel") -> Sent:
    return send(bank, ["lily"], path / name, by="sarah", purpose="care", whole=True, receiver=PUBLIC)


def _told(bank: Bank, *twins: str) -> list[tuple[object, ...]]:
    """Return the facts of twins as they are whatever numbers they bear: a number stands for the place in this list."""
    found: list[tuple[Fact, str | None]] = []
    for twin in twins:
        key = SubjectKey(*bank.thread.secrets(twin))
        found += [unseal_with_key(row, key) for row in bank.thread.rows(twin)]
    found.sort(key=lambda one: one[0].seq)
    place = {fact.seq: i for i, (fact, _) in enumerate(found)}

    def plain(value: Any, field: str = "") -> Any:
        if isinstance(value, dict):
            return {name: plain(held, name) for name, held in value.items()}
        if isinstance(value, list):
            return [plain(held) for held in value]
        return ("fact", place.get(value)) if field in REFERENCES and type(value) is int else value

    def keyed(fact: Fact, key: str | None) -> object:
        start, bar, last = (key or "").rpartition("|")
        return (start, place.get(int(last))) if bar and fact.kind in ("decided/1", "outcome/1") else key

    def whole(fact: Fact, key: str | None) -> tuple[object, ...]:
        body = json.dumps(plain(dict(fact.body)), sort_keys=True)
        cause = tuple(place.get(seq) for seq in fact.cause)
        return fact.twin, fact.kind, body, fact.true_at, fact.by, cause, keyed(fact, key)

    return [whole(fact, key) for fact, key in found]


# round trips

NAMES = st.text(min_size=1, max_size=6).filter(lambda name: name not in REFERENCES)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | FLOATS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def _histories(draw: st.DrawFn) -> list[tuple[str, str, Any, int, list[int], bool]]:
    """Return what is said of two twins and of one who stays at home: twin, kind, body, time, causes by place, keyed."""
    made: list[tuple[str, str, Any, int, list[int], bool]] = []
    for i in range(draw(st.integers(1, 12))):
        twin = draw(st.sampled_from(["lily", "lily", "max", "zoë"]))
        kind = draw(st.sampled_from(["noted/1", "noted/1", "decided/1", "outcome/1"]))
        body = draw(st.dictionaries(st.text(min_size=1, max_size=6), JSON, max_size=3))
        cause = draw(st.lists(st.integers(0, i - 1), max_size=2, unique=True)) if i else []
        made.append((twin, kind, body, draw(st.integers(-(2**40), 2**41)), cause, draw(st.booleans())))
    return made


def _lived(bank: Bank, history: list[tuple[str, str, Any, int, list[int], bool]]) -> None:
    for name in ("lily", "max", "zoë"):
        bank.create("tank", name, by="sarah", attributes={"tank.leak": 0.1})
    seqs: list[int] = []
    for i, (twin, kind, body, at, cause, keyed) in enumerate(history):
        causes = tuple(seqs[place] for place in cause)
        known = [seqs[place] for place in cause if history[place][0] != "zoë"]
        body = {name: value for name, value in body.items() if name not in REFERENCES}
        if known and kind in ("decided/1", "outcome/1"):
            body |= {"proposal": known[0], "rows": [{"forecast": known[0], "x": 1.5}]}
        key = f"{kind.split('/')[0]}|{known[0]}|{i}|{known[0]}" if known else f"k{i}"
        draft = Draft(twin, kind, body, at, "sarah", causes, key=key if keyed else None)
        seqs += [fact.seq for fact in bank.thread.append([draft], bank.now()).facts]


@pytest.fixture(params=["memory to memory", "sqlite to postgresql", "postgresql to sqlite"])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], tuple[str, str]]:
    """Return a function that gives the addresses of two empty stores, one to send and one to receive."""
    if request.param == "memory to memory":
        return lambda: ("memory:", "memory:")
    server = request.getfixturevalue("postgres")
    numbers = iter(range(1000))

    def both() -> tuple[str, str]:
        pair = str(tmp_path / f"store{next(numbers)}"), server.address(tmp_path / "keys")
        return pair if request.param.startswith("sqlite") else pair[::-1]

    return both


def test_a_round_trip_is_exact(way: Callable[[], tuple[str, str]], tmp_path: Path) -> None:
    """What arrives is what left, whatever it says, and so is what comes back: nothing of it is new."""
    paths = iter(range(10_000))

    @settings(max_examples=15 if way()[0] == "memory:" else 4, deadline=None, phases=[Phase.explicit, Phase.generate])
    @given(history=_histories(), whole=st.booleans())
    def exact(history: list[tuple[str, str, Any, int, list[int], bool]], whole: bool) -> None:
        there, here = way()
        with tank.bank(there) as first, tank.bank(here) as second:
            second.create("tank", "other", by="ann")
            _lived(first, history)
            out, back = tmp_path / f"{next(paths)}.gemel", tmp_path / f"{next(paths)}.gemel"
            send(first, ["lily", "max"], out, by="sarah", purpose="care", whole=whole, receiver=PUBLIC)
            got = receive(second, out, by="sarah", receiver=SECRET)
            left = _told(first, "lily", "max")

            assert got.new == len(left)
            assert _told(second, "lily", "max") == _known(left)
            assert second.thread.verify().problems == ()
            send(second, ["max", "lily"], back, by="sarah", purpose="care", whole=whole, receiver=PUBLIC)
            again = receive(first, back, by="sarah", receiver=SECRET)
            assert again.known == len(left)
            assert _told(first, "lily", "max")[: len(left)] == left

    exact()


def _known(told: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Return facts as they are where causes that did not come along are left out, and their numbers are none."""
    return [(*fact[:5], tuple(place for place in fact[5] if place is not None), fact[6]) for fact in told]  # type: ignore[attr-defined]


def test_facts_keep_when_by_whom_and_why_and_say_where_they_came_from(bank: Bank, tmp_path: Path) -> None:
    """The bank's own fact tells sender, checkpoint, old numbers, and when they were known there."""
    bank.now.now += DAY  # type: ignore[attr-defined]
    sent, second = _whole(bank, tmp_path), tank.bank(at=tank.BORN + 2 * DAY)
    receive(second, sent.path, by="sarah", receiver=SECRET)

    body = next(second.thread.read(HOUSE, kinds=[IMPORTED])).body
    assert (body["twin"], body["sender"], body["digest"]) == ("lily", bank.thread.public_key, sent.digest)
    assert body["seqs"] == [[1, 1, sent.facts]]
    assert alone.read_checkpoint(body["checkpoint"], alone.read_key(body["sender"])).size == sent.facts
    assert sum(count for _, count in body["known_at"]) == sent.facts
    assert next(second.thread.read("lily")).known_at == tank.BORN + 2 * DAY


def test_importing_again_changes_nothing_and_says_so(bank: Bank, tmp_path: Path) -> None:
    """Not one fact more, whoever imports, and also after the twin has moved on here."""
    sent, second = _partial(bank, tmp_path), tank.bank()
    first = receive(second, sent.path, by="dr-lee")
    count = len(list(second.thread.read()))
    again = receive(second, sent.path, by="dr-lee")

    assert (first.new, first.known) == (sent.facts, 0)
    assert (again.new, again.known) == (0, sent.facts)
    assert len(list(second.thread.read())) == count


def test_a_later_bundle_of_the_same_bank_adds_what_is_new(bank: Bank, tmp_path: Path) -> None:
    """Rights among it: the bank that brought the twin may go on telling of it."""
    second = tank.bank()
    receive(second, _partial(bank, tmp_path).path, by="dr-lee")
    bank.append([_observed(99, tank.BORN + 50)])
    bank.find("lily", by="sarah", purpose="care").grant(to="dr-lee", purpose="care", read="tap")
    got = receive(second, send(bank, ["lily"], tmp_path / "b", by="dr-lee", purpose="care").path, by="dr-lee")

    assert (got.new, got.known) == (5, 9 - 1)
    assert second.gate.decide("dr-lee", "read", "lily", "tap", "care").allowed


# what may travel


def test_only_what_the_reader_may_read_travels_and_the_rest_is_listed(bank: Bank, tmp_path: Path) -> None:
    """dr-lee reads the gauge: no tap, no attributes, nobody else's grants; and the receiving bank knows no more."""
    sent, second = _partial(bank, tmp_path), tank.bank()
    receive(second, sent.path, by="dr-lee")
    parts = _parts(sent.path)
    contents = json.loads(parts["contents.json"])["twins"][0]

    assert sent.left_out["lily"]["signals"] == ["tap", "bucket"]
    assert sent.left_out["lily"]["facts"]["acted/1"] == 3
    assert contents["signals"] == ["gauge"] and contents["left_out"]["attributes"] is True
    assert not any(word in parts["facts.jsonl"] for word in (b"acted/1", b"0.0234375", b"acme"))
    assert second.gate.decide("dr-lee", "read", "lily", "gauge", "care").allowed
    assert not second.gate.decide("dr-lee", "read", "lily", "tap", "care").allowed
    assert not second.gate.decide("dr-lee", "read", "lily", "gauge", "research").allowed
    assert second.holders("lily") == ("sarah",)
    assert len(second.find("lily", by="dr-lee", purpose="care").readings("gauge")) == 6


@pytest.mark.parametrize("who", ["stranger", "acme for research", "dr-lee after the end"])
def test_whoever_may_read_nothing_exports_nothing(bank: Bank, tmp_path: Path, who: str) -> None:
    """The refusal is on record, and there is no file."""
    by, purpose = who.split()[0], "research" if "research" in who else "care"
    if "after" in who:
        bank.find("lily", by="sarah", purpose="care").revoke(bank.grants("lily")[0].id)
    with pytest.raises(Refused, match=f"{by} may not read"):
        send(bank, ["lily"], tmp_path / "x", by=by, purpose=purpose)

    refused = [fact for fact in bank.thread.read("lily", kinds=["accessed/1"]) if not fact.body["allowed"]]
    assert by in {fact.body["actor"] for fact in refused}
    assert list(tmp_path.iterdir()) == []
    assert list(bank.thread.read(HOUSE, kinds=[EXPORTED])) == []


def test_a_holder_who_exports_for_somebody_gives_only_what_that_one_may_read(bank: Bank, tmp_path: Path) -> None:
    """The reader's grants count, not the sender's power; and only the reader may import it."""
    sent = send(bank, ["lily"], tmp_path / "x", by="sarah", purpose="care", to="dr-lee")
    assert sent.left_out["lily"]["signals"] == ["tap", "bucket"]
    with pytest.raises(Refused, match="mallory may not import this: it was made for dr-lee"):
        receive(tank.bank(), sent.path, by="mallory")
    assert receive(tank.bank(), sent.path, by="dr-lee").new == sent.facts


def test_an_export_is_on_record_with_path_and_digest(bank: Bank, tmp_path: Path) -> None:
    """So that the subject's view tells of it, and erasure finds it."""
    sent = _partial(bank, tmp_path)
    body = next(bank.thread.read(HOUSE, kinds=[EXPORTED])).body
    assert (body["twins"], body["path"], body["digest"]) == (["lily"], str(sent.path), sent.digest)
    assert (body["to"], body["purpose"], body["whole"], body["sealed"]) == ("dr-lee", "care", False, False)


def test_erasing_a_twin_deletes_its_bundles_in_the_store_and_lists_the_others(tmp_path: Path) -> None:
    """A bundle inside the store's folder goes; one elsewhere is named on the receipt."""
    with _bank(str(tmp_path / "store")) as bank:
        inside, outside = tmp_path / "store/lily.gemel", tmp_path / "lily.gemel"
        for path in (inside, outside):
            send(bank, ["lily"], path, by="sarah", purpose="care")
        receipt = bank.erase("lily", by="sarah", reason="asked for")

    assert (inside.exists(), outside.exists()) == (False, True)
    assert [one["path"] for one in receipt.body["exports_elsewhere"]] == [str(outside)]


def test_a_whole_hand_over_is_for_holders_and_sealed(bank: Bank, tmp_path: Path) -> None:
    """The keys move along: not by everybody, and never in the clear."""
    bank.find("lily", by="sarah", purpose="care").grant(to="dr-lee", purpose="care", read="*")
    with pytest.raises(Refused, match="only those who hold its keys may"):
        send(bank, ["lily"], tmp_path / "x", by="dr-lee", purpose="care", whole=True, receiver=PUBLIC)
    with pytest.raises(BadInput, match="seal it"):
        send(bank, ["lily"], tmp_path / "x", by="sarah", purpose="care", whole=True)
    with pytest.raises(NotFound, match="unknown twin"):
        send(bank, ["nobody"], tmp_path / "x", by="sarah", purpose="care")


# what is proven


def _parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


OWN = ("ro-crate-metadata.json", "manifest.json", "manifest.sig", "verify.py")


def _forged(
    bank: Bank, sent: Sent, change: Callable[[dict[str, bytes]], Mapping[str, bytes]], whole: bool = False
) -> Path:
    """Return a bundle that its own sender made differently and signed."""
    secret = SECRET if whole else None
    parts = {name: data for name, data in opened(sent.path, None, secret).parts.items() if name not in OWN}
    path = sent.path.with_name("forged.gemel")
    path.write_bytes(packed({**parts, **change(parts)}, bank.thread, bank.now(), PUBLIC if whole else None))
    return path


def _other_value(parts: dict[str, bytes]) -> dict[str, bytes]:
    return {"facts.jsonl": parts["facts.jsonl"].replace(b"40.5", b"41.5")}


def test_a_sender_who_changes_a_body_is_found_out_where_the_key_came_along(bank: Bank, tmp_path: Path) -> None:
    """Whole: the readable fact must be the sealed one, which the checkpoint covers."""
    sent = _whole(bank, tmp_path)
    with pytest.raises(Tampered, match=r"fact 4 \(lily, observed/1\) is not what its record says"):
        receive(tank.bank(), _forged(bank, sent, _other_value, whole=True), by="sarah", receiver=SECRET)


def test_in_a_part_the_body_rests_on_the_senders_signature_alone(bank: Bank, tmp_path: Path) -> None:
    """As the docs say. That there is such a fact, whose, of which kind and when, is proven all the same."""
    sent, second = _partial(bank, tmp_path), tank.bank()
    receive(second, _forged(bank, sent, _other_value), by="dr-lee")
    assert second.find("lily", by="dr-lee", purpose="care").readings("gauge")[0].value == 41.5

    changes = [(b'"true_at":1700000040000', b'"true_at":1'), (b'"twin":"lily"', b'"twin":"eve"'), (b"ved/1", b"ved/2")]
    for old, new in changes:
        forged = _forged(bank, sent, lambda parts, o=old, n=new: {"facts.jsonl": parts["facts.jsonl"].replace(o, n)})  # type: ignore[misc]
        with pytest.raises(GemelError, match=r"is not what its record says|does not say who holds"):
            receive(tank.bank(), forged, by="dr-lee")


@pytest.mark.parametrize("what", ["left out", "put in", "doubled", "moved", "other record", "other path"])
def test_facts_taken_out_put_in_or_moved_are_found(bank: Bank, tmp_path: Path, what: str) -> None:
    """By a sender who signs it all the same: facts and records must be the same ones, and lead to the root."""

    def change(parts: dict[str, bytes]) -> dict[str, bytes]:
        facts, records = parts["facts.jsonl"].splitlines(True), parts["records.jsonl"].splitlines(True)
        if what == "left out":
            del facts[3]
        elif what == "put in":
            facts.insert(3, facts[3].replace(b'"seq":', b'"seq":9'))
        elif what == "doubled":
            facts.insert(3, facts[3])
        elif what == "moved":
            facts[3], facts[4] = facts[4], facts[3]
        elif what == "other record":
            one, two = json.loads(records[3]), json.loads(records[4])
            records[3] = json.dumps(one | {"record": two["record"]}).encode() + b"\n"
        else:
            one, two = json.loads(records[3]), json.loads(records[4])
            records[3] = json.dumps(one | {"path": two["path"]}).encode() + b"\n"
        return {"facts.jsonl": b"".join(facts), "records.jsonl": b"".join(records)}

    forged = _forged(bank, _partial(bank, tmp_path), change)
    with pytest.raises(Tampered):
        receive(tank.bank(), forged, by="dr-lee")


def test_a_sender_who_puts_in_more_than_the_grants_allow_is_refused(bank: Bank, tmp_path: Path) -> None:
    """The receiving bank asks again, by the facts that came along."""
    everything = opened(send(bank, ["lily"], tmp_path / "all", by="sarah", purpose="care").path, None, None).parts

    def change(parts: dict[str, bytes]) -> dict[str, bytes]:
        return {name: everything[name] for name in ("facts.jsonl", "records.jsonl", "checkpoint")}

    forged = _forged(bank, _partial(bank, tmp_path), change)
    with pytest.raises(Refused, match=r"more than its grants allow: fact \d+ \(lily"):
        receive(tank.bank(), forged, by="dr-lee")

    claimed = _forged(bank, _partial_again(bank, tmp_path), lambda parts: {
        "contents.json": parts["contents.json"].replace(b'"signals":["gauge"]', b'"signals":["gauge","tap"]')
    })  # fmt: skip
    with pytest.raises(Refused, match="dr-lee may not read tap of lily"):
        receive(tank.bank(), claimed, by="dr-lee")


def _partial_again(bank: Bank, path: Path) -> Sent:
    return send(bank, ["lily"], path / "again.gemel", by="dr-lee", purpose="care")


@settings(max_examples=120, deadline=None)
@given(place=st.integers(0, 1 << 30), mask=st.integers(1, 255), whole=st.booleans())
def test_any_byte_changed_is_found_or_without_effect(
    changing: dict[bool, tuple[Path, object]], place: int, mask: int, whole: bool
) -> None:
    """In the zip's own bytes some say nothing, such as a time stamp; then every part reads as before."""
    path, expected = changing[whole]
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= mask
    bent = path.with_name("bent.gemel")
    bent.write_bytes(data)
    try:
        found = checked(opened(bent, None, SECRET if whole else None))
    except GemelError:
        return
    assert found == expected


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, tuple[Path, object]]:
    """Return a bundle that is whole and one that is not, and what they tell."""
    bank, made = _bank(), {}
    for whole in (True, False):
        path = tmp_path_factory.mktemp("changing")
        sent = _whole(bank, path) if whole else _partial(bank, path)
        made[whole] = sent.path, checked(opened(sent.path, None, SECRET if whole else None))
    return made


def test_a_bundle_of_another_sender_is_refused_where_one_is_asked_for(bank: Bank, tmp_path: Path) -> None:
    """`sender` insists; without it, whoever signed is told."""
    sent = _partial(bank, tmp_path)
    with pytest.raises(Refused, match="was signed by"):
        receive(tank.bank(), sent.path, by="dr-lee", sender="00" * 32)
    assert receive(tank.bank(), sent.path, by="dr-lee", sender=bank.thread.public_key).sender == bank.thread.public_key


def test_a_stranger_checks_a_bundle_with_python_alone(bank: Bank, tmp_path: Path) -> None:
    """Signature, digests and proofs with the file that lies inside; of a sealed one, what can be checked."""
    sent = _partial(bank, tmp_path)
    (tmp_path / "verify.py").write_bytes(_parts(sent.path)["verify.py"])
    whole = _whole(bank, tmp_path, "whole.gemel")
    forged = _forged(
        bank, sent, lambda parts: {"records.jsonl": parts["records.jsonl"].replace(b'"seq":5', b'"seq":6')}
    )
    command = [sys.executable, "-I", "-S", "verify.py", "--key", bank.thread.public_key]
    done = [
        subprocess.run([*command, str(path)], cwd=tmp_path, capture_output=True, text=True)
        for path in (sent.path, whole.path, forged)
    ]

    assert [each.returncode for each in done] == [0, 0, 1]
    assert "facts of it are among them" in done[0].stdout
    assert "its facts are sealed" in done[1].stdout
    assert "fact 6 (lily, observed/1) says that it is another fact" in done[2].stdout


# sealing


def test_a_sealed_bundle_says_nothing_of_the_subject(bank: Bank, tmp_path: Path) -> None:
    """No name, no value, no type; in no part."""
    parts = _parts(_whole(bank, tmp_path).path)
    for name, data in parts.items():
        if name != "verify.py":
            assert not any(word in data for word in (b"lily", b"sarah", b"gauge", b"tank", b"40.5")), name
    assert {name for name in parts if name.endswith(".sealed")} == {
        "contents.json.sealed", "facts.jsonl.sealed", "records.jsonl.sealed", "types.json.sealed", "keys.json.sealed",
    }  # fmt: skip


def test_only_the_receiver_opens_it(bank: Bank, tmp_path: Path) -> None:
    """By the passphrase or the private key, and by no other."""
    mine, other, phrase = new_key(), new_key(), Passphrase("a horse")
    for_key = send(bank, ["lily"], tmp_path / "k", by="sarah", purpose="care", receiver=PublicKey(mine.public.hex))
    by_phrase = send(bank, ["lily"], tmp_path / "p", by="sarah", purpose="care", whole=True, receiver=phrase)
    wrong = [(for_key, other), (for_key, phrase), (for_key, None), (by_phrase, Passphrase("a cow")), (by_phrase, mine)]

    assert receive(tank.bank(), for_key.path, by="sarah", receiver=mine).new == for_key.facts
    assert receive(tank.bank(), by_phrase.path, by="sarah", receiver=phrase).new == by_phrase.facts
    for sent, secret in wrong:
        with pytest.raises(Refused, match="the bundle is sealed by"):
            receive(tank.bank(), sent.path, by="sarah", receiver=secret)
    with pytest.raises(BadInput, match="is no public key"):
        send(bank, ["lily"], tmp_path / "n", by="sarah", purpose="care", receiver=PublicKey("zz"))


# what is not taken


def _with_type(changed: TwinType) -> Bank:
    bank = tank.bank()
    bank.types.clear()
    bank.types[changed.name] = changed
    return bank


def test_a_type_that_is_not_here_is_refused_unless_one_takes_its_place(bank: Bank, tmp_path: Path) -> None:
    """Name and content hash must be those of the bundle, or the actor says what stands for it."""
    sent = _partial(bank, tmp_path)
    other, barrel = _with_type(replace(tank.Tank, members=8)), _with_type(replace(tank.Tank, name="barrel"))
    for second in (other, barrel):
        with pytest.raises(Refused, match=f"lily is a tank of version {tank.Tank.hash[:12]}, which is not here"):
            receive(second, sent.path, by="dr-lee")
        assert list(second.thread.read()) == []

    receive(barrel, sent.path, by="dr-lee", types={"tank": "barrel"})
    assert barrel.type_of("lily").name == "barrel"
    assert receive(barrel, sent.path, by="dr-lee", types={"tank": "barrel"}).new == 0
    with pytest.raises(NotFound, match="unknown twin type 'vat'"):
        receive(other, sent.path, by="dr-lee", types={"tank": "vat"})


def test_facts_that_contradict_are_named_and_nothing_is_written(bank: Bank, tmp_path: Path) -> None:
    """Same twin and key, another value; another twin of the same name; by names and not by values."""
    sent, second = _whole(bank, tmp_path), tank.bank()
    second.create("tank", "lily", by="sarah")
    second.append([_observed(77.0, tank.BORN + 1), _observed(41.5, tank.BORN + 2)])
    before = len(list(second.thread.read()))
    with pytest.raises(Refused) as refused:
        receive(second, sent.path, by="sarah", receiver=SECRET)

    assert str(refused.value).splitlines() == [
        "nothing was imported, because facts here say otherwise:",
        "fact 1 (lily, created/1) of the bundle differs from fact 1 here in body.attributes",
        "fact 5 (lily, observed/1) of the bundle differs from fact 2 here in body.value",
        "fact 6 (lily, observed/1) of the bundle differs from fact 3 here in body.value",
    ]
    assert len(list(second.thread.read())) == before


def test_a_trial_writes_nothing(bank: Bank, tmp_path: Path) -> None:
    """It says what would be done."""
    sent, second = _partial(bank, tmp_path), tank.bank()
    assert receive(second, sent.path, by="dr-lee", trial=True).new == sent.facts
    assert list(second.thread.read()) == []


def test_an_erased_twin_does_not_come_back(bank: Bank, tmp_path: Path) -> None:
    """Where it was erased."""
    sent, second = _whole(bank, tmp_path), tank.bank()
    receive(second, sent.path, by="sarah", receiver=SECRET)
    second.thread.erase("lily")
    with pytest.raises(Refused, match="lily was erased here"):
        receive(second, sent.path, by="sarah", receiver=SECRET)


def test_nobody_grants_themselves_anything_with_a_bundle_of_their_own(bank: Bank, tmp_path: Path) -> None:
    """Mallory may write to lily; a bundle of mallory's own bank, in which sarah grants everything, opens nothing more."""
    lily = bank.find("lily", by="sarah", purpose="care")
    lily.grant(to="mallory", purpose="care", read="*", write="*")
    sent = send(bank, ["lily"], tmp_path / "x", by="mallory", purpose="care")
    own = tank.bank()
    receive(own, sent.path, by="mallory")
    grant = {"grant": "f00", "to": "mallory", "purpose": "care", "verbs": ["act"], "signals": ["*"]}
    grant |= {"until": None, "bounds": {}}
    own.append([Draft("lily", "granted/1", grant, own.now(), "sarah")])
    forged = send(own, ["lily"], tmp_path / "y", by="mallory", purpose="care")

    with pytest.raises(Refused, match="cannot be carried over as they are: grant f00 would be open"):
        receive(bank, forged.path, by="mallory")
    assert not bank.gate.decide("mallory", "act", "lily", "tap", "care").allowed


def test_whoever_may_not_write_adds_nothing_to_a_twin_that_is_here(bank: Bank, tmp_path: Path) -> None:
    """dr-lee may read lily; a bundle of dr-lee's own bank adds no reading to the one it came from."""
    own = tank.bank()
    receive(own, _partial(bank, tmp_path).path, by="dr-lee")
    own.append([_observed(300.0, tank.BORN + 77)])
    back = send(own, ["lily"], tmp_path / "back", by="dr-lee", purpose="care")
    with pytest.raises(Refused, match="dr-lee may not write"):
        receive(bank, back.path, by="dr-lee")


STEP = 10 * MINUTE
PEOPLE = ("sarah", "lily", "tom", "dr-lee", "acme", "nina")


@st.composite
def _consents(draw: st.DrawFn) -> list[tuple[str, str, dict[str, Any]]]:
    """Return who says what of lily's rights, one after the other, allowed or not."""
    made: list[tuple[str, str, dict[str, Any]]] = []
    for i in range(draw(st.integers(1, 12))):
        kind = draw(
            st.sampled_from(["entrusted/1", "granted/1", "granted/1", "revoked/1", "dismissed/1", "broke_glass/1"])
        )
        by, to = draw(st.sampled_from(PEOPLE)), draw(st.sampled_from(PEOPLE))
        at = draw(st.none() | st.integers(-5, 30).map(lambda n: tank.BORN + n * STEP))
        via = draw(st.none() | st.integers(0, max(i - 1, 0)).map("g{}".format))
        grant = {"to": to, "purpose": "care", "verbs": ["read"], "signals": ["*"], "until": at, "bounds": {}}
        body = {
            "entrusted/1": {"to": to, "role": draw(st.sampled_from(["self", "guardian", "holder"])), "from": at},
            "granted/1": {"grant": f"g{i}", **grant, **({"via": via} if via else {})},
            "revoked/1": {"grant": via or "g0"}, "dismissed/1": {"holder": to},
            "broke_glass/1": {"glass": f"g{i}", **grant, "until": tank.BORN + 20 * STEP, "reason": "fell"},
        }[kind]  # fmt: skip
        made.append((by, kind, body))
    return made


@settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(said=_consents(), hops=st.integers(1, 2), split=st.booleans())
def test_rights_go_along_as_they_were_said(
    tmp_path_factory: pytest.TempPathFactory, said: Any, hops: int, split: bool
) -> None:
    """Keys handed over, grants given on, revoked or ended: each bank decides as the first one, then and at any later time."""
    path, first = tmp_path_factory.mktemp("x"), tank.bank()
    first.create("tank", "lily", by="sarah")
    for i, (by, kind, body) in enumerate(said):
        first.now.now = tank.BORN + (i + 1) * STEP  # type: ignore[attr-defined]
        first.append([Draft("lily", kind, body, first.now(), by)])
    last, late = first, first.now() + STEP
    for hop in range(hops):
        last.now.now = late  # type: ignore[attr-defined]
        holder = last.holders("lily")[0]
        sent = send(last, ["lily"], path / str(hop), by=holder, purpose="care", whole=True, receiver=PUBLIC)
        last, late = tank.bank(at=late + DAY), late + DAY
        receive(last, sent.path, by=holder, receiver=SECRET)
        if split:
            assert receive(last, sent.path, by=holder, receiver=SECRET).new == 0
    assert replace(last.gate.rights("lily"), known=0) == replace(first.gate.rights("lily"), known=0)
    for moment in range(late, late + 40 * STEP, STEP):
        first.now.now = last.now.now = moment  # type: ignore[attr-defined]
        for who in PEOPLE:
            asked = (who, "read", "lily", "gauge", "care")
            assert last.gate.decide(*asked) == first.gate.decide(*asked)
        assert last.holders("lily") == first.holders("lily")


def test_times_of_rights_come_from_the_importer_alone(bank: Bank, tmp_path: Path) -> None:
    """A fact like the importer's, of the twin, or of the house and said afterwards, brings no right forward in time."""
    bank.now.now = now = bank.now() + 1_000  # type: ignore[attr-defined]
    bank.append([Draft("lily", "entrusted/1", {"to": "lily", "role": "self", "from": now}, now, "sarah")])
    bank.now.now += DAY  # type: ignore[attr-defined]
    grant = {"grant": "late", "to": "mallory", "purpose": "care", "verbs": ["read"], "signals": ["*"], "until": None}
    late = bank.append([Draft("lily", "granted/1", {**grant, "bounds": {}}, now - 500, "sarah")]).facts[0]
    told = {
        "twin": "lily", "sender": bank.thread.public_key, "as_known": True, "new": [late.seq, 1],
        "seqs": [[1, late.seq, 1]], "known_at": [[now - 500, 1]],
    }  # fmt: skip
    bank.append([Draft("lily", IMPORTED, told, bank.now(), "mallory")])
    bank.now.now += 1  # type: ignore[attr-defined]
    bank.append([Draft(HOUSE, IMPORTED, told, bank.now(), "mallory")])

    assert bank.gate.rights("lily").grant("late") is None
    with pytest.raises(NotFound):
        bank.gate.require("mallory", "write", HOUSE, "*", "care")


def test_rights_that_were_said_here_are_not_overtaken_by_what_arrives_later(bank: Bank, tmp_path: Path) -> None:
    """Lily took her keys here; what her guardian says in the other bank has come too late, whenever it was said."""
    sent, second = _whole(bank, tmp_path), tank.bank(at=bank.now() + DAY)
    receive(second, sent.path, by="sarah", receiver=SECRET)
    now = second.now()
    second.append([Draft("lily", "entrusted/1", {"to": "lily", "role": "self", "from": now}, now, "sarah")])
    second.now.now += DAY  # type: ignore[attr-defined]
    bank.find("lily", by="sarah", purpose="care").grant(to="nina", purpose="care", read="*")
    again = receive(second, _whole(bank, tmp_path, "again").path, by="sarah", receiver=SECRET)

    assert any("opens nothing here" in remark for remark in again.remarks)
    assert not second.gate.decide("nina", "read", "lily", "gauge", "care").allowed


def test_others_who_write_meanwhile_are_waited_for(bank: Bank, tmp_path: Path) -> None:
    """The numbers that were planned are taken: it is planned anew, and causes are right."""
    bank.append([_observed(50, tank.BORN + 60, cause=(4, 5))])
    sent, second = _whole(bank, tmp_path), tank.bank()
    plain, rest = second.thread.append, iter(range(2))

    def busy(drafts: Any, now: int, *, after: int | None = None) -> Any:
        if after is not None and next(rest, None) is not None:
            plain([Draft("other", "noted/1", {}, 0, "x")], now)
        return plain(drafts, now, after=after)

    second.thread.append = busy  # type: ignore[method-assign]
    receive(second, sent.path, by="sarah", receiver=SECRET)
    assert _told(second, "lily") == _told(bank, "lily")[: sent.facts]


def test_what_did_not_come_along_is_no_number_of_something_else(bank: Bank, tmp_path: Path) -> None:
    """A body that names a fact which was left out names none here."""
    tap, gauge = (next(bank.thread.read("lily", kinds=[kind])).seq for kind in ("acted/1", "observed/1"))
    bank.append([Draft("lily", "outcome/1", {"signal": "gauge", "forecast": tap}, 5, "loop", (gauge, tap))])
    second = tank.bank()
    receive(second, _partial(bank, tmp_path).path, by="dr-lee")
    fact = next(second.thread.read("lily", kinds=["outcome/1"]))
    assert (fact.body["forecast"], [second.thread.get(seq).kind for seq in fact.cause]) == (GONE, ["observed/1"])


def test_what_was_thinned_stays_at_home_and_is_recognised(bank: Bank, tmp_path: Path) -> None:
    """It has no body to send; where the full fact comes back, it is known by its key."""
    full, copy = send(bank, ["lily"], tmp_path / "full", by="sarah", purpose="care"), tank.bank()
    rows = [row for row in bank.thread.rows("lily") if row.kind == "acted/1"]
    cover = bank.append([Draft(HOUSE, THINNED, covering(rows), bank.now(), "keeper")]).facts[0].seq
    assert bank.thread.thin(cover) == 3
    sent = send(bank, ["lily"], tmp_path / "thin", by="sarah", purpose="care")

    assert sent.left_out["lily"]["facts"] == {"thinned": 3}
    assert receive(copy, sent.path, by="sarah").new == sent.facts
    back = receive(bank, full.path, by="sarah")
    assert (back.new, back.known) == (0, full.facts)


# for other tools


def test_the_metadata_is_read_by_the_rocrate_package(bank: Bank, tmp_path: Path) -> None:
    """RO-Crate 1.2: every part is described, with its size and digest, and the type of the twins."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from rocrate.rocrate import ROCrate

        for sent in (_partial(bank, tmp_path), _whole(bank, tmp_path, "whole.gemel")):
            folder = tmp_path / sent.path.stem
            with zipfile.ZipFile(sent.path) as archive:
                archive.extractall(folder)
                names = set(archive.namelist()) - {"ro-crate-metadata.json"}
            crate = ROCrate(folder)

            listed = {part.id: part for part in crate.root_dataset["hasPart"]}

            assert crate.version == "1.2"
            assert listed.keys() == names
            assert all(
                (folder / name).stat().st_size == int(listed[name]["contentSize"])
                for name in names
                if "manifest" not in name
            )
            about = [entity["name"] for entity in crate.root_dataset.get("about", [])]
            assert about == ([] if sent.whole else ["tank"])


def test_a_bundle_is_known_by_its_digest_wherever_it_lies(bank: Bank, tmp_path: Path) -> None:
    """What was sent and what was received are the same file."""
    first = send(bank, ["lily"], tmp_path / "a", by="sarah", purpose="care")
    (tmp_path / "b").write_bytes(first.path.read_bytes())
    assert receive(tank.bank(), tmp_path / "b", by="sarah").digest == first.digest


# the command line


def _gemel(folder: Path, *words: object) -> tuple[int, str]:
    """Run `gemel` in this process; return how it ended and what it said."""
    import contextlib
    import io

    from gemel.cli import main

    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.chdir(folder)
        patch.setenv("GEMEL_STORE", str(folder / "store"))
        patch.setattr(sys, "argv", ["gemel", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
    return code, said.getvalue()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command line know of tanks."""
    from gemel.bank import bank as module

    monkeypatch.setattr(module, "installed", lambda: {"tank": tank.Tank})
    monkeypatch.setattr(module, "versions", lambda: ())


@pytest.mark.usefixtures("installed")
def test_the_commands_send_check_and_receive(tmp_path: Path) -> None:
    """As sarah and dr-lee would, from one store to another; exit codes as for all commands."""
    with _bank(str(tmp_path / "store")):
        pass
    read = ("--as", "dr-lee", "--purpose", "care")
    for name in ("key", "other"):
        assert _gemel(tmp_path, "bundle", "key", "-o", name)[0] == 0
    code, said = _gemel(tmp_path, "bundle", "export", "lily", "-o", "part.gemel", *read, "--json")
    public = PrivateKey((tmp_path / "key").read_text().strip()).public.hex

    assert (code, json.loads(said)["left_out"]["lily"]["signals"]) == (0, ["tap", "bucket"])
    assert _gemel(tmp_path, "verify", "part.gemel")[0] == 0
    assert _gemel(tmp_path, "bundle", "export", "lily", "-o", "x.gemel", "--as", "stranger")[0] == 1
    sealed = ("bundle", "export", "lily", "-o", "whole.gemel", "--as", "sarah", "--whole", "--for", public)
    assert _gemel(tmp_path, *sealed)[0] == 0

    there = ("--store", tmp_path / "second", "--as", "sarah")
    assert _gemel(tmp_path, "bundle", "import", "whole.gemel", *there, "--secret", "other")[0] == 1
    code, said = _gemel(tmp_path, "bundle", "import", "whole.gemel", *there, "--secret", "key", "--dry-run", "--json")
    assert (code, json.loads(said)["written"]) == (0, False)
    new = json.loads(_gemel(tmp_path, "bundle", "import", "whole.gemel", *there, "--secret", "key", "--json")[1])["new"]
    again = _gemel(tmp_path, "bundle", "import", "whole.gemel", *there, "--secret", "key")
    assert new > 10 and again[0] == 0 and "nothing new" in again[1]
    assert _gemel(tmp_path, "bundle", "import", "store", *there)[0] == 2
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
