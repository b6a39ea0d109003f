"""A program that lives and is killed, hundreds of times: readings, decisions and sends are in flight when it dies.

`python tests/crash.py STORE FOLDER KILLS SEED` forks one life after the other from a process that has loaded its
libraries and touched no store. What a life was told to be durable, and what left it for the asset, it writes to files.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gemel.bank import Bank
from gemel.dynamics import Belief, Dose, Expected, Plan, Range, Seed, Subject, Trajectory
from gemel.errors import GemelError
from gemel.facts import MINUTE, Time
from gemel.intervention import Intervention
from gemel.loop.outbox import Outbox, pending
from gemel.streams import Item, Place
from gemel.twintype import Asset, Level, Lever, Scope, Signal, TwinType

BORN: Time = 1_700_000_040_000
LONGEST_S = 0.3
"""How long a life lasts at the most after its store is open; every fourth dies while it opens."""


class Jar:
    """What was put in is in it: a dynamics that nothing is read of, so that no numerics need to be loaded."""

    ranges: Mapping[str, Range] = {}
    sensors: Mapping[str, Any] = {}

    def prior(self, subjects: Sequence[Subject], members: int, seed: Seed) -> Belief:
        """Return empty jars."""
        born = np.array([subject.born for subject in subjects], np.int64)
        return Belief(tuple(subjects), born, {"held": np.zeros((len(born), members))})

    def advance(
        self, belief: Belief, plans: Sequence[Plan], until: np.ndarray, seed: Seed, *, record: Sequence[str] = (),
        every: Time = 5 * MINUTE,
    ) -> tuple[Belief, Trajectory]:  # fmt: skip
        """Put in what is due."""
        due = [
            sum(float(d.amount) for d in plan if a <= d.at < u)
            for plan, a, u in zip(plans, belief.at, until, strict=True)
        ]
        held = belief.values["held"] + np.array(due)[:, None]
        return Belief(belief.subjects, np.asarray(until, np.int64), {"held": held}), Trajectory(np.zeros(0), {})

    def observe(self, belief: Belief) -> Mapping[str, Expected]:
        """Return nothing."""
        return {}

    def __repr__(self) -> str:
        return "Jar()"


JAR = TwinType(
    "jar", Asset.PHYSICAL, Scope.ORGAN, Level(), Jar(), {"weight": Signal("g", 0, 1e6)}, {"add": Lever("g", 0, 100)},
    members=2,
)  # fmt: skip


class Life:
    """One life of the program on a store."""

    def __init__(self, store: str, folder: Path, number: int) -> None:
        self._number, self._folder = number, folder
        self._told = os.open(folder / "told", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._left = os.open(folder / "left", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._bank = Bank.open(store, types={"jar": JAR})
        if "jar" not in self._bank:
            self._bank.create(JAR, "jar", by="sarah")
            self._bank.find("jar", by="sarah", purpose="care").record([_item("first", 0)])
        self._twin = self._bank.find("jar", by="sarah", purpose="care")
        self._bank.sinks["jar"] = self

    @property
    def name(self) -> str:
        """Return what this sink is called."""
        return "asset"

    async def send(self, message: Mapping[str, Any], key: str) -> None:
        """Let a message out, and be slow to say so."""
        os.write(self._left, f"{key}\n".encode())
        await asyncio.sleep(random.random() / 200)

    def live(self) -> None:
        """Read, decide, send and sign, all at once, until killed."""
        for work in (self._read, self._decide, self._keep):
            threading.Thread(target=self._for_ever, args=(work,), daemon=True).start()
        asyncio.run(self._send())

    def _for_ever(self, work: Any) -> None:
        for i in range(10**9):
            work(f"{self._number}.{i}")

    def _read(self, name: str) -> None:
        self._twin.record([_item(name, j) for j in range(3)])
        self._tell(f"read {name}")

    def _decide(self, name: str) -> None:
        dose = Dose("add", 1.0, self._bank.now() + MINUTE)
        proposal = self._twin.propose(Intervention(name, (dose,)), "to see")
        self._tell(f"proposed {proposal.seq}")
        self._twin.decide(proposal.seq, approve=True)
        self._tell(f"decided {proposal.seq}")

    def _keep(self, name: str) -> None:
        self._bank.thread.checkpoint(self._bank.now())
        self._bank.thread.keep("jar", "note", name.encode())
        time.sleep(0.03)

    def _tell(self, line: str) -> None:
        """Write down what is durable now; a line this short is written whole or not at all."""
        os.write(self._told, f"{line}\n".encode())

    async def _send(self) -> None:
        outbox = Outbox(self._bank, backoff_s=(0.0, 0.0))
        while True:
            await outbox.flush("jar")
            await asyncio.sleep(0)

    def settle(self) -> None:
        """Send what is left, and close."""
        while pending(self._bank, "jar"):
            asyncio.run(Outbox(self._bank).flush("jar"))
        self._bank.close()


def _item(name: str, j: int) -> Item:
    return Item("weight", float(j), "g", BORN + j * MINUTE, f"{name}.{j}", Place("scale"))


def _born(store: str, folder: Path, number: int, ready: int) -> None:
    """Live until killed; a store that another still lets go of is tried again."""
    while True:
        try:
            life = Life(store, folder, number)
            break
        except GemelError as error:
            if "another process" not in str(error) and "in use" not in str(error):
                raise
            time.sleep(0.002)
    os.write(ready, b"x")
    life.live()


def main(store: str, folder: Path, kills: int, seed: int) -> None:
    """Let lives be born and kill them; then settle what is left."""
    rng = random.Random(seed)
    for number in range(kills):
        heard, ready = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(heard)
            try:
                _born(store, folder, number, ready)
            finally:
                os._exit(70)
        os.close(ready)
        if rng.random() < 0.75:
            os.read(heard, 1)
        time.sleep(rng.random() * LONGEST_S)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        os.close(heard)
        if not os.WIFSIGNALED(status):
            sys.exit(f"life {number} ended by itself: {status}")
    Life(store, folder, kills).settle()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
