"""Composite: modules joined into one dynamics, checked when wired and compiled with JAX."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import jax
import numpy as np

from gemel.dynamics import Array, Belief, Expected, Plan, Range, Seed, Subject, Trajectory, Varies
from gemel.errors import WiringError, unknown
from gemel.facts import MINUTE, Time
from gemel.model.kernel import MATCHED, SPANS, Kernel
from gemel.model.module import Module, Parameter, State
from gemel.model.wiring import Wiring
from gemel.units import factor, same_dimension

ZERO = np.float32(0.0)


@dataclass(frozen=True)
class Input:
    """How a lever acts: the variable it drives, per minute; its amounts are in `lever_unit`; `holds` until the next."""

    variable: str
    unit: str
    lever_unit: str
    holds: bool = False

    @property
    def per_minute(self) -> float:
        """Return the rate in the variable's unit that one unit of the lever gives over one minute."""
        return factor(self.lever_unit if self.holds else f"({self.lever_unit}) / minute", self.unit)


@dataclass(frozen=True)
class Sensor:
    """What a signal reads: a variable, with a white-noise standard deviation given as a number or a variable."""

    variable: str
    sd: float | str


class Composite:
    """Modules that meet only in the global state; implements `gemel.dynamics.Dynamics`.

    Raises `WiringError` where names, units, writers or balances do not fit, or outputs form an algebraic loop.
    """

    def __init__(self, modules: Sequence[Module], inputs: Mapping[str, Input], sensors: Mapping[str, Sensor]) -> None:
        self.inputs, self.sensors = dict(inputs), dict(sensors)
        self.wiring = Wiring(modules, {entry.variable: entry.unit for entry in inputs.values()})
        self.states: dict[str, State] = {n: s for m in self.wiring.modules for n, s in m.states.items()}
        self.parameters: dict[str, Parameter] = {n: p for m in self.wiring.modules for n, p in m.parameters.items()}
        self._own = {n for n, p in self.parameters.items() if p.sd > 0 or p.individual}
        self._initial = {n for n, p in self.parameters.items() if p.initial}
        self._held = [entry.variable for entry in inputs.values() if entry.holds]
        self._check()

    @cached_property
    def ranges(self) -> Mapping[str, Range]:
        """Return hard ranges of states and soft ranges of uncertain parameters."""
        states = {name: Range(state.low, state.high) for name, state in self.states.items() if state.learned}
        uncertain = {
            n: Range(p.low, p.high, soft=True) for n, p in self.parameters.items() if p.sd > 0 and not p.initial
        }
        return states | uncertain

    @cached_property
    def varies(self) -> Mapping[str, Varies]:
        """Return the constants in which individuals differ; those of a subject's attributes are carried in its belief."""
        return {
            name: Varies(p.value, p.between, Range(p.low, p.high, soft=True))
            for name, p in sorted(self.parameters.items()) if p.between > 0
        }  # fmt: skip

    @cached_property
    def kernel(self) -> Kernel:
        """Return the compiled step."""
        constants = {n: p.value for n, p in self.parameters.items() if n not in self._own or p.initial}
        impulses = [entry.variable for entry in self.inputs.values() if not entry.holds]
        sensors = {signal: (sensor.variable, sensor.sd) for signal, sensor in self.sensors.items()}
        return Kernel(self.wiring, constants, self._held, impulses, sensors)

    def prior(self, subjects: Sequence[Subject], members: int, seed: Seed) -> Belief:
        """Return parameters drawn from their spread, attributes set as given, states at their start."""
        shape = (len(subjects), members)
        values: dict[str, Any] = {name: np.full(shape, p.value, np.float32) for name, p in self.parameters.items()}
        known = {name for name in self.varies if any(name in subject.attributes for subject in subjects)}
        values |= {name: self._draw(name, subjects, members, seed) for name in sorted(self._own | known)}
        values |= {name: np.zeros(shape, np.float32) for name in self._held}
        kept = (self._own - self._initial) | known | set(self._held) | set(self.states)
        for name, state in self.states.items():
            start = state.start(values) if callable(state.start) else state.start
            values[name] = np.broadcast_to(np.asarray(start, np.float32), shape).copy()
        born = np.array([subject.born // MINUTE * MINUTE for subject in subjects], np.int64)
        return Belief(tuple(subjects), born, {name: values[name] for name in sorted(kept)})

    def advance(
        self, belief: Belief, plans: Sequence[Plan], until: np.ndarray, seed: Seed,
        *, record: Sequence[str] = (), every: Time = 5 * MINUTE,
    ) -> tuple[Belief, Trajectory]:  # fmt: skip
        """Return the belief at *until*, minute by minute; times are taken down to the whole minute."""
        minutes = (np.asarray(until, np.int64) // MINUTE) - belief.at // MINUTE
        if minutes.size and minutes.min() < 0:
            raise ValueError(f"cannot advance to before the belief: by {minutes.min()} min")
        keys = _keys(seed, tuple(subject.id for subject in belief.subjects))
        values = dict(belief.values)
        records: list[Mapping[str, Array]] = []
        total, done = int(minutes.max(initial=0)), 0
        width = max((np.size(dose.amount) for plan in plans for dose in plan), default=1)
        while done < total:
            span = next((s for s in SPANS if s >= total - done and not record), SPANS[-1])
            step = span if not record else span // (every // MINUTE) * (every // MINUTE)
            doses = self._doses(belief, plans, done, span, width)
            left = np.clip(minutes - done, 0, step).astype(np.int32)
            start = (belief.at // MINUTE + done).astype(np.int32)
            values, kept = self.kernel.run(
                values, doses, left, start, keys, record=tuple(record), every=int(every // MINUTE)
            )
            records.append({n: k[: -(-min(step, total - done) // (every // MINUTE))] for n, k in kept.items()})
            done += step
        moved = Belief(belief.subjects, belief.at + minutes * MINUTE, values)
        return moved, _joined(records, record, int(every), belief)

    def observe(self, belief: Belief) -> Mapping[str, Expected]:
        """Return what each sensor should read now."""
        mean, sd = self.kernel.sense(self._still(belief))
        return {signal: Expected(mean[signal], sd[signal]) for signal in self.sensors}

    def complete(self, belief: Belief) -> dict[str, Array]:
        """Return every variable of the global state now, with no impulse acting."""
        found: dict[str, Array] = self.kernel.complete(self._still(belief))
        return found

    def _still(self, belief: Belief) -> dict[str, Array]:
        """Return the values with no impulse acting."""
        return {**belief.values, **{entry.variable: ZERO for entry in self.inputs.values() if not entry.holds}}

    def describe(self) -> dict[str, object]:
        """Return everything that changes what a state means: ports, numbers, and the source of the rules."""
        return {
            "modules": [_described(module) for module in self.wiring.modules],
            "inputs": {name: vars(entry) for name, entry in sorted(self.inputs.items())},
            "sensors": {name: vars(sensor) for name, sensor in sorted(self.sensors.items())},
        }

    def _draw(self, name: str, subjects: Sequence[Subject], members: int, seed: Seed) -> np.ndarray:
        parameter = self.parameters[name]
        rows = [_prior_row(name, parameter, subject, members, seed) for subject in subjects]
        return np.stack(rows).astype(np.float32) if rows else np.zeros((0, members), np.float32)

    def _doses(self, belief: Belief, plans: Sequence[Plan], done: int, span: int, width: int) -> dict[str, np.ndarray]:
        dense = {
            entry.variable: np.full((span, len(plans), width), np.nan if entry.holds else 0.0, np.float32)
            for entry in self.inputs.values()
        }
        for twin, plan in enumerate(plans):
            origin = int(belief.at[twin] // MINUTE) + done
            for dose in plan:
                minute = dose.at // MINUTE - origin
                if 0 <= minute < span:
                    self._put(dense, dose.lever, minute, twin, np.asarray(dose.amount, np.float32))
        return dense

    def _put(self, dense: dict[str, np.ndarray], lever: str, minute: int, twin: int, amount: Array) -> None:
        if lever not in self.inputs:
            raise unknown("lever", lever, self.inputs)
        entry = self.inputs[lever]
        if entry.holds:
            dense[entry.variable][minute, twin] = amount * entry.per_minute
        else:
            dense[entry.variable][minute, twin] += amount * entry.per_minute

    def _check(self) -> None:
        units = self.wiring.units
        for signal, sensor in self.sensors.items():
            for name in [sensor.variable] + ([sensor.sd] if isinstance(sensor.sd, str) else []):
                if name not in units:
                    raise WiringError(f"sensor {signal!r} reads {name!r}, which nothing writes")
            if isinstance(sensor.sd, str) and not same_dimension(units[sensor.variable], units[sensor.sd]):
                raise WiringError(
                    f"sensor {signal!r} reads {sensor.variable!r} in [{units[sensor.variable]}], "
                    f"its noise {sensor.sd!r} is in [{units[sensor.sd]}]"
                )
        for entry in self.inputs.values():
            entry.per_minute  # noqa: B018 - raises where lever and variable measure different things
        self._check_rules()
        self._check_balances()

    def _check_rules(self) -> None:
        """Trace every rule once, without computing: what reads or writes undeclared variables is named now."""
        names = [*self.states, *self.parameters, *(entry.variable for entry in self.inputs.values())]

        def every_rule(values: dict[str, Any]) -> Any:
            known = self.wiring.complete(values)
            return self.wiring.changes(known), self.wiring.noise(known)

        jax.eval_shape(every_rule, {name: np.ones((1, 1), np.float32) for name in names})

    def _check_balances(self) -> None:
        """Evaluate each declared balance near the prior's start, other modules' outputs at 1; refuse one that does not close."""
        balanced = [module for module in self.wiring.modules if module.balances]
        if not balanced:
            return
        belief = self.prior([Subject("balance", 0)], 8, 0)
        spread = np.linspace(0.5, 2.0, 8, dtype=np.float32)
        values = {n: (v + (v == 0)) * spread if n in self.states else v for n, v in belief.values.items()}
        constants = {n: p.value for n, p in self.parameters.items() if n not in self._own or p.initial}
        driven = {entry.variable: np.float32(1.0) for entry in self.inputs.values()}
        outputs = {name: np.float32(1.0) for module in self.wiring.modules for name in module.outputs}
        for module in balanced:
            self._check_closed(module, {**outputs, **constants, **values, **driven})

    def _check_closed(self, module: Module, known: dict[str, Any]) -> None:
        if module.output is not None:
            known |= self.wiring.apply(module, module.output, known, set(module.outputs))
        window = self.wiring.window(module, known)
        changes = {} if module.change is None else self.wiring.apply(module, module.change, known, set(module.states))
        for quantity, balance in module.balances.items():
            kept = sum(changes[name] for name in balance.holds)
            expected = balance.gains(window) - balance.loses(window)
            if not np.allclose(kept, expected, rtol=1e-4, atol=1e-5):
                raise WiringError(f"module {module.name!r} does not conserve {quantity!r} held in {balance.holds}")


@lru_cache(maxsize=64)
def _keys(seed: Seed, ids: tuple[str, ...]) -> Array:
    """Return one random key per twin; equal ids give equal draws, so that paired scenarios share their noise."""
    hashes = np.array([zlib.crc32(name.encode()) for name in ids], np.uint32)
    return _folded(np.uint32(seed), hashes)


@jax.jit
def _folded(seed: Array, hashes: Array) -> Array:
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(jax.random.key(seed), hashes)


def _prior_row(name: str, parameter: Parameter, subject: Subject, members: int, seed: Seed) -> np.ndarray:
    if name in subject.attributes:
        return np.full(members, subject.attributes[name])
    rng = np.random.default_rng([seed, zlib.crc32(subject.id.encode()), zlib.crc32(name.encode())])
    draws = rng.standard_normal(members)
    spread = parameter.sd * ((draws - draws.mean()) / draws.std() if members >= MATCHED else draws)
    low, high = parameter.low, parameter.high
    if np.isinf(low):
        return parameter.value + spread
    if np.isinf(high):
        return low + (parameter.value - low) * np.exp(spread)
    odds = (parameter.value - low) / (high - parameter.value) * np.exp(spread)
    return low + (high - low) * odds / (1.0 + odds)


def _joined(records: Sequence[Mapping[str, Array]], names: Sequence[str], every: int, belief: Belief) -> Trajectory:
    shape = (0, len(belief.subjects), belief.members)
    values = {
        name: np.concatenate([np.asarray(part[name]) for part in records]) if records else np.zeros(shape, np.float32)
        for name in names
    }
    count = len(values[names[0]]) if names else 0
    return Trajectory(every * np.arange(1, count + 1), values)


def _described(module: Module) -> dict[str, object]:
    ports = {
        kind: {
            name: {k: v if not callable(v) else _source(v) for k, v in vars(port).items()}
            for name, port in group.items()
        }
        for kind, group in (("states", module.states), ("parameters", module.parameters), ("outputs", module.outputs))
    }
    rules = {kind: _source(getattr(module, kind, None)) for kind in ("change", "output", "noise", "jump")}
    return {"name": module.name, "scale": module.scale, "reads": dict(module.reads), **ports, **rules}


def _source(rule: Any) -> str:
    return "" if rule is None else inspect.getsource(rule)
