"""Binary operators with native histograms on one side or both, cell by cell.

The float operators have run already; the cells here are those where a side is a histogram.
Source: promql/engine.go (vectorElemBinop).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from zseval.model.arrays import Histograms, Mask, Values, is_histogram, no_histograms
from zseval.model.histogram import CounterReset, Histogram, IncompatibleSchemaError
from zseval.model.histogram.trim import trimmed
from zseval.promql.exec.context import Context
from zseval.promql.exec.vector import Vector, drop_names
from zseval.promql.kernels.arithmetic import COMPARISON
from zseval.promql.plan.nodes import Binary

__all__ = ["TRIM", "Operands", "concerns_histograms", "negated", "pair_histograms", "scalar_with_histograms"]

TRIM = frozenset({"</", ">/"})
Sample: TypeAlias = "float | Histogram"


@dataclass(frozen=True, slots=True)
class _Outcome:
    """value: None where there is none.  kept: what a comparison says; of arithmetic True.

    note: tells the annotations, given them and the start of the expression. lenient: it is a warning about
    a result that exists nevertheless.
    """

    value: Sample | None
    kept: bool = True
    note: Callable[[Context, int], None] | None = None


def negated(vector: Vector) -> Vector:
    """`-vector`."""
    made = vector.with_values(-vector.values, vector.present)
    if vector.histograms is None:
        return made
    histograms = vector.histograms.copy()
    for place in zip(*np.nonzero(is_histogram(histograms)), strict=True):
        histograms[place] = -histograms[place]
    return Vector(made.labels, made.values, made.present, made.drop_name, histograms)


def concerns_histograms(op: str, *sides: Vector) -> bool:
    """True where the float operators alone do not give the result."""
    return op in TRIM or any(side.histograms is not None for side in sides)


@dataclass(frozen=True, slots=True, eq=False)
class Operands:
    """Both sides of an operator: float64[S, K], object[S, K] or None; scalars broadcast as [1, K]."""

    left: Values
    left_histograms: Histograms | None
    right: Values
    right_histograms: Histograms | None
    present: Mask


def scalar_with_histograms(node: Binary, left: Vector, right: Vector, ctx: Context) -> Vector:
    """A vector with histograms (or a trim operator) and a scalar."""
    vector = right if node.lhs_scalar else left
    operands = Operands(left.values, left.histograms, right.values, right.histograms, vector.mask())
    # A comparison keeps the vector's value, on whichever side it stands.
    values, present, histograms = pair_histograms(node, operands, ctx, one_note_a_step=False)
    if node.op in COMPARISON and not node.return_bool:
        return vector.where(present)
    result = Vector(vector.labels, values, present, vector.drop_name, histograms)
    # Upstream takes the trim operators for comparisons here: names stay.
    return result if node.op in TRIM else drop_names(result, ctx)


def pair_histograms(
    node: Binary, operands: Operands, ctx: Context, *, one_note_a_step: bool
) -> tuple[Values, Mask, Histograms]:
    """values, present and histograms of the result, [S, K] each.

    one_note_a_step: only what the last cell of a step has to say is told, as upstream does for two vectors.
    """
    shape = operands.present.shape
    values = np.zeros(shape)
    present = operands.present.copy()
    made = no_histograms(shape)
    sides = [
        (np.broadcast_to(numbers, shape), None if held is None else np.broadcast_to(held, shape))
        for numbers, held in (
            (operands.left, operands.left_histograms),
            (operands.right, operands.right_histograms),
        )
    ]
    notes: dict[int, Callable[[Context, int], None]] = {}
    # By step, then by row: the order in which upstream comes by them.
    for step, row in np.argwhere(present.T).tolist():
        left, right = (_sample(numbers, held, row, step) for numbers, held in sides)
        outcome = _apply(node.op, left, right)
        if outcome.note is not None:
            if one_note_a_step:
                notes[step] = outcome.note
            else:
                outcome.note(ctx, node.span.start)
        value = outcome.value
        if node.return_bool and value is not None:
            value = float(outcome.kept)
        elif not outcome.kept:
            value = None
        present[row, step] = value is not None
        if isinstance(value, Histogram):
            made[row, step] = value
        elif value is not None:
            values[row, step] = value
    for note in notes.values():
        note(ctx, node.span.start)
    return values, present, made


def _sample(numbers: Values, held: Histograms | None, row: int, step: int) -> Sample:
    if held is not None and held[row, step] is not None:
        histogram: Histogram = held[row, step]
        return histogram
    return float(numbers[row, step])


def _apply(op: str, left: Sample, right: Sample) -> _Outcome:
    if isinstance(left, Histogram):
        if isinstance(right, Histogram):
            return _both(op, left, right)
        return _histogram_and_float(op, left, right)
    if isinstance(right, Histogram):
        if op == "*":
            return _Outcome((right * left).compact())
        return _mismatch("float", op, "histogram")
    if op in TRIM:
        return _mismatch("float", op, "float")
    return _floats(op, left, right)


def _floats(op: str, left: float, right: float) -> _Outcome:
    from zseval.promql.kernels.arithmetic import ARITHMETIC

    first, second = np.array([left]), np.array([right])
    if op in COMPARISON:
        return _Outcome(left, kept=bool(COMPARISON[op](first, second)[0]))
    return _Outcome(float(ARITHMETIC[op](first, second)[0]))


def _histogram_and_float(op: str, left: Histogram, right: float) -> _Outcome:
    if op == "*":
        return _Outcome((left * right).compact())
    if op == "/":
        return _Outcome((left / right).compact())
    if op in TRIM:
        return _Outcome(trimmed(left, right, upper=op == "</"))
    return _mismatch("histogram", op, "float")


def _both(op: str, left: Histogram, right: Histogram) -> _Outcome:
    if op in ("==", "!="):
        return _Outcome(left, kept=(left == right) is (op == "=="))
    if op not in ("+", "-"):
        return _mismatch("histogram", op, "histogram")
    name = "addition" if op == "+" else "subtraction"
    try:
        found = left.plus(right) if op == "+" else left.minus(right)
    except IncompatibleSchemaError:
        return _Outcome(None, note=lambda ctx, at: ctx.query.annotations.incompatible_buckets(op, at))
    value = found.value if op == "+" else found.value.with_hint(CounterReset.GAUGE)
    value = value.compact()
    if found.collision:
        # Upstream takes the warning for a failure: there is no result.
        return _Outcome(None, note=lambda ctx, at: ctx.query.annotations.conflicting_resets(name, at))
    if found.reconciled:
        return _Outcome(value, note=lambda ctx, at: ctx.query.annotations.reconciled_bounds(name, at))
    return _Outcome(value)


def _mismatch(left: str, op: str, right: str) -> _Outcome:
    return _Outcome(None, note=lambda ctx, at: ctx.query.annotations.incompatible_types(left, op, right, at))
