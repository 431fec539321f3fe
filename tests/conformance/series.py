"""Series descriptions of test scripts: `metric{a="b"} 1+2x3 _ stale`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from zseval.model.duration import parse_duration
from zseval.model.histogram import Histogram
from zseval.model.labels import METRIC_NAME, Labels
from zseval.model.staleness import STALE_NAN

__all__ = [
    "Expected",
    "ScriptError",
    "Value",
    "parse_labels",
    "parse_number",
    "parse_series",
    "parse_starts",
]


class ScriptError(Exception):
    """A script that does not follow the format."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A native histogram; hinted: the script says something of counter resets."""

    value: Histogram
    hinted: bool


Value = float | Expected | None
"""A point of a series: a number, a native histogram, or nothing (`_`)."""

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`')
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))"
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_DECIMAL = r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[iI][nN][fF]|[nN][aA][nN])"
_DURATION = r"(?:[0-9]+(?:ms|[smhdwy]))+|0"
_START = re.compile(rf"([+-]?)({_DURATION})(?:([+-])({_DURATION}))?(?:x([0-9]+))?\Z")
_HEX = re.compile(r"[+-]?0[xX][0-9a-fA-F]+")
# In a series there is no hexadecimal: `0x59` is 0, and 59 times again.
_ITEM = re.compile(rf"(?P<base>{_DECIMAL}|stale|_)(?P<delta>[+-]{_DECIMAL})?(?:x(?P<times>[0-9]+))?\Z")


def unquote(text: str) -> str:
    """The value of a Go string literal."""
    body = text[1:-1]
    if text[0] == "`":
        return body

    def value(match: re.Match[str]) -> str:
        simple, *codes = match.groups()
        if simple:
            return _SIMPLE.get(simple, simple)
        digits = next(code for code in codes if code)
        return chr(int(digits, 8 if codes[1] else 16))

    return _ESCAPE.sub(value, body)


def parse_labels(text: str) -> tuple[Labels, str]:
    """The label set at the start of a text, and what follows it."""
    labels: dict[str, str] = {}
    rest = text.strip()
    name = _NAME.match(rest)
    if name:
        labels[METRIC_NAME] = name.group()
        rest = rest[name.end() :]
    if not rest.startswith("{") or rest.startswith("{{"):
        return Labels(labels), rest.strip()
    rest = rest[1:].lstrip()
    while not rest.startswith("}"):
        key = _STRING.match(rest) or _NAME.match(rest)
        if key is None:
            raise ScriptError(f"bad label set: {text}")
        label = unquote(key.group()) if key.group()[0] in "\"'`" else key.group()
        rest = rest[key.end() :].lstrip()
        if rest.startswith("="):
            value = _STRING.match(rest[1:].lstrip())
            if value is None:
                raise ScriptError(f"bad label value: {text}")
            labels[label] = unquote(value.group())
            rest = rest[1:].lstrip()[value.end() :].lstrip()
        else:
            labels[METRIC_NAME] = label
        rest = rest.removeprefix(",").lstrip()
    return Labels(labels), rest[1:].strip()


def parse_number(text: str) -> float:
    """As Go's ParseInt with base 0, or ParseFloat."""
    if _HEX.fullmatch(text):
        return float(int(text, 16))
    if not re.fullmatch(_DECIMAL, text):
        raise ScriptError(f"bad number: {text}")
    return float(text)


def parse_series(line: str) -> tuple[Labels, list[Value]]:
    """The labels and points of one line of a script."""
    labels, rest = parse_labels(line)
    values: list[Value] = []
    for item in _items(rest):
        values.extend(_histograms(item) if item.startswith("{{") else _points(item))
    return labels, values


def _items(text: str) -> list[str]:
    """Split at spaces, but not inside `{{…}}`."""
    return re.findall(r"\{\{.*?\}\}\S*?(?:\{\{.*?\}\}\S*)?(?=\s|\Z)|\S+", text)


_HISTOGRAMS = re.compile(r"(\{\{.*?\}\})(?:([+-])(\{\{.*?\}\}))?(?:x([0-9]+))?\Z")


def _histograms(item: str) -> list[Value]:
    match = _HISTOGRAMS.match(item)
    if match is None:
        raise ScriptError(f"bad histogram: {item}")
    base, sign, step, times = match.groups()
    value = Histogram.parse(base)
    count = int(times or 0)
    if step is None:
        return [Expected(value, "counter_reset_hint" in base)] * (count + 1)
    change, hinted = Histogram.parse(step), "counter_reset_hint" in step
    values: list[Value] = [Expected(value, hinted)]
    for _ in range(count):
        value = value + change if sign == "+" else value - change
        values.append(Expected(value, hinted))
    return values


def _points(item: str) -> list[Value]:
    match = _ITEM.match(item)
    if match is None:
        raise ScriptError(f"bad sample: {item}")
    base, delta, times = match.group("base", "delta", "times")
    if base == "_":
        return [None] * int(times or 1)
    first = STALE_NAN if base == "stale" else parse_number(base)
    count = int(times or 0)
    if delta is None:
        return [first] * (count + 1)
    step = parse_number(delta)
    values: list[Value] = [first]
    for _ in range(count):
        first += step
        values.append(first)
    return values


def parse_starts(line: str) -> tuple[Labels, list[float | None]]:
    """The labels and offsets (ms) of a line of start times: `metric@st -1m -30s+1sx3 _`."""
    series, rest = re.split(r"@st\s+", line, maxsplit=1)
    offsets: list[float | None] = []
    for item in rest.split():
        if item.startswith("_"):
            offsets += [None] * int(item[2:] or 1)
            continue
        match = _START.match(item)
        if match is None:
            raise ScriptError(f"bad start time: {item}")
        sign, base, step_sign, step, times = match.groups()
        first, each = _signed(sign, base), _signed(step_sign or "+", step or "0")
        offsets += [first + index * each for index in range(int(times or 0) + 1)]
    return parse_labels(series)[0], offsets


def _signed(sign: str, duration: str) -> float:
    milliseconds = 0 if duration == "0" else parse_duration(duration)
    return float(-milliseconds if sign == "-" else milliseconds)
