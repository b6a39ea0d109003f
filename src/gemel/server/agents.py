"""A twin's tools for any agent that speaks the Model Context Protocol, each call gated as the actor the server runs as.

Tools that change something propose or write, in that actor's name; none acts on the asset, and what a person settles by hand is
not offered. Needs the extra `agents`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from gemel.bank import Bank
from gemel.bank.tools import Tool, named, offered
from gemel.errors import GemelError, NotFound, Unavailable

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

INSTALL = "the extra agents is not installed: pip install 'gemel[agents]'"
SAYS = (
    "Tools of live digital twins, as {actor} may use them for {purpose}. Refusals come back as errors with their reason. "
    "Tools without the hint readOnly write or propose; nothing acts on a person, a device or a service. Not a medical device."
)
CHANGES = " It writes or proposes, in the name of whoever runs this server; it never acts on the asset."


class Offer:
    """What one actor may ask of the twins they may see, for one purpose; of one twin only, if it is named."""

    def __init__(self, bank: Bank, actor: str, purpose: str, only: str | None = None) -> None:
        self.bank, self.actor, self.purpose, self.only = bank, actor, purpose, only
        if only is not None:
            bank.find(only, by=actor, purpose=purpose)

    @property
    def twins(self) -> list[str]:
        """Return the twins that the actor may see now."""
        if self.only is not None:
            return [self.only]
        return [twin for twin in self.bank.twins() if self.bank.visible(twin, self.actor, self.purpose)]

    @property
    def tools(self) -> Mapping[str, Tool]:
        """Return what may be asked of any of the twins, by name."""
        kinds = dict.fromkeys(self.bank.type_of(twin).name for twin in self.twins)
        return {tool.name: tool for kind in kinds for tool in _for_programs(kind)}

    def takes(self, tool: Tool) -> dict[str, Any]:
        """Return the JSON schema of a tool with the twin that it is asked of; of a single twin it may be left out."""
        schema, twins = tool.schema(), self.twins
        which = {"type": "string", "enum": twins, "description": "which twin"}
        required = [*schema.get("required", []), *(["twin"] if len(twins) != 1 else [])]
        return {**schema, "properties": {**schema.get("properties", {}), "twin": which}, "required": required}

    def call(self, name: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a tool's answer, or raise with the reason: what a twin of a type does not have, or consent refuses."""
        twins, asked = self.twins, {key: value for key, value in given.items() if key != "twin"}
        twin = given.get("twin") or (twins[0] if len(twins) == 1 else None)
        if not isinstance(twin, str) or twin not in twins:
            raise NotFound(f"say which twin; {self.actor} may see for {self.purpose}: {', '.join(twins) or 'none'}")
        seen = self.bank.find(twin, by=self.actor, purpose=self.purpose)
        return named(_for_programs(seen.type.name), name).call(seen, asked)


def _for_programs(kind: str) -> tuple[Tool, ...]:
    """Return the tools of a type that a program may ask: an agent that works for a holder settles nothing in their place."""
    return tuple(tool for tool in offered(kind) if not tool.by_hand)


def serving(offer: Offer) -> Server[Any]:
    """Return the MCP server of an offer."""
    _needed()
    import mcp_types as types
    from anyio import to_thread
    from mcp.server.lowlevel import Server

    async def listed(_: Any, __: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=await to_thread.run_sync(lambda: _listed(offer)))

    async def called(_: Any, asked: types.CallToolRequestParams) -> types.CallToolResult:
        return await to_thread.run_sync(lambda: _called(offer, asked.name, asked.arguments or {}))

    says = SAYS.format(actor=offer.actor, purpose=offer.purpose)
    return Server("gemel", version=version("gemel"), instructions=says, on_list_tools=listed, on_call_tool=called)


def _listed(offer: Offer) -> list[Any]:
    import mcp_types as types

    return [
        types.Tool(
            name=tool.name, description=tool.says + (CHANGES if tool.changes else ""), input_schema=offer.takes(tool),
            annotations=types.ToolAnnotations(read_only_hint=not tool.changes, destructive_hint=False, open_world_hint=False),
        )
        for tool in offer.tools.values()
    ]  # fmt: skip


def _called(offer: Offer, name: str, given: Mapping[str, Any]) -> Any:
    """Return the answer as JSON, or an MCP error: of the protocol for a tool that there is not, else the tool's own."""
    import mcp_types as types
    from mcp import MCPError

    if name not in offer.tools:
        raise MCPError(types.INVALID_PARAMS, f"unknown tool {name!r}; possible: {', '.join(sorted(offer.tools))}")
    try:
        answer = dict(offer.call(name, given))
    except GemelError as error:
        return types.CallToolResult(content=[types.TextContent(type="text", text=str(error))], is_error=True)
    text = json.dumps(answer, default=str)
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], structured_content=json.loads(text)
    )


def run(offer: Offer) -> None:
    """Serve an offer over standard input and output until the other side closes."""
    _needed()
    import anyio
    from mcp.server.stdio import stdio_server

    server = serving(offer)

    async def main() -> None:
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    anyio.run(main)


def _needed() -> None:
    try:
        found = find_spec("mcp") is not None
    except ValueError:  # somebody put None in its place
        found = False
    if not found:
        raise Unavailable(INSTALL)
