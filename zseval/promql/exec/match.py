"""Vector matching: which rows of two vectors meet, as index pairs, worked out once per pair of label sets.

Rows meet where their match signatures are equal: the labels of `on(...)`, or all but the metric name
and those of `ignoring(...)`. Which of the pairs have samples differs from step to step and is left to
the presence masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from zseval.model.arrays import Mask, Rows
from zseval.model.labels import METRIC_NAME, Labels
from zseval.model.labelsets import LabelSets, factorize
from zseval.model.segments import reduce_segments
from zseval.promql.exec.context import Query
from zseval.promql.exec.vector import Runs
from zseval.promql.syntax.ast import VectorMatching

__all__ = ["Pairs", "Signatures", "match_labels", "pairs", "rows_per_group", "signatures"]


@dataclass(frozen=True, slots=True, eq=False)
class Signatures:
    """left: intp[Sl], right: intp[Sr], signature numbers below `count`, common to both sides."""

    left: Rows
    right: Rows
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """P pairs of a row of the many side with a row of the one side; signature: intp[P].

    many_all, one_all: every row of that side, once and in order, so that values need no gathering.
    one_unique: no two rows of the one side share a signature. many_unique: no two pairs do.
    """

    many: Rows
    one: Rows
    signature: Rows
    count: int
    many_all: bool
    one_all: bool
    one_unique: bool
    many_unique: bool

    def turned(self) -> Pairs:
        """The same pairs with the sides named the other way round; each row is in one of them at most."""
        assert self.one_unique, "only then there is no many side"
        assert self.many_unique, "only then there is no many side"
        return replace(self, many=self.one, one=self.many, many_all=self.one_all, one_all=self.many_all)


def signatures(left: LabelSets, right: LabelSets, matching: VectorMatching, query: Query) -> Signatures:
    """The match signatures of both sides, remembered."""
    on, names = matching.on, tuple(sorted(matching.labels))
    return query.remember(
        (left, right), ("signatures", on, names), lambda: _signatures(left, right, on, names)
    )


def _signatures(left: LabelSets, right: LabelSets, on: bool, names: tuple[str, ...]) -> Signatures:
    if not on:
        names = tuple(sorted({*left.names, *right.names} - {METRIC_NAME, *names}))
    codes = np.concatenate([left.aligned(names), right.aligned(names)], axis=1)
    groups = factorize(codes)
    return Signatures(groups.ids[: len(left)], groups.ids[len(left) :], groups.count)


def pairs(many: LabelSets, one: LabelSets, matching: VectorMatching, query: Query) -> Pairs:
    """The pairs of rows with equal signatures, in the order of the many side; remembered."""
    on, names = matching.on, tuple(sorted(matching.labels))
    return query.remember(
        (many, one), ("pairs", on, names), lambda: _pairs(signatures(many, one, matching, query))
    )


def _pairs(sides: Signatures) -> Pairs:
    order = np.argsort(sides.right, kind="stable")
    sorted_one = sides.right[order]
    low = np.searchsorted(sorted_one, sides.left, side="left")
    counts = np.searchsorted(sorted_one, sides.left, side="right") - low
    many = np.repeat(np.arange(len(sides.left)), counts)
    within = np.arange(len(many)) - np.repeat(np.cumsum(counts) - counts, counts)
    one = order[np.repeat(low, counts) + within]
    signature = sides.left[many]
    return Pairs(
        many,
        one,
        signature,
        sides.count,
        many_all=_is_identity(many, len(sides.left)),
        one_all=_is_identity(one, len(sides.right)),
        one_unique=bool(np.all(sorted_one[1:] != sorted_one[:-1])),
        many_unique=bool(np.bincount(signature, minlength=1).max() <= 1),
    )


def _is_identity(rows: Rows, count: int) -> bool:
    return len(rows) == count and bool(np.array_equal(rows, np.arange(count)))


def rows_per_group(present: Mask, ids: Rows, count: int) -> Rows:
    """[S, K] -> intp[G, K]: how many rows of each group are present at each step."""
    held = np.zeros((count, present.shape[1]), dtype=np.intp)
    if len(ids) and present.shape[1]:
        order = np.argsort(ids, kind="stable")
        used, starts = np.unique(ids[order], return_index=True)
        held[used] = reduce_segments(np.add, present[order], starts, np.intp)
    return held


def any_per_group(present: Mask, ids: Rows, count: int) -> Mask:
    """[S, K] -> bool[G, K]: whether any row of each group is present at each step."""
    held = np.zeros((count, present.shape[1]), dtype=np.bool_)
    if len(ids) and present.shape[1]:
        runs = Runs.of(ids, count)
        order = runs.order
        used, starts = np.unique(ids[order], return_index=True)
        held[used] = reduce_segments(np.logical_or, present[order], starts, np.bool_)
    return held


def match_labels(labels: Labels, on: bool, names: Sequence[str]) -> Labels:
    """The labels of a series that take part in matching."""
    return labels.only(*names) if on else labels.without(METRIC_NAME, *names)
