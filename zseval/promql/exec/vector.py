"""Vector: the value of an expression at all steps at once, and what every operator does with one.

A row is a series, a column a step. Rows without any sample stay until the end of the query: label
work is then the same at every evaluation. Two rows may carry equal labels only where no step has
both; `merged` joins those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from zseval.model.arrays import Histograms, Mask, Rows, Values, is_histogram, no_histograms, only_where
from zseval.model.labels import METADATA_LABELS
from zseval.model.labelsets import Grouping, LabelSets
from zseval.model.segments import reduce_segments
from zseval.promql.errors import EvaluationError
from zseval.promql.exec.context import Context, Query

__all__ = [
    "SAME_LABELSET",
    "Runs",
    "Vector",
    "drop_names",
    "joined_histograms",
    "mask_and",
    "merged",
    "relabelled",
    "without_names",
]

SAME_LABELSET = "vector cannot contain metrics with the same labelset"


@dataclass(slots=True, eq=False)  # not frozen: that takes three times as long to make, and many are made
class Vector:
    """labels: S of them.  values: float64[S, K].  present: bool[S, K], or None where all are.

    drop_name: bool[S], whose metric name goes at the end of the query (delayed name removal), or None.
    histograms: object[S, K], the native histogram of each present cell that is one, None in the others;
    or None where there are none at all, which is what float paths look for.
    Nothing in it may be written to; values under an absent cell mean nothing.
    A scalar is one row without labels, present everywhere.
    """

    labels: LabelSets
    values: Values
    present: Mask | None = None
    drop_name: Mask | None = None
    histograms: Histograms | None = None

    @classmethod
    def scalar(cls, values: Values, query: Query) -> Vector:
        """A scalar of float64[K]."""
        return cls(query.no_labels(), values[np.newaxis, :])

    @property
    def size(self) -> int:
        return int(self.values.size)

    @property
    def row(self) -> Values:
        """float64[K]: the value of a scalar."""
        only: Values = self.values[0]
        return only

    def mask(self) -> Mask:
        """bool[S, K]; read-only where everything is present."""
        if self.present is not None:
            return self.present
        return np.broadcast_to(np.True_, self.values.shape)

    def rows_present(self) -> Mask:
        """bool[S]: series that have a sample at some step."""
        if self.present is None:
            return np.full(len(self.labels), self.values.shape[1] > 0)
        return np.asarray(self.present.any(axis=1))

    def take(self, rows: Rows) -> Vector:
        """The rows at these positions, in this order; itself where that is all of them as they are."""
        if len(rows) == len(self.labels) and np.array_equal(rows, np.arange(len(rows))):
            return self
        return Vector(
            self.labels.take(rows),
            self.values[rows],
            None if self.present is None else self.present[rows],
            None if self.drop_name is None else self.drop_name[rows],
            None if self.histograms is None else self.histograms[rows],
        )

    def with_values(self, values: Values, present: Mask | None) -> Vector:
        """With other values, all of them floats."""
        return Vector(self.labels, values, present, self.drop_name)

    def under(self, labels: LabelSets) -> Vector:
        """The same samples of as many other series."""
        if labels is self.labels:
            return self
        return Vector(labels, self.values, self.present, self.drop_name, self.histograms)

    def where(self, present: Mask | None) -> Vector:
        """With fewer cells present."""
        if self.histograms is None:
            return Vector(self.labels, self.values, present, self.drop_name)
        if present is None:
            return replace(self, present=None)
        return replace(self, present=present, histograms=only_where(present, self.histograms))

    def floats(self) -> Vector:
        """Without the cells that are histograms; itself where there are none."""
        if self.histograms is None:
            return self
        return self.with_values(self.values, self.mask() & ~is_histogram(self.histograms))


def joined_histograms(parts: Sequence[Vector]) -> Histograms | None:
    """object[S, K]: those of several vectors, one below the other; None where there are none."""
    if all(part.histograms is None for part in parts):
        return None
    blank = [no_histograms(part.values.shape) for part in parts]
    return np.concatenate(
        [
            empty if part.histograms is None else part.histograms
            for part, empty in zip(parts, blank, strict=True)
        ]
    )


def mask_and(left: Mask | None, right: Mask | None) -> Mask | None:
    """Present in both; None means everywhere."""
    if left is None:
        return right
    return left if right is None else left & right


def without_names(labels: LabelSets, query: Query) -> LabelSets:
    """The label sets without metric names (and types and units), remembered."""
    if not any(name in labels.names for name in METADATA_LABELS):
        return labels
    return query.remember((labels,), "without_name", labels.without_name)


def relabelled(vector: Vector, node: object, ctx: Context, make: Callable[[], Vector]) -> Vector:
    """`make()`, which puts the vector under other labels, whatever its samples are.

    Where nothing had to be joined for that, `node` takes a note of the labels.
    """
    notes, labels = ctx.query.notes, vector.labels
    note = notes.get(id(node))
    if note is not None and note[0] is labels and vector.drop_name is None:
        return vector.under(note[1])
    result = make()
    if result.values is vector.values and result.drop_name is None:
        notes[id(node)] = labels, result.labels
    return result


def drop_names(vector: Vector, ctx: Context, node: object = None) -> Vector:
    """The vector as it leaves a function or operator that changes what a metric means.

    Names go at once, or are marked to go at the end of the query. node: what may take a note of it.
    Raises EvaluationError where two series of one step become the same.
    """
    query = ctx.query
    if query.delayed_names:
        return replace(vector, drop_name=np.ones(len(vector.labels), dtype=np.bool_))

    def make() -> Vector:
        return merged(vector.under(without_names(vector.labels, query)), ctx)

    return make() if node is None else relabelled(vector, node, ctx, make)


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Rows sorted by group: order intp[S], and where each group starts in it, intp[G]."""

    order: Rows
    starts: Rows

    @classmethod
    def of(cls, ids: Rows, count: int) -> Runs:
        order = np.argsort(ids, kind="stable")
        starts = np.searchsorted(ids[order], np.arange(count))
        return cls(order, starts)


def merged(vector: Vector, ctx: Context) -> Vector:
    """Rows with equal labels made one. Raises EvaluationError where two of them share a step."""
    query = ctx.query
    groups = query.remember((vector.labels,), "group", vector.labels.group)
    if groups.count == len(vector.labels):
        return vector
    labels = query.remember((vector.labels,), "merged", lambda: vector.labels.take(groups.first))
    values, present, histograms = join_rows(vector, groups)
    drop = None if vector.drop_name is None else vector.drop_name[groups.first]
    return Vector(labels, values, present, drop, histograms)


def join_rows(vector: Vector, groups: Grouping) -> tuple[Values, Mask, Histograms | None]:
    """[S, K] -> [G, K]: the one present row of each group and step.

    Raises EvaluationError where a group has more than one.
    """
    runs = Runs.of(groups.ids, groups.count)
    present = vector.mask()[runs.order]
    if present.shape[1] == 0:
        return vector.values[groups.first], vector.mask()[groups.first], None
    held = reduce_segments(np.add, present, runs.starts, np.intp)  # [G, K] rows present
    if held.max(initial=0) > 1:
        raise EvaluationError(SAME_LABELSET)
    numbered = np.where(present, runs.order[:, np.newaxis], -1)
    rows = reduce_segments(np.maximum, numbered, runs.starts, np.intp)  # [G, K] the row to take from
    picked = np.maximum(rows, 0)
    values = np.take_along_axis(vector.values, picked, axis=0)
    if vector.histograms is None:
        return values, rows >= 0, None
    histograms = np.take_along_axis(vector.histograms, picked, axis=0)
    return values, rows >= 0, only_where(rows >= 0, histograms)
