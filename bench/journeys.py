"""Ten thousand forecasts of the next hour of a service with twenty stations, from who is in it now, on all cores.

No peer starts from a present state (Ciw issue 98, open since 2016), so there is none to run beside; the goal is one second.
"""

from __future__ import annotations

import statistics
import time

from bench.report import emit
from gemel.process import (  # fmt: skip
    ANY,
    END,
    Arrivals,
    Calendar,
    Choice,
    Customers,
    Duration,
    Network,
    Pool,
    Rule,
    Station,
    Task,
    Team,
    empty,
    exponential,
)
from gemel.process.engine import simulate

MEMBERS, STATIONS, HOUR, ROUNDS = 10_000, 20, 3_600_000, 5


def service() -> Network:
    """Return five lines of four stations: at each a third give up after a while, and one in ten comes again."""
    nodes: list[Task | Choice] = []
    for line in range(5):
        for step in range(4):
            then = f"t{line}.{step + 1}" if step < 3 else f"again {line}"
            nodes.append(Task(f"t{line}.{step}", f"s{line}.{step}", then))
        nodes.append(Choice(f"again {line}", (Rule({END: 9.0, f"t{line}.0": 1.0}),)))
    names = [node.name for node in nodes if isinstance(node, Task)]
    return Network(
        "hospital", tuple(Customers(f"c{line}", Arrivals.steady(12.0), f"t{line}.0") for line in range(5)), tuple(nodes),
        tuple(
            Station(
                name.replace("t", "s"), {ANY: Duration("lognormal", 600.0, 0.8)}, (Team(name),),
                patience={ANY: exponential(3600.0)}, promise=1200.0,
            )
            for name in names
        ),
        tuple(Pool(name, Calendar.always(3)) for name in names),
    )  # fmt: skip


def main() -> None:
    """Measure, several times, and tell the median."""
    network = service()
    assert len(network.stations) == STATIONS
    present = simulate(network, empty(0), 24 * HOUR, members=1, keep=("end",)).end[0]
    simulate(network, present, present.at + HOUR, members=10)
    spent, used = [], []
    for seed in range(ROUNDS):
        begin, cpu = time.perf_counter(), time.process_time()
        run = simulate(network, present, present.at + HOUR, members=MEMBERS, seed=seed)
        spent.append(time.perf_counter() - begin)
        used.append(time.process_time() - cpu)
    visits = sum(float(gauge[-1].sum()) for name, gauge in run.gauges.items() if name.startswith("served."))
    details = {
        "inside_at_the_start": len(present.cases), "services_per_forecast": round(visits / MEMBERS, 1), "members": MEMBERS,
        "services_per_s": round(visits / statistics.median(spent)), "goal_s": 1.0,
        "processor_s": round(statistics.median(used), 3), "rounds_s": [round(one, 3) for one in spent],
    }  # fmt: skip
    emit("journeys", statistics.median(spent), "s for 10,000 one-hour forecasts", {}, details)


if __name__ == "__main__":
    main()
