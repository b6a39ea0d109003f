"""Wiring: modules fit together, or an error names the module, the variable and the unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from typing import Any

from gemel.errors import WiringError
from gemel.model.module import Module, Rule, Values
from gemel.units import factor, same_dimension


class Window(Mapping[str, Any]):
    """The variables one module may see, in the units it declared; anything else is refused by name."""

    def __init__(self, module: Module, values: Values, factors: Mapping[str, float]) -> None:
        self._module, self._values, self._factors = module, values, factors

    def __getitem__(self, name: str) -> Any:
        module = self._module
        if name in module.reads:
            value = self._values[name]
            return value if self._factors[name] == 1.0 else value * self._factors[name]
        if name in module.states or name in module.parameters or name in module.outputs:
            return self._values[name]
        raise WiringError(f"module {module.name!r} uses {name!r} and does not declare that it reads it")

    def __iter__(self) -> Iterator[str]:
        return iter([*self._module.reads, *self._module.writes()])

    def __len__(self) -> int:
        return len(self._module.reads) + len(self._module.writes())


class Wiring:
    """Modules in an order in which their outputs can be computed, whatever order they were given in."""

    def __init__(self, modules: Sequence[Module], inputs: Mapping[str, str]) -> None:
        self.modules = tuple(sorted(modules, key=lambda module: module.name))
        self.units = _writers(self.modules, inputs)
        self.factors = {module.name: _factors(module, self.units) for module in self.modules}
        self.order = _order(self.modules)

    def complete(self, values: Values) -> dict[str, Any]:
        """Return *values* (states, parameters, inputs) with all outputs."""
        known = dict(values)
        for module, names in self.order:
            if module.output is None:
                raise WiringError(f"module {module.name!r} declares outputs and has no output rule")
            known |= self.apply(module, module.output, known, names)
        return known

    def changes(self, values: Values) -> dict[str, Any]:
        """Return the rate of change of every state that has one, all from the same instant."""
        found: dict[str, Any] = {}
        for module in self.modules:
            if module.change is not None:
                found |= self.apply(module, module.change, values, set(module.states))
        return found

    def noise(self, values: Values) -> dict[str, Any]:
        """Return the noise of every noisy state, per square root of a minute."""
        found: dict[str, Any] = {}
        for module in self.modules:
            if module.noise is not None:
                found |= self.apply(module, module.noise, values, set(module.states))
        return found

    def apply(self, module: Module, rule: Rule, values: Values, allowed: set[str]) -> dict[str, Any]:
        """Return what *rule* of *module* says, having checked that it writes only what is its own."""
        written = dict(rule(self.window(module, values)))
        stray = set(written) - allowed
        if stray:
            raise WiringError(f"module {module.name!r} writes {sorted(stray)}, which it does not declare as its own")
        return written

    def window(self, module: Module, values: Values) -> Window:
        """Return the variables that *module* may see."""
        return Window(module, values, self.factors[module.name])


def _writers(modules: Sequence[Module], inputs: Mapping[str, str]) -> dict[str, str]:
    units, owner = dict(inputs), dict.fromkeys(inputs, "the inputs")
    for module in modules:
        for name, unit in module.writes().items():
            if name in owner:
                raise WiringError(f"{name!r} [{unit}] of module {module.name!r} is written by {owner[name]!r} too")
            units[name], owner[name] = unit, module.name
    names = [module.name for module in modules]
    if len(set(names)) < len(names):
        raise WiringError(f"two modules bear the name {max(names, key=names.count)!r}")
    return units


def _factors(module: Module, units: Mapping[str, str]) -> dict[str, float]:
    for name, unit in module.reads.items():
        if name not in units:
            near = get_close_matches(name, units, n=3) or sorted(units)
            raise WiringError(
                f"module {module.name!r} reads {name!r} [{unit}], which nothing writes; there is {', '.join(near)}"
            )
        if not same_dimension(unit, units[name]):
            raise WiringError(
                f"module {module.name!r} reads {name!r} in [{unit}], but it is written in [{units[name]}]"
            )
    return {name: factor(units[name], unit) for name, unit in module.reads.items()}


def _order(modules: Sequence[Module]) -> list[tuple[Module, set[str]]]:
    owner = {name: module for module in modules for name in module.outputs}
    graph: dict[str, set[str]] = {module.name: set() for module in modules if module.outputs}
    for name, module in owner.items():
        undeclared = set(module.outputs[name].needs) - set(module.reads) - set(module.outputs)
        if undeclared:
            raise WiringError(
                f"output {name!r} of module {module.name!r} needs {sorted(undeclared)}, which it does not read"
            )
        graph[module.name] |= {owner[need].name for need in module.outputs[name].needs if need in owner} - {module.name}
    try:
        names = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise WiringError(f"algebraic loop: {_told(error.args[1], owner)}") from None
    by_name = {module.name: module for module in modules}
    return [(by_name[name], set(by_name[name].outputs)) for name in names]


def _told(cycle: Sequence[str], owner: Mapping[str, Module]) -> str:
    needed = {
        module.name: [f"{need!r} [{module.reads[need]}]" for need in module.outputs[name].needs if need in module.reads]
        for name, module in owner.items()
    }
    steps = [f"module {name!r} needs {', '.join(needed[name])} at once" for name in cycle[1:]]
    return "; ".join(steps) + "; put a state in between"
