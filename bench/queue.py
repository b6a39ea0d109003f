"""Customers per second of M/M/5 at load .9, and of a tandem of three at .8, on one core, beside SimPy, Ciw and salabim.

All simulate the same model in the same run, each in its own idiom: exponential gaps and services, one queue, first come first
served, waits summed up. Every engine runs several times and its best is kept: other work on the machine only slows. The mean wait
of each is told beside Erlang's. Peers simulate fewer customers, enough for some seconds; ours also counts compiled code being
loaded from disk apart (`load_s`).
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable

from bench.report import emit
from gemel.process import (
    ANY,
    END,
    Arrivals,
    Calendar,
    Customers,
    Network,
    Pool,
    Station,
    Task,
    Team,
    empty,
    exponential,
)
from gemel.process.engine import simulate

SERVERS, ROUNDS = 5, 3
GOALS = {"one": (8e6, 70.0), "tandem": (3e6, 70.0)}


def network(rate: float, stations: int) -> Network:
    """Return stations one after the other, five servers each, mean service 1 s."""
    names = [f"s{k}" for k in range(stations)]
    tasks = tuple(Task(name, name, then) for name, then in zip(names, [*names[1:], END], strict=True))
    return Network(
        "tandem", (Customers("all", Arrivals.steady(rate * 3600), names[0]),), tasks,
        tuple(Station(name, {ANY: exponential(1.0)}, (Team(name),)) for name in names),
        tuple(Pool(name, Calendar.always(SERVERS)) for name in names),
    )  # fmt: skip


def ours(customers: int, rate: float, stations: int) -> tuple[float, float]:
    """Return seconds of processor time and the mean wait at the first station."""
    begin = time.process_time()
    run = simulate(network(rate, stations), empty(0), round(customers / rate * 1000), members=1, threads=1)
    waited, served = run.gauges["waited.s0"][-1, 0], run.gauges["served.s0"][-1, 0]
    return time.process_time() - begin, float(waited / served)


def by_simpy(customers: int, rate: float, stations: int) -> tuple[float, float]:
    """Return the same of SimPy: one process per customer."""
    import simpy

    env, rng, waits = simpy.Environment(), random.Random(1), [0.0]  # as its users write it
    desks = [simpy.Resource(env, SERVERS) for _ in range(stations)]

    def customer():  # type: ignore[no-untyped-def]
        for place, desk in enumerate(desks):
            came = env.now
            with desk.request() as asked:
                yield asked
                if place == 0:
                    waits[0] += env.now - came
                yield env.timeout(rng.expovariate(1.0))

    def source():  # type: ignore[no-untyped-def]
        for _ in range(customers):
            yield env.timeout(rng.expovariate(rate))
            env.process(customer())

    begin = time.process_time()
    env.process(source())
    env.run()
    return time.process_time() - begin, waits[0] / customers


def by_ciw(customers: int, rate: float, stations: int) -> tuple[float, float]:
    """Return the same of Ciw."""
    import ciw

    gaps = [ciw.dists.Exponential(rate), *[None] * (stations - 1)]
    routing = [[1.0 if to == at + 1 else 0.0 for to in range(stations)] for at in range(stations)]
    built = ciw.create_network(
        arrival_distributions=gaps, service_distributions=[ciw.dists.Exponential(1.0)] * stations, routing=routing,
        number_of_servers=[SERVERS] * stations,
    )  # fmt: skip
    ciw.seed(1)
    begin = time.process_time()
    simulation = ciw.Simulation(built)
    simulation.simulate_until_max_customers(customers)
    spent = time.process_time() - begin
    waits = [record.waiting_time for record in simulation.get_all_records() if record.node == 1]
    return spent, sum(waits) / len(waits)


def by_salabim(customers: int, rate: float, stations: int) -> tuple[float, float]:
    """Return the same of salabim: one component per customer."""
    import salabim

    salabim.yieldless(False)
    env, rng, waits = salabim.Environment(trace=False), random.Random(1), [0.0]
    desks = [salabim.Resource(capacity=SERVERS, monitor=False) for _ in range(stations)]

    class Customer(salabim.Component):  # type: ignore[misc, name-defined]
        def process(self):  # type: ignore[no-untyped-def]
            for place, desk in enumerate(desks):
                came = env.now()
                yield self.request(desk)
                if place == 0:
                    waits[0] += env.now() - came
                yield self.hold(rng.expovariate(1.0))
                self.release(desk)

    class Source(salabim.Component):  # type: ignore[misc, name-defined]
        def process(self):  # type: ignore[no-untyped-def]
            for _ in range(customers):
                yield self.hold(rng.expovariate(rate))
                Customer()

    begin = time.process_time()
    Source()
    env.run()
    return time.process_time() - begin, waits[0] / customers


PEERS: dict[str, tuple[Callable[[int, float, int], tuple[float, float]], int]] = {
    "SimPy": (by_simpy, 100_000), "Ciw": (by_ciw, 30_000), "salabim": (by_salabim, 5_000)
}  # fmt: skip


def erlang(rate: float) -> float:
    """Return the mean wait of M/M/5 (Erlang 1917)."""
    terms = [rate**k / math.factorial(k) for k in range(SERVERS)]
    last = rate**SERVERS / math.factorial(SERVERS) * SERVERS / (SERVERS - rate)
    return last / (sum(terms) + last) / (SERVERS - rate)


def measure(rate: float, stations: int, customers: int) -> dict[str, object]:
    """Return the best rate of each engine, in turn, and the mean wait it found."""
    best: dict[str, tuple[float, float]] = {}
    for _ in range(ROUNDS):
        for name, (run, many) in {"gemel": (ours, customers), **PEERS}.items():
            spent, wait = run(many, rate, stations)
            best[name] = max(best.get(name, (0.0, 0.0)), (many / spent, wait))
    return {
        "customers_per_s": {name: round(found[0]) for name, found in best.items()},
        "mean_wait_s": {name: round(found[1], 4) for name, found in best.items()} | {"theory": round(erlang(rate), 4)},
        "times_simpy": round(best["gemel"][0] / best["SimPy"][0], 1),
    }


def main() -> None:
    """Measure both models."""
    begin = time.perf_counter()
    ours(1000, 4.5, 1)
    load = time.perf_counter() - begin
    one, tandem = measure(4.5, 1, 10_000_000), measure(4.0, 3, 3_000_000)
    rates = one["customers_per_s"]
    assert isinstance(rates, dict)
    details = {"M/M/5": one, "tandem of three": tandem, "goals": GOALS, "load_s": round(load, 2)}
    emit("queue", rates.pop("gemel"), "customers/s, M/M/5", rates, details)


if __name__ == "__main__":
    main()
