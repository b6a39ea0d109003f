"""The living room of Lily, a virtual child with type 1 diabetes: her devices speak MQTT, and her twin keeps step."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable

from aiomqtt import Client, MqttError

from gemel.bank import Bank
from gemel.bank.team import join
from gemel.bank.twin import Twin
from gemel.facts import HOUR, Time
from gemel.loop import Demo
from gemel.loop.clock import local_offset, zone_here
from gemel.loop.hindsight import look_back
from gemel.packs.diabetes.agents import CLOSED_LOOP
from gemel.packs.diabetes.asset import LILY, Record, VirtualPerson
from gemel.packs.diabetes.bedside import Bedside
from gemel.packs.diabetes.control.before_sport import SPORT_MODE
from gemel.packs.diabetes.person import Person
from gemel.packs.diabetes.pump_sink import Pump
from gemel.packs.diabetes.sunny import settings
from gemel.packs.diabetes.team import ROLES
from gemel.packs.diabetes.watch import live_exercise, recognised
from gemel.streams import Item, Place, mqtt

PAST: Time = 36 * HOUR
SCORED: Time = 24 * HOUR
"""How much of Lily's past is loaded at the start, and for how much of it forecasts are worked out afterwards."""

SEED = 7
REST = 68.0
"""Lily's heart rate at rest, bpm, as her watch gives it."""

DOCTOR, CARE = "dr-lee", "care"
MOTHER, HERS = "sarah", "self-management"
TEAM = {"dina": "dietitian", "eddie": "educator", "nora": "nurse"}
SCHOOL, NIGHT = "08:00-15:00", "21:00-07:00"

PLAN: dict[str, float | list[float]] = {
    "basal": [*[0.4] * 6, *[0.45] * 12, *[0.4] * 6], "ratio": 25.0, "sensitivity": 100.0, "target_low": 90.0,
    "target_high": 120.0, "action": 5.0, "bolus_max": 5.0,
}  # fmt: skip
"""What Lily's pump runs on, and what simglucose's table says of her subject, rounded."""

NOTES = {
    "low at school": "Juice from the red box, then sit with an adult; check again after 15 minutes; call Sarah if still low.",
    "sport": "Sport mode an hour before football; a snack at half-time.",
}
TICK_S = 0.2


class LivingRoom:
    """Lily, her devices, and her twin; `clock` says what time it is in the room."""

    def __init__(self, clock: Callable[[], Time], twin: str = "lily") -> None:
        self.clock, self.twin = clock, twin
        start = (clock() - PAST) // HOUR * HOUR
        self.bedside = Bedside(VirtualPerson(LILY, SEED, start, id=twin, offset=local_offset(start)))
        self._kept: list[tuple[Record, str | None]] = []
        self._commands: list[bytes] = []

    # the twin

    def prepare(self, bank: Bank) -> None:
        """Make the twin if there is none, and load what the devices saw so far."""
        twin = bank.find(self.twin, by=MOTHER, purpose=HERS) if self.twin in bank else self._made(bank)
        last, now = bank.replica(self.twin).last, self.clock()
        told = [record for record, _ in self.bedside.advance(now) if last is None or record[3] > last]
        twin.record(list(recognised([_item(record) for record in told], REST)))
        look_back(bank, self.twin, now - SCORED, now)

    def connect(self, bank: Bank, broker_url: str) -> None:
        """Let the twin hear the devices, and reach the pump."""
        twin = bank.find(self.twin, by=MOTHER, purpose=HERS)
        twin.listen(live_exercise(mqtt(broker_url, f"{self.twin}/#", client_id=f"gemel-{self.twin}"), REST))
        twin.act_through(Pump(broker_url, f"{self.twin}/pump"))

    def _made(self, bank: Bank) -> Twin:
        twin = bank.create(Person, self.twin, by=MOTHER)
        for agent in (CLOSED_LOOP, SPORT_MODE):
            twin.grant(to=agent.actor, purpose=agent.purpose, read="*", propose="basal")
        _gather(twin)
        return twin

    # the room

    async def live(self, broker_url: str, stop: asyncio.Event) -> None:
        """Let Lily live until *stop*, through broken connections: what was not sent is sent later."""
        host, _, port = broker_url.removeprefix("mqtt://").partition(":")
        while not stop.is_set():
            with contextlib.suppress(MqttError):
                async with Client(
                    host, int(port or 1883), identifier=f"room-{self.twin}", clean_session=False
                ) as client:
                    await client.subscribe(f"{self.twin}/pump", qos=1)
                    await self._connected(client, stop)
            await _pause(stop)

    async def _connected(self, client: Client, stop: asyncio.Event) -> None:
        obeying = asyncio.create_task(self._obey(client))
        try:
            while not stop.is_set() and not obeying.done():
                await asyncio.to_thread(self._pass_time)
                await self._speak(client)
                await _pause(stop)
        finally:
            obeying.cancel()
            await asyncio.gather(obeying, return_exceptions=True)

    def _pass_time(self) -> None:
        while self._commands:
            self.bedside.receive(self._commands.pop(0), self.bedside.person.now)
        self._kept = sorted([*self._kept, *self.bedside.advance(self.clock())], key=lambda told: told[0][3])

    async def _speak(self, client: Client) -> None:
        while self._kept and self._kept[0][0][3] <= self.clock():
            record, behind = self._kept[0]
            await client.publish(f"{self.twin}/{record[0]}", _payload(record, behind), qos=1)
            del self._kept[0]

    async def _obey(self, client: Client) -> None:
        async for message in client.messages:
            self._commands.append(bytes(message.payload))


def _gather(twin: Twin) -> None:
    """Bring Lily's team together, and let them agree on a first plan, with one change that waits."""
    zone = zone_here()
    settings.change(twin, settings.Wanted(timezone=zone))
    join(twin, ROLES, twin.id, "child", quiet=f"{NIGHT} {zone}")
    join(twin, ROLES, DOCTOR, "doctor")
    for who, role in TEAM.items():
        join(twin, ROLES, who, role, hours=f"{SCHOOL} {zone}" if role == "nurse" else None)
    twin.alert_to(MOTHER, severity="warning", quiet=f"{NIGHT} {zone}", purpose=HERS)
    doctor = twin.bank.find(twin.id, by=DOCTOR, purpose=CARE)
    first = doctor.propose_plan(PLAN, NOTES, "as agreed at the visit")
    twin.decide_plan(first.seq, True, "agreed")
    now = twin.bank.now()
    doctor.review("Days are steady; the hours after lunch run high.", now - PAST, now)
    doctor.propose_plan({"ratio": [*[25.0] * 11, *[22.0] * 3, *[25.0] * 10]}, {}, "lunch runs high on most days")


async def _pause(stop: asyncio.Event) -> None:
    """Wait a tick, or until it is time to stop."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(TICK_S):
            await stop.wait()


def _item(record: Record) -> Item:
    name, value, unit, at = record
    return Item(name, value, unit, at, None, Place("living room"))


def _payload(record: Record, behind: str | None) -> bytes:
    name, value, unit, at = record
    return json.dumps({"name": name, "value": value, "unit": unit, "at": at, "id": behind}).encode()


DEMO = Demo(
    "lily", "Lily, a virtual child with type 1 diabetes", actor=MOTHER, purpose=HERS, furnish=LivingRoom,
    others={"lily": ROLES["child"].purpose, DOCTOR: CARE, **dict.fromkeys(TEAM, CARE)},
)  # fmt: skip
