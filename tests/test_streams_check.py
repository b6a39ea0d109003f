"""`checked` and `collect`: own units, plausible values, each item once, and a report that leaves nothing out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemel.errors import BadInput, NotFound, unknown
from gemel.facts import DAY, HOUR, MINUTE, time_of
from gemel.streams import Gap, Item, Place, Report, checked, collect, key_of, withdraws
from gemel.streams.shift import shifted
from gemel.twintype import Lever, Signal

START = time_of("2026-03-01T00:00Z")
PLACE = Place("cgm.csv", 7, "glucose")


class Person:
    """As much of a twin type as the checks ask for."""

    ports = {  # noqa: RUF012 a constant
        "glucose": Signal("mg/dL", 20, 600, 5 * MINUTE, accepts={"mmol/L": 18.018}),
        "bolus": Lever("U", 0, 50),
    }

    def port(self, name: str) -> Signal:
        """Return the port, as TwinType does."""
        if name not in self.ports:
            raise unknown("signal", name, self.ports)
        return self.ports[name]

    def accept(self, name: str, value: float, unit: str) -> float:
        """Return the value in own units, as TwinType does."""
        port = self.port(name)
        own = port.convert(value, unit)
        if not port.low <= own <= port.high:
            raise BadInput(f"{name} of {value:g} {unit} is outside", field=name)
        return own


def glucose(value: float = 120, at: int = START, unit: str = "mg/dL", **more: object) -> Item:
    return replace(Item("glucose", value, unit, at, None, PLACE), **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Listed:
    """A source that says what it is given."""

    said: Sequence[Item]
    name: str = "listed"

    def read(self, report: Report | None = None) -> Iterator[Item]:
        """Yield it."""
        yield from self.said


def test_items_come_in_own_units_by_time() -> None:
    """mmol/L becomes mg/dL; the rest stays."""
    found = checked([glucose(7, START + 1, "mmol/L"), glucose(120)], Person())
    assert found == [glucose(120), glucose(7 * 18.018, START + 1)]


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (glucose(7), "glucose of 7 mg/dL is outside; is it in mmol/L?"),
        (glucose(126, unit="mmol/L"), "glucose of 126 mmol/L is outside; is it in mg/dL?"),
        (glucose(unit="bpm"), "cannot turn 'bpm' into 'mg/dL'"),
        (glucose(unit="glugs"), "unknown unit"),
        (glucose(name="glucos"), "unknown signal 'glucos'; possible: bolus, glucose"),
        (glucose(name="bolus", value=-1, unit="U"), "bolus of -1 U is outside"),
        (glucose(at=-1), "that time cannot be"),
        (glucose(at=START + 3 * DAY), "2026-03-04T00:00:00Z: that time cannot be"),
    ],
)
def test_an_item_that_cannot_be_is_named_with_its_place(item: Item, problem: str) -> None:
    """One is enough for none to be taken."""
    with pytest.raises(BadInput) as caught:
        checked([glucose(), item], Person(), now=START + DAY)
    assert problem in str(caught.value)
    assert str(caught.value).startswith("cgm.csv, row 7, field 'glucose': ")


def test_an_unknown_name_is_not_found() -> None:
    """The kind of error stays what it was."""
    with pytest.raises(NotFound):
        checked([glucose(name="glucos")], Person())


def test_two_units_in_one_column_are_found() -> None:
    """25 could be mg/dL by itself, but not among values around 140: it is mmol/L."""
    mixed = [glucose(140 + n, START + n) for n in range(5)] + [glucose(25, START + 9)]
    with pytest.raises(
        BadInput, match=r"glucose of 25 mg/dL among values around 141\.5 mg/dL: is this one in mmol/L\?"
    ):
        checked(mixed, Person())
    assert len(checked([*mixed[:5], replace(mixed[5], unit="mmol/L", value=7.0)], Person())) == 6
    assert len(checked([*mixed[:5], replace(mixed[5], by=Place("meter.csv", 1))], Person())) == 6


def test_repeats_are_dropped_and_counted() -> None:
    """By the source's id, or else by what is said."""
    report = Report()
    items = [glucose(), glucose(), glucose(source_id="a"), glucose(121, source_id="a"), glucose(source_id="b")]
    assert len(checked(items, Person(), report=report)) == 3
    assert report.duplicates == 2


def test_a_retracted_item_needs_no_plausible_value() -> None:
    """What was deleted because it was wrong can be deleted."""
    gone = glucose(9999, source_id="a", retracted=True)
    report = Report()
    assert checked([gone, glucose(source_id="a")], Person(), report=report) == [gone, glucose(source_id="a")]
    assert (report.retractions, report.items["glucose"]) == (1, 1)
    assert (withdraws(gone), key_of(gone)) == (key_of(glucose(source_id="a")), "a|glucose|retracted")


def test_the_report_says_what_a_person_wants_to_know() -> None:
    """Counts, span, gaps of signals (a lever is silent most of the time), in words and as JSON."""
    said = [glucose(at=START + n * 5 * MINUTE) for n in range(3)]
    said += [glucose(at=START + 26 * HOUR), glucose(name="bolus", value=1, unit="U"), said[0]]
    found = collect(Listed(said), Person(), now=START + DAY + 2 * HOUR)
    assert found.report.gaps == [Gap("glucose", START + 10 * MINUTE, START + 26 * HOUR)]
    assert found.report.describe() == {
        "items": {"bolus": 1, "glucose": 4},
        "duplicates": 1,
        "retractions": 0,
        "gaps": [{"name": "glucose", "from": "2026-03-01T00:10:00Z", "to": "2026-03-02T02:00:00Z"}],
        "warnings": {},
        "first": "2026-03-01T00:00:00Z",
        "last": "2026-03-02T02:00:00Z",
    }
    assert "1 gaps, the longest 25.8 h of glucose" in str(found.report)
    assert len(found.items) == 5


def test_nothing_is_a_report_too() -> None:
    """An import of nothing says so."""
    assert str(collect(Listed([]), Person()).report) == "nothing"


ITEMS = st.builds(
    glucose,
    st.floats(40, 400),
    st.integers(START, START + DAY),
    source_id=st.none() | st.sampled_from("abc"),
)


@given(st.lists(ITEMS, max_size=12), st.randoms())
def test_keys_do_not_depend_on_order_or_company(items: list[Item], rng: object) -> None:
    """Importing again, in another order or in parts, leads to the same set of keys."""
    shuffled = list(items)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    together = {key_of(item) for item in checked(items, Person())}
    assert {key_of(item) for item in checked(shuffled, Person())} == together
    assert {key_of(one) for item in items for one in checked([item], Person())} == together


def test_what_a_shift_would_move_into_the_future_is_refused() -> None:
    items = [Item("carbs", 20.0, "g", 1_000_000, None, Place("a", 3))]
    assert shifted(items, {"carbs": 5}, 1_000_005)[0].at == 1_000_005
    with pytest.raises(BadInput, match="still to come"):
        shifted(items, {"carbs": 5}, 1_000_004)
