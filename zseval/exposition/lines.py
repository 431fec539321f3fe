"""Single lines of the usual shape, read by regular expressions: where a series ends and a value starts.

What these patterns take is a subset of both text formats; whatever they do not take goes to the strict
parsers, so they are free to be simple.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from zseval.exposition import openmetrics, text
from zseval.exposition.entries import Description, DescriptionKind, Exemplar
from zseval.exposition.floats import FLOAT, parse_float
from zseval.exposition.openmetrics import timestamp_ms
from zseval.exposition.parser import unescaped_label
from zseval.model.labels import METRIC_NAME

__all__ = [
    "Tail",
    "head_end",
    "openmetrics_description",
    "openmetrics_tail",
    "text_description",
    "text_tail",
    "usual_labels",
]

Tail = tuple[float, int | None, Exemplar | None]
"""Value, timestamp in ms, exemplar."""

_HEAD = re.compile(
    rb'[a-zA-Z_:][a-zA-Z0-9_:]*+(?:\{(?:[a-zA-Z_][a-zA-Z0-9_]*+="[^"\\\x00]*+"(?:,|(?=\})))*+\})? '
)
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="([^"\\]*)"')
_TEXT_TAIL = re.compile(rb"[ \t]*(" + FLOAT + rb")(?:[ \t]+([0-9]{1,18}))?[ \t]*")
_OPENMETRICS_TAIL = re.compile(rb"(" + FLOAT + rb")(?: (" + FLOAT + rb"))?")


def head_end(line: bytes) -> int:
    """Where the value starts after a series of the usual shape and one space; 0 where it is not usual."""
    match = _HEAD.match(line)
    return match.end() if match is not None else 0


def usual_labels(head: bytes) -> list[tuple[str, str]] | None:
    """The labels of a series of the usual shape, the name first; None where it is not usual.

    head: the series and the space after it.
    """
    match = _HEAD.match(head)
    if match is None or match.end() != len(head):
        return None
    try:
        series = head.decode("utf-8")
    except UnicodeDecodeError:
        return None
    name, brace, rest = series.partition("{")
    if not brace:
        return [(METRIC_NAME, series[:-1])]
    return [(METRIC_NAME, name), *_LABEL.findall(rest)]


def text_tail(tail: bytes) -> Tail | None:
    """What follows a series in the text format; None where it is not that."""
    match = _TEXT_TAIL.fullmatch(tail)
    if match is None:
        return None
    value = parse_float(match.group(1))
    if value is None:
        return None
    timestamp = match.group(2)
    return value, None if timestamp is None else int(timestamp), None


def openmetrics_tail(tail: bytes) -> Tail | None:
    """The same in OpenMetrics; an exemplar is not usual."""
    match = _OPENMETRICS_TAIL.fullmatch(tail)
    if match is None:
        return None
    value = parse_float(match.group(1))
    if value is None:
        return None
    if match.group(2) is None:
        return value, None, None
    seconds = parse_float(match.group(2))
    if seconds is None or seconds - seconds != 0:
        return None
    return value, timestamp_ms(seconds), None


_DESCRIPTION = re.compile(rb"# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*+) ([^\x00]*)")


def _description(line: bytes, types: Collection[str], unescaped: Callable[[str], str]) -> Description | None:
    match = _DESCRIPTION.fullmatch(line)
    if match is None:
        return None
    try:
        kind, family, text = (part.decode("utf-8") for part in match.groups())
    except UnicodeDecodeError:
        return None
    if kind == "HELP":
        return Description(DescriptionKind.HELP, family, unescaped(text) if "\\" in text else text, 0)
    return Description(DescriptionKind.TYPE, family, text, 0) if text in types else None


def text_description(line: bytes) -> Description | None:
    """A HELP or TYPE line of the usual shape in the text format; None where it is not that."""
    return _description(line, text.TYPES, text.unescaped_help)


def openmetrics_description(line: bytes) -> Description | None:
    """The same in OpenMetrics."""
    return _description(line, openmetrics.TYPES, unescaped_label)
