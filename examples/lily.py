"""The thirty lines of the README, run for real: a virtual child, her record, her twin, a proposal and its way to the pump.

Run it in an empty folder: `python examples/lily.py`. The lines of the README stand between the lines of stars; what is
around them plays the parts of the devices, of the broker and of the mother who approves. Not a medical device.
"""

import asyncio
import json
import os
import signal
import threading
import time

from aiomqtt import Client

from gemel.facts import DAY, MINUTE, iso
from gemel.packs.diabetes.asset import LILY, virtual_days
from gemel.streams.broker import Broker

SHOWN_S = float(os.environ.get("LILY_SECONDS", "8"))
"""How long the loop runs before this example stops it."""


def stage_files() -> None:
    """Write three days of a virtual child as a Nightscout site would export them."""
    now = time.time_ns() // 1_000_000
    told = virtual_days([LILY], 3, seed=1, start=(now - 3 * DAY) // (5 * MINUTE) * 5 * MINUTE)[LILY]
    entries = [{"type": "sgv", "sgv": round(value), "date": at} for name, value, _, at in told if name == "glucose"]
    kinds = {"bolus": ("Bolus", "insulin"), "carbs": ("Carb Correction", "carbs"), "basal": ("Temp Basal", "absolute")}
    treatments = [
        {"eventType": kinds[name][0], kinds[name][1]: round(value, 2), "created_at": iso(at), "duration": 1440}
        for name, value, _, at in told if name in kinds
    ]  # fmt: skip
    for file, content in (("entries.json", entries), ("treatments.json", treatments)):
        with open(file, "w", encoding="utf-8") as out:
            json.dump(content, out)


def stage_broker() -> None:
    """Start a broker on this machine, and a pump that says what it is told."""
    ready = threading.Event()

    async def play() -> None:
        async with Broker(port=1883), Client("127.0.0.1", 1883) as pump:
            await pump.subscribe("lily/pump", qos=1)
            ready.set()
            async for message in pump.messages:
                told = json.loads(bytes(message.payload))
                print(f"pump: {told['title']}, {len(told['doses'])} doses", flush=True)

    threading.Thread(target=lambda: asyncio.run(play()), daemon=True).start()
    ready.wait(20)


signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in its background deaf to Ctrl-C
stage_files()
stage_broker()

# *****
import gemel as gm
from gemel.packs import diabetes

bank = gm.Bank.open("family.gemel")  # a folder
lily = bank.create(diabetes.Person, "lily", by="sarah")  # sarah holds the keys
lily.load(gm.streams.nightscout("entries.json", "treatments.json"))  # historical
lily.listen(gm.streams.mqtt("mqtt://localhost", "lily/#"))  # real-time
lily.act_through(diabetes.Pump("mqtt://localhost", "lily/pump"))
lily.grant(to="dr-lee", purpose="care", read="*", propose="basal", until="2027-01-01")

fit = lily.personalise(days=3)  # posterior, diagnostics, how well it replays
seen = bank.find("lily", by="dr-lee", purpose="care")
print(seen.forecast("glucose", hours=2))  # quantiles, with their past calibration

result = gm.compare(
    seen.fork("as usual"),
    seen.fork("bolus 15 min earlier").suppose(diabetes.bolus_lead("15 min")),
    seen.fork("closed loop").suppose(diabetes.ArtificialPancreas()),
    metric="time_in_range",
    hours=24,
)  # paired draws, effect and interval
# *****
print(fit)
print(result)
try:
    # *****
    seen.propose(result.best, why="less time above range")  # guard, consent, approval, pump, outcome
    # *****
except gm.GemelError as refusal:
    print("refused:", refusal)
for proposal in lily.proposals():
    print(f"proposal {proposal.seq}: {proposal.status} {proposal.reason}")
    if proposal.status == "open":
        print(lily.decide(proposal.seq, approve=True, note="tried it on copies first").status)
threading.Timer(SHOWN_S, lambda: os.kill(os.getpid(), signal.SIGINT)).start()

# *****
gm.live(bank)  # the loop
# *****
for proposal in lily.proposals():
    print(f"proposal {proposal.seq}: {proposal.status}")
bank.close()
