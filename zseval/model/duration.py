"""Durations: `5m`, `1h30m`, `100ms`; parsed to and printed from integer milliseconds.

Source: prometheus/common model/time.go (ParseDuration, Duration.String).
"""

from __future__ import annotations

import re

from zseval.errors import ZsevalError
from zseval.model.labels import quote

__all__ = ["UNITS_MS", "DurationError", "format_duration", "parse_duration"]

UNITS_MS = {
    "y": 365 * 24 * 3600 * 1000,
    "w": 7 * 24 * 3600 * 1000,
    "d": 24 * 3600 * 1000,
    "h": 3600 * 1000,
    "m": 60 * 1000,
    "s": 1000,
    "ms": 1,
}
_PART = re.compile(r"([0-9]+)([^0-9]+)")
_MAX_MS = (2**63 - 1) // 1_000_000  # Go's time.Duration counts nanoseconds in an int64
_LARGEST_COUNT = 2**64 - 1  # Go reads it as a uint64
_MOST_DIGITS = 21  # one more than that has, so that a longer count is too large as well


class DurationError(ZsevalError, ValueError):
    """A text that is not a duration."""


def parse_duration(text: str) -> int:
    """Milliseconds of a duration such as `1h30m`; units in descending order, each at most once.

    Raises DurationError for anything else, and where it would not fit Go's 292 years.
    """
    if text == "0":
        return 0
    if not text:
        raise DurationError("empty duration string")
    invalid = DurationError(f"not a valid duration string: {quote(text)}")
    order = list(UNITS_MS)
    total = end = 0
    while end < len(text):
        part = _PART.match(text, end)
        if part is None:
            raise invalid
        count, unit = part.groups()
        if unit not in UNITS_MS:
            raise DurationError(f"unknown unit {quote(unit)} in duration {quote(text)}")
        if unit not in order:
            raise invalid
        order = order[order.index(unit) + 1 :]
        value = int(count.lstrip("0")[:_MOST_DIGITS] or "0")  # int() itself refuses some thousand digits
        if value > _LARGEST_COUNT:
            raise invalid
        total += value * UNITS_MS[unit]
        if total > _MAX_MS:
            raise DurationError("duration out of range")
        end = part.end()
    return total


def format_duration(milliseconds: int) -> str:
    """The way Prometheus prints a duration: `0s`, `1h30m`, `1d12h`; negative ones with a leading `-`.

    Years and weeks are used only where they divide the whole: 90d rather than 12w6d.
    """
    if milliseconds == 0:
        return "0s"
    parts = ["-"] if milliseconds < 0 else []
    rest = abs(milliseconds)
    for unit, scale in UNITS_MS.items():
        exact_only = unit in ("y", "w")
        if exact_only and rest % scale:
            continue
        count, remainder = divmod(rest, scale)
        if count:
            parts.append(f"{count}{unit}")
            rest = remainder
    return "".join(parts)
