"""The notation of histograms in test scripts: `{{schema:0 sum:5 count:4 buckets:[1 2 1]}}`.

Source: promql/parser/parse.go (buildHistogramFromMap) and FloatHistogram.TestExpression upstream.
"""

from __future__ import annotations

import re

import numpy as np

from zseval.model.histogram.buckets import Buckets
from zseval.model.histogram.histogram import CounterReset, Histogram, InvalidHistogramError
from zseval.model.number import format_g

__all__ = ["parse_histogram", "to_expression"]

_WHOLE = re.compile(r"\{\{(.*)\}\}\Z", re.DOTALL)
_ITEM = re.compile(r"\s*([a-z_]+):(\[[^\]]*\]|[^\s\[\]]+)(?=\s|\Z)")
_NUMBERS = frozenset({"sum", "count", "z_bucket", "z_bucket_w"})
_INTEGERS = frozenset({"schema", "offset", "n_offset"})
_LISTS = frozenset({"buckets", "n_buckets", "custom_values"})
_HINT = "counter_reset_hint"


def parse_histogram(text: str) -> Histogram:
    """Raises InvalidHistogramError."""
    whole = _WHOLE.match(text.strip())
    if whole is None:
        raise InvalidHistogramError(f"a histogram stands in {{{{ }}}}: {text}")
    numbers: dict[str, float] = {}
    integers: dict[str, int] = {}
    lists: dict[str, list[float]] = {}
    hint, rest = CounterReset.UNKNOWN, whole.group(1).rstrip()
    try:
        while rest:
            item = _ITEM.match(rest)
            if item is None:
                raise InvalidHistogramError(f"bad histogram descriptor: {rest.strip()}")
            key, value = item.groups()
            rest = rest[item.end() :]
            if key in _NUMBERS:
                numbers[key] = _number(value)
            elif key in _INTEGERS:
                integers[key] = int(value)
            elif key in _LISTS and value.startswith("["):
                lists[key] = [_number(each) for each in value[1:-1].split()]
            elif key == _HINT:
                hint = CounterReset(value)
            else:
                raise InvalidHistogramError(f"unknown histogram descriptor: {key}:{value}")
    except ValueError as error:
        raise InvalidHistogramError(f"bad histogram descriptor in {text}: {error}") from error
    return Histogram(
        schema=integers.get("schema", 0),
        zero_threshold=numbers.get("z_bucket_w", 0.0),
        zero_count=numbers.get("z_bucket", 0.0),
        count=numbers.get("count", 0.0),
        sum=numbers.get("sum", 0.0),
        positive=Buckets.of(lists.get("buckets", ()), integers.get("offset", 0)),
        negative=Buckets.of(lists.get("n_buckets", ()), integers.get("n_offset", 0)),
        custom_values=tuple(lists.get("custom_values", ())),
        counter_reset=hint,
    )


def _number(text: str) -> float:
    return float(int(text, 16)) if "x" in text.lower() else float(text)


def to_expression(histogram: Histogram) -> str:
    """What parses to the histogram, its empty buckets apart."""
    parts = []
    if histogram.schema != 0:
        parts.append(f"schema:{histogram.schema}")
    named = (
        ("count", histogram.count),
        ("sum", histogram.sum),
        ("z_bucket", histogram.zero_count),
        ("z_bucket_w", histogram.zero_threshold),
    )
    parts += [f"{name}:{format_g(value)}" for name, value in named if value != 0]
    if histogram.is_custom:
        parts.append(f"custom_values:{_list(histogram.custom_values)}")
    if histogram.counter_reset is not CounterReset.UNKNOWN:
        parts.append(f"{_HINT}:{histogram.counter_reset.value}")
    parts += _side("buckets", "offset", histogram.positive)
    parts += _side("n_buckets", "n_offset", histogram.negative)
    return "{{" + " ".join(parts) + "}}"


def _side(name: str, offset_name: str, side: Buckets) -> list[str]:
    side = side.compact()
    if not len(side):
        return []
    first, last = int(side.indices[0]), int(side.indices[-1])
    filled = side.at(np.arange(first, last + 1, dtype=np.int32))
    offset = [f"{offset_name}:{first}"] if first else []
    return [*offset, f"{name}:{_list(filled.tolist())}"]


def _list(numbers: tuple[float, ...] | list[float]) -> str:
    return f"[{' '.join(map(format_g, numbers))}]"
