"""Floats as Go and Prometheus write them.

`strconv.FormatFloat` gives the shortest digits that read back to the same float64, as Python's
`repr` does; only the layout of exponent and point differs, and that is what is done here.
"""

from __future__ import annotations

from math import inf, isnan

__all__ = ["format_e", "format_f", "format_fixed", "format_g", "format_sample"]

_G_LARGEST_EXPONENT = 6  # strconv decides the layout of shortest digits as if 6 were asked for


def _special(value: float) -> str | None:
    if isnan(value):
        return "NaN"
    if value == inf:
        return "+Inf"
    if value == -inf:
        return "-Inf"
    return None


def _digits(value: float) -> tuple[str, str, int]:
    """(sign, digits, exponent): value == sign 0.digits * 10**exponent; shortest digits."""
    text = repr(value)
    sign = "-" if text[0] == "-" else ""
    mantissa, _, exponent = text.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0)
    point -= len(whole + fraction) - len(digits)
    digits = digits.rstrip("0")
    return (sign, digits, point) if digits else (sign, "0", 1)


def format_f(value: float) -> str:
    """As `FormatFloat(v, 'f', -1, 64)`: never an exponent. 1e21 is `1000000000000000000000`."""
    special = _special(value)
    if special:
        return special
    sign, digits, point = _digits(value)
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    if point >= len(digits):
        return f"{sign}{digits}{'0' * (point - len(digits))}"
    return f"{sign}{digits[:point]}.{digits[point:]}"


def format_fixed(value: float, places: int) -> str:
    """As Go's `%.<places>f`: `1.500`; not the shortest digits."""
    return _special(value) or f"{value:.{places}f}"


def format_e(value: float, precision: int = -1) -> str:
    """As `FormatFloat(v, 'e', precision, 64)`: `1e+06`, `1.5e-07`; precision -1 is the shortest."""
    special = _special(value)
    if special:
        return special
    if precision >= 0:
        return f"{value:.{precision}e}"
    sign, digits, point = _digits(value)
    exponent = point - 1 if digits != "0" else 0
    mantissa = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else digits
    return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def format_g(value: float) -> str:
    """As `FormatFloat(v, 'g', -1, 64)` and Go's `%v`: an exponent below 1e-4 and from 1e+06 on."""
    special = _special(value)
    if special:
        return special
    exponent = _digits(value)[2] - 1
    if value != 0 and (exponent < -4 or exponent >= _G_LARGEST_EXPONENT):
        return format_e(value)
    return format_f(value)


def format_sample(value: float) -> str:
    """As in the HTTP API's JSON: an exponent below 1e-6 and from 1e21 on (util/jsonutil)."""
    magnitude = abs(value)
    if magnitude != 0 and (magnitude < 1e-6 or magnitude >= 1e21) and magnitude != inf:
        return format_e(value)
    return format_f(value)
