"""The compiled step: fixed-step Runge-Kutta 4 for the drift, Euler-Maruyama for the noise, many twins at once.

A step is a minute; modules that declare a shorter `scale` take shorter ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from gemel.facts import MINUTE
from gemel.model.cache import remember_compilations
from gemel.model.module import Module, Rule, Values
from gemel.model.wiring import Wiring
from gemel.units import duration

MATCHED = 8
"""Members from which on noise is matched in mean and variance."""

SPANS = (8, 64)
"""Minutes a compiled call may span: the shortest that fits is taken."""


@dataclass(frozen=True)
class Stepped(Module):
    """A module whose states also step at the start of each minute, before they flow: `jump` says to what.

    For what happens at an instant: a bite, a switch. `jump` sees everything as it stands, with the minute's inputs.
    """

    jump: Rule | None = None


class Kernel:
    """Advances states (twin, member) minute by minute; draws are keyed by (seed, twin, minute, state)."""

    def __init__(
        self, wiring: Wiring, constants: Mapping[str, float], held: Sequence[str], impulses: Sequence[str],
        sensors: Mapping[str, tuple[str, float | str]],
    ) -> None:  # fmt: skip
        remember_compilations()
        self._wiring, self._constants = wiring, dict(constants)
        self._held, self._impulses = tuple(held), tuple(impulses)
        states = {name: state for module in wiring.modules for name, state in module.states.items()}
        self._states = tuple(sorted(states))
        self._bounds = {name: (state.low, state.high) for name, state in states.items()}
        self._finer, self._steps = _finer(wiring)
        self.run = jax.jit(self._run, static_argnames=("record", "every"))
        self.complete = jax.jit(lambda values: wiring.complete({**self._constants, **values}))
        self.sense = jax.jit(partial(self._sense, sensors=dict(sensors)))

    def _sense(self, values: dict[str, Array], sensors: Mapping[str, tuple[str, float | str]]) -> tuple[Values, Values]:
        """Return what each sensor should read and its noise, (twin, member)."""
        seen = self._wiring.complete({**self._constants, **values})
        shape = jnp.broadcast_shapes(*(jnp.shape(value) for value in values.values()))
        mean = {signal: jnp.broadcast_to(seen[variable], shape) for signal, (variable, _) in sensors.items()}
        sd = {
            signal: jnp.broadcast_to(seen[noise] if isinstance(noise, str) else jnp.float32(noise), shape)
            for signal, (_, noise) in sensors.items()
        }
        return mean, sd

    def _run(
        self, values: dict[str, Array], doses: dict[str, Array], minutes: Array, start: Array, keys: Array,
        *, record: tuple[str, ...], every: int,
    ) -> tuple[dict[str, Array], dict[str, Array]]:  # fmt: skip
        """Return values after `minutes` (twin,), and records every `every` minutes: (span // every, twin, member)."""
        alone = next(iter(values.values())).shape == (1, 1)
        if alone:  # XLA rounds a lone number otherwise than one of many
            values = {name: jnp.concatenate([value, value]) for name, value in values.items()}
        span = doses[next(iter(doses))].shape[0] if doses else SPANS[-1]
        shape = next(iter(values.values())).shape
        records = {name: jnp.zeros((span // every if record else 0, *shape), jnp.float32) for name in record}
        minute = partial(self._minute, doses=doses, minutes=minutes, start=start, keys=keys)

        def body(i: Array, carry: Any) -> Any:
            now, kept = minute(i, carry[0]), carry[1]
            if record:
                kept = self._keep(kept, now, i + 1, record, every)
            return now, kept

        moved, kept = jax.lax.fori_loop(0, jnp.max(minutes), body, (values, records))
        if alone:
            return {name: value[:1] for name, value in moved.items()}, {n: k[:, :1] for n, k in kept.items()}
        return moved, kept

    def _keep(self, kept: dict[str, Array], now: Values, done: Array, record: tuple[str, ...], every: int) -> Any:
        def put(old: dict[str, Array]) -> dict[str, Array]:
            seen = self._wiring.complete({**self._constants, **self._quiet(now), **now})
            return {
                name: old[name].at[done // every - 1].set(jnp.broadcast_to(seen[name], old[name].shape[1:]))
                for name in record
            }

        return jax.lax.cond(done % every == 0, put, lambda old: old, kept)

    def _minute(
        self, i: Array, values: dict[str, Array], *, doses: dict[str, Array], minutes: Array, start: Array, keys: Array
    ) -> dict[str, Array]:
        active = (i < minutes)[:, None]
        held = {name: self._rate(values[name], doses[name][i]) for name in self._held}
        acting = {name: doses[name][i] for name in self._impulses}
        others = {**self._constants, **values, **held, **acting}
        states = self._jump({name: values[name] for name in self._states}, others)
        moved = self._shake(self._flow(states, others), others, keys, start + i)
        bounded = {name: jnp.clip(value, *self._bounds[name]) for name, value in moved.items()}
        return {name: jnp.where(active, {**bounded, **held}.get(name, value), value) for name, value in values.items()}

    def _jump(self, states: dict[str, Array], others: Values) -> dict[str, Array]:
        jumping = [(m, m.jump) for m in self._wiring.modules if isinstance(m, Stepped) and m.jump is not None]
        if not jumping:
            return states
        known = self._wiring.complete({**others, **states})
        landed = [self._wiring.apply(module, jump, known, set(module.states)) for module, jump in jumping]
        return {**states, **{name: value for one in landed for name, value in one.items()}}

    @staticmethod
    def _rate(old: Array, new: Array) -> Array:
        return jnp.where(jnp.isnan(new), old, new)

    def _quiet(self, values: Values) -> dict[str, Array]:
        return {name: jnp.float32(0.0) for name in self._impulses}

    def _flow(self, states: dict[str, Array], others: Values) -> dict[str, Array]:
        """Return states a minute on: finer modules in steps of their own, then the rest, which sees where those were."""
        rest = {name: states[name] for name in states if name not in self._finer}
        finer = {name: states[name] for name in self._finer}
        path = [finer]
        for _ in range(2):
            for _ in range(self._steps // 2):
                finer = self._rk4(finer, [{**others, **rest}] * 3, 1.0 / self._steps)
            path.append(finer)
        return {**self._rk4(rest, [{**others, **at} for at in path], 1.0), **finer}

    def _rk4(self, states: dict[str, Array], others: Sequence[Values], length: float) -> dict[str, Array]:
        """Return *states* a *length* of minutes on; *others* is what else there is at the start, middle and end of it."""

        def slope(at: dict[str, Array], beside: Values) -> dict[str, Array]:
            found = self._wiring.changes(self._wiring.complete({**beside, **at}))
            return {name: found.get(name, jnp.float32(0.0)) for name in at}

        def along(direction: dict[str, Array], reach: float) -> dict[str, Array]:
            return {name: states[name] + reach * direction[name] for name in states}

        if not states:
            return {}
        k1 = slope(states, others[0])
        k2 = slope(along(k1, 0.5 * length), others[1])
        k3 = slope(along(k2, 0.5 * length), others[1])
        k4 = slope(along(k3, length), others[2])
        return {n: states[n] + length * (k1[n] + 2.0 * (k2[n] + k3[n]) + k4[n]) / 6.0 for n in states}

    def _shake(self, moved: dict[str, Array], others: Values, keys: Array, minute: Array) -> dict[str, Array]:
        size = self._wiring.noise(self._wiring.complete({**others, **moved}))
        if not size:
            return moved
        members = next(iter(moved.values())).shape[1]
        draws = _normal(keys, minute, len(size), members)
        return {**moved, **{name: moved[name] + size[name] * draws[:, i] for i, name in enumerate(sorted(size))}}


def _finer(wiring: Wiring) -> tuple[tuple[str, ...], int]:
    """Return the states that need steps shorter than a minute, and how many: of modules whose `scale` is shorter.

    Where such a module depends on the states of slower ones, all of them take its steps.
    """
    fast = [module for module in wiring.modules if module.change is not None and duration(module.scale) < MINUTE]
    if not fast:
        return (), 2
    steps = 2 * -(-MINUTE // (2 * min(duration(module.scale) for module in fast)))
    moving = {name for module in wiring.modules if module not in fast for name in (*module.states, *module.outputs)}
    coupled = any(name in moving for module in fast for name in module.reads)
    return tuple(sorted(name for module in (wiring.modules if coupled else fast) for name in module.states)), steps


def _normal(keys: Array, minute: Array, kinds: int, members: int) -> Array:
    """Return standard normal draws (twin, kind, member) that depend on the twin's key and the minute alone.

    With eight members or more each set has mean 0 and variance 1 exactly, so that small ensembles do not drift.
    """

    def one(key: Array, when: Array) -> Array:
        return jax.random.normal(jax.random.fold_in(key, when), (kinds, members), jnp.float32)

    draws = jax.vmap(one)(keys, minute)
    if members < MATCHED:
        return draws
    centred = draws - _mean(draws)
    return centred * jax.lax.rsqrt(_mean(centred**2))


def _mean(values: Array) -> Array:
    """Return the mean of the last axis, summed by halves: XLA's own sums depend on how many twins there are."""
    count = values.shape[-1]
    summed = jnp.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, (1 << (count - 1).bit_length()) - count)])
    while summed.shape[-1] > 1:
        half = summed.shape[-1] // 2
        summed = summed[..., :half] + summed[..., half:]
    return summed / count
