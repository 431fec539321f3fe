"""When a group is due: every interval, at an offset of its own that stays the same across restarts.

Arithmetic only. Source: rules/group.go upstream (EvalTimestamp, hash).
"""

from __future__ import annotations

import hashlib

__all__ = ["last_due_ms", "next_due_ms", "offset_ms"]


def offset_ms(file: str, name: str, interval_ms: int) -> int:
    """Where in its interval a group is evaluated: spreads the groups of a node evenly."""
    digest = hashlib.blake2b(f"{file}\xff{name}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % interval_ms


def last_due_ms(now_ms: int, interval_ms: int, offset: int) -> int:
    """The latest time at or before now_ms at which the group was due."""
    return now_ms - (now_ms - offset) % interval_ms


def next_due_ms(now_ms: int, interval_ms: int, offset: int) -> int:
    """The first time after now_ms at which the group is due."""
    return last_due_ms(now_ms, interval_ms, offset) + interval_ms
