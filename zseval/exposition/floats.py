"""Floats as Go's strconv.ParseFloat reads them, less what Prometheus refuses (hexadecimal, `_`).

Python's float() also takes white space, underscores and other digits, and turns what is too large
into an infinity where Go reports an error; both are kept out here.
"""

from __future__ import annotations

import re
from math import isinf, nan

import numpy as np
import orjson

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
_NEGATIVE_ZERO = b"-0\n"  # the one number that JSON gives another sign


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


def plain_floats(lines: bytes, count: int) -> Values | None:
    """float64[count] of numbers, each with a line break after it; None where one is more, or none.

    Read as JSON, which takes half the time, where they may be: Prometheus' clients write them so.
    """
    rest = lines.translate(None, _PLAIN)
    if rest and rest.translate(None, _LETTERS):
        return None
    if not rest and _NEGATIVE_ZERO not in lines:
        try:
            numbers = orjson.loads(b"[%b]" % lines[:-1].replace(b"\n", b","))
        except orjson.JSONDecodeError:
            numbers = []
        if len(numbers) == count:
            return np.fromiter(numbers, dtype=np.float64, count=count)
    texts = lines.split(b"\n")[:-1]
    try:
        values = np.fromiter(map(float, texts), dtype=np.float64, count=count)
    except ValueError:
        return None
    odd = np.flatnonzero(~np.isfinite(values)).tolist()
    return None if any(parse_float(texts[place]) is None for place in odd) else values
