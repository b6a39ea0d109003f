"""The desk: what all endpoints share, and how an endpoint gets its asker and the twin as the asker may see it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Sequence
from typing import Annotated

from fastapi import Depends, Path
from starlette.requests import HTTPConnection

from gemel.bank import Bank, Twin
from gemel.consent import ALL, VERBS
from gemel.errors import NotFound, Refused
from gemel.facts import HOUSE, Draft, Fact
from gemel.loop import Loop
from gemel.server import schema as s
from gemel.server.asker import Asker, Entry
from gemel.server.changes import Changes
from gemel.server.ensemble import Ensembles
from gemel.server.figures import Figures
from gemel.server.forks import Forks
from gemel.server.talks import Talks
from gemel.server.tracing import Tracer
from gemel.server.view import view

SILENT_KINDS = ("accessed/1", "asked/1", "answered/1", "talked/1")
"""What is written because somebody asked, and changes no twin."""

ANY = ""
"""Stands for all twins, among changes."""


class Desk:
    """The bank and the loop, who may enter, the forks, runs of services, the changes, the figures."""

    def __init__(self, bank: Bank, loop: Loop, entry: Entry, speed: float, demo: bool) -> None:
        self.bank, self.loop, self.entry, self.speed, self.demo = bank, loop, entry, speed, demo
        self.closed = False
        self.forks, self.changes, self.figures, self.tracer = Forks(), Changes(), Figures(), Tracer(bank)
        self.ensembles, self.talks = Ensembles(), Talks()
        bank.forgetting += [self.forks.forget, self.ensembles.forget, self.talks.forget]

    def known(self, asker: Asker, twin: str) -> None:
        """Raise `NotFound` where no grant of any time names the asker: the same as where there is no such twin."""
        with self.tracer.step("gate", twin):
            if twin in self.bank and self._names(asker, twin):
                return
            if twin in self.bank:
                with contextlib.suppress(Refused):
                    self.bank.find(twin, by=asker.actor, purpose=asker.purpose)  # the refusal goes on record
            else:
                self._sought(asker, twin)
        raise NotFound(f"there is no twin {twin!r} that {asker.actor} may see for {asker.purpose}")

    def _names(self, asker: Asker, twin: str) -> bool:
        gate, actor, purpose = self.bank.gate, asker.actor, asker.purpose
        return (
            any(grant.to == actor for grant in self.bank.grants(twin))
            or any(gate.decide(actor, verb, twin, ALL, purpose).allowed for verb in VERBS)
            or self.bank.visible(twin, actor, purpose)
        )

    def _sought(self, asker: Asker, twin: str) -> None:
        """Put on record that a twin that is not there was asked for: looking for names leaves a trace, and takes as long."""
        name = hashlib.sha256(twin.encode(errors="replace")).hexdigest()[:16]
        body = {"actor": asker.actor, "verb": "read", "signal": ALL, "purpose": asker.purpose, "allowed": False,
                "reason": f"no twin whose name has the digest {name}"}  # fmt: skip
        now = self.bank.now()
        self.bank.append([Draft(HOUSE, "accessed/1", body, now, asker.actor)])

    def seen(self, asker: Asker, twin: str) -> Twin:
        """Return a twin as the asker may see it, or raise with the reason."""
        self.known(asker, twin)
        with self.tracer.step("gate", twin):
            return self.bank.find(twin, by=asker.actor, purpose=asker.purpose)

    def admit(self, asker: Asker, twin: str, names: Iterable[str]) -> None:
        """Raise unless the asker may write all of *names*: before anything is said of what the twin has."""
        with self.tracer.step("gate", twin):
            for name in sorted(set(names)):
                self.bank.gate.require(asker.actor, "write", twin, name, asker.purpose)

    def view(self, asker: Asker, twin: str, hours: float) -> s.View:
        """Return the view of a twin."""
        seen = self.seen(asker, twin)
        with self.tracer.step("bank", twin):
            return view(seen, hours, self.speed, self.loop, self.forks)

    def visible(self, asker: Asker) -> list[str]:
        """Return the twins of which the asker may see something; nothing is put on record."""
        return [twin for twin in self.bank.twins() if self.bank.visible(twin, asker.actor, asker.purpose)]

    def version(self, twin: str) -> int:
        """Return the place of the last fact that changed the twin, 0 if there is none."""
        for limit in (16, None):
            for fact in self.bank.thread.read(twin, reverse=True, limit=limit):
                if fact.kind not in SILENT_KINDS:
                    return fact.seq
        return 0

    def heard(self, facts: Sequence[Fact]) -> None:
        """Wake those who look at the twins that *facts* are about; what is said of the house concerns all."""
        self.figures.heard(facts)
        told = {fact.twin for fact in facts if fact.kind not in SILENT_KINDS}
        if HOUSE in told:
            self.turned(HOUSE)
        for twin in (*told, *([ANY] if told else [])):
            self.changes.mark(twin)

    def turned(self, twin: str) -> None:
        """Wake those who look at a twin whose rights have changed, or all, where it is the house that said so."""
        if twin == HOUSE:
            self.changes.mark_all()
        else:
            self.changes.mark(twin)

    def close(self) -> None:
        """Let streams end: the server stops."""
        self.closed = True
        self.changes.mark_all()


def desk_of(asked: HTTPConnection) -> Desk:
    """Return the desk of the app that was asked."""
    desk: Desk = asked.app.state.desk
    return desk


def asker_of(asked: HTTPConnection) -> Asker:
    """Return who asks: the door has let nobody pass who is not known."""
    asker = asked.state.asker
    assert isinstance(asker, Asker)
    return asker


At = Annotated[Desk, Depends(desk_of)]
By = Annotated[Asker, Depends(asker_of)]
Name = Annotated[str, Path(min_length=1, max_length=200)]


def known_twin(twin: Name, desk: At, asker: By) -> str:
    """Return the name of a twin that the asker may know of."""
    desk.known(asker, twin)
    return twin


def seen_twin(twin: Name, desk: At, asker: By) -> Twin:
    """Return the twin as the asker may see it."""
    return desk.seen(asker, twin)


Known = Annotated[str, Depends(known_twin)]
Seen = Annotated[Twin, Depends(seen_twin)]
