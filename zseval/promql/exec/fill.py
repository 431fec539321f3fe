"""fill, fill_left and fill_right: series without a partner meet a number instead.

Which series lack a partner differs from step to step, so every row of a filled side's opposite may
get one; the presence masks say where. Equal labels are joined by the caller.
Source: promql/engine.go, VectorBinop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zseval.model.arrays import Mask, Rows, Values
from zseval.model.labels import METRIC_NAME
from zseval.model.labelsets import LabelSets
from zseval.promql.exec.context import Query
from zseval.promql.exec.match import any_per_group, signatures
from zseval.promql.exec.vector import Vector, without_names
from zseval.promql.syntax.ast import Cardinality, Fill, VectorMatching

__all__ = ["Filled", "filled_rows", "fills"]

_NOTHING = Fill()


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """N rows with a number for one side: result labels, many and one side's values, presence, signature."""

    labels: LabelSets
    many: Values
    one: Values
    present: Mask
    signature: Rows


def fills(matching: VectorMatching) -> bool:
    """Whether any side is filled."""
    return matching.fill != _NOTHING


def filled_rows(
    many: Vector, one: Vector, matching: VectorMatching, dropped: bool, query: Query
) -> list[Filled]:
    """A Filled for each side that is: as upstream, `fill_right` stands in for the one side and
    `fill_left` for the many side, also under group_right. dropped: without the metric name.
    """
    sides = signatures(many.labels, one.labels, matching, query)
    fill, found = matching.fill, []
    if fill.right is not None:
        labels = query.remember(
            (many.labels,), ("filled one", matching, dropped), lambda: _of_many(many.labels, matching)
        )
        labels = without_names(labels, query) if dropped else labels
        present = many.mask() & ~any_per_group(one.mask(), sides.right, sides.count)[sides.left]
        filled = np.broadcast_to(fill.right, many.values.shape)
        found.append(Filled(labels, many.values, filled, present, sides.left))
    if fill.left is not None:
        labels = query.remember(
            (one.labels,), ("filled many", matching, dropped), lambda: _of_one(one.labels, matching)
        )
        labels = without_names(labels, query) if dropped else labels
        present = one.mask() & ~any_per_group(many.mask(), sides.left, sides.count)[sides.right]
        filled = np.broadcast_to(fill.left, one.values.shape)
        found.append(Filled(labels, filled, one.values, present, sides.right))
    return found


def _of_many(labels: LabelSets, matching: VectorMatching) -> LabelSets:
    """Labels of rows of the many side whose partner has nothing but the labels they match on."""
    if matching.cardinality is Cardinality.ONE_TO_ONE:
        return labels.keep(matching.labels) if matching.on else labels.drop(matching.labels)
    absent = [name for name in matching.include if not _takes_part(name, matching)]
    return labels.drop(absent)


def _of_one(labels: LabelSets, matching: VectorMatching) -> LabelSets:
    """Labels of rows of the one side: those they match on, and those group_left or group_right adds."""
    kept = labels.keep(matching.labels) if matching.on else labels.drop((METRIC_NAME, *matching.labels))
    for name in matching.include:
        kept = kept.with_column(name, labels.column(name))
    return kept


def _takes_part(name: str, matching: VectorMatching) -> bool:
    """Whether a label is among those that series are matched on."""
    if matching.on:
        return name in matching.labels
    return name != METRIC_NAME and name not in matching.labels
