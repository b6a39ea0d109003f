"""Logs in and out: what stands in a file is read, written and read again; what is wrong in it is said."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemel.dynamics import PHASES, Event
from gemel.errors import BadInput
from gemel.packs.service.log import MISSING, Log, Names
from gemel.packs.service.logs import (
    event_of,
    from_events,
    open_log,
    payload_of,
    read_log,
    write_ocel_json,
    write_ocel_sqlite,
    write_xes,
)  # fmt: skip
from gemel.packs.service.logs.repairs import Repairs
from gemel.packs.service.logs.table import Events, log_of
from gemel.packs.service.logs.when import moment
from gemel.packs.service.logs.xes_tags import _date
from gemel.streams.mqtt_payload import item_of

DATA = Path(os.environ.get("GEMEL_DATA", Path(__file__).parents[1] / "../shared/data")) / "services"
FILE = "{http://www.xes-standard.org/}"


def sample(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no {path}: set GEMEL_DATA")
    return path


def alike(one: Log, other: Log) -> bool:
    """Return whether two logs say the same, to the last bit."""

    def equal(a, b) -> bool:
        if isinstance(a, Names) or isinstance(b, Names):
            return (
                isinstance(a, Names)
                and isinstance(b, Names)
                and a.names == b.names
                and np.array_equal(a.codes, b.codes)
            )
        return np.array_equal(a, b, equal_nan=a.dtype == np.float64)

    plain = ("case", "activity", "resource", "queued", "start", "end", "abandoned")
    tables = ("attributes", "about")
    return all(equal(getattr(one, name), getattr(other, name)) for name in plain) and all(
        getattr(one, t).keys() == getattr(other, t).keys()
        and all(equal(getattr(one, t)[key], getattr(other, t)[key]) for key in getattr(one, t))
        for t in tables
    )


# --- files of others, counted in another way


@pytest.mark.parametrize(
    ("name", "cases", "events"),
    [("bpic2013_incidents", 7554, 65533), ("receipt", 1434, 8577), ("teleclaims", 3512, 46138)],
)
def test_an_xes_log_has_as_many_cases_and_events_as_its_text_has_tags(name, cases, events):
    path = sample(f"{name}.xes.gz")
    text = gzip.decompress(path.read_bytes()).decode()
    read = open_log(path)
    assert len(read.log.cases) == text.count("<trace>") == cases
    assert read.told["events"] == text.count("<event>") == events
    of_events = text[text.index("<trace>") :]
    starts = len(re.findall(r'key="lifecycle:transition" value="start"', of_events))
    assert len(read.log) == events - starts + int((read.log.end == MISSING).sum())
    told = Counter(re.findall(r'<string key="org:resource" value="([^"]*)"', of_events))
    assert set(told) == set(read.log.resource.names)


def test_start_and_complete_become_one_row_and_work_is_told_from_waiting():
    log, repairs = read_log(sample("teleclaims.xes.gz"))
    assert log.timed and not len(repairs) and len(log) == 24_825
    worked = (log.start != MISSING) & (log.end != MISSING)
    assert (log.end[worked] >= log.start[worked]).all()


@pytest.mark.parametrize("half", ["train", "test"])
def test_a_table_of_rows_has_the_rows_that_csv_counts(half):
    path = sample(f"simod_LoanApp_simplified_{half}.csv.gz")
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode())))
    log, repairs = read_log(path)
    assert len(log) == len(rows) and len(log.cases) == len({row["case_id"] for row in rows}) == 1000
    assert Counter(log.activity.words()) == Counter(row["activity"] for row in rows)
    assert log.start.min() == moment(min(row["start_time"] for row in rows))[0]
    assert "times without a zone: read as UTC" in repairs


def test_a_table_of_starts_and_completes_is_paired_by_its_instances():
    path = sample("eventdataR_patients.csv.gz")
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode())))
    log, _ = read_log(path)
    assert len(log) == len({row["handling_id"] for row in rows}) == 2721
    spans = {(row["handling_id"], row["registration_type"]): moment(row["time"])[0] for row in rows}
    wanted = Counter(spans[i, "complete"] - spans[i, "start"] for i in {row["handling_id"] for row in rows})
    assert Counter((log.end - log.start).tolist()) == wanted


def test_ocel_tells_the_same_as_json_and_as_sqlite():
    """The SQLite file of the standard tells its times as clocks in Central Europe showed them, without saying so."""
    one = open_log(sample("ocel20_example.jsonocel"), case="Purchase Order")
    other = open_log(sample("ocel20_example.sqlite"), case="Purchase Order", zone="Europe/Berlin")
    assert alike(one.log, other.log) and one.log.cases == ("PO1", "PO2")
    assert one.log.activity.names[:2] == ("Change PO Quantity", "Create Purchase Order")
    assert one.log.about["po_product"].words() == ["Cows", "Notebooks"]
    assert one.told["objects"] == {"Invoice": 3, "Payment": 3, "Purchase Order": 2, "Purchase Requisition": 1}


def test_ocel_without_a_named_case_says_which_it_took():
    read = open_log(sample("ocel20_example.jsonocel"))
    assert "no type of object was named as the case: 'Invoice' is taken" in read.repairs
    with pytest.raises(BadInput, match="unknown type of object 'Order'; possible: Invoice, Payment"):
        open_log(sample("ocel20_example.jsonocel"), case="Order")


def test_the_local_time_is_found_from_the_offsets():
    assert read_log(sample("receipt.xes.gz"))[0].zone == "Europe/Berlin"


# --- there and back

TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="￾￿"), min_size=1, max_size=6
)
NUMBER = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
MINUTE = 60_000


@st.composite
def logs(draw) -> Log:
    """Logs in their one order, with ties, missing times, attributes of rows and cases, and odd names."""
    events = []
    for number in range(draw(st.integers(1, 12))):
        case, activity = draw(st.sampled_from(["a", "b", "c <&>\"'"])), draw(st.sampled_from(["x", "y y", "ü\n"]))
        start = draw(st.integers(0, 20)) * MINUTE + 1_600_000_000_123
        said = draw(st.dictionaries(st.sampled_from(["k", "ключ"]), TEXT.filter(str.strip), max_size=2))
        said |= draw(st.dictionaries(st.sampled_from(["n", "m/o"]), NUMBER, max_size=2))
        said |= {"concept:instance": str(number)}
        told = draw(st.sampled_from(["q", "s", "e", "qs", "qe", "se", "qse", "qa", "a"]))
        resource = draw(st.sampled_from(["", "ann", "bob"]))
        for place, letter in enumerate(told):
            phase = {"q": "queued", "s": "started", "e": "completed", "a": "abandoned"}[letter]
            at = start + place * draw(st.integers(0, 2)) * MINUTE
            events.append(Event(case, phase, at, activity, resource, said))
        if draw(st.booleans()):
            events.append(
                Event(case, "noted", start, attributes={"kind": draw(TEXT.filter(str.strip)), "age": draw(NUMBER)})
            )
    return from_events(events, "Europe/Madrid")


@given(logs())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_log_is_the_same_after_its_events(log):
    assert alike(Log.from_events(log.events(), log.zone), log)


@given(log=logs(), packed=st.booleans())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_log_is_the_same_after_xes(tmp_path, log, packed):
    path = tmp_path / ("log.xes.gz" if packed else "log.xes")
    write_xes(path, log)
    read = open_log(path)
    assert alike(read.log, log) and read.log.zone == "Europe/Madrid"


@given(log=logs())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_log_is_the_same_after_ocel(tmp_path, log):
    write_ocel_json(tmp_path / "log.json", log)
    write_ocel_sqlite(tmp_path / "log.sqlite", log)
    assert alike(open_log(tmp_path / "log.json", case="case").log, log)
    assert alike(open_log(tmp_path / "log.sqlite", case="case").log, log)


def test_what_ocel_writes_fits_the_schema_of_the_standard(tmp_path):
    jsonschema_rs = pytest.importorskip("jsonschema_rs")
    write_ocel_json(tmp_path / "log.json", read_log(sample("running-example.xes"))[0])
    schema = json.loads(sample("schema_ocel2.json").read_text())
    jsonschema_rs.validate(schema, json.loads((tmp_path / "log.json").read_text()))


@given(log=logs(), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_the_order_in_which_events_come_does_not_matter(log, seed):
    """But for steps told at the very same moments, which stay in the order of the file: here there are none."""
    spread = [
        Event(e.case, e.phase, e.at + 7 * int(str(e.attributes.get("concept:instance", 0))), e.activity, e.resource, e.attributes)
        for e in log.events()
    ]  # fmt: skip
    mixed = list(spread)
    random.Random(seed).shuffle(mixed)
    one, other = from_events(spread), from_events(mixed)
    assert alike(one, other)


def test_a_million_events_out_of_order_give_the_log_in_order():
    rng = np.random.default_rng(7)
    cases, steps = 50_000, 10
    at = 1_600_000_000_000 + np.arange(cases)[:, None] * 1000 + np.arange(2 * steps)[None, :] * 60_000
    case, step = (part.ravel().astype(np.int32) for part in np.indices(at.shape))
    order = rng.permutation(at.size)
    phase = np.where(step % 2, PHASES.index("completed"), PHASES.index("started")).astype(np.int8)
    names = tuple(f"case {i:05d}" for i in range(cases))
    none = Names(np.full(at.size, -1, np.int32), ())
    activity = Names((step // 2).astype(np.int32), tuple(f"step {i}" for i in range(steps)))

    def told(which: np.ndarray) -> Log:
        repairs = Repairs("memory")
        columns = (Names(case, names), activity, none, none)
        times = (phase[which], at.ravel()[which], np.arange(len(which)))
        log = log_of(Events(*(column.take(which) for column in columns), *times), "UTC", repairs)
        assert not len(repairs)
        return log

    shuffled = told(order)
    assert at.size == 1_000_000 and len(shuffled) == 500_000 and shuffled.cases == names
    assert (shuffled.end - shuffled.start == 60_000).all() and alike(shuffled, told(np.arange(at.size)))


# --- starts and ends

CASES = {
    "an activity begun twice ends in the order in which it began": (["s1", "s2", "c3", "c5"], [(1, 3), (2, 5)]),
    "who begins it ends it": (["s1 ann", "s2 bob", "c3 bob", "c5 ann"], [(1, 5), (2, 3)]),
    "an end without a start": (["c3", "s4", "c5"], [(None, 3), (4, 5)]),
    "a start without an end": (["s1", "s4", "c5"], [(1, 5), (4, None)]),
    "an instance knows its own end": (["s1 - i", "s2 - j", "c3 - j", "c5 - i"], [(1, 5), (2, 3)]),
    "at one moment one ends before the next begins": (["s1", "c3", "s3", "c5"], [(1, 3), (3, 5)]),
}


@pytest.mark.parametrize("name", CASES)
def test_pairing(name):
    told, wanted = CASES[name]
    events = []
    for word in told:
        moment_, *rest = word.split()
        who, instance = [*rest, "", ""][:2]
        said = {"concept:instance": instance} if instance else {}
        events.append(
            Event("1", {"s": "started", "c": "completed"}[moment_[0]], int(moment_[1:]), "work", who.strip("-"), said)
        )
    log = from_events(reversed(events))
    found = [
        (None if s == MISSING else s, None if e == MISSING else e)
        for s, e in zip(log.start.tolist(), log.end.tolist(), strict=True)
    ]
    assert sorted(found, key=str) == sorted(wanted, key=str)


def test_a_lifecycle_is_one_row_with_its_wait_and_its_pauses(tmp_path):
    steps = [("schedule", 0), ("assign", 1), ("start", 5), ("suspend", 6), ("resume", 9), ("complete", 10)]
    log, repairs = read_log(
        xes(tmp_path, [("1", [("talk", word, f"2024-01-01T10:{m:02d}:00Z", "ann") for word, m in steps])])
    )
    assert len(log) == 1 and not len(repairs)
    assert (log.start - log.queued).tolist() == [5 * MINUTE] and (log.end - log.start).tolist() == [5 * MINUTE]
    assert log.attributes["paused_s"].tolist() == [180.0]


@pytest.mark.parametrize("word", ["withdraw", "ate_abort", "pi_abort"])
def test_who_gives_up_has_abandoned(tmp_path, word):
    log, _ = read_log(
        xes(
            tmp_path,
            [("1", [("talk", "schedule", "2024-01-01T10:00:00Z", ""), ("talk", word, "2024-01-01T10:09:00Z", "")])],
        )
    )
    assert log.abandoned.tolist() == [True] and (log.end - log.queued).tolist() == [9 * MINUTE]


# --- XES as it may be written


def xes(tmp_path: Path, traces, top: str = "", name: str = "log.xes") -> Path:
    """Write a small log by hand."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<log>{top}"]
    for case, events in traces:
        lines += ["<trace>", f'<string key="concept:name" value="{case}"/>'] if case is not None else ["<trace>"]
        for activity, word, at, who in events:
            told = {"concept:name": activity, "lifecycle:transition": word, "org:resource": who}
            texts = "".join(f'<string key="{key}" value="{value}"/>' for key, value in told.items() if value)
            lines.append(f'<event><date key="time:timestamp" value="{at}"/>{texts}</event>')
        lines.append("</trace>")
    path = tmp_path / name
    path.write_text("\n".join([*lines, "</log>"]))
    return path


ODD = """<?xml version='1.0'?>
<!-- a > b <trace> --><x:log xmlns:x="http://www.xes-standard.org/">
<global scope="event"><string key="lifecycle:transition" value="complete"/><string key="org:role" value="UNKNOWN"/>
<string key="channel" value="desk"/></global>
<classifier name="Both" keys="concept:name org:group"/>
<x:trace><string key='concept:name' value='K&#246;nig &amp; Co'/>
<x:event><date value="2024-01-01T10:00:00.5+01:00" key="time:timestamp"></date>
<string
  key="concept:name" value="a > b"/><string key="org:group" value="g1"><float key="load" value="0.5"/></string>
<list key="tags"><values><string key="t" value="one"/><string key="t" value="two"/></values></list>
<int key="size" value="7"/><int key="long" value="9007199254740993"/><boolean key="new" value="true"/>
<date key="due" value="2024-02-01T00:00:00Z"/></x:event><![CDATA[ <event> ]]>
</x:trace></x:log>
"""


def test_what_xml_allows_is_understood(tmp_path):
    (tmp_path / "odd.xes").write_text(ODD)
    read = open_log(tmp_path / "odd.xes")
    log = read.log
    assert log.cases == ("König & Co",) and log.activity.names == ("a > b",)
    assert log.end.tolist() == [moment("2024-01-01T09:00:00.500Z")[0]]
    assert log.attributes["size"].tolist() == [7.0] and log.attributes["long"].words() == ["9007199254740993"]
    assert log.attributes["org:group/load"].tolist() == [0.5] and log.attributes["new"].words() == ["true"]
    assert log.attributes["tags/t"].words() == ["one"] and "'tags/t' told again" in read.repairs
    assert log.attributes["due"].tolist() == [moment("2024-02-01T00:00:00Z")[0]] and read.told["dates"] == ["due"]
    assert "org:role" not in log.attributes and read.told["classifiers"] == {"Both": "concept:name org:group"}
    by_classifier, _ = read_log(tmp_path / "odd.xes", map={"activity": "Both"})
    assert by_classifier.activity.names == ("a > b+g1",)


@given(st.integers(1, 40))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_where_a_block_ends_does_not_matter(tmp_path, monkeypatch, size):
    from gemel.packs.service.logs import xes_scan
    from gemel.packs.service.logs.raw import blocks

    (tmp_path / "odd.xes").write_text(ODD)
    whole = open_log(tmp_path / "odd.xes").log
    with monkeypatch.context() as patch:
        patch.setattr(xes_scan, "blocks", lambda path, tell: blocks(path, tell, size=size))
        assert alike(open_log(tmp_path / "odd.xes").log, whole)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings_are_read_as_the_file_says(tmp_path, encoding):
    text = ODD.replace("<?xml version='1.0'?>", f"<?xml version='1.0' encoding='{encoding.removesuffix('-sig')}'?>")
    (tmp_path / "odd.xes").write_text(text.replace("&#246;", "ö"), encoding=encoding)
    assert read_log(tmp_path / "odd.xes")[0].cases == ("König & Co",)


@given(
    st.datetimes(),
    st.sampled_from(["", "Z", "+00:00", "-05:30", "+1400", "+0100"]),
    st.sampled_from(["", "microseconds"]),
)
def test_the_compiled_reading_of_times_is_that_of_python(when, tail, form):
    text = when.isoformat(timespec=form or "seconds") + tail
    at, offset = _date(np.frombuffer(text.encode(), np.uint8), 0, len(text))
    assert (at, offset) == moment(text)


@given(st.text("0123456789-:T+Z. ", min_size=15, max_size=30))
def test_no_text_is_a_time_to_the_compiled_reading_that_is_none_to_python(text):
    at, offset = _date(np.frombuffer(text.encode(), np.uint8), 0, len(text))
    assert offset == 32766 or (at, offset) == moment(text)


def test_progress_is_told(tmp_path):
    heard = []
    path = xes(tmp_path, [("1", [("a", "complete", "2024-01-01T10:00:00Z", "")])])
    read_log(path, tell=lambda *said: heard.append(said))
    assert heard[-1] == ("reading", path.stat().st_size, path.stat().st_size)


# --- events that travel


SAID = st.dictionaries(TEXT, TEXT | NUMBER, max_size=3)


@given(st.builds(Event, TEXT, st.sampled_from(["queued", "started", "left"]), st.integers(0, 2**41), TEXT, TEXT, SAID))
def test_an_event_is_the_same_after_its_envelope(event):
    payload = payload_of(event, "//desk", "service-1")
    assert event_of(payload) == event and payload == payload_of(event, "//desk", "service-1")


@given(
    st.builds(Event, TEXT, st.sampled_from(["queued", "started", "left"]), st.integers(2**40, 2**41), TEXT, TEXT, SAID)
)
def test_a_twin_that_listens_hears_the_event_that_an_envelope_tells(event):
    """The one reader of envelopes: what `event_of` understands, the MQTT door does."""
    item = item_of(payload_of(event, "//floor", "service-1"), "service-1/events")
    assert item.event == event and str(item.source_id).startswith("//floor ")


ENVELOPE = {"specversion": "1.0", "id": "1", "source": "s", "type": "gemel.happened.v1", "time": "2024-01-01T00:00Z"}


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (b"\xff", "is not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "field 'specversion': is missing"),
        ({"type": "other"}, "is not 'gemel.happened.v1'"),
        ({"data": 1}, "field 'data'"),
        ({"data": {}, "time": "2024-01-01"}, "time zone"),
        ({"data": {"case": "1", "phase": "eaten"}}, "unknown phase 'eaten'; possible: abandoned"),
        ({"data": {"phase": "queued"}}, "field 'case': is missing"),
    ],
)
def test_an_envelope_that_tells_no_event_is_refused(payload, problem):
    sent = payload if isinstance(payload, bytes) else json.dumps({**ENVELOPE, **payload}).encode()
    with pytest.raises(BadInput, match=re.escape(problem)):
        event_of(sent)
