"""How drafts are made ready: the short way for plain readings says what the long way says."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from gemel.errors import BadInput
from gemel.facts import Draft
from gemel.thread.codec import LONGEST, Prepared, prepare

VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.lists(st.integers(), max_size=2)
)
NAMES = st.text(max_size=4) | st.sampled_from(["", "x" * (LONGEST + 1), "é" * LONGEST, "\ud800"])


@given(
    body=st.dictionaries(st.text(max_size=3), VALUES, max_size=4),
    names=st.tuples(NAMES, st.sampled_from(["observed/1", "Observed", "é/1", ""]), NAMES),
    key=st.none() | NAMES,
)
def test_the_short_way_says_what_the_long_way_says(
    body: dict[str, Any], names: tuple[str, str, str], key: str | None
) -> None:
    """The same bytes to seal and the same body to show, or the same complaint."""
    draft = Draft(names[0], names[1], body, 1, names[2], (), key)

    with (
        patch("gemel.thread.codec._flat", lambda body: False),
        patch("gemel.thread.codec._plain_names", lambda *names: False),
    ):
        expected = _prepared(draft)

    assert _prepared(draft) == expected


def _prepared(draft: Draft) -> Prepared | str:
    try:
        return prepare(draft)
    except BadInput as error:
        return str(error)
