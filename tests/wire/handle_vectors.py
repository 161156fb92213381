"""Handle messages and their parts as bytes; `tests/vectors/handle.json` says whence each comes.

Captured: bytes that the Handle.Net software 9.3.1 (server or Java client) produced. Written by
hand: from the layout; "accepted" when the 9.3.1 server took them. Times are those of the capture.
"""

from __future__ import annotations

import json
from pathlib import Path

_FILE = Path(__file__).parents[1] / "vectors" / "handle.json"
_ENTRIES: dict[str, dict[str, str]] = json.loads(_FILE.read_text("utf-8"))

VECTORS: dict[str, bytes] = {name: bytes.fromhex(e["hex"]) for name, e in _ENTRIES.items()}
MESSAGES: tuple[str, ...] = tuple(
    name
    for name in _ENTRIES
    if name.endswith(("_request", "_reply", "_java", "_in_session", "_to_create", "_pbkdf2"))
    or name == "referral"
)
CLEAR_MESSAGES: tuple[str, ...] = tuple(n for n in MESSAGES if not n.startswith("encrypted"))
