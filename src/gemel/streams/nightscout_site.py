"""A Nightscout site as a source: read whole, or asked again and again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import TYPE_CHECKING, Protocol

from gemel.errors import BadInput, GemelError, Unavailable
from gemel.facts import DAY, HOUR, Time
from gemel.streams.clock import zone
from gemel.streams.contract import Item, Live, Source, key_of
from gemel.streams.nightscout_basal import SWITCH
from gemel.streams.nightscout_docs import Document, newest, time_of
from gemel.streams.nightscout_json import items_of, usable
from gemel.streams.nightscout_web import Pull, Site
from gemel.streams.report import Report

if TYPE_CHECKING:
    import httpx

Problem = Callable[[GemelError], None]
LONGEST_S = 600.0
"""The longest pause before a site that does not answer is asked again."""

_log = logging.getLogger(__name__)


class NightscoutSite(Source, Live, Protocol):
    """A site that can be read whole, as a file, and listened to, as a broker."""


def nightscout_site(
    url: str, *, token: str = "", secret: str = "", timezone: str | None = None, every_s: float = 60.0,
    hours: float = 24.0, transport: httpx.BaseTransport | None = None,
) -> NightscoutSite:  # fmt: skip
    """Return what the Nightscout site at *url* says: all of it (`read`), or, from *hours* back on, what is new (`items`).

    It is opened by an access *token* or by the API *secret*, and asked every *every_s* seconds. API v3 is spoken where
    the site has it and a token is given; only API v3 tells of what was deleted.
    """
    if every_s <= 0 or hours <= 0:
        raise BadInput(f"every_s and hours are more than nothing, not {every_s:g} and {hours:g}", field="every_s")
    site = Site(url, token, secret, transport)
    return _Polled(site, zone(timezone) if timezone else None, every_s, round(hours * HOUR), _logged, lambda: None)


def _logged(problem: GemelError) -> None:
    _log.warning("%s", problem)


@dataclass(frozen=True)
class _Polled:
    site: Site
    zone: tzinfo | None
    every_s: float
    back: Time
    on_problem: Problem
    on_connect: Callable[[], None]

    @property
    def name(self) -> str:
        """Return which site this is."""
        return self.site.name

    def read(self, report: Report | None = None) -> Iterator[Item]:
        """Yield all that the site holds, by time."""
        report = Report() if report is None else report
        yield from items_of(newest(_known(Pull(self.site).next(), {}), report), self.zone, report)

    def watched(self, on_problem: Problem, on_connect: Callable[[], None]) -> Live:
        """Return the same source, telling others how it fares."""
        return replace(self, on_problem=on_problem, on_connect=on_connect)

    async def items(self) -> AsyncIterator[Item]:
        """Yield what is new, for ever; a site that does not answer is asked again, after longer and longer pauses."""
        pull, window = Pull(self.site), _Window(self.zone, self.back)
        pause = self.every_s
        while True:
            try:
                fresh = await asyncio.to_thread(self._next, pull)
                self.on_connect()
                pause = self.every_s
                for item in window.take(fresh, self.on_problem):
                    yield item
            except (BadInput, Unavailable) as problem:
                self.on_problem(Unavailable(str(problem)))
                pause = min(2 * pause, max(LONGEST_S, self.every_s))
            await asyncio.sleep(pause)

    def _next(self, pull: Pull) -> list[Document]:
        if pull.version is None:
            pull.greet()
            pull.since = max(pull.now - self.back, 0)
        return pull.next(self.back)


@dataclass
class _Window:
    """The records of the last hours, and which of what they say was told already."""

    zone: tzinfo | None
    back: Time

    def __post_init__(self) -> None:
        self._held: dict[str, Document] = {}
        self._told: dict[str, Time] = {}

    def take(self, fresh: Sequence[Document], on_problem: Problem) -> list[Item]:
        """Return what *fresh* records, with those held, say and was not told; those that cannot be used are told of."""
        for document in _known(fresh, self._held):
            try:
                usable(document, self.zone)
            except BadInput as problem:
                on_problem(problem)
            else:
                self._held[document.id or f"{document.by.file}|{document.fields!r}"] = document
        items = items_of(newest(self._held.values(), Report()), self.zone, Report()) if fresh else []
        news = [item for item in items if self._told.get(_said(item)) is None]
        self._told |= {_said(item): item.at for item in news}
        self._forget()
        return news

    def _forget(self) -> None:
        latest = max(self._told.values(), default=0)
        self._told = {said: at for said, at in self._told.items() if at >= latest - 2 * self.back - DAY}
        self._held = {
            name: one for name, one in self._held.items()
            if one.kind == "profile" or one.event == SWITCH or time_of(one, self.zone) >= latest - self.back - DAY
        }  # fmt: skip


def _said(item: Item) -> str:
    """Return what makes an item news: its key and what it says under it, which its source may change."""
    return f"{key_of(item)}|{item.value!r}|{item.at}"


def _known(fresh: Sequence[Document], held: dict[str, Document]) -> list[Document]:
    """Return *fresh*; a record that was deleted may come without its fields, and is then the one known before."""
    before: dict[str, Document] = held | {one.id: one for one in fresh if one.id is not None and one.kind != "other"}
    found: list[Document] = []
    for one in fresh:
        blank = not one.valid and one.kind == "other"
        if not blank:
            found.append(one)
        elif one.id is not None and one.id in before:
            found.append(replace(before[one.id], valid=False, modified=one.modified))
    return found
