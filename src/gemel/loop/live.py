"""Live: keep twins in step with their counterparts; the only place with a clock and async."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from gemel.bank import Bank, withdrawal
from gemel.bank.alerting import NOTIFIED
from gemel.bank.reaching import CONFIRMED
from gemel.errors import BadInput, GemelError, Refused, Unavailable
from gemel.facts import HOUSE, Fact
from gemel.loop import alarms
from gemel.loop.agents import Agent
from gemel.loop.attend import FOLDED, Attendant
from gemel.loop.outbox import Outbox
from gemel.loop.pushing import Pusher, carriers
from gemel.loop.study import Study
from gemel.streams import Item, Live, Watched, checked
from gemel.streams.check import AHEAD, SOON

log = logging.getLogger(__name__)

WAKING = (*FOLDED, "decided/1", "retyped/1", "granted/1", "revoked/1")
Stream = tuple[str, Live, str, str]
"""A live source and the twin it speaks to, with the actor it writes as and the purpose."""

AGAIN_S = 1.0
"""How long to wait before trying again what the store did not take."""


class Loop:
    """Takes readings, appends, assimilates, forecasts, lets agents propose, sends what was approved, scores.

    Without *agents*, those that the packs offer for a twin's type.
    """

    def __init__(
        self, bank: Bank, agents: Sequence[Agent] | None = None, outbox: Outbox | None = None, pusher: Pusher | None = None
    ) -> None:  # fmt: skip
        self.bank, self.outbox = bank, outbox or Outbox(bank)
        self.pusher = pusher or Pusher(bank, carriers())
        self.listeners: list[Callable[[str], None]] = []
        self._attendant = Attendant(bank, agents, self.outbox)
        self._study = Study(bank)
        self._faults: dict[tuple[str, str], str] = {}
        self._fresh: dict[str, list[Fact]] = {}
        self._attended: set[str] = set()
        self._wake, self._decided, self._notified = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._reached: set[str] | None = None
        self._errands: set[asyncio.Task[None]] = set()
        self._listening: list[tuple[Stream, asyncio.Task[None]]] = []
        bank.forgetting.append(self.forget)

    # running

    async def run(self, stop: asyncio.Event | None = None, every_s: float = 1.0) -> None:
        """Run until *stop*; turns come at once after new facts and at least every *every_s* seconds."""
        stop = stop or asyncio.Event()
        home = asyncio.get_running_loop()
        quiet = self.bank.thread.subscribe(self._noticing(home))
        sources = [(twin, *source) for twin, group in self.bank.sources.items() for source in group]
        unwatch = self.bank.gate.watch(self._regating(home))
        self._listening = [(source, asyncio.create_task(self._listen(*source))) for source in sources]
        tasks = [task for _, task in self._listening]
        tasks += [asyncio.create_task(self._repeat(turn, wake, every_s)) for turn, wake in self._turns()]
        try:
            await stop.wait()
        finally:
            quiet()
            unwatch()
            self._listening = []
            self._study.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, *self._errands, return_exceptions=True)

    def _turns(self) -> list[tuple[Callable[[], Coroutine[Any, Any, None]], asyncio.Event]]:
        """Return what is done again and again, each with what wakes it: sending does not wait for thinking."""
        return [
            (self.turn, self._wake), (self.send, self._decided), (self.push, self._notified), (self.study, asyncio.Event())
        ]  # fmt: skip

    async def _repeat(self, turn: Callable[[], Coroutine[Any, Any, None]], wake: asyncio.Event, every_s: float) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every_s):
                    await wake.wait()
            wake.clear()
            await turn()

    def _noticing(self, home: asyncio.AbstractEventLoop) -> Callable[[Sequence[Fact]], None]:
        def listener(facts: Sequence[Fact]) -> None:
            home.call_soon_threadsafe(self.notice, tuple(facts))

        return listener

    def notice(self, facts: Sequence[Fact]) -> None:
        """Take note of durable facts: the next turn attends to their twins."""
        for fact in facts:
            if fact.kind in WAKING:
                self._fresh.setdefault(fact.twin, []).append(fact)
                self._wake.set()
            if fact.kind == "decided/1":
                self._decided.set()
            if fact.kind == NOTIFIED:
                self._notified.set()
            if fact.kind == CONFIRMED and self._reached is not None:
                self._reached.add(fact.twin)

    def forget(self, twin: str) -> None:
        """Stop what goes on for an erased twin, its streams first, and forget what is held of it."""
        for task in [task for stream, task in self._listening if stream[0] == twin]:
            task.get_loop().call_soon_threadsafe(task.cancel)
        for part in (self._attendant, self._study, self.outbox, self.pusher):
            part.forget(twin)
        self._fresh.pop(twin, None)
        self._attended.discard(twin)
        if self._reached is not None:
            self._reached.discard(twin)
        self._faults = {place: text for place, text in self._faults.items() if place[0] != twin}
        self._tell(twin)

    async def study(self) -> None:
        """Let twins learn from how their forecasts came true."""
        for twin in sorted(self._attended):
            try:
                for signal in self._study.due(twin):
                    await asyncio.to_thread(self._study.learn, twin, signal)
                self._mended(twin, "study")
            except Exception as error:
                self._broke(twin, "study", error)

    async def turn(self) -> None:
        """Attend to every twin that is connected, or that somebody told something about."""
        try:
            await asyncio.to_thread(self.bank.gate.tick)
        except Exception:
            log.exception("what ended by itself could not be put on record; it is tried again")
        fresh, self._fresh = self._fresh, {}
        self._attended |= {*self.bank.live_twins(), *fresh}
        for twin in sorted(self._attended):
            try:
                if await asyncio.to_thread(self.attend, twin, fresh.get(twin, [])):
                    self._tell(twin)
                self._mended(twin, "turn")
            except Exception as error:
                self._fresh[twin] = [*fresh.get(twin, []), *self._fresh.get(twin, [])]
                self._broke(twin, "turn", error)

    def attend(self, twin: str, fresh: Sequence[Fact]) -> bool:
        """Bring one twin up to date with *fresh* facts and the time; return whether anything about it changed."""
        return self._attendant.attend(twin, fresh)

    @property
    def troubles(self) -> dict[str, str]:
        """Return, by twin, what could not be done and may not even be on record: the disk may be full."""
        return {twin: text for (twin, _), text in list(self._faults.items())}

    def _mended(self, twin: str, where: str) -> None:
        if self._faults.pop((twin, where), None) is not None:
            self._tell(twin)

    def _broke(self, twin: str, where: str, error: Exception) -> None:
        if self.bank.thread.erased(twin):
            self.forget(twin)
            return
        known = isinstance(error, GemelError)
        text = str(error) if known else f"something failed inside ({type(error).__name__}); the log says more"
        if self._faults.get((twin, where)) != text:
            if not known:
                log.error("%s of %s failed", where, twin, exc_info=error)
            self._faults[twin, where] = text
            self._tell(twin)

    def _tell(self, twin: str) -> None:
        for listener in self.listeners:
            listener(twin)

    async def send(self) -> None:
        """Send what was approved."""
        for twin in sorted(self._attended | set(self.bank.live_twins())):
            try:
                if await self.outbox.flush(twin):
                    self._tell(twin)
                self._mended(twin, "send")
            except Exception as error:
                self._broke(twin, "send", error)

    async def push(self) -> None:
        """Send notices to whoever asked to be reached away from the page."""
        if self._reached is None:
            try:
                self._reached = await asyncio.to_thread(self._all_reached)
            except Unavailable:
                return  # the store is away; the next turn asks again
        for twin in sorted(self._reached):
            try:
                await self.pusher.flush(twin)
                self._mended(twin, "push")
            except Exception as error:
                self._broke(twin, "push", error)

    def _all_reached(self) -> set[str]:
        return {told.twin for told in self.bank.thread.skim((CONFIRMED,))}

    def attends(self, twin: str) -> bool:
        """Return whether the loop keeps the twin in step."""
        return twin in self._attended

    def fallback(self, twin: str) -> str | None:
        """Return what the loop does instead of forecasting, and why, or None where all is well."""
        try:
            return alarms.fallback(self._reasons(twin))
        except Unavailable as error:
            return alarms.fallback({"loop": str(error)})

    def _reasons(self, twin: str) -> dict[str, str]:
        active = {str(f.body["name"]): str(f.body["text"]) for f in self.bank.alerts(twin) if f.body.get("active")}
        if twin in self._attended:
            silent = self._attendant.silent(twin, self.bank.now())
            active |= {name: text for name, (_, text) in silent.items()}
        troubles = self.troubles
        if twin in troubles:
            active["loop"] = troubles[twin]
        return active

    # streams

    async def _listen(self, twin: str, source: Live, actor: str, purpose: str) -> None:
        """Write what a live source says, for ever; what goes wrong is told, and the stream goes on."""

        def on_problem(problem: GemelError) -> None:
            self._later(self._complain, twin, actor, problem)

        def on_connect() -> None:
            self._later(self._attendant.end_alert, twin, actor)

        watched = source.watched(on_problem, on_connect) if isinstance(source, Watched) else source
        while True:
            try:
                async for item in watched.items():
                    await self._take_one(twin, item, actor, purpose)
                return
            except Exception as error:
                log.exception("a stream failed")
                on_problem(Unavailable(f"{source.name} failed: {type(error).__name__}"))
                await asyncio.sleep(AGAIN_S)

    async def _take_one(self, twin: str, item: Item, actor: str, purpose: str) -> None:
        """Write one item; where the store cannot take it, wait: the source keeps it until the next is asked for."""
        while True:
            try:
                await asyncio.to_thread(self.take, twin, [item], actor, purpose)
                await asyncio.to_thread(self._attendant.end_alert, twin, f"input:{actor}")
                return self._mended(twin, actor)
            except Unavailable as error:
                self._broke(twin, actor, error)
                await asyncio.sleep(AGAIN_S)
            except GemelError as error:
                return await asyncio.to_thread(self._complain, twin, actor, error)

    def take(self, twin: str, items: Sequence[Item], actor: str, purpose: str) -> tuple[int, int]:
        """Write items as *actor*, durably; return how many were new, and how many were known."""
        writer = self.bank.as_writer(twin, actor, purpose)
        done = writer.record(self.checked(twin, items))
        return done.new, len(items) - done.new

    def checked(self, twin: str, items: Sequence[Item]) -> list[Item]:
        """Return what comes as it is made, in the type's own units; raise `BadInput` for a reading dated later than now.

        While this machine's clock is known to stand behind, it is no measure of that.
        """
        now = self.bank.now()
        ahead = AHEAD if self._attendant.behind(twin, now) else SOON
        return checked(items, self.bank.type_of(twin), now=now, ahead=ahead)

    def _later(self, errand: Callable[..., object], *about: object) -> None:
        task = asyncio.create_task(self._run_errand(errand, about))
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def _run_errand(self, errand: Callable[..., object], about: tuple[object, ...]) -> None:
        await asyncio.to_thread(errand, *about)

    def _regating(self, home: asyncio.AbstractEventLoop) -> Callable[[str], None]:
        def watcher(twin: str) -> None:
            home.call_soon_threadsafe(self._later, self._regate, twin)

        return watcher

    def _regate(self, twin: str) -> None:
        """Stop the streams whose actor may not write to *twin*, or of the house to any, any more."""
        for (of, source, actor, purpose), task in [one for one in self._listening if twin in (one[0][0], HOUSE)]:
            reason = withdrawal.silenced(self.bank, of, actor, purpose)
            if reason is not None and not task.done():
                task.get_loop().call_soon_threadsafe(task.cancel)
                self.bank.sources[of] = [one for one in self.bank.sources.get(of, ()) if one[1] != actor]
                self._attendant.alert(of, actor, ("warning", f"{source.name} is not listened to any more: {reason}"))

    def unusable(self, twin: str, actor: str, problem: GemelError | None) -> None:
        """Put on record that what *actor* said cannot be used, or, with None, that it can again."""
        if problem is not None:
            self._complain(twin, actor, problem)
        else:
            self._attendant.end_alert(twin, f"input:{actor}")

    def _complain(self, twin: str, actor: str, problem: GemelError) -> None:
        name, text = f"input:{actor}", f"a reading could not be used: {problem}"
        if isinstance(problem, Refused):
            text = f"a reading was refused: {problem}"
        elif not isinstance(problem, BadInput):
            name, text = actor, f"not connected, trying again: {problem}"
        self._attendant.alert(twin, name, ("warning", text))


def live(bank: Bank, agents: Sequence[Agent] | None = None, stop: asyncio.Event | None = None) -> None:
    """Run the loop over all twins of *bank* until *stop* or Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Loop(bank, agents).run(stop))
