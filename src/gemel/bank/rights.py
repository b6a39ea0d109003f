"""Rights in a bank: folded from each twin's facts and those of the house, always in step with the thread."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import replace

from gemel.bank.arrivals import IMPORTED, as_known_there
from gemel.bank.tail import Tail
from gemel.consent import NOBODY, Organisation, Rights, fold, fold_organisation
from gemel.consent.organisation import KINDS as OF_THE_HOUSE
from gemel.consent.rights import KINDS
from gemel.facts import HOUSE, Fact
from gemel.thread import Thread


class Book:
    """What the facts of a store say of who may do what; asked anew each time, folded anew where there is something new."""

    def __init__(self, thread: Thread) -> None:
        self._said, self._ruled = Tail(thread, KINDS), Tail(thread, OF_THE_HOUSE)
        self._imported = Tail(thread, (IMPORTED,))
        self._rights: dict[str, tuple[int, Rights]] = {}
        self._house: tuple[int, Organisation] = (0, NOBODY)
        self._lock = threading.Lock()

    def of(self, twin: str) -> Rights:
        """Return who may do what with *twin*."""
        facts = self._said.of(twin)
        with self._lock:
            seen, rights = self._rights.get(twin, (-1, None))
            if rights is None or seen != len(facts):
                rights = fold(twin, as_known_there(facts, self.imports(twin)))
                rights = replace(rights, known=max((fact.known_at for fact in facts), default=0))
                self._rights[twin] = len(facts), rights
            return rights

    def imports(self, twin: str) -> list[Fact]:
        """Return what tells of imports of *twin*."""
        return [fact for fact in self._imported.of(HOUSE) if fact.body["twin"] == twin]

    def said(self, twin: str) -> list[Fact]:
        """Return the facts that rights are folded from, in order of when they were first known, here or where they came from."""
        return as_known_there(self._said.of(twin), self.imports(twin))

    def warm(self, twins: Collection[str]) -> None:
        """Read what is new of many twins at once: who asks of each of them next finds it read."""
        self._said.warm(twins)

    def organisation(self) -> Organisation:
        """Return the policies and roles of those who run the bank."""
        facts = self._ruled.of(HOUSE)
        with self._lock:
            if self._house[0] != len(facts):
                self._house = len(facts), fold_organisation(facts)
            return self._house[1]

    def forget(self, twin: str) -> None:
        """Forget what was read of a twin."""
        self._said.forget(twin)
        with self._lock:
            self._rights.pop(twin, None)
