"""Erasure: a subject's key is destroyed, and whatever was kept, fitted or sent out of its facts is purged or named.

What is to be done is written first (`erasing/1`, a fact of the house), so that an erasure which a crash cuts short is
finished when the bank is opened again. The key goes before all else: from then on no file of the store can be read. Each
step may be done twice. At the end stands a receipt, signed, as the fact `erased/1` and as a file beside the store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gemel.bank import holds, memory
from gemel.bank.beliefs import Tell, quiet
from gemel.errors import BadInput, NotFound, Refused, Unavailable, unknown
from gemel.facts import HOUSE, Draft, Fact, Time
from gemel.thread import Thread, open_thread
from gemel.thread.receipt import ERASURE, signed

if TYPE_CHECKING:
    from gemel.bank.bank import Bank

ERASING, ERASED, MARKED = "erasing/1", "erased/1", "marked/1"
RECEIPTS = "receipts"
"""The folder of a store in which receipts lie."""


@dataclass(frozen=True)
class Receipt:
    """What an erasure did, as signed by the store; `file` is where it lies, if the store has a folder."""

    body: Mapping[str, Any]
    seq: int
    file: Path | None

    def __str__(self) -> str:
        body = self.body
        done = [f"{body['twin']} was erased: its key is destroyed, {body['facts']} facts can be read by nobody"]
        done += [
            f"{one['twin']}: {one['model']} was fitted on its data; marked, and not used any more"
            for one in body["models"]
        ]
        done += [f"deleted {path}" for path in body["exports_deleted"]]
        done += [_left(one) for one in body["exports_elsewhere"]]
        return "\n".join([*done, f"receipt: {self.file or f'fact {self.seq}'}"])


def _left(export: Mapping[str, Any]) -> str:
    keys = ", with its keys" if export["keys"] else ""
    return f"NOT deleted, as it is outside the store: {export['path']}, made for {export['to'] or 'somebody'}{keys}"


def erase(bank: Bank, id: str, by: str, reason: str, tell: Tell = quiet) -> Receipt:
    """Erase a twin for good, as *by* asks; raise `Refused` if *by* does not hold its keys, or while a hold names it."""
    if not reason.strip():
        raise BadInput("an erasure states its reason", field="reason")
    if id.startswith(HOUSE[0]) or id not in bank:
        raise NotFound(f"{id} was erased already") if bank.thread.erased(id) else unknown("twin", id, bank.twins())
    if not bank.holds(by, id):
        raise Refused(f"{by} may not erase {id}: only who holds its keys may")
    held = holds.in_force(bank.thread, id)
    if held:
        raise Refused(f"{id} may not be erased: {holds.told(held[0])}")
    now = bank.now()
    before = bank.thread.checkpoint(now)
    body = {"twin": id, "type": bank.type_of(id).name, "reason": reason, "size": before.size, "root": before.root}
    asked = bank.append([Draft(HOUSE, ERASING, body, now, by)]).facts[0]
    return _carry_out(bank, asked, tell)


def finish(bank: Bank) -> list[Receipt]:
    """Finish what a crash cut short, and write the receipts that are missing."""
    facts = list(bank.thread.read(HOUSE, kinds=[ERASING, ERASED]))
    done = {seq: fact for fact in facts if fact.kind == ERASED for seq in fact.cause}
    for seq, fact in done.items():
        _file(bank.thread, seq, fact.body)
    return [_carry_out(bank, fact, quiet) for fact in facts if fact.kind == ERASING and fact.seq not in done]


def erased_on_record(store: str) -> list[str]:
    """Return who was erased, or is being, by the facts and receipts of a store, whether or not its keys know."""
    found = [
        json.loads(path.read_text("utf-8")).get("twin") for path in sorted((Path(store) / RECEIPTS).glob("*.json"))
    ]
    thread = open_thread(store, readonly=True)
    try:
        house = [str(fact.body["twin"]) for fact in thread.read(HOUSE, kinds=[ERASING, ERASED])]
    except Unavailable:  # the house has no key either: then nothing of it can have been said
        house = []
    finally:
        thread.close()
    return sorted({*house, *(str(one) for one in found if one)})


# the steps


def _carry_out(bank: Bank, asked: Fact, tell: Tell) -> Receipt:
    for i, step in enumerate(STEPS):
        tell(f"erasing {asked.body['twin']}", i, len(STEPS) + 1)
        step(bank, asked)
    receipt = _receipt(bank, asked)
    tell(f"erasing {asked.body['twin']}", len(STEPS) + 1, len(STEPS) + 1)
    return receipt


def _destroy_key(bank: Bank, asked: Fact) -> None:
    """Destroy every key of the subject, and the notes sealed with them."""
    bank.thread.erase(str(asked.body["twin"]))


def _forget(bank: Bank, asked: Fact) -> None:
    """Forget what is held in memory."""
    bank.forget(str(asked.body["twin"]))


def _unlearn(bank: Bank, asked: Fact) -> None:
    """Mark, then drop, what other twins learned from this one's record."""
    id_ = str(asked.body["twin"])
    for other in _of_type(bank, str(asked.body["type"])):
        for signal in bank.type_of(other).signals:
            with bank.beliefs.lock:  # what is being learned now is kept before this, or not at all
                if id_ in memory.learned_from(bank.thread.kept(other, f"foresight-{signal}")):
                    bank.append([_mark(other, f"foresight-{signal}", asked, bank.now())])
                    bank.beliefs.unlearn(other, signal)


def _mark(other: str, model: str, asked: Fact, now: Time) -> Draft:
    body = {"model": model, "why": f"fitted on data of {asked.body['twin']}, who was erased"}
    return Draft(other, MARKED, body, now, asked.by, (asked.seq,), key=f"marked|{asked.seq}|{model}")


def _of_type(bank: Bank, name: str) -> list[str]:
    return [twin for twin in bank.twins() if str(bank.created(twin).body["type"]) == name]


def _delete_exports(bank: Bank, asked: Fact) -> None:
    """Delete what was exported of the subject into the store's own folder."""
    for path, _ in exports_of(bank, str(asked.body["twin"])):
        if _inside(bank.thread, path):
            path.unlink(missing_ok=True)


def exports_of(bank: Bank, id: str) -> list[tuple[Path, Mapping[str, Any]]]:
    """Return where bundles with the subject were written, and what is on record of each."""
    facts = bank.thread.read(HOUSE, kinds=["exported/1"])
    return [(Path(str(f.body["path"])), f.body) for f in facts if id in _named(f.body) and f.body.get("path")]


def _named(body: Mapping[str, Any]) -> Sequence[Any]:
    return [body.get("twin"), *(body.get("twins") or ())]


def _inside(thread: Thread, path: Path) -> bool:
    folder = _folder(thread)
    return folder is not None and path.absolute().resolve().is_relative_to(folder.resolve())


def _folder(thread: Thread) -> Path | None:
    found = getattr(thread, "folder", None)
    return found if isinstance(found, Path) else None


STEPS: tuple[Callable[[Bank, Fact], None], ...] = (_destroy_key, _forget, _unlearn, _delete_exports)


# the receipt


def _receipt(bank: Bank, asked: Fact) -> Receipt:
    key = f"erased|{asked.seq}"
    body = _said(bank, asked)
    draft = Draft(HOUSE, ERASED, body, bank.now(), asked.by, (asked.seq,), key=key)
    fact = bank.append([draft]).facts[0]
    return Receipt(body, fact.seq, _file(bank.thread, asked.seq, body))


def _said(bank: Bank, asked: Fact) -> dict[str, Any]:
    thread, now, id_ = bank.thread, bank.now(), str(asked.body["twin"])
    after = thread.checkpoint(now)
    size = int(asked.body["size"])
    exports = exports_of(bank, id_)
    body = {
        "twin": id_, "asked_by": asked.by, "asked_at": asked.true_at, "reason": str(asked.body["reason"]),
        "erased_at": now, "facts": sum(1 for _ in thread.rows(id_)), "models": _marked(thread, asked.seq),
        "exports_deleted": [str(path) for path, _ in exports if _inside(thread, path)],
        "exports_elsewhere": [
            {"path": str(path), "to": str(body.get("to", "")), "keys": bool(body.get("whole"))}
            for path, body in exports if not _inside(thread, path)
        ],
        "before": {"size": size, "root": str(asked.body["root"])},
        "after": {"size": after.size, "root": after.root, "at": after.at, "signature": after.signature},
        "growth": list(thread.prove_growth(size, after.size)),
    }  # fmt: skip
    return signed(thread, ERASURE, body)


def _marked(thread: Thread, asked: int) -> list[dict[str, str]]:
    facts = thread.read(kinds=[MARKED], after_seq=asked)
    return [{"twin": fact.twin, "model": str(fact.body["model"])} for fact in facts if asked in fact.cause]


def _file(thread: Thread, seq: int, body: Mapping[str, Any]) -> Path | None:
    """Write a receipt beside the store, unless it lies there."""
    folder = _folder(thread)
    if folder is None:
        return None
    path = folder / RECEIPTS / f"erasure-{seq}.json"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(body, indent=1, ensure_ascii=False), "utf-8")
        part.replace(path)
    return path
