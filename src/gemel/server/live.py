"""Live: a socket that is sent the view of a twin after each change, and closes when it may no longer be seen."""

from __future__ import annotations

import asyncio
import contextlib

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from gemel.errors import GemelError
from gemel.server import schema as s
from gemel.server.asker import Asker
from gemel.server.desk import At, By, Desk
from gemel.server.door import closing, still
from gemel.server.looking import Hours

PUSH_S, REFRESH_S = 0.25, 5.0
"""Seconds between pushes at the least, and at the most: time alone changes a view too, and ends grants and logins."""

routes = APIRouter()


@routes.websocket("/api/twins/{twin}/live")
async def live(socket: WebSocket, twin: str, desk: At, asker: By, hours: Hours = 12) -> None:
    """Push `Push` again and again."""
    await socket.accept()
    with desk.figures.open_stream():
        pushing = asyncio.create_task(_push(socket, desk, asker, twin, hours))
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await socket.receive_text()
        pushing.cancel()
        await asyncio.gather(pushing, return_exceptions=True)


async def _push(socket: WebSocket, desk: Desk, asker: Asker, twin: str, hours: float) -> None:
    """Send the view after each change; a slow client gets the latest when it is ready for it, never a backlog."""
    sent = -1
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            version = await desk.changes.after(twin, sent, REFRESH_S)
            try:
                now = await asyncio.to_thread(_look, desk, asker, twin, hours)
            except GemelError as error:
                return await socket.close(*closing(error))
            await socket.send_text(s.Push(view=now).model_dump_json())
            sent = version
            await asyncio.sleep(PUSH_S)


def _look(desk: Desk, asker: Asker, twin: str, hours: float) -> s.View:
    still(asker)
    return desk.view(asker, twin, hours)
