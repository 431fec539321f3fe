"""Binary operators: arithmetic, comparison and set operators, over scalars and matched rows.

What upstream decides sample by sample (one match only, duplicates) is decided here on presence masks,
and only where the label sets make it possible at all.
Source: promql/engine.go (VectorBinop, VectorAnd, VectorOr, VectorUnless, VectorscalarBinop).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from zseval.model.arrays import Histograms, Mask, Rows, Values
from zseval.model.labelsets import LabelSets
from zseval.promql.errors import EvaluationError
from zseval.promql.exec.context import Context, Query
from zseval.promql.exec.fill import Filled, filled_rows, fills
from zseval.promql.exec.histogram_binary import (
    Operands,
    concerns_histograms,
    pair_histograms,
    scalar_with_histograms,
)
from zseval.promql.exec.match import (
    Pairs,
    Signatures,
    any_per_group,
    match_labels,
    pairs,
    rows_per_group,
    signatures,
)
from zseval.promql.exec.vector import Vector, drop_names, joined_histograms, mask_and, merged
from zseval.promql.kernels.arithmetic import ARITHMETIC, COMPARISON
from zseval.promql.plan.nodes import Binary
from zseval.promql.syntax.ast import Cardinality, VectorMatching

__all__ = ["binary"]


def binary(node: Binary, left: Vector, right: Vector, ctx: Context) -> Vector:
    """The value of `left op right`; raises EvaluationError where matching is not unique."""
    if node.lhs_scalar and node.rhs_scalar:
        return _scalars(node, left, right, ctx)
    if node.lhs_scalar or node.rhs_scalar:
        return _vector_and_scalar(node, left, right, ctx)
    assert node.matching is not None, "the checker gives every operation on two vectors a matching"
    set_operator = _SET_OPERATORS.get(node.op)
    if set_operator is not None:
        return set_operator(node, left, right, node.matching, ctx)
    return _vectors(node, node.matching, left, right, ctx)


def _scalars(node: Binary, left: Vector, right: Vector, ctx: Context) -> Vector:
    if node.op in COMPARISON:
        return Vector.scalar(COMPARISON[node.op](left.row, right.row).astype(np.float64), ctx.query)
    return Vector.scalar(ARITHMETIC[node.op](left.row, right.row), ctx.query)


def _vector_and_scalar(node: Binary, left: Vector, right: Vector, ctx: Context) -> Vector:
    """A comparison keeps the vector's value, on whichever side it stands."""
    vector = right if node.lhs_scalar else left
    if concerns_histograms(node.op, vector):
        return scalar_with_histograms(node, left, right, ctx)
    if node.op in ARITHMETIC:
        values = ARITHMETIC[node.op](left.values, right.values)
        return drop_names(vector.with_values(values, vector.present), ctx, node)
    kept = COMPARISON[node.op](left.values, right.values)
    if node.return_bool:
        return drop_names(vector.with_values(kept.astype(np.float64), vector.present), ctx, node)
    return vector.where(mask_and(vector.present, kept))


@dataclass(frozen=True, slots=True, eq=False)
class _Matched:
    """The rows that meet, P of them: many and one side's values, and where both have a sample."""

    many: Values
    one: Values
    present: Mask | None
    many_histograms: Histograms | None = None
    one_histograms: Histograms | None = None


def _vectors(node: Binary, matching: VectorMatching, left: Vector, right: Vector, ctx: Context) -> Vector:
    note = ctx.query.notes.get(id(node))
    if note is not None and note[0] is left.labels and note[1] is right.labels:
        plain = _of_pairs(node, note[2], note[3], left, right, ctx)
        if plain is not None:
            return plain
    swapped = matching.cardinality is Cardinality.ONE_TO_MANY
    many, one = (right, left) if swapped else (left, right)
    met = pairs(many.labels, one.labels, matching, ctx.query)
    doubled = _doubled_step(met, many, one, matching, ctx)
    sides = _gather(met, many, one)
    dropped = node.op in ARITHMETIC or (node.return_bool and not ctx.query.delayed_names)
    labels = _result_labels(many.labels, one.labels, met, matching, dropped, ctx.query)
    if doubled is not None:  # the error is that of the first step that has one
        present = None if sides.present is None else sides.present[:, :doubled]
        earlier = replace(sides, many=sides.many[:, :doubled], one=sides.one[:, :doubled], present=present)
        _check_many_side(met, earlier, labels, matching, ctx)
        raise _duplicates_at(doubled, many, one, matching, ctx)
    if fills(matching):
        rows = filled_rows(many, one, matching, dropped, ctx.query)
        met, sides, labels = _with_filled(met, sides, labels, rows, ctx.query)
    _check_many_side(met, sides, labels, matching, ctx)
    ctx.query.limits.hold(sides.many.size)
    first, second = (sides.one, sides.many) if swapped else (sides.many, sides.one)
    present = sides.present
    histograms = None
    if concerns_histograms(node.op, many, one):
        values, present, histograms = pair_histograms(
            node, _operands(sides, swapped), ctx, one_note_a_step=True
        )
    elif node.op in ARITHMETIC:
        values = ARITHMETIC[node.op](first, second)
    else:
        kept = COMPARISON[node.op](first, second)
        values = kept.astype(np.float64) if node.return_bool else first
        present = present if node.return_bool else mask_and(present, kept)
    ctx.query.limits.hold(-sides.many.size)
    marks = np.ones(len(labels), dtype=np.bool_) if node.return_bool and ctx.query.delayed_names else None
    result = merged(Vector(labels, values, present, marks, histograms), ctx)
    if met.many_unique and met.one_unique and result.values is values and not fills(matching):
        ctx.query.notes[id(node)] = left.labels, right.labels, labels, met.turned() if swapped else met
    return result


def _of_pairs(
    node: Binary, labels: LabelSets, met: Pairs, left: Vector, right: Vector, ctx: Context
) -> Vector | None:
    """The result where each row meets one other at most, and no results can have the same labels.

    met: whichever side is the many one, its `many` are rows of the left side.
    None where it takes more than the operator on numbers.
    """
    if ctx.query.delayed_names or concerns_histograms(node.op, left, right):
        return None
    first = left.values if met.many_all else left.values[met.many]
    second = right.values if met.one_all else right.values[met.one]
    present, other = left.present, right.present
    if present is not None and not met.many_all:
        present = present[met.many]
    if other is not None and not met.one_all:
        other = other[met.one]
    present = mask_and(present, other)
    if node.op in ARITHMETIC:
        return Vector(labels, ARITHMETIC[node.op](first, second), present)
    kept = COMPARISON[node.op](first, second)
    if node.return_bool:
        return Vector(labels, kept.astype(np.float64), present)
    return Vector(labels, first, mask_and(present, kept))


def _operands(sides: _Matched, swapped: bool) -> Operands:
    many, one = (sides.many, sides.many_histograms), (sides.one, sides.one_histograms)
    left, right = (one, many) if swapped else (many, one)
    present = np.broadcast_to(np.True_, sides.many.shape) if sides.present is None else sides.present
    return Operands(*left, *right, present)


def _gather(met: Pairs, many: Vector, one: Vector) -> _Matched:
    many_rows = many if met.many_all else many.take(met.many)
    one_rows = one if met.one_all else one.take(met.one)
    present = mask_and(many_rows.present, one_rows.present)
    return _Matched(many_rows.values, one_rows.values, present, many_rows.histograms, one_rows.histograms)


def _with_filled(
    met: Pairs, sides: _Matched, labels: LabelSets, rows: Sequence[Filled], query: Query
) -> tuple[Pairs, _Matched, LabelSets]:
    """The pairs, and after them the rows that meet a number."""
    all_labels = (labels, *(each.labels for each in rows))

    def make() -> LabelSets:
        joined = LabelSets.concat(all_labels)
        return LabelSets(joined.names, joined.codes, query.symbols_of(*all_labels))

    labels = query.remember(all_labels, "filled", make)
    present = np.broadcast_to(np.True_, sides.many.shape) if sides.present is None else sides.present
    signature = np.concatenate([met.signature, *(each.signature for each in rows)])
    matched = _Matched(
        np.concatenate([sides.many, *(each.many for each in rows)]),
        np.concatenate([sides.one, *(each.one for each in rows)]),
        np.concatenate([present, *(each.present for each in rows)]),
    )
    return replace(met, signature=signature, many_unique=False), matched, labels


def _doubled_step(
    met: Pairs, many: Vector, one: Vector, matching: VectorMatching, ctx: Context
) -> int | None:
    """The first step at which two rows of the one side have one signature, and the many side has anything."""
    if met.one_unique:
        return None
    ids = signatures(many.labels, one.labels, matching, ctx.query).right
    doubled = rows_per_group(one.mask(), ids, met.count) > 1  # [G, K]
    if not fills(matching):
        doubled &= many.mask().any(axis=0)
    return int(doubled.any(axis=0).argmax()) if doubled.any() else None


def _duplicates_at(
    step: int, many: Vector, one: Vector, matching: VectorMatching, ctx: Context
) -> EvaluationError:
    """The error for two such rows."""
    ids = signatures(many.labels, one.labels, matching, ctx.query).right
    seen: dict[int, int] = {}
    for row in np.flatnonzero(one.mask()[:, step]).tolist():
        other = seen.setdefault(int(ids[row]), row)
        if other != row:
            return EvaluationError(_duplicates(one.labels, row, other, matching, ctx.query))
    raise AssertionError("there are two rows with one signature at this step")


def _duplicates(labels: LabelSets, row: int, other: int, matching: VectorMatching, query: Query) -> str:
    shown = LabelSets(labels.names, labels.codes, query.symbols)
    side = "left" if matching.cardinality is Cardinality.ONE_TO_MANY else "right"
    group = match_labels(shown[row], matching.on, matching.labels)
    first, second = sorted((str(shown[row]), str(shown[other])))
    return (
        f"found duplicate series for the match group {group} on the {side} hand-side of the operation: "
        f"[{first}, {second}];many-to-many matching not allowed: matching labels must be unique on one side"
    )


def _check_many_side(
    met: Pairs, sides: _Matched, labels: LabelSets, matching: VectorMatching, ctx: Context
) -> None:
    """One result per signature and step, or (group_left, group_right) per signature, labels and step."""
    if met.many_unique:
        return
    ids, count = met.signature, met.count
    message = "many-to-one matching must be explicit (group_left/group_right)"
    if matching.cardinality is not Cardinality.ONE_TO_ONE:
        # Equal labels under two signatures are no concern here: `merged` tells those apart by step.
        groups = ctx.query.remember((labels,), "group", labels.group)
        if groups.count == len(labels):
            return
        distinct, ids = np.unique(ids * np.intp(groups.count) + groups.ids, return_inverse=True)
        count = len(distinct)
        message = "grouping labels must ensure unique matches"
    present = np.broadcast_to(np.True_, sides.many.shape) if sides.present is None else sides.present
    if rows_per_group(present, ids, count).max(initial=0) > 1:
        raise EvaluationError(f"multiple matches for labels: {message}")


def _result_labels(
    many: LabelSets, one: LabelSets, met: Pairs, matching: VectorMatching, dropped: bool, query: Query
) -> LabelSets:
    """The labels of each pair's result, remembered."""

    def make() -> LabelSets:
        labels = many if met.many_all else many.take(met.many)
        if dropped:
            labels = labels.without_name()
        if matching.cardinality is Cardinality.ONE_TO_ONE:
            labels = labels.keep(matching.labels) if matching.on else labels.drop(matching.labels)
        for name in matching.include:
            labels = labels.with_column(name, one.column(name)[met.one])
        used = [row for row in range(len(labels.names)) if labels.codes[row].any()]
        names = tuple(labels.names[row] for row in used)
        return LabelSets(names, labels.codes[used], query.symbols_of(many, one))

    return query.remember((many, one), ("result labels", matching, dropped), make)


def _signatures_of(
    node: Binary, left: Vector, right: Vector, matching: VectorMatching, ctx: Context
) -> Signatures:
    """Those of the rows of both sides, noted."""
    note = ctx.query.notes.get(id(node))
    if note is not None and note[0] is left.labels and note[1] is right.labels:
        noted: Signatures = note[2]
        return noted
    sides = signatures(left.labels, right.labels, matching, ctx.query)
    ctx.query.notes[id(node)] = left.labels, right.labels, sides
    return sides


def _and(node: Binary, left: Vector, right: Vector, matching: VectorMatching, ctx: Context) -> Vector:
    sides = _signatures_of(node, left, right, matching, ctx)
    return _masked(left, _found(right, sides.right, sides.count)[sides.left])


def _unless(node: Binary, left: Vector, right: Vector, matching: VectorMatching, ctx: Context) -> Vector:
    sides = _signatures_of(node, left, right, matching, ctx)
    return _masked(left, ~_found(right, sides.right, sides.count)[sides.left])


def _found(vector: Vector, ids: Rows, count: int) -> Mask:
    """bool[G, K]: at which steps each signature has a row; bool[G, 1] where that is the same at all."""
    if vector.present is not None and vector.present.shape[1] == 1:
        found = np.zeros((count, 1), dtype=np.bool_)
        found[ids[vector.present[:, 0]]] = True
        return found
    if vector.present is not None:
        return any_per_group(vector.present, ids, count)
    found = np.zeros((count, 1), dtype=np.bool_)
    found[ids] = True
    return found


def _masked(vector: Vector, keep: Mask) -> Vector:
    """Where keep, bool[S, K] or bool[S, 1], is set as well."""
    if keep.all():
        return vector
    return vector.where(mask_and(vector.present, np.broadcast_to(keep, vector.values.shape)))


def _or(node: Binary, left: Vector, right: Vector, matching: VectorMatching, ctx: Context) -> Vector:
    query = ctx.query
    plain = ctx.steps.count == 1 and left.drop_name is None and right.drop_name is None
    if (
        plain
        and left.histograms is None
        and right.histograms is None
        and not (matching.on or matching.labels)
    ):
        union = _union_of(node, left, right, matching, ctx)
        if union is not None:
            return _or_at_once(union, left, right)
    sides = _signatures_of(node, left, right, matching, ctx)
    added = _masked(right, ~_found(left, sides.left, sides.count)[sides.right])

    labels = _both(left, right, query)
    drop = None
    if left.drop_name is not None or right.drop_name is not None:
        drop = np.concatenate([_marks(left), _marks(right)])
    values = np.concatenate([left.values, right.values])
    present = np.concatenate([left.mask(), added.mask()])
    return merged(Vector(labels, values, present, drop, joined_histograms([left, added])), ctx)


@dataclass(frozen=True, slots=True, eq=False)
class _Union:
    """The N results of `or` where all labels but the name have to match.

    signatures: of both sides.  left, right: intp[N], the row of each side with these labels, 0 where there
    is none.  has_left, has_right: bool[N, 1], where there is one.
    """

    labels: LabelSets
    signatures: Signatures
    left: Rows
    right: Rows
    has_left: Mask
    has_right: Mask


def _union_of(
    node: Binary, left: Vector, right: Vector, matching: VectorMatching, ctx: Context
) -> _Union | None:
    """The results of `or`, noted; None where one side has a label set twice, or none."""
    query = ctx.query
    note = query.notes.get(id(node))
    if note is not None and note[0] is left.labels and note[1] is right.labels and len(note) == 4:
        noted: _Union | None = note[3]
        return noted
    sides, labels = _signatures_of(node, left, right, matching, ctx), _both(left, right, query)
    groups, count = query.remember((labels,), "group", labels.group), len(left.labels)
    first, second = groups.ids[:count], groups.ids[count:]
    union = None
    if count and len(second) and all(len(np.unique(ids)) == len(ids) for ids in (first, second)):
        rows = np.zeros((2, groups.count), dtype=np.intp)
        held = np.zeros((2, groups.count, 1), dtype=np.bool_)
        for side, ids in enumerate((first, second)):
            rows[side, ids] = np.arange(len(ids))
            held[side, ids] = True
        merged_labels = query.remember((labels,), "merged", lambda: labels.take(groups.first))
        union = _Union(merged_labels, sides, rows[0], rows[1], held[0], held[1])
    query.notes[id(node)] = left.labels, right.labels, sides, union
    return union


def _both(left: Vector, right: Vector, query: Query) -> LabelSets:
    """The label sets of one and of the other, remembered."""

    def make() -> LabelSets:
        both = LabelSets.concat([left.labels, right.labels])
        return LabelSets(both.names, both.codes, query.symbols_of(left.labels, right.labels))

    return query.remember((left.labels, right.labels), "or", make)


def _or_at_once(union: _Union, left: Vector, right: Vector) -> Vector:
    """`or` of numbers at one step: of two rows with equal labels the right one is never there then."""
    sides = union.signatures
    has_left, has_right = union.has_left, union.has_right
    if left.present is not None:
        has_left = has_left & left.present[union.left]
    added = ~_found(left, sides.left, sides.count)[sides.right]
    if right.present is not None:
        added &= right.present
    has_right = has_right & added[union.right]
    values = np.where(has_left, left.values[union.left], right.values[union.right])
    return Vector(union.labels, values, has_left | has_right)


def _marks(vector: Vector) -> Mask:
    return np.zeros(len(vector.labels), dtype=np.bool_) if vector.drop_name is None else vector.drop_name


_SET_OPERATORS: dict[str, Callable[[Binary, Vector, Vector, VectorMatching, Context], Vector]] = {
    "and": _and,
    "or": _or,
    "unless": _unless,
}
