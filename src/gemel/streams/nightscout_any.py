"""Nightscout, wherever it is: files, a folder of them, or a site."""

from __future__ import annotations

from pathlib import Path
from typing import overload

from gemel.errors import BadInput
from gemel.streams.contract import Source
from gemel.streams.nightscout_json import nightscout as files
from gemel.streams.nightscout_site import NightscoutSite, nightscout_site


@overload
def nightscout(*paths: str | Path, timezone: str | None = None) -> Source: ...


@overload
def nightscout(url: str, /, *, token: str, timezone: str | None = None, every_s: float = 60.0) -> NightscoutSite: ...


@overload
def nightscout(url: str, /, *, secret: str, timezone: str | None = None, every_s: float = 60.0) -> NightscoutSite: ...


def nightscout(
    *paths: str | Path, timezone: str | None = None, token: str = "", secret: str = "", every_s: float = 60.0
) -> Source:
    """Return what Nightscout files, a folder of them, or a site (`"https://…", token=…`) say.

    The signals are `glucose`, `bolus` U, `carbs` g, `basal` U/h. *timezone* is for times and profiles that name none. A
    site can be loaded, and listened to: then it is asked every *every_s* seconds.
    """
    first = str(paths[0]) if paths else ""
    if first.startswith(("http://", "https://")):
        if len(paths) > 1:
            raise BadInput("one site at a time", field="url")
        return nightscout_site(first, token=token, secret=secret, timezone=timezone, every_s=every_s)
    if token or secret:
        raise BadInput("a token or secret opens a site: https://…; files need none", field="token")
    return files(*paths, timezone=timezone)
