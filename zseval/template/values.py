"""What a template works on: Go's values, as Python ones that remember their Go type.

int is Go's int, float float64, str string, bool bool, complex complex128, None nil. The rest is here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from zseval.template.gotime import Duration, Month, Time, Weekday

__all__ = [
    "AlertData",
    "AnyMap",
    "Html",
    "Int64",
    "Map",
    "QueryResult",
    "Sample",
    "StringMap",
    "Uint8",
    "Value",
    "has_contents",
    "is_truth",
    "type_name",
]


class Int64(int):
    """Go's int64, as methods of times give it."""


class Uint8(int):
    """Go's byte: what indexing a string gives."""


class Html(str):
    """Go's template.HTML: text that safeHtml marked."""


class StringMap(dict[str, str]):
    """map[string]string; a missing key reads as ""."""


class AnyMap(dict[str, "Value"]):
    """map[string]any; a missing key reads as nil."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A pointer to one element of a query's result."""

    labels: StringMap
    value: float


class QueryResult(list[Sample]):
    """What the function `query` gives."""


@dataclass(frozen=True, slots=True)
class AlertData:
    """What `.` is in the labels and annotations of an alert."""

    labels: StringMap = field(default_factory=StringMap)
    external_labels: StringMap = field(default_factory=StringMap)
    external_url: str = ""
    value: float = 0.0


Map: TypeAlias = StringMap | AnyMap
Value: TypeAlias = (
    bool
    | int
    | float
    | complex
    | str
    | StringMap
    | AnyMap
    | Sample
    | QueryResult
    | AlertData
    | Time
    | Duration
    | Month
    | Weekday
    | None
)

_TYPE_NAMES: dict[type, str] = {
    type(None): "<nil>",
    bool: "bool",
    int: "int",
    Int64: "int64",
    Uint8: "uint8",
    float: "float64",
    complex: "complex128",
    str: "string",
    Html: "template.HTML",
    StringMap: "map[string]string",
    AnyMap: "map[string]interface {}",
    Sample: "*template.sample",
    QueryResult: "template.queryResult",
    AlertData: "struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string;"
    " Value interface {} }",
    Month: "time.Month",
    Weekday: "time.Weekday",
}


def type_name(value: Value) -> str:
    """The Go type of a value, as `%T` prints it."""
    if isinstance(value, Time | Duration):
        kind = "time.Time" if isinstance(value, Time) else "time.Duration"
        return f"*{kind}" if value.is_pointer else kind
    return _TYPE_NAMES[type(value)]


def is_truth(value: Value) -> bool:
    """Go's truth: not nil, false, 0, "" or an empty map or list."""
    if value is None or isinstance(value, bool | int | float | complex | str | dict | list):
        return bool(value)
    return value.is_pointer or value.nanoseconds != 0 if isinstance(value, Duration) else True


def has_contents(value: Value) -> bool:
    """Whether a value is a list, map or string, so that it has a length."""
    return isinstance(value, str | dict | list)
