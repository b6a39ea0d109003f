"""API v3 of Nightscout: create, read, search, update, patch, delete, history, lastModified, status, version."""

from __future__ import annotations

from email.utils import formatdate
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response
from fastapi.responses import JSONResponse

from gemel.errors import BadInput
from gemel.server.asker import Asker
from gemel.server.errors import Turned
from gemel.server.nightscout_desk import Documents, Put, known
from gemel.server.nightscout_find import LIMIT, fields, page, tests_v3, whole
from gemel.server.nightscout_shelf import COLLECTIONS, Doc, shown
from gemel.server.nightscout_v1 import VERSION

API = "3.0.3"
LOGIN_S = 8 * 3600
Json = Annotated[Any, Body()]


def add(made: APIRouter, root: str, documents: Documents) -> None:
    """Add the addresses of API v3, and of the one of v2 that exchanges a token."""
    base = f"{root}/api/v3"
    for add_some in (_about, _reading, _creating, _changing):
        add_some(made, base, documents)
    _login(made, root, documents)


def _login(made: APIRouter, root: str, documents: Documents) -> None:
    def request(twin: str, shown: str) -> Any:
        """Say that a token holds; it is its own login."""
        asker = documents.keeper.who(twin, shown)
        if asker is None:
            raise Turned(401, "login", "Unauthorized")
        now = documents.desk.bank.now() // 1000
        return {"token": shown, "sub": asker.actor, "permissionGroups": [[]], "iat": now, "exp": now + LOGIN_S}

    made.get(f"{root}/api/v2/authorization/request/{{shown}}")(request)


def _about(made: APIRouter, base: str, documents: Documents) -> None:
    def about() -> dict[str, Any]:
        kept = {"storage": "gemel", "version": VERSION}
        return {"version": VERSION, "apiVersion": API, "srvDate": documents.desk.bank.now(), "storage": kept}

    def version(twin: str) -> Any:
        return {"status": 200, "result": about()}

    def status(twin: str, asked: Request) -> Any:
        asker = documents.keeper.admit(twin, asked)
        may = {name: _letters(documents, asker, twin, name) for name in COLLECTIONS}
        return {"status": 200, "result": about() | {"apiPermissions": may}}

    def last(twin: str, asked: Request) -> Any:
        asker = documents.keeper.admit(twin, asked)
        times = {
            name: max((int(doc["srvModified"]) for doc in documents.all(asker, twin, name, deleted=True)), default=None)
            for name in COLLECTIONS if documents.may(asker, "read", twin, name)
        }  # fmt: skip
        found = {name: at for name, at in times.items() if at is not None}
        return {"status": 200, "result": {"srvDate": documents.desk.bank.now(), "collections": found}}

    made.get(f"{base}/version")(version)
    made.get(f"{base}/status")(status)
    made.get(f"{base}/lastModified")(last)


def _letters(documents: Documents, asker: Asker, twin: str, collection: str) -> str:
    """Return what the asker may do with a collection: create, read, update, delete."""
    read, write = (documents.may(asker, verb, twin, collection) for verb in ("read", "write"))
    return "crud" if read and write else "cud" if write else "r" if read else ""


def _reading(made: APIRouter, base: str, documents: Documents) -> None:
    def search(twin: str, collection: str, asked: Request) -> Any:
        asker, params = documents.keeper.admit(twin, asked), asked.query_params
        docs = [shown(doc) for doc in documents.all(asker, twin, collection)]
        found = page(docs, params, tests_v3(params.multi_items()))
        return {"status": 200, "result": [fields(doc, params.get("fields")) for doc in found]}

    def history(twin: str, collection: str, since: str, asked: Request) -> Response:
        """Every document that was made, changed or deleted since, in that order."""
        asker, params = documents.keeper.admit(twin, asked), asked.query_params
        after = whole(since, 0, 2**53, "lastModified")
        docs = documents.all(asker, twin, collection, deleted=True)
        found = sorted(
            (doc for doc in docs if int(doc["srvModified"]) > after), key=lambda doc: int(doc["srvModified"])
        )
        found = _whole_stamps(found, whole(params.get("limit"), LIMIT, LIMIT, "limit"))
        latest = max((int(doc["srvModified"]) for doc in found), default=after)
        result = [fields(shown(doc), params.get("fields")) for doc in found]
        return JSONResponse({"status": 200, "result": result}, headers=_stamped(latest) | {"ETag": f'W/"{latest}"'})

    def read(twin: str, collection: str, identifier: str, asked: Request) -> Any:
        asker = documents.keeper.admit(twin, asked)
        doc = documents.one(asker, twin, collection, identifier)
        if doc is None or not doc["isValid"]:
            raise _absent(doc)
        return {"status": 200, "result": fields(shown(doc), asked.query_params.get("fields"))}

    made.get(f"{base}/{{collection}}/history/{{since}}")(history)
    made.get(f"{base}/{{collection}}")(search)
    made.get(f"{base}/{{collection}}/{{identifier}}")(read)


def _whole_stamps(found: list[Doc], limit: int) -> list[Doc]:
    """Return at least *limit* documents, and all of the last moment among them: the next question asks for later ones."""
    if not 0 < limit < len(found):
        return found
    last = found[limit - 1]["srvModified"]
    return [doc for doc in found if doc["srvModified"] <= last]


def _absent(doc: Doc | None) -> Turned:
    return Turned(404, "not_found", "Not found") if doc is None else Turned(410, "gone", "Gone")


def _stamped(at: int) -> dict[str, str]:
    return {"Last-Modified": formatdate(at / 1000, usegmt=True)}


def _creating(made: APIRouter, base: str, documents: Documents) -> None:
    def create(twin: str, collection: str, asked: Request, body: Json) -> Response:
        """Create a document, 201; one that is there already is brought up to date, 200, and named by what it is called."""
        asker = documents.keeper.admit(twin, asked)
        _dated(body, known(collection))
        put = documents.put(asker, twin, collection, [body])[0]
        if put.problem is not None:
            raise put.problem
        if put.gone:
            raise _absent(put.doc)
        return _told(put, f"/api/v3/{collection}/{put.doc['identifier']}")

    made.post(f"{base}/{{collection}}")(create)


def _dated(body: Any, collection: str) -> None:
    if not isinstance(body, dict) or not body:
        raise BadInput("Bad or missing request body")
    when = body.get("date", body.get("created_at"))
    if collection in ("entries", "treatments") and not isinstance(when, (int, float, str)):
        raise BadInput("Bad or missing date field", field="date")


def _told(put: Put, location: str) -> Response:
    name, at = put.doc["identifier"], int(put.doc["srvModified"])
    body: dict[str, Any] = {"status": 201 if put.created else 200, "identifier": name, "lastModified": at}
    if not put.created:
        body |= {"isDeduplication": True, "deduplicatedIdentifier": name}
    return JSONResponse(body, body["status"], _stamped(at) | {"Location": location})


def _changing(made: APIRouter, base: str, documents: Documents) -> None:
    def update(twin: str, collection: str, identifier: str, asked: Request, body: Json) -> Response:
        asker = documents.keeper.admit(twin, asked)
        _dated(body, known(collection))
        return _changed(documents.put(asker, twin, collection, [{**body, "identifier": identifier}])[0])

    def patch(twin: str, collection: str, identifier: str, asked: Request, body: Json) -> Response:
        asker = documents.keeper.admit(twin, asked)
        if not isinstance(body, dict):
            raise BadInput("Bad or missing request body")
        doc = next(
            (d for d in documents.held(asker, twin, known(collection)) if identifier in (d["identifier"], d["_id"])),
            None,
        )
        if doc is None or not doc["isValid"]:
            raise _absent(doc)
        return _changed(documents.put(asker, twin, collection, [{**doc, **body, "identifier": doc["identifier"]}])[0])

    def delete(twin: str, collection: str, identifier: str, asked: Request) -> Any:
        """Mark as deleted: `isValid` is false from then on, and what the document said is taken back."""
        asker = documents.keeper.admit(twin, asked)
        if documents.drop(asker, twin, known(collection), identifier) is None:
            raise _absent(None)
        return {"status": 200}

    made.put(f"{base}/{{collection}}/{{identifier}}")(update)
    made.patch(f"{base}/{{collection}}/{{identifier}}")(patch)
    made.delete(f"{base}/{{collection}}/{{identifier}}")(delete)


def _changed(put: Put) -> Response:
    if put.problem is not None:
        raise put.problem
    if put.gone:
        raise _absent(put.doc)
    at = int(put.doc["srvModified"])
    body = {"status": 201 if put.created else 200, "identifier": put.doc["identifier"], "lastModified": at}
    return JSONResponse(body, 201 if put.created else 200, _stamped(at))
