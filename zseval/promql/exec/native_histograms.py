"""Functions of native histograms: a number for each, beside what classic histograms give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from zseval.model.arrays import Values, is_histogram
from zseval.model.histogram import Histogram
from zseval.model.labels import METRIC_NAME
from zseval.model.labelsets import LabelSets, factorize
from zseval.promql.exec.context import Context
from zseval.promql.exec.vector import Vector, merged
from zseval.promql.kernels import histograms as kernels
from zseval.promql.kernels.histograms import Remark

__all__ = ["apart", "below", "fractions_of", "native_part", "numbers_of", "quantiles_of"]


def numbers_of(vector: Vector, number: Callable[[Histogram, tuple[int, int]], float]) -> Vector:
    """A number for each cell that is a histogram; the rest is absent. number: given it and (row, step)."""
    values = np.zeros(vector.values.shape)
    present = np.zeros(vector.values.shape, dtype=np.bool_)
    if vector.histograms is not None:
        present = is_histogram(vector.histograms)
        for row, step in np.argwhere(present).tolist():
            values[row, step] = number(vector.histograms[row, step], (row, step))
    return vector.with_values(values, present)


def native_part(vector: Vector) -> Vector | None:
    """The rows that have a histogram somewhere, without their floats; None where no row has."""
    if vector.histograms is None:
        return None
    held = is_histogram(vector.histograms)
    rows = np.flatnonzero(held.any(axis=1))
    if not len(rows):
        return None
    return vector.where(held).take(rows)


def quantiles_of(wanted: Values, vector: Vector, start: int, ctx: Context) -> Vector:
    """The quantile `wanted`, float64[K], of each histogram."""

    def number(histogram: Histogram, place: tuple[int, int]) -> float:
        value, remark = kernels.quantile(float(wanted[place[1]]), histogram)
        _tell(remark, vector, place[0], start, ctx)
        return value

    return numbers_of(vector, number)


def fractions_of(lower: Values, upper: Values, vector: Vector, start: int, ctx: Context) -> Vector:
    """The share of observations between two values, float64[K] each, of each histogram."""

    def number(histogram: Histogram, place: tuple[int, int]) -> float:
        value, remark = kernels.fraction(float(lower[place[1]]), float(upper[place[1]]), histogram)
        _tell(remark, vector, place[0], start, ctx)
        return value

    return numbers_of(vector, number)


def _tell(remark: Remark | None, vector: Vector, row: int, start: int, ctx: Context) -> None:
    if remark is None:
        return
    annotations = ctx.query.annotations
    tell = {
        Remark.NAN: annotations.quantile_is_nan,
        Remark.SKEWED: annotations.quantile_is_skewed,
        Remark.EXCLUDED: annotations.fraction_excludes_nan,
    }[remark]
    tell(_shown_name(vector, row, ctx), start)


def _shown_name(vector: Vector, row: int, ctx: Context) -> str:
    """The metric name, where it has not been dropped by the time upstream mentions it."""
    if not ctx.query.delayed_names:
        return ""
    return ctx.query.symbols.text(int(vector.labels.column(METRIC_NAME)[row]))


def apart(native: Vector, classic: Vector, start: int, ctx: Context) -> tuple[Vector, Vector]:
    """Both without the cells at which a native and a classic histogram have the same labels: a warning each.

    classic: values of classic histograms, under labels without `le`.
    """
    names = tuple(sorted({*native.labels.names, *classic.labels.names}))
    ids = factorize(np.concatenate([native.labels.aligned(names), classic.labels.aligned(names)], axis=1)).ids
    mine, theirs = ids[: len(native.labels)], ids[len(native.labels) :]
    left, right = native.mask().copy(), classic.mask().copy()
    for row in np.flatnonzero(np.isin(mine, theirs)).tolist():
        for other in np.flatnonzero(theirs == mine[row]).tolist():
            both = left[row] & right[other]
            if both.any():
                name = _shown_name(native, row, ctx)
                ctx.query.annotations.mixed_classic_and_native(name, start)
                left[row] &= ~both
                right[other] &= ~both
    return native.where(left), classic.where(right)


def below(first: Vector, second: Vector, ctx: Context) -> Vector:
    """The rows of two float vectors; equal labels become one row."""
    query = ctx.query
    joined = LabelSets.concat([first.labels, second.labels])
    labels = LabelSets(joined.names, joined.codes, query.symbols_of(first.labels, second.labels))
    drop = None
    if first.drop_name is not None and second.drop_name is not None:
        drop = np.concatenate([first.drop_name, second.drop_name])
    values = np.concatenate([first.values, second.values])
    made = Vector(labels, values, np.concatenate([first.mask(), second.mask()]), drop)
    return merged(replace(made), ctx)
