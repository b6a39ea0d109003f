"""The report: one page that needs nothing else, shows what its reader may see, and says how far to trust it."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser

import pytest

from gemel.bank import Bank, Twin
from gemel.errors import BadInput, NotFound, Refused
from gemel.experiment.report import _course, page
from gemel.facts import DAY, HOUR, MINUTE, Time, time_of
from gemel.streams import Item, Place

START = time_of("2026-03-01T06:00:00Z")
NOW = START + 30 * DAY
HERE = Place("invented")


def lived(hours: int, silent: tuple[int, int] = (0, 0)) -> list[Item]:
    """Return glucose every five minutes but for the *silent* hours, a bolus and a meal every six, and one rate."""
    times = [i * 5 * MINUTE for i in range(hours * 12)]
    items = [
        Item("glucose", round(140 + 60 * math.sin(t / HOUR / 2)), "mg/dL", START + t, None, HERE)
        for t in times if not silent[0] * HOUR <= t < silent[1] * HOUR
    ]  # fmt: skip
    meals = range(START + HOUR, START + hours * HOUR, 6 * HOUR)
    items += [Item("bolus", 4.0, "U", at, None, HERE) for at in meals]
    items += [Item("carbs", 45.0, "g", at + 15 * MINUTE, None, HERE) for at in meals]
    return [Item("basal", 0.8, "U/h", START, None, HERE), *items]


def bank() -> Bank:
    """Return a bank in memory whose clock stands."""
    return Bank.open("memory:", clock=lambda: NOW)


def bob(hours: int, silent: tuple[int, int] = (0, 0)) -> Twin:
    """Return the twin of someone whose record is invented."""
    twin = bank().create("diabetes.person", "<bob>", by="ann")
    twin.record(lived(hours, silent))
    return twin


@pytest.fixture(scope="module")
def short() -> str:
    """Return the page on thirty hours with three silent ones."""
    return page(bob(30, (10, 13)))


@pytest.fixture(scope="module")
def long() -> tuple[str, list[tuple[str, int, int]]]:
    """Return the page on fifty hours, and what was told on the way."""
    told: list[tuple[str, int, int]] = []
    text = page(bob(50), lambda what, done, whole: told.append((what, done, whole)), "Europe/Stockholm")
    return text, told


class Outline(HTMLParser):
    """Headings, what is loaded, and tables with their captions."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.loaded: list[str] = []
        self.tables = self.captions = self.figures = self.details = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count what is there."""
        if tag in ("h1", "h2", "h3"):
            self.headings.append(tag)
        if tag in ("link", "script", "img", "iframe"):
            self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]
        self.tables += tag == "table"
        self.captions += tag == "caption"
        self.figures += tag == "figure"
        self.details += tag == "details"


def plain(text: str) -> str:
    """Return the page's words: no scripts, no styles, no tags."""
    bare = re.sub(r"<(script|style)\b.*?</\1>", " ", text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", bare))


def test_a_page_needs_nothing_else(short: str) -> None:
    """No file, no host: nothing is loaded, and the drawing script is in it once."""
    assert Outline(short).loaded == []
    assert short.count("plotly.js v") == 1
    assert "url(http" not in short


def test_a_page_has_one_title_named_parts_and_a_table_for_every_figure(long: tuple[str, object]) -> None:
    """Who does not see the drawings reads the same in numbers."""
    outline = Outline(long[0])
    assert (outline.headings[0], outline.headings.count("h1"), outline.headings.count("h2")) == ("h1", 1, 8)
    assert (outline.figures, outline.details) == (3, 3)
    assert outline.tables == outline.captions >= 7


def test_names_cannot_break_the_page(short: str) -> None:
    """An id with angle brackets is text."""
    assert "<bob>" not in short
    assert "&lt;bob&gt;" in short


def test_gaps_are_listed_and_not_filled(short: str) -> None:
    """The silent hours are named, and counted as missing."""
    words = plain(short)
    assert "2026-03-01 15:55 2026-03-01 19:00 3.1 h" in words
    assert "Glucose 324 90%" in words


def test_a_course_has_nan_where_nothing_was_read() -> None:
    """The grid goes on through the silence, at the cadence of the signal."""
    course = _course(bob(30, (10, 13)), "glucose")
    assert len(course.at) == 30 * 12
    assert [bool(math.isnan(value)) for value in course.values[119:122]] == [False, True, True]
    assert course.gaps() == [(START + 10 * HOUR - 5 * MINUTE, START + 13 * HOUR)]


def test_metrics_have_units_and_the_targets_of_the_type(short: str) -> None:
    """Time in range has a target of 70 %, and whether it is met; mean glucose has a unit and none."""
    words = plain(short)
    assert re.search(r"time in range 70–180 mg/dL \d+\.\d % ≥ 70\.0 %, (met|not met) higher", words)
    assert re.search(r"mean mean glucose \d+\.\d mg/dL – neither", words)


def test_a_short_record_says_what_cannot_be_known_yet(short: str) -> None:
    """No usual day and no scores from thirty hours."""
    words = plain(short)
    assert "It takes two days of readings to say what is usual" in words
    assert "Not known yet: the record is too short" in words


def test_scores_stand_beside_two_simple_rules_and_progress_is_told(
    long: tuple[str, list[tuple[str, int, int]]],
) -> None:
    """Three horizons from the twin's own record; the long part of the work counts up to its end."""
    text, told = long
    assert re.search(r"30 min \d+ \d+\.\d \d+\.\d \d+\.\d \d+\.\d % \d+\.\d \d+% \d+%", plain(text))
    walked = [(done, whole) for what, done, whole in told if what.startswith("foreseeing")]
    assert walked[-1][0] == walked[-1][1] == 600


def test_times_are_those_of_the_zone_named(long: tuple[str, object]) -> None:
    """06:00 UTC is 07:00 in Stockholm in March, wherever the page is read."""
    words = plain(long[0])
    assert "All times are Europe/Stockholm" in words
    assert "2026-03-01 07:00 to 2026-03-03 08:55" in words


def test_the_page_says_where_it_comes_from_and_its_limits(short: str) -> None:
    """Type hash, root and signature of the store, version; and that it is no medical device."""
    words = plain(short)
    for text in ("content hash", "root", "by key", "by Gemel", "not a medical device", "not validated in"):
        assert text in words, text


def test_a_stranger_gets_no_page() -> None:
    """The gate is asked for every signal: no grant, no page."""
    twin = bob(3)
    with pytest.raises(Refused, match="eve may not read glucose"):
        page(Twin(twin.bank, twin.id, "eve", "care"))


def test_a_reader_sees_the_signals_granted_and_no_others() -> None:
    """Who may read glucose alone sees no insulin, no meals and no counts of other facts."""
    twin = bob(6)
    twin.grant(to="dr", purpose="care", read="glucose")
    words = plain(page(Twin(twin.bank, twin.id, "dr", "care")))
    assert "Glucose" in words
    assert "Bolus" not in words
    assert "Carbohydrate" not in words
    assert "observed/1" not in words


@pytest.mark.parametrize("hours", [0, 1])
def test_a_record_of_next_to_nothing_is_no_crash(hours: int) -> None:
    """No reading: said so. One hour: a page."""
    if hours:
        assert "Glucose" in page(bob(hours))
        return
    with pytest.raises(NotFound, match="no reading of glucose yet"):
        page(bank().create("diabetes.person", "new", by="ann"))


def test_a_zone_that_is_none_is_refused() -> None:
    """The name is in the message."""
    with pytest.raises(BadInput, match="Mars/Olympus"):
        page(bob(1), timezone="Mars/Olympus")


def test_the_clock_of_the_bank_dates_the_page(short: str) -> None:
    """No ambient clock: the page is of the bank's now."""
    made: Time = NOW
    assert made == time_of("2026-03-31T06:00:00Z")
    assert "Made 2026-03-31 06:00" in plain(short)
