"""histogram_quantile and histogram_fraction of classic histograms.

The series of one histogram differ in `le` only. Histograms with the same bucket bounds are worked on
together as [G, B, K]; which rows form them is label work, done once per label sets.
Source: promql/functions.go (funcHistogramQuantile, funcHistogramFraction), engine.go (resetHistograms).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zseval.model.arrays import Mask, Rows, Values
from zseval.model.labels import METRIC_NAME
from zseval.model.labelsets import LabelSets
from zseval.model.number import format_g
from zseval.promql.annotations import ForcedMonotonicity
from zseval.promql.exec.context import Context
from zseval.promql.exec.native_histograms import apart, below, fractions_of, native_part, quantiles_of
from zseval.promql.exec.vector import Vector, drop_names, merged
from zseval.promql.kernels import buckets

__all__ = ["histogram_fraction", "histogram_quantile", "histogram_quantiles"]

BUCKET_LABEL = "le"
_FLOAT = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf(?:inity)?|nan)\Z", re.ASCII | re.IGNORECASE
)
_HEX_FLOAT = re.compile(
    r"[+-]?0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)p[+-]?[0-9]+\Z", re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """Histograms with the same bounds: float64[B], increasing.  rows: intp[G, B].  groups: intp[G]."""

    bounds: Values
    rows: Rows
    groups: Rows


@dataclass(frozen=True, slots=True, eq=False)
class _Histograms:
    """labels: of the G histograms, without `le`.  malformed: rows whose `le` is no number."""

    labels: LabelSets
    layouts: tuple[_Layout, ...]
    malformed: Rows


def histogram_quantile(wanted: Values, vector: Vector, start: int, ctx: Context) -> Vector:
    """The quantile `wanted` (float64[K]) of each histogram. start: where the vector stands in the text."""
    native = native_part(vector)
    classic = _quantile(wanted, vector.floats(), start, ctx)
    if native is None:
        return drop_names(classic, ctx)
    native, classic = apart(native, classic, start, ctx)
    return below(drop_names(quantiles_of(wanted, native, start, ctx), ctx), drop_names(classic, ctx), ctx)


def histogram_quantiles(
    vector: Vector, label: str, wanted: Sequence[Values], start: int, ctx: Context
) -> Vector:
    """Several quantiles at once, told apart by `label`."""
    parts = []
    native = native_part(vector)
    for each in wanted:
        found = _quantile(each, vector.floats(), start, ctx)
        if native is not None:
            left, found = apart(native, found, start, ctx)
            parts.extend(_labelled(quantiles_of(each, left, start, ctx), label, each, ctx))
        parts.extend(_labelled(found, label, each, ctx))
    labels = LabelSets.concat([part.labels for part in parts])
    values = np.concatenate([part.values for part in parts])
    present = np.concatenate([part.mask() for part in parts])
    marks = [part.drop_name for part in parts if part.drop_name is not None]
    drop = np.concatenate(marks) if len(marks) == len(parts) else None
    return merged(drop_names(Vector(labels, values, present, drop), ctx), ctx)


def _labelled(vector: Vector, label: str, wanted: Values, ctx: Context) -> list[Vector]:
    """The vector once for each distinct quantile, present at the steps that ask for it."""
    parts = []
    for value in np.unique(wanted).tolist():  # one NaN for all
        at = np.isnan(wanted) if np.isnan(value) else wanted == value
        labels = vector.labels.with_column(label, ctx.query.symbols.intern(_open_metrics_float(value)))
        labels = LabelSets(labels.names, labels.codes, ctx.query.symbols)
        parts.append(Vector(labels, vector.values, vector.mask() & at, vector.drop_name))
    return parts


def _open_metrics_float(value: float) -> str:
    """`1.0`, `0.5`, `1e-10`, `+Inf`: numbers have a point or an exponent (model/labels/float.go)."""
    text = format_g(value) if value else "0.0"
    return text if any(char in text for char in "e.NI") else f"{text}.0"


def _quantile(wanted: Values, vector: Vector, start: int, ctx: Context) -> Vector:
    found = _histograms(vector, start, ctx)
    values, present = _blank(len(found.labels), ctx)
    for layout in found.layouts:
        counts, mask = _buckets(vector, layout)
        result = buckets.bucket_quantile(wanted, layout.bounds, counts, mask)
        values[layout.groups] = result.values
        present[layout.groups] = True if mask is None else mask.any(axis=1)
        if result.forced is not None:
            _note_forced(result, found.labels.take(layout.groups), start, ctx)
    return Vector(found.labels, values, present)


def _note_forced(result: buckets.BucketQuantiles, labels: LabelSets, start: int, ctx: Context) -> None:
    """An info for each metric whose buckets were made monotonic, with the extent of that."""
    forced, lowest, highest, largest = result.forced, result.lowest, result.highest, result.largest
    assert forced is not None, "the caller asks only where something was forced"
    assert lowest is not None, "the kernel gives the extent of what it forced"
    assert highest is not None, "the kernel gives the extent of what it forced"
    assert largest is not None, "the kernel gives the extent of what it forced"
    rows = np.flatnonzero(np.asarray(forced.any(axis=1)))
    codes = labels.column(METRIC_NAME) if ctx.query.delayed_names else np.zeros(len(labels), dtype=np.int32)
    times = ctx.steps.times
    for code in dict.fromkeys(codes[rows].tolist()):
        mine = forced & (codes == code)[:, np.newaxis]
        steps = times[np.asarray(mine.any(axis=0))]
        extent = ForcedMonotonicity(
            int(steps[0]),
            int(steps[-1]),
            float(lowest[mine].min()),
            float(highest[mine].max()),
            float(largest[mine].max()),
            int(np.count_nonzero(mine)),
        )
        ctx.query.annotations.forced_monotonicity(ctx.query.symbols.text(code), start, extent)


def histogram_fraction(lower: Values, upper: Values, vector: Vector, start: int, ctx: Context) -> Vector:
    """The share of observations between `lower` and `upper` (float64[K]) of each histogram."""
    native = native_part(vector)
    classic = _fraction(lower, upper, vector.floats(), start, ctx)
    if native is None:
        return drop_names(classic, ctx)
    native, classic = apart(native, classic, start, ctx)
    found = fractions_of(lower, upper, native, start, ctx)
    return below(drop_names(found, ctx), drop_names(classic, ctx), ctx)


def _fraction(lower: Values, upper: Values, vector: Vector, start: int, ctx: Context) -> Vector:
    found = _histograms(vector, start, ctx)
    values, present = _blank(len(found.labels), ctx)
    for layout in found.layouts:
        counts, mask = _buckets(vector, layout)
        values[layout.groups] = buckets.bucket_fraction(lower, upper, layout.bounds, counts, mask)
        present[layout.groups] = True if mask is None else mask.any(axis=1)
    return Vector(found.labels, values, present)


def _blank(count: int, ctx: Context) -> tuple[Values, Mask]:
    shape = (count, ctx.steps.count)
    return np.zeros(shape), np.zeros(shape, dtype=np.bool_)


def _buckets(vector: Vector, layout: _Layout) -> tuple[Values, Mask | None]:
    """[G, B, K]: cumulative counts, and where a bucket has a sample (None where all have)."""
    present = None if vector.present is None else vector.present[layout.rows]
    return vector.values[layout.rows], None if present is None or present.all() else present


def _histograms(vector: Vector, start: int, ctx: Context) -> _Histograms:
    query, labels = ctx.query, vector.labels
    found = query.remember((labels,), "histograms", lambda: _find(labels, ctx))
    if len(found.malformed):
        _warn_of_labels(vector, found.malformed[vector.rows_present()[found.malformed]], start, ctx)
    return found


def _warn_of_labels(vector: Vector, rows: Rows, start: int, ctx: Context) -> None:
    symbols = ctx.query.symbols
    names = vector.labels.column(METRIC_NAME)[rows].tolist()
    bounds = vector.labels.column(BUCKET_LABEL)[rows].tolist()
    for name, bound in dict.fromkeys(zip(names, bounds, strict=True)):
        shown = symbols.text(name) if ctx.query.delayed_names else ""
        ctx.query.annotations.bad_bucket_label(shown, symbols.text(bound), start)


def _find(labels: LabelSets, ctx: Context) -> _Histograms:
    """The histograms among these series, by their bounds."""
    unique, inverse = np.unique(labels.column(BUCKET_LABEL), return_inverse=True)
    parsed = [_parse_bound(ctx.query.symbols.text(int(code))) for code in unique]
    valid = np.array([bound is not None for bound in parsed], dtype=np.bool_)[inverse]
    bounds = np.array([0.0 if bound is None else bound for bound in parsed])[inverse]
    rows = np.flatnonzero(valid)
    used = labels.take(rows).drop((BUCKET_LABEL,))
    groups = used.group()
    order = np.lexsort((bounds[rows], groups.ids))
    starts = np.searchsorted(groups.ids[order], np.arange(groups.count))
    by_bounds: dict[bytes, list[int]] = {}
    members = np.split(rows[order], starts[1:]) if groups.count else []
    for group, group_rows in enumerate(members):
        by_bounds.setdefault(bounds[group_rows].tobytes(), []).append(group)
    layouts = tuple(
        _Layout(
            np.frombuffer(key, dtype=np.float64),
            np.stack([members[group] for group in found]),
            np.array(found, dtype=np.intp),
        )
        for key, found in by_bounds.items()
    )
    return _Histograms(used.take(groups.first), layouts, np.flatnonzero(~valid))


def _parse_bound(text: str) -> float | None:
    """As Go's ParseFloat; None where it fails."""
    if _FLOAT.match(text):
        value = float(text)
        return None if value in (np.inf, -np.inf) and "n" not in text.lower() else value  # out of range
    return float.fromhex(text) if _HEX_FLOAT.match(text) else None
