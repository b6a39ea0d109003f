"""How one is told of alerts away from the page: reach, reach-confirm, reach-end."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemel.cli.console import PURPOSE, STORE, Actor, Id, Json, Purpose, Store, opened, say, seen

if TYPE_CHECKING:
    from gemel.bank.reaching import Way

Kind = StrEnum("Kind", ["ntfy", "webhook", "email"])

By = Annotated[Kind | None, typer.Option("--by", help="A way of being reached; without it, which you have.")]
To = Annotated[str, typer.Option("--to", help="https://HOST/TOPIC, https://HOST/PATH, or name@host.")]
Words = Annotated[bool, typer.Option("--words", help="A notice may say what the matter is, and of whom.")]
WayId = Annotated[str, typer.Argument(metavar="WAY", help="The id that `gemel reach` says.")]
Code = Annotated[str, typer.Argument(metavar="CODE", help="The code that came by that way.")]


def reach(
    twin: Id, *, by: By = None, to: To = "", words: Words = False,
    store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False,
) -> None:  # fmt: skip
    """Ask to be told of a twin's alerts by ntfy, webhook or e-mail, or show how you are; GEMEL_PUSH_HOSTS names the hosts."""
    import secrets

    from gemel.bank import reaching
    from gemel.loop.pushing import carriers

    with opened(store) as bank:
        view = seen(bank, twin, actor, purpose)
        if by is None:
            ways = reaching.own(view)
            text = "\n".join(map(_told, ways)) or "you hear of alerts on the page alone"
            return say(as_json, {"twin": twin, "ways": [_body(way) for way in ways]}, text)
        sink = carriers().sink(by.value, to)
        way = reaching.ask(view, by.value, to, words, secrets.token_hex(5), sink.say)
    return say(
        as_json,
        {"twin": twin, "way": _body(way)},
        f"{_told(way)}\nsay it with: gemel reach-confirm {twin} {way.id} CODE",
    )


def reach_confirm(
    twin: Id, way: WayId, code: Code, *, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Say the code that came: from then on you are told that way too."""
    from gemel.bank import reaching

    with opened(store) as bank:
        found = reaching.confirm(seen(bank, twin, actor, purpose), way, code)
    say(as_json, {"twin": twin, "way": _body(found)}, _told(found))


def reach_end(
    twin: Id, way: WayId, *, store: Store = STORE, actor: Actor, purpose: Purpose = PURPOSE, as_json: Json = False
) -> None:  # fmt: skip
    """Be told no more that way; who holds the keys may end anybody's."""
    from gemel.bank import reaching

    with opened(store) as bank:
        reaching.end(seen(bank, twin, actor, purpose), way)
    say(as_json, {"twin": twin, "ended": way}, f"ended {way}")


def _body(way: Way) -> dict[str, Any]:
    return {"id": way.id, "kind": way.kind, "words": way.words, "confirmed": way.confirmed_at is not None}


def _told(way: Way) -> str:
    state = "you are told that way" if way.confirmed_at is not None else "waits for its code"
    return f"{way.id}  {way.kind}: {state}{', with what the matter is' if way.words else ''}"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    for command in (reach, reach_confirm, reach_end):
        app.command()(command)
