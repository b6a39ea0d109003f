"""Routing: from the flow of a log to the nodes of a network: tasks, blocks, and choices by probability or by rules.

After each activity comes a choice of what is next. Where what came before it matters beyond chance, the activity has a
node for that context (a Markov chain of variable order, two deep). A choice follows the attributes of the case, and how
often it was taken before, where a shallow tree foretells held-out cases better than shares alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from gemel.packs.service.discovery.evidence import Evidence
from gemel.packs.service.discovery.flow import Level, Step
from gemel.packs.service.log import Column, Names
from gemel.process.duration import Duration
from gemel.process.network import ANY, END, Choice, Delay, Join, Node, Rule, Split, Task, Test

CONTEXT, APART, SURE, COPIES = 40, 0.05, 1e-5, 6
"""Passages that a context needs, by how much (total variation) and how surely it must differ, and copies of one activity."""

LEAVES, DEPTH, FOLDS, BETTER, OPTIONS = 30, 3, 5, 0.01, 12
"""Cases in a leaf; depth; folds held out; relative gain that a tree needs; options of an attribute that are looked at."""

SELDOM, GAIN = 0.002, 0.005
"""Share of passages that may leave where nobody is meant to; bits that a split of a tree gains at least."""

TIMES = "times"
START, LEAVE = ("", "start"), ("", "")
"""The states of who has not begun with a level, and of who leaves it."""

State = tuple[str, str]
"""An activity or block, and the context that has its own node (empty: any other)."""


@dataclass(frozen=True)
class Routed:
    """Where cases enter, all nodes, the activity of each task, the attributes that rules use, and the counts of choices.

    `counts` tells how often each way was taken, of choices that go by shares alone.
    """

    entry: str
    nodes: tuple[Node, ...]
    activity: Mapping[str, str]
    used: frozenset[str]
    counts: Mapping[str, Mapping[str, int]]


def routed(
    evidence: Evidence, level: Level, delays: Mapping[tuple[str, str], Duration], rng: np.random.Generator
) -> Routed:
    """Return the nodes of a flow; a delay stands before each activity that has one."""
    builder = _Builder(evidence, delays, rng)
    entry = builder.level(level, END, "the start")
    return Routed(entry, tuple(builder.nodes), builder.activity, frozenset(builder.used), builder.counts)


@dataclass
class _Taken:
    """What followed a state: case, how often the case had been there, and the state that came next."""

    case: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    next: list[State] = field(default_factory=list)

    def forget(self, under_way: np.ndarray) -> None:
        """Take back that cases left which are under way, where of the others hardly any leave."""
        stay = [to != LEAVE for to in self.next]
        left = [case for case, to in zip(self.case, self.next, strict=True) if to == LEAVE]
        over = sum(not under_way[case] for case in left)
        if over <= SELDOM * len(self.next) and any(stay):
            self.case = [case for case, keep in zip(self.case, stay, strict=True) if keep]
            self.times = [times for times, keep in zip(self.times, stay, strict=True) if keep]
            self.next = [to for to, keep in zip(self.next, stay, strict=True) if keep]


class _Builder:
    def __init__(
        self, evidence: Evidence, delays: Mapping[tuple[str, str], Duration], rng: np.random.Generator
    ) -> None:
        self.evidence, self.delays, self.rng = evidence, delays, rng
        self.nodes: list[Node] = []
        self.activity: dict[str, str] = {}
        self.used: set[str] = set()
        self.counts: dict[str, Mapping[str, int]] = {}
        self.names = {END}
        self.features = _features(evidence)

    def level(self, level: Level, leave: str, name: str) -> str:
        """Add the nodes of a level; return where it is entered."""
        own = _contexts(level)
        taken = self._taken(level, own)
        states = [state for state in _states(taken) if state != LEAVE]
        place = {state: self._name(state) for state in states}
        entries = _Entries({**place, LEAVE: leave}, self)
        for state in states:
            then = self._choice(f"after {place[state]}", taken.get(state, _Taken()), state[0], entries)
            self._add(level, state, place[state], then)
        return self._choice(name, taken[START], "", entries)

    def _taken(self, level: Level, own: Mapping[str, set[str]]) -> dict[State, _Taken]:
        found: dict[State, _Taken] = defaultdict(_Taken)
        visits: Counter[tuple[int, State]] = Counter()
        for case, trace in zip(level.cases, level.traces, strict=True):
            at = START
            before = ""
            for step in trace:
                self._take(
                    found[at], visits, case, at, (step.symbol, before if before in own.get(step.symbol, ()) else "")
                )
                at, before = found[at].next[-1], step.symbol
            if not (trace and self._gave_up(trace[-1])):
                self._take(found[at], visits, case, at, LEAVE)
        for taken in found.values():
            taken.forget(self.evidence.under_way)
        return found

    def _take(self, taken: _Taken, visits: Counter[tuple[int, State]], case: int, at: State, to: State) -> None:
        taken.case.append(case)
        taken.times.append(visits[case, at])
        taken.next.append(to)
        visits[case, at] += 1

    def _gave_up(self, step: Step) -> bool:
        return bool(self.evidence.gave_up[step.rows[-1]])

    def _name(self, state: State) -> str:
        symbol, before = state
        return self._free(f"{symbol} (after {before})" if before else symbol)

    def _free(self, name: str) -> str:
        found, count = name, 1
        while found in self.names:
            count += 1
            found = f"{name} ({count})"
        self.names.add(found)
        return found

    def _add(self, level: Level, state: State, name: str, then: str) -> None:
        symbol = state[0]
        ways = level.blocks.get(symbol)
        if ways is not None:
            join = self._free(f"{name} done")
            entries = tuple(self.level(way, join, f"{name}, way {k + 1}") for k, way in enumerate(ways))
            self.nodes += [Split(name, entries, join), Join(join, then)]
            return
        self.nodes.append(Task(name, symbol, then))
        self.activity[name] = symbol

    def _choice(self, name: str, taken: _Taken, after: str, entries: _Entries) -> str:
        """Return the name of what comes next: a choice, or the one way there is."""
        first = {state: entries.of(state, after) for state in dict.fromkeys(taken.next)}
        if len(first) < 2:
            return next(iter(first.values()), entries.place[LEAVE])
        named = self._free(name)
        to = [first[state] for state in taken.next]
        rules = self._rules(taken, to, named)
        if len(rules) == 1:
            self.counts[named] = Counter(to)
        self.nodes.append(Choice(named, rules))
        return named

    def _rules(self, taken: _Taken, to: Sequence[str], name: str) -> tuple[Rule, ...]:
        shares = (Rule(_shares(to)),)
        columns = self.features.of(taken)
        if not columns.names or len(to) < 4 * LEAVES:
            return shares
        found = _tree(columns, to, np.array(taken.case), self.rng)
        if found is None:
            return shares
        used = {test.attribute for rule in found for test in rule.when}
        self.used |= used - {TIMES}
        self.evidence.seen(name, f"depends on {', '.join(sorted(used))}")
        return found


class _Entries:
    """Where each state is entered: at its node, or at the delay that stands before it."""

    def __init__(self, place: Mapping[State, str], builder: _Builder) -> None:
        self.place, self.builder = place, builder
        self.made: dict[tuple[State, str], str] = {}

    def of(self, state: State, after: str) -> str:
        """Return where a state is entered from the step *after* which it comes."""
        step = after if (state[0], after) in self.builder.delays else ANY
        lasts = self.builder.delays.get((state[0], step))
        if state == LEAVE or lasts is None:
            return self.place[state]
        if (state, step) not in self.made:
            name = self.builder._free(f"until {self.place[state]}" + ("" if step == ANY else f", after {step}"))
            self.builder.nodes.append(Delay(name, lasts, self.place[state]))
            self.made[state, step] = name
        return self.made[state, step]


def _shares(to: Sequence[str]) -> dict[str, float]:
    counts = Counter(to)
    return {name: count / len(to) for name, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))}


def _states(taken: Mapping[State, _Taken]) -> list[State]:
    return list(dict.fromkeys(state for one in taken.values() for state in one.next))


def _contexts(level: Level) -> dict[str, set[str]]:
    """Return for each symbol those that, coming before it, change what follows: they get nodes of their own."""
    table: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for trace in level.traces:
        symbols = ["", *(step.symbol for step in trace), ""]
        for before, at, after in zip(symbols, symbols[1:], symbols[2:], strict=False):
            table[at][before][after] += 1
    return {at: found for at, befores in table.items() if (found := _differ(befores))}


def _differ(befores: Mapping[str, Counter[str]]) -> set[str]:
    from scipy.stats import chi2

    total: Counter[str] = sum(befores.values(), Counter())
    found: dict[str, float] = {}
    for before, counts in befores.items():
        rest = total - counts
        n, m = counts.total(), rest.total()
        if not before or min(n, m) < CONTEXT:
            continue
        both = np.array([[counts[key], rest[key]] for key in total], float)
        expected = both.sum(1, keepdims=True) * both.sum(0, keepdims=True) / both.sum()
        g = 2 * float(np.sum(both * np.log(np.where(both > 0, both, 1) / np.where(both > 0, expected, 1))))
        apart = 0.5 * float(np.abs(both[:, 0] / n - both[:, 1] / m).sum())
        if apart > APART and chi2.sf(g, len(both) - 1) < SURE:
            found[before] = apart * n
    return set(sorted(found, key=lambda key: -found[key])[:COPIES])


@dataclass(frozen=True)
class _Table:
    """Columns of numbers, one test each: what they are of, and how a threshold on them is said."""

    names: tuple[tuple[str, str | None], ...]
    values: np.ndarray


@dataclass(frozen=True)
class _Features:
    """What is known of each case, as columns (cases, k)."""

    names: tuple[tuple[str, str | None], ...]
    values: np.ndarray

    def of(self, taken: _Taken) -> _Table:
        """Return the columns for each passage, and how often it was passed before if that varies."""
        times = np.array(taken.times, float)
        known = self.values[np.array(taken.case)] if self.names else np.zeros((len(times), 0))
        if np.mean(times > 0) < 0.02:
            return _Table(self.names, known)
        return _Table((*self.names, (TIMES, None)), np.column_stack([known, times]))


def _features(evidence: Evidence) -> _Features:
    names: list[tuple[str, str | None]] = []
    columns: list[np.ndarray] = []
    for name, column in evidence.log.about.items():
        for option, values in _tested(column):
            names.append((name, option))
            columns.append(values)
    return _Features(tuple(names), np.column_stack(columns) if columns else np.zeros((len(evidence.log.cases), 0)))


def _tested(column: Column) -> list[tuple[str | None, np.ndarray]]:
    if isinstance(column, Names):
        used = np.bincount(column.codes[column.codes >= 0], minlength=len(column.names) or 1)
        common = [code for code in np.argsort(used)[::-1] if used[code] >= LEAVES][:OPTIONS]
        few = len(column.names) <= max(OPTIONS, 0.02 * len(column.codes)) and np.all(column.codes >= 0)
        return (
            [(column.names[code], (column.codes == code).astype(float)) for code in common]
            if few and len(common) > 1
            else []
        )
    fits = np.isfinite(column).all() and np.ptp(column) > 0 and column.min() >= 0
    return [(None, column.astype(float))] if fits else []


def _tree(table: _Table, to: Sequence[str], case: np.ndarray, rng: np.random.Generator) -> tuple[Rule, ...] | None:
    """Return the rules of a shallow tree, None where it foretells held-out cases no better than shares."""
    from sklearn.tree import DecisionTreeClassifier

    targets, labels = np.unique(np.array(to), return_inverse=True)
    fold = rng.integers(0, FOLDS, case.max() + 1)[case]
    least = max(LEAVES, round(0.02 * len(to)))
    gains = np.zeros(len(to))
    for k in range(FOLDS):
        out, kept = fold == k, fold != k
        if not (out.any() and kept.sum() > 2 * least):
            return None
        tree = DecisionTreeClassifier(
            max_depth=DEPTH, min_samples_leaf=least, min_impurity_decrease=GAIN, criterion="log_loss", random_state=0
        )
        tree.fit(table.values[kept], labels[kept])
        flat = np.bincount(labels[kept], minlength=len(targets)) + 0.5
        gains[out] = _told(tree, table.values, labels, kept, out, len(targets)) - np.log(flat / flat.sum())[labels[out]]
    spread = gains.std() / np.sqrt(len(gains))
    shares = np.bincount(labels) / len(labels)
    if gains.mean() < max(3 * spread, BETTER * -float(shares @ np.log(shares))):
        return None
    tree = DecisionTreeClassifier(
        max_depth=DEPTH, min_samples_leaf=least, min_impurity_decrease=GAIN, criterion="log_loss", random_state=0
    )
    return _rules(tree.fit(table.values, labels), table, targets, labels)


def _told(
    tree: object, values: np.ndarray, labels: np.ndarray, kept: np.ndarray, out: np.ndarray, options: int
) -> np.ndarray:
    """Return the log of the smoothed share that the tree gives to what was done (out,)."""
    leaf: np.ndarray = tree.apply(values)  # type: ignore[attr-defined]
    counts = np.full((int(leaf.max()) + 1, options), 0.5)
    np.add.at(counts, (leaf[kept], labels[kept]), 1.0)
    logs: np.ndarray = np.log(counts / counts.sum(1, keepdims=True))
    found: np.ndarray = logs[leaf[out], labels[out]]
    return found


def _rules(tree: object, table: _Table, targets: np.ndarray, labels: np.ndarray) -> tuple[Rule, ...]:
    inner = tree.tree_  # type: ignore[attr-defined]
    leaf = tree.apply(table.values)  # type: ignore[attr-defined]

    def below(node: int, when: tuple[Test, ...]) -> list[Rule]:
        if inner.children_left[node] < 0:
            return [Rule(_shares([str(targets[label]) for label in labels[leaf == node]]), when)]
        yes, no = _tests(table.names[inner.feature[node]], float(inner.threshold[node]))
        return below(inner.children_left[node], (*when, no)) + below(inner.children_right[node], (*when, yes))

    *rules, last = below(0, ())
    return (*rules, Rule(last.to))


def _tests(name: tuple[str, str | None], threshold: float) -> tuple[Test, Test]:
    """Return the test of what lies above a threshold, and of what does not."""
    attribute, option = name
    if option is not None:
        return Test(attribute, "==", option), Test(attribute, "!=", option)
    return Test(attribute, ">", threshold), Test(attribute, "<=", threshold)
