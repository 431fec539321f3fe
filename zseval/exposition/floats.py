"""Floats as Go's strconv.ParseFloat reads them, less what Prometheus refuses (hexadecimal, `_`).

Python's float() also takes white space, underscores and other digits, and turns what is too large
into an infinity where Go reports an error; both are kept out here.
"""

from __future__ import annotations

import re
from math import isinf, nan

from zseval.model.number import format_g

__all__ = ["FLOAT", "normal_label_float", "parse_float"]

FLOAT = (
    rb"(?:[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
    rb"|[+-]?[iI][nN][fF](?:[iI][nN][iI][tT][yY])?|[nN][aA][nN])"
)
"""A regular expression for every float text that is taken."""

_FLOAT = re.compile(FLOAT)


def parse_float(text: bytes) -> float | None:
    """The value of `text`, or None where Prometheus reports an error."""
    if _FLOAT.fullmatch(text) is None:
        return None
    value = float(text)
    if value != value:
        return nan
    if isinf(value) and text[-1:] not in b"fFyY":
        return None  # strconv: value out of range
    return value


def normal_label_float(value: float) -> str:
    """`value` as OpenMetrics writes it in `le` and `quantile`: with a point or an exponent."""
    text = format_g(value)
    return text if any(char in text for char in ".eNI") else f"{text}.0"
