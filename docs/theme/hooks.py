"""What the pages need before they become HTML."""

from __future__ import annotations

import re
from typing import Any


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return the page with only the language left on code fences; the rest of their line is for tests/test_docs.py."""
    return re.sub(r"^(```\w+)[ \t].*$", r"\1", markdown, flags=re.MULTILINE)
