"""Malformed logs: each gives an error that names file, row and field, or a repair that is counted and told."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from xml.parsers import expat

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gemel.errors import BadInput
from gemel.packs.service.log import MISSING
from gemel.packs.service.logs import open_log, read_log
from gemel.packs.service.logs.when import moment

EVENT = (
    '<event><string key="concept:name" value="{}"/>'
    '<date key="time:timestamp" value="2024-01-01T10:{:02d}:00+01:00"/></event>'
)
GOOD = (
    '<?xml version="1.0"?>\n<log>\n<trace><string key="concept:name" value="1"/>\n'
    + "\n".join(EVENT.format("talk", minute) for minute in range(40))
    + "\n</trace>\n</log>\n"
)
HEADER = "case_id,activity,resource,start_time,end_time\n"
ROWS = [
    f"{n // 4},talk,ann,2024-01-01T{10 + n // 60}:{n % 60:02d}:00Z,2024-01-01T{10 + n // 60}:{n % 60:02d}:30Z"
    for n in range(80)
]
TABLE = HEADER + "\n".join(ROWS) + "\n"


def written(tmp_path: Path, content: str | bytes, name: str = "log") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


REFUSED = {
    "an empty file": (b"", None, "the file is empty"),
    "only blanks": (b" \n\n", None, "the file is empty"),
    "no event": ("<log></log>", 1, "holds no event"),
    "XML cut off": (GOOD[:-20], 43, "the file is cut off"),
    "a tag cut off": (GOOD[:700], None, "the file is cut off"),
    "an end of another tag": (GOOD.replace("</trace>", "</track>"), 44, "an end tag without its start tag"),
    "two roots": (GOOD + "<log/>", 46, "more than one root"),
    "no quotes": (GOOD.replace('value="1"', "value=1"), 3, "no quotes"),
    "a document type": (GOOD.replace("<log>", "<!DOCTYPE log>\n<log>"), 2, "document type"),
    "an entity of its own": (GOOD.replace('value="1"', 'value="&boo;"'), 3, "'&boo;' is no entity"),
    "a wrong encoding": (GOOD.replace("talk", "Gespräch").encode("cp1252"), 4, "is not UTF-8 text"),
    "an unknown encoding": (GOOD.replace('"1.0"?', '"1.0" encoding="klingon"?'), 1, "unknown encoding 'klingon'"),
    "no XML and no table": (b"\x89PNG\r\n\x1a\n\x00\x01\xff", 1, "is not utf-8 text"),
    "tags without end": ("<log>" + "<a>" * 300, 1, "nested too deeply"),
    "a time that is none": (GOOD.replace("2024-01-01T10:07:00+01:00", "tomorrow"), 11, "is no time"),
    "a time with a zone and others without": (GOOD.replace("10:07:00+01:00", "10:07:00"), 11, "zone='Europe/Madrid'"),
    "a table without rows": (HEADER, 1, "a header and no rows"),
    "a table without a case": (TABLE.replace("case_id", "colour"), 1, "no column for the case: say map="),
    "a table without an activity": (TABLE.replace("activity", "colour"), 1, "this table has case_id, colour, resource"),
    "a table without times": ("case,activity\n1,talk\n", 1, "no column for a time"),
    "a row cut off": (TABLE[:-30], 81, "is the file cut off?"),
    "two columns of one name": (TABLE.replace("resource", "activity"), 1, "two columns have this name"),
    "a quote that never ends": (TABLE.replace("ann", '"ann', 1), None, "is not a table"),
    "a cell that is no time": (TABLE.replace("10:07:00Z", "seven"), 9, "is no time"),
    "cells with zones and without": (TABLE.replace("10:07:00Z", "10:07:00"), 9, "has a time without a zone"),
    "cases missing everywhere": (
        re.sub(r"(?m)^\d+,", ",", TABLE),
        2,
        "no case in column 'case_id', as in 80 of 80 rows",
    ),
    "JSON that is no log": (b'{"a": 1}', None, "is not an OCEL 2.0 log"),
    "JSON cut off": (b'{"events": [', 1, "cut off"),
    "SQLite that is no log": (b"SQLite format 3\x00" + b"\x00" * 200, None, "is not an OCEL 2.0 log"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_with_its_place(tmp_path, name):
    content, row, problem = REFUSED[name]
    path = written(tmp_path, content)
    with pytest.raises(BadInput, match=re.escape(problem)) as caught:
        open_log(path)
    assert caught.value.file == str(path)
    assert row is None or caught.value.row == row


FIELDS = {
    "time:timestamp": GOOD.replace("2024-01-01T10:07:00+01:00", "tomorrow"),
    "start_time": TABLE.replace("10:07:00Z", "seven"),
    "case_id": re.sub(r"(?m)^\d+,", ",", TABLE),
}


@pytest.mark.parametrize("field", FIELDS)
def test_an_error_names_the_field(tmp_path, field):
    with pytest.raises(BadInput) as caught:
        open_log(written(tmp_path, FIELDS[field]))
    assert caught.value.field == field


REPAIRED = {
    "no case id": (TABLE.replace("\n1,", "\n,", 1), "no case in column 'case_id': the row is left out", 1, 6, 79),
    "no activity": (TABLE.replace("talk", "", 1), "no activity in column 'activity'", 1, 2, 79),
    "no time": (TABLE.replace(ROWS[5].partition("ann,")[2], ","), "a row without any time", 1, 7, 79),
    "an end before its start": (TABLE.replace("10:07:30Z", "09:07:30Z"), "an end before its start", 1, 9, 80),
    "a row told twice": (TABLE + ROWS[3] + "\n", "told twice, word for word", 1, 82, 80),
    "an absurd year": (TABLE.replace("2024-01-01T10:07:00Z", "9999-12-31T00:00:00Z"), "outside the years", 1, 9, 80),
    "NUL bytes": (TABLE.replace("ann", "an\x00n", 2), "NUL bytes", 2, 2, 80),
    "no zone": (TABLE.replace("Z", ""), "times without a zone: read as UTC", 160, 2, 80),
    "a transition of no standard": (
        "case,activity,time,transition\n" + "".join(f"1,a,2024-01-01T10:{n:02d}:00Z,complete\n" for n in range(9))
        + "1,a,2024-01-01T11:00:00Z,napping\n",
        "a transition in a word of no standard ('napping')", 1, 11, 10,
    ),
    "a case without an id": (GOOD.replace('<string key="concept:name" value="1"/>', ""), "a case without an id", 1, 3, 40),
    "an id borne twice": (
        GOOD.replace("</log>", '<trace><string key="concept:name" value="1"/>' + EVENT.format("end", 59) + "</trace></log>"),
        "an id borne by several traces", 1, None, 41,
    ),
    "an event without a time": (re.sub(r"<date[^>]*10:07[^>]*>", "", GOOD), "an event without a time", 1, 11, 39),
    "an event told twice": (GOOD.replace("10:08", "10:07"), "told twice, word for word", 1, 12, 39),
    "NUL bytes in XML": (GOOD.replace("talk", "ta\x00lk", 3), "NUL bytes", 3, 4, 40),
    "a year of no service": (GOOD.replace("2024-01-01T10:07", "0001-01-01T10:07"), "outside the years 1950 to 2199", 1, 11, 39),
}  # fmt: skip


@pytest.mark.parametrize("name", REPAIRED)
def test_what_can_be_mended_is_mended_and_told(tmp_path, name):
    content, what, count, row, rows = REPAIRED[name]
    log, repairs = read_log(written(tmp_path, content))
    assert len(log) == rows
    found = [one for one in repairs if what in one.what]
    assert [(one.count, one.row) for one in found] == [(count, row)] and what in str(repairs)
    assert repairs.describe()[0].keys() == {"what", "count", "row"}


@pytest.mark.parametrize("content", [GOOD, TABLE])
def test_a_log_in_order_needs_no_repair(tmp_path, content):
    assert not len(read_log(written(tmp_path, content))[1])


@pytest.mark.parametrize("content", [GOOD, TABLE])
@pytest.mark.parametrize("cut", [-1, -9, -30])
def test_an_archive_cut_off_is_refused(tmp_path, content, cut):
    path = written(tmp_path, gzip.compress(content.encode())[:cut], "log.gz")
    with pytest.raises(BadInput, match="cut off or damaged"):
        open_log(path)


def test_a_file_that_is_not_there_is_said_to_be_absent(tmp_path):
    with pytest.raises(BadInput, match="there is no such file"):
        open_log(tmp_path / "none.xes")


def test_end_before_start_keeps_the_end_and_forgets_the_start(tmp_path):
    log, _ = read_log(written(tmp_path, TABLE.replace("10:07:30Z", "09:07:30Z")))
    assert int((log.start == MISSING).sum()) == 1 and (log.end != MISSING).all()


def test_local_times_are_read_in_the_zone_that_is_named(tmp_path):
    table = "case,activity,end\n1,a,2024-07-01 12:00:00\n1,b,2024-10-27 02:30:00\n1,c,2024-03-31 02:30:00\n"
    log, repairs = read_log(written(tmp_path, table), zone="Europe/Madrid")
    told = dict(zip(log.activity.words(), log.end.tolist(), strict=True))
    assert told["a"] == moment("2024-07-01T10:00:00Z")[0] and log.zone == "Europe/Madrid"
    assert told["b"] == moment("2024-10-27T00:30:00Z")[0] and "showed twice: taken as the first" in repairs
    assert told["c"] == moment("2024-03-31T01:30:00Z")[0] and "skipped: moved on by the gap" in repairs


def test_mixed_zones_are_read_once_the_zone_is_named(tmp_path):
    log, repairs = read_log(written(tmp_path, TABLE.replace("10:07:00Z", "11:07:00")), zone="Europe/Madrid")
    assert not len(repairs) and (log.end - log.start).tolist() == [30_000] * 80


@pytest.mark.parametrize(
    "how", [{"zone": "Mars/Base"}, {"map": {"kase": "case_id"}}, {"map": {"case": "id"}}, {"case": "Order"}]
)
def test_what_is_asked_of_a_table_must_be_possible(tmp_path, how):
    with pytest.raises(BadInput, match=r"unknown|possible|OCEL"):
        open_log(written(tmp_path, TABLE.replace("Z", "")), **how)


@pytest.mark.parametrize("content", [GOOD, TABLE])
def test_a_byte_order_mark_is_no_letter(tmp_path, content):
    assert not len(read_log(written(tmp_path, b"\xef\xbb\xbf" + content.encode()))[1])


def test_tables_of_other_houses_are_understood(tmp_path):
    row = "1;a;2024-01-01 10:00:00+00:00;2024-01-01 10:01:00+00:00;007\n"
    text = "Case ID;Activity;Start Timestamp;Complete Timestamp;Cost\n" + row
    log, _ = read_log(written(tmp_path, text.encode("utf-16")))
    assert (log.end - log.start).tolist() == [60_000] and log.attributes["Cost"].words() == ["007"]


@given(
    st.binary(max_size=300)
    | st.text("<>/=\"'& logtraceevntkyvu:!-[]?1", max_size=200).map(lambda text: ("<" + text).encode())
)
@example(b"<a b='c'")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_end_in_a_traceback(tmp_path, content):
    try:
        open_log(written(tmp_path, content))
    except BadInput as problem:
        assert problem.file


@given(place=st.integers(GOOD.index("<log>"), len(GOOD) - 1), byte=st.integers(1, 127))
@example(GOOD.index("<date"), ord("&"))
@example(GOOD.index("value="), ord("!"))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_expat_refuses_is_refused_and_what_it_reads_is_read_or_told(tmp_path, place, byte):
    damaged = GOOD[:place] + chr(byte) + GOOD[place + 1 :]
    try:
        expat.ParserCreate().Parse(damaged.encode(), True)
        fits = True
    except expat.ExpatError as error:
        fits = error.code == expat.errors.codes[expat.errors.XML_ERROR_DUPLICATE_ATTRIBUTE]
    try:
        read = open_log(written(tmp_path, damaged))
    except BadInput as problem:
        assert problem.row is not None
        assert not fits or "is not XML" not in str(problem) or "text outside" in str(problem)
        return
    control = byte < 32 and chr(byte) not in "\t\n\r"
    assert fits or control
    assert 39 <= len(read.log) <= 40
