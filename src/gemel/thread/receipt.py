"""Receipts: what a store did once and for all, signed with its key, to be checked by somebody who has nothing else.

A receipt is a JSON object with the fields `receipt` (its kind), `public_key` and `signature`. Signed is its kind, a line
feed, and the object without its signature as JSON with sorted names, no spaces, and all characters as they are (UTF-8).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gemel.thread.contract import Thread
from gemel.thread.signature import signature_holds

ERASURE = "gemel erasure 1"


def signed(thread: Thread, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return *body* as a receipt of the store."""
    receipt = {"receipt": kind, **body, "public_key": thread.public_key}
    return {**receipt, "signature": thread.sign(_statement(receipt))}


def receipt_holds(receipt: Mapping[str, Any], public_key: str) -> bool:
    """Return whether the store with that key (hex) signed the receipt as it is."""
    try:
        rest = {name: value for name, value in receipt.items() if name != "signature"}
        own = receipt["public_key"] == public_key
        return own and signature_holds(public_key, _statement(rest), receipt["signature"])
    except (KeyError, TypeError, ValueError):
        return False


def _statement(receipt: Mapping[str, Any]) -> bytes:
    text = json.dumps(receipt, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return f"{receipt['receipt']}\n{text}".encode()
