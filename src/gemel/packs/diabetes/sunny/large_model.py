"""A large language model in place of templates, behind an OpenAI-compatible endpoint: off, unless someone names one.

It gets the sentence, and what the tools that it asks for answer, under the consent of whoever talks; it can ask only tools that
change nothing. Rules are asked before: what must not be answered never leaves the machine. What it says is looked at as any
answer is, and more strictly (`model_words.py`): one that speaks of insulin or secrecy, looks unsafe, or has a number that no tool
returned or that the model itself put in, is dropped, and templates answer.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gemel.bank.tools import GENERAL, Tool
from gemel.errors import BadInput, GemelError, Unavailable
from gemel.packs.diabetes.play import TOOLS as PLAY
from gemel.packs.diabetes.sunny.normal import LONGEST
from gemel.packs.diabetes.sunny.tools import TOOLS
from gemel.packs.diabetes.sunny.turn import Turn

if TYPE_CHECKING:
    import httpx  # loaded when a model is asked: most have none

ROUNDS = 4
"""How often it may ask tools before it must answer."""
PATIENCE_S = 20.0

SYSTEM = """You are Sunny, the companion of a child of about nine with type 1 diabetes. Use short, kind, plain words; never blame
for a number. Say only what the tools return, in {unit}; every number you write must stand in a tool's answer as you write it.
Do not speak of insulin, a pump or a pen, and never of an amount to take: of these say only "A grown-up decides about insulin."
Never hide anything from grown-ups. You are not a doctor. Answer in at most four sentences."""


@dataclass(frozen=True)
class LargeModel:
    """An endpoint for chat completions: base address (https://host/v1), the model's name, a key if it needs one."""

    url: str
    model: str
    key: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme != "https" and not (parts.scheme == "http" and _near(parts.hostname or "")):
            raise BadInput(
                "the address of a large model begins with https://, or is on this machine", field="GEMEL_SUNNY_URL"
            )

    def answer(self, turn: Turn) -> str:
        """Return what the model says to a turn's sentence; raise `Unavailable` where it cannot be asked or says nothing."""
        import httpx

        tools = {tool.name: tool for tool in offered()}
        said: list[dict[str, Any]] = [
            {"role": "system", "content": SYSTEM.format(unit=turn.unit)},
            {"role": "user", "content": turn.sentence},
        ]
        with httpx.Client(timeout=PATIENCE_S, headers=self._headers()) as client:
            for _ in range(ROUNDS):
                told = self._asked(client, said, list(tools.values()))
                calls = told.get("tool_calls") or []
                if not calls:
                    return _text(told)
                said += [{"role": "assistant", "content": told.get("content"), "tool_calls": calls}]
                said += [_result(turn, tools, call) for call in calls]
        raise Unavailable("the large model asked for tools again and again")

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def _asked(
        self, client: httpx.Client, said: Sequence[Mapping[str, Any]], tools: Sequence[Tool]
    ) -> Mapping[str, Any]:
        import httpx

        functions = [
            {"type": "function", "function": {"name": t.name, "description": t.says, "parameters": t.schema()}}
            for t in tools
        ]
        body = {"model": self.model, "messages": list(said), "tools": functions, "temperature": 0}
        try:
            found = client.post(f"{self.url.rstrip('/')}/chat/completions", json=body)
            found.raise_for_status()
            told: Mapping[str, Any] = found.json()["choices"][0]["message"]
        except (httpx.HTTPError, ValueError, LookupError, TypeError):
            raise Unavailable("the large model did not answer") from None
        if not isinstance(told, Mapping):
            raise Unavailable("the large model did not answer")
        return told


def offered() -> tuple[Tool, ...]:
    """Return the tools that a large model may ask: those that change nothing."""
    return tuple(tool for tool in (*GENERAL, *PLAY, *TOOLS) if not tool.changes)


def from_environment() -> LargeModel | None:
    """Return the model that GEMEL_SUNNY_URL, GEMEL_SUNNY_MODEL and GEMEL_SUNNY_KEY name, or None."""
    url, model = os.environ.get("GEMEL_SUNNY_URL", ""), os.environ.get("GEMEL_SUNNY_MODEL", "")
    return LargeModel(url, model, os.environ.get("GEMEL_SUNNY_KEY", "")) if url and model else None


def _near(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _text(told: Mapping[str, Any]) -> str:
    text = told.get("content")
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
        raise Unavailable("the large model said nothing that could be said")
    return " ".join(text.split())


def _result(turn: Turn, tools: Mapping[str, Tool], call: Any) -> dict[str, Any]:
    """Return what a tool answered, or why it did not, as the model reads it."""
    try:
        name, given = str(call["function"]["name"]), json.loads(call["function"].get("arguments") or "{}")
        if name not in tools:
            raise BadInput(f"there is no tool {name!r} to ask here")
        content = json.dumps(dict(turn.asking(name, **given)), default=str)
    except (GemelError, ValueError, TypeError, LookupError) as error:
        content = json.dumps({"error": str(error)[:300]})
    return {
        "role": "tool",
        "tool_call_id": str(call.get("id", "")) if isinstance(call, Mapping) else "",
        "content": content,
    }
