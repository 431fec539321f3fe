"""Floats as Go's strconv.ParseFloat reads them, less what Prometheus refuses (hexadecimal, `_`).

Python's float() also takes white space, underscores and other digits, and turns what is too large
into an infinity where Go reports an error; both are kept out here.
"""

from __future__ import annotations

import re
from math import isinf, nan

import numpy as np

from zseval.model.arrays import Values
from zseval.model.number import format_g

__all__ = ["FLOAT", "normal_label_float", "parse_float", "plain_floats"]

FLOAT = (
    rb"(?:[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
    rb"|[+-]?[iI][nN][fF](?:[iI][nN][iI][tT][yY])?|[nN][aA][nN])"
)
"""A regular expression for every float text that is taken."""

_FLOAT = re.compile(FLOAT)
# Of these characters float() makes what strconv.ParseFloat makes, but for signed NaNs and what is too large;
# neither comes out finite.
_PLAIN = b"0123456789.eE+-\n"
_LETTERS = b"nNaAiIfFtTyY"


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


def plain_floats(tails: list[bytes]) -> Values | None:
    """float64[N] of tails that are numbers and nothing else; None where one is more, or wrong."""
    rest = b"\n".join(tails).translate(None, _PLAIN)
    if rest and rest.translate(None, _LETTERS):
        return None
    try:
        values = np.fromiter(map(float, tails), dtype=np.float64, count=len(tails))
    except ValueError:
        return None
    finite = np.isfinite(values)
    if not finite.all():
        odd = np.flatnonzero(~finite).tolist()
        return None if any(parse_float(tails[place]) is None for place in odd) else values
    return values
