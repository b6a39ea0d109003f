"""API v1 of Nightscout: entries, treatments, devicestatus, profile, status, verifyauth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request

from gemel.facts import iso
from gemel.server.asker import Asker
from gemel.server.errors import Turned
from gemel.server.nightscout_desk import Documents, Put
from gemel.server.nightscout_find import tests_v1, whole
from gemel.server.nightscout_shelf import Doc, shown

VERSION = "15.0.0"
"""The version of Nightscout whose API this is alike: apps ask for one."""

MANY = 100_000
COUNTS = {"entries": 10, "treatments": 100, "devicestatus": 10, "profile": 10}
Json = Annotated[Any, Body()]


def add(made: APIRouter, root: str, documents: Documents) -> None:
    """Add the addresses of API v1."""
    for add_some in (_status, _verify, _reading, _writing, _deleting):
        add_some(made, f"{root}/api/v1", documents)


def _both(path: str) -> tuple[str, str]:
    return path, f"{path}.json"


def _status(made: APIRouter, base: str, documents: Documents) -> None:
    def status(twin: str, asked: Request) -> Any:
        documents.keeper.admit(twin, asked)
        now = documents.desk.bank.now()
        return {
            "status": "ok", "name": "gemel", "version": VERSION, "serverTime": iso(now), "serverTimeEpoch": now,
            "apiEnabled": True, "careportalEnabled": True, "boluscalcEnabled": False,
            "settings": {"units": "mg/dl", "enable": ["careportal"], "timeFormat": 24},
        }  # fmt: skip

    def test(twin: str, asked: Request) -> Any:
        documents.keeper.admit(twin, asked)
        return {"status": "ok"}

    for path in _both(f"{base}/status"):
        made.get(path)(status)
    for path in _both(f"{base}/experiments/test"):
        made.get(path)(test)


def _verify(made: APIRouter, base: str, documents: Documents) -> None:
    def verifyauth(twin: str, asked: Request) -> Any:
        """Say what the asker may do; whoever is not known is told so with a 200, as Nightscout does."""
        try:
            asker = documents.keeper.admit(twin, asked)
        except Turned as turned:
            if turned.status != 401:
                raise
            told = {"canRead": False, "canWrite": False, "isAdmin": False, "message": "UNAUTHORIZED"}
            return {"status": 200, "message": told | {"rolefound": "NOTFOUND", "permissions": "DEFAULT"}}
        may = {verb: any(documents.may(asker, verb, twin, name) for name in ("entries", "treatments"))
               for verb in ("read", "write")}  # fmt: skip
        told = {"canRead": may["read"], "canWrite": may["write"], "isAdmin": False, "message": "OK"}
        return {"status": 200, "message": told | {"rolefound": "FOUND", "permissions": "ROLE"}}

    for path in _both(f"{base}/verifyauth"):
        made.get(path)(verifyauth)


def _reading(made: APIRouter, base: str, documents: Documents) -> None:
    def listed(twin: str, collection: str, asked: Request) -> Any:
        asker = documents.keeper.admit(twin, asked)
        collection = _plain(collection)
        return _found(documents, asker, twin, collection, asked)

    def some(twin: str, collection: str, spec: str, asked: Request) -> Any:
        """Entries of one type, the current one, or one document by its `_id`."""
        asker = documents.keeper.admit(twin, asked)
        collection, spec = _plain(collection), spec.removesuffix(".json")
        if collection == "entries" and spec in ("sgv", "mbg", "cal", "current"):
            docs = _found(documents, asker, twin, collection, asked, None if spec == "current" else spec)
            return docs[:1] if spec == "current" else docs
        if collection == "profile" and spec == "current":
            return next(iter(_found(documents, asker, twin, collection, asked)), {})
        doc = documents.one(asker, twin, collection, spec)
        return [shown(doc)] if doc is not None and doc["isValid"] else []

    made.get(f"{base}/{{collection}}")(listed)
    made.get(f"{base}/{{collection}}/{{spec}}")(some)


def _plain(collection: str) -> str:
    name = collection.removesuffix(".json")
    return {"profiles": "profile"}.get(name, name)


def _found(
    documents: Documents, asker: Asker, twin: str, collection: str, asked: Request, kind: str | None = None
) -> list[Doc]:
    tests = tests_v1(asked.query_params.multi_items())
    count = whole(asked.query_params.get("count"), COUNTS.get(collection, 10), MANY, "count")
    docs = documents.all(asker, twin, collection)
    kept = [d for d in docs if (kind is None or d.get("type") == kind) and all(test(d) for test in tests)]
    return [shown(doc) for doc in sorted(kept, key=lambda doc: int(doc["date"]), reverse=True)[:count]]


def _writing(made: APIRouter, base: str, documents: Documents) -> None:
    def post(twin: str, collection: str, asked: Request, body: Json) -> Any:
        """Write one document or several; answered with them in their order, each with its `_id`.

        API v1 deletes for good, so what was deleted is made anew by the next write.
        """
        asker = documents.keeper.admit(twin, asked)
        docs = body if isinstance(body, list) else [body]
        return answered(documents.put(asker, twin, _plain(collection), docs, revive=True))

    def put(twin: str, collection: str, asked: Request, body: Json) -> Any:
        asker = documents.keeper.admit(twin, asked)
        docs = body if isinstance(body, list) else [body]
        found = answered(documents.put(asker, twin, _plain(collection), docs, revive=True))
        return found if isinstance(body, list) else found[0]

    made.post(f"{base}/{{collection}}")(post)
    made.put(f"{base}/{{collection}}")(put)


def answered(puts: Sequence[Put]) -> list[Doc]:
    """Return what was kept; where nothing could be used, raise what is wrong with the first."""
    problems = [put.problem for put in puts if put.problem is not None]
    if problems and len(problems) == len(puts):
        raise problems[0]
    return [{"error": str(put.problem)} if put.problem is not None else shown(put.doc) for put in puts]


def _deleting(made: APIRouter, base: str, documents: Documents) -> None:
    def delete(twin: str, collection: str, spec: str, asked: Request) -> Any:
        asker = documents.keeper.admit(twin, asked)
        gone = documents.drop(asker, twin, _plain(collection), spec.removesuffix(".json"))
        return {"ok": 1, "n": int(gone is not None and gone.changed)}

    def found(twin: str, collection: str, asked: Request) -> Any:
        """Delete what a query finds, as Loop and Trio do by `find[_id]`, `find[id]` or `find[created_at]`."""
        asker = documents.keeper.admit(twin, asked)
        collection = _plain(collection)
        tests = tests_v1(asked.query_params.multi_items())
        if not tests:
            raise Turned(422, "bad_input", "a query says what to delete: find[_id]=…")
        docs = documents.held(asker, twin, collection)
        names = [str(doc["identifier"]) for doc in docs if all(test(doc) for test in tests)]
        gone = [documents.drop(asker, twin, collection, name) for name in names]
        return {"ok": 1, "n": sum(put is not None and put.changed for put in gone)}

    made.delete(f"{base}/{{collection}}/{{spec}}")(delete)
    made.delete(f"{base}/{{collection}}")(found)
