"""Two services to look at: a contact centre with two sites, and a hospital whose scanner wears; their events come by MQTT."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

from aiomqtt import Client, MqttError

from gemel.bank import Bank
from gemel.bank.twin import Twin
from gemel.dynamics import Event
from gemel.errors import BadInput
from gemel.facts import DAY, HOUR, MINUTE, SECOND, Time
from gemel.loop import Demo
from gemel.loop.clock import local_offset
from gemel.loop.gauges import Gauges
from gemel.loop.hindsight import look_back
from gemel.packs.service.actions import Action
from gemel.process.network import Network
from gemel.streams import Item, Place, mqtt, mqtt_sink, told
from gemel.streams.envelope import payload_of

LEARNS = 14
"""Days of events from which the twin's network is learned."""

PAST: Time = 24 * HOUR
"""How much of the past is told to the twin."""

SHOWN: Time = 6 * HOUR
"""For how much of it gauges and forecasts are worked out afterwards."""

AHEAD = 60
"""Days that the asset can go on."""

TOLD_S = 1800.0
"""The wait that is told where an order only says that it shall be told."""

SEED = 7
PURPOSE = "service"
TICK_S = 0.2


Said = tuple[str, float, str, Time, str | None]
"""What the floor says beside events: name, value, unit, when, and the id of the order behind it."""


class House(Protocol):
    """A simulated service."""

    def until(self, time: Time) -> list[Event]:
        """Let time pass and return what was told meanwhile."""
        ...

    def act(self, action: Action) -> None:
        """Do something from now on."""
        ...

    def gauges(self) -> Mapping[str, float]:
        """Return what its own systems show now."""
        ...


@dataclass(frozen=True)
class Kind:
    """What one demonstration shows: the twin's name, who runs the service, how it is simulated, what the twin starts from."""

    twin: str
    boss: str
    house: Callable[[int, Time, int], House]
    network: Callable[[Sequence[Event], Time, Time], Network]
    members: int = 96
    watched: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """What equipment tells beside its events: unit and label by the name of the gauge."""


class Floor:
    """The floor of one service and its twin; `clock` says what time it is there."""

    def __init__(self, kind: Kind, clock: Callable[[], Time]) -> None:
        self.kind, self.clock = kind, clock
        self._told: deque[Event] = deque()
        self._orders: list[bytes] = []
        self._obeyed: set[str] = set()
        self._house: House | None = None
        self._shown_at: Time = 0
        self._turned: list[tuple[Time, str, float, str, str]] = []

    # the twin

    def prepare(self, bank: Bank) -> None:
        """Make the twin if there is none, from weeks of events, and tell it the last day."""
        from gemel.packs.service.kind import service_type

        now, known = self.clock(), self.kind.twin in bank
        start = _monday((bank.created(self.kind.twin).true_at if known else now) - LEARNS * DAY)
        self._house = self.kind.house(SEED, start, (now - start) // DAY + AHEAD)
        events = self._house.until(now)
        if not known:
            network = self.kind.network([e for e in events if e.at < start + LEARNS * DAY], start, start + LEARNS * DAY)
            self._made(bank, service_type(network, members=self.kind.members, watched=self.kind.watched))
        twin = bank.find(self.kind.twin, by=self.kind.boss, purpose=PURPOSE)
        last = bank.replica(twin.id).last or now - PAST
        twin.record([told(event, None, Place("floor")) for event in events if event.at > last])
        twin.record(
            [Item(name, value, unit, at, None, Place("floor")) for name, value, unit, at, _ in self._shown(now)]
        )
        self._look_back(bank, now)

    def _made(self, bank: Bank, kind: Any) -> Twin:
        twin = bank.create(kind, self.kind.twin, by=self.kind.boss)
        for agent in ("agent:planner", "agent:amends"):
            twin.grant(to=agent, purpose=PURPOSE, read="*", propose="*", act="*")
        return twin

    def _look_back(self, bank: Bank, now: Time) -> None:
        gauges = Gauges(bank)
        moments = range((now - SHOWN) // (5 * MINUTE) * 5 * MINUTE, now, 5 * MINUTE)
        bank.append([draft for at in moments for draft in gauges.drafts(self.kind.twin, at)])
        look_back(bank, self.kind.twin, now - SHOWN + 2 * HOUR, now)

    def connect(self, bank: Bank, broker_url: str) -> None:
        """Let the twin hear the floor, and reach whoever runs it."""
        twin = bank.find(self.kind.twin, by=self.kind.boss, purpose=PURPOSE)
        twin.listen(mqtt(broker_url, f"{twin.id}/events", client_id=f"gemel-{twin.id}"))
        twin.act_through(mqtt_sink(broker_url, f"{twin.id}/orders"))

    # the floor

    async def live(self, broker_url: str, stop: asyncio.Event) -> None:
        """Let the service go on until *stop*, through broken connections: what was not sent is sent later."""
        host, _, port = broker_url.removeprefix("mqtt://").partition(":")
        name = f"floor-{self.kind.twin}"
        while not stop.is_set():
            with contextlib.suppress(MqttError):
                async with Client(host, int(port or 1883), identifier=name, clean_session=False) as client:
                    await client.subscribe(f"{self.kind.twin}/orders", qos=1)
                    await self._connected(client, stop)
            await _pause(stop)

    async def _connected(self, client: Client, stop: asyncio.Event) -> None:
        hearing = asyncio.create_task(self._hear(client))
        try:
            while not stop.is_set() and not hearing.done():
                await asyncio.to_thread(self._pass_time)
                while self._told:
                    await client.publish(f"{self.kind.twin}/events", self._payload(self._told[0]), qos=1)
                    self._told.popleft()
                for name, value, unit, at, id_ in [*self._shown(self.clock()), *self._due(self.clock())]:
                    told_of = {"name": name, "value": value, "unit": unit, "at": at, "id": id_}
                    await client.publish(f"{self.kind.twin}/events", json.dumps(told_of).encode(), qos=1)
                await _pause(stop)
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    def _payload(self, event: Event) -> bytes:
        return payload_of(event, source=f"//floor/{self.kind.twin}", subject=self.kind.twin)

    def _pass_time(self) -> None:
        assert self._house is not None
        now = self.clock()
        while self._orders:
            for action in self._understood(self._orders.pop(0), now):
                with contextlib.suppress(BadInput):  # this house cannot do that
                    self._house.act(action)
        self._told.extend(self._house.until(now))

    def _due(self, now: Time) -> list[Said]:
        """Return the levers that were turned by now, as the floor reports them."""
        due = [one for one in self._turned if one[0] <= now]
        self._turned = [one for one in self._turned if one[0] > now]
        return [(name, value, unit, at, id_) for at, name, value, unit, id_ in due]

    def _shown(self, now: Time) -> list[Said]:
        """Return what equipment shows, once in five minutes."""
        at = now // (5 * MINUTE) * 5 * MINUTE
        if at <= self._shown_at or self._house is None:
            return []
        self._shown_at, gauges = at, self._house.gauges()
        return [(name, gauges[name], unit, at, None) for name, (unit, _) in self.kind.watched.items() if name in gauges]

    def _understood(self, order: bytes, now: Time) -> list[Action]:
        """Return what an order asks for, once; what cannot be understood is left out."""
        try:
            message = json.loads(order)
            if message["id"] in self._obeyed:
                return []
            self._obeyed.add(message["id"])
            self._turned += [
                (
                    max(int(dose["at"]), now),
                    str(dose["name"]),
                    float(dose["value"]),
                    str(dose["unit"]),
                    f"{message['id']}#{i}",
                )
                for i, dose in enumerate(message["doses"])
            ]
            return actions_of(message["doses"], now)
        except (ValueError, KeyError, TypeError):
            return []

    async def _hear(self, client: Client) -> None:
        async for message in client.messages:
            self._orders.append(bytes(message.payload))


def actions_of(doses: Sequence[Mapping[str, Any]], now: Time) -> list[Action]:
    """Return what levers that are turned, and turned back, mean on the floor: people moved or called in, ways opened."""
    turned: dict[str, list[tuple[Time, float]]] = {}
    for dose in sorted(doses, key=lambda dose: dose["at"]):
        turned.setdefault(str(dose["name"]), []).append((max(int(dose["at"]), now), float(dose["value"])))
    staff = {name.partition(".")[2]: steps for name, steps in turned.items() if name.startswith("staff.")}
    found = [_other(name, steps) for name, steps in turned.items() if not name.startswith("staff.")]
    return [*_people(staff), *(action for action in found if action is not None)]


def _people(staff: Mapping[str, list[tuple[Time, float]]]) -> list[Action]:
    """Return moves where one pool gives what another gets, and people called in for the rest."""
    given = {pool: -steps[0][1] for pool, steps in staff.items() if steps[0][1] < 0}
    found = []
    for pool, steps in staff.items():
        (at, wanted), hold = steps[0], _hold(steps)
        for source in [one for one in given if wanted > 0 and given[one] > 0]:
            moved = min(given[source], wanted)
            found.append(Action("move", f"{source}>{pool}", moved, at, hold))
            given[source], wanted = given[source] - moved, wanted - moved
        if wanted > 0:
            found.append(Action("add", pool, wanted, at, hold))
    return found


def _other(name: str, steps: list[tuple[Time, float]]) -> Action | None:
    kind, _, target = name.partition(".")
    at, amount = steps[0]
    if kind == "patience":
        return Action("tell", target, TOLD_S, at, _hold(steps))
    if kind == "away":
        return Action("maintain", target, amount, at)
    if kind in ("open", "compensate"):
        return Action(kind, target, amount, at, _hold(steps))
    if kind == "route":
        later = target.partition(">")[2].startswith("later")
        return Action("call back" if later else "reroute", target, min(amount, 1.0), at, _hold(steps))
    return Action("reschedule", target, 1.0 - amount, at, _hold(steps)) if kind == "arrivals" and amount < 1 else None


def _hold(steps: list[tuple[Time, float]]) -> float:
    """Return how many seconds the first setting holds: until the next, or for an hour."""
    return (steps[1][0] - steps[0][0]) / SECOND if len(steps) > 1 and steps[1][0] > steps[0][0] else 3600.0


async def _pause(stop: asyncio.Event) -> None:
    """Wait a tick, or until it is time to stop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(TICK_S):
            await stop.wait()


def _monday(at: Time) -> Time:
    """Return the beginning of the local week of a moment."""
    local = at + local_offset(at)
    return (local - 4 * DAY) // (7 * DAY) * 7 * DAY + 4 * DAY - local_offset(at)


def in_zone(network: Network, at: Time) -> Network:
    """Return the network with its calendars in this machine's local time, by whole hours."""
    zone = f"Etc/GMT{-round(local_offset(at) / HOUR):+d}"
    pools = tuple(replace(pool, calendar=replace(pool.calendar, zone=zone)) for pool in network.pools)
    return replace(network, pools=pools)


def _centre(seed: int, start: Time, days: int) -> House:
    from gemel.packs.service.centre.asset import Centre

    return Centre(seed, start=start, days=days)


def _hospital(seed: int, start: Time, days: int) -> House:
    from gemel.packs.service.hospital.asset import Hospital

    return Hospital(seed, start=start, days=days)


def _learned(network: Callable[[], Network], events: Sequence[Event], since: Time, until: Time) -> Network:
    from gemel.packs.service.follow import learned

    return in_zone(learned(network(), events, since, until), since)


def _centre_network(events: Sequence[Event], since: Time, until: Time) -> Network:
    from gemel.packs.service.centre.network import network

    return _learned(network, events, since, until)


def _hospital_network(events: Sequence[Event], since: Time, until: Time) -> Network:
    from gemel.packs.service.hospital.network import network

    return _learned(network, events, since, until)


def _demo(name: str, title: str, kind: Kind) -> Demo:
    return Demo(name, title, actor=kind.boss, purpose=PURPOSE, furnish=partial(Floor, kind))


WEAR = {
    f"{what}.scanner-{k}": ("count", label.format(k))
    for k in (0, 1) for what, label in (
        ("wear", "scanner {}: scans since maintenance"), ("up", "scanner {} runs"),
        ("planned", "scanner {}: hours to its maintenance, 0 for none"),
    )
}  # fmt: skip
"""What the scanners of the hospital tell of themselves."""

CENTRE = _demo(
    "centre", "A contact centre with two sites", Kind("centre", "maria", _centre, _centre_network)
)  # fmt: skip
HOSPITAL = _demo(
    "hospital", "A hospital's patient flow with a scanner that wears",
    Kind("hospital", "noor", _hospital, _hospital_network, watched=WEAR),
)  # fmt: skip
