"""Order of an instant vector: by value, or by labels in natural order (`x2` before `x10`)."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

import numpy as np

from zseval.model.arrays import Rows
from zseval.model.labelsets import LabelSets
from zseval.promql.exec.context import Context
from zseval.promql.exec.vector import Vector

__all__ = ["natural_order", "sort_by_label", "sort_by_value"]

_CHUNK = re.compile(r"[0-9]+|[^0-9]+")
_LARGEST_INT = 2**63 - 1  # beyond it Go's Atoi fails, and digits compare as text


def sort_by_value(vector: Vector, *, descending: bool) -> Vector:
    """The rows present at the only step, by value; NaN last in both directions."""
    vector = vector.take(np.flatnonzero(vector.mask()[:, 0]))
    values = vector.values[:, 0]
    keys = -values if descending else values
    return vector.take(np.argsort(keys, kind="stable"))  # numpy sorts NaN last, whatever its sign


def sort_by_label(vector: Vector, names: Sequence[str], ctx: Context, *, descending: bool) -> Vector:
    """By the named labels in turn, in natural order, then by the whole label set."""
    labels = LabelSets(vector.labels.names, vector.labels.codes, ctx.query.symbols)
    keys = [_rank(labels.order()), *(_natural_rank(labels, name) for name in reversed(names))]
    order = np.lexsort(keys)
    return vector.take(order[::-1] if descending else order)


def _natural_rank(labels: LabelSets, name: str) -> Rows:
    """intp[S]: the place of each series by the natural order of one label."""
    unique, inverse = np.unique(labels.column(name), return_inverse=True)
    texts = [labels.symbols.text(int(code)) for code in unique]
    key = functools.cmp_to_key(natural_order)
    order = sorted(range(len(texts)), key=lambda index: key(texts[index]))
    return _rank(np.array(order, dtype=np.intp))[inverse]


def _rank(order: Rows) -> Rows:
    """The place of each row in an order."""
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order), dtype=np.intp)
    return rank


def natural_order(left: str, right: str) -> int:
    """Below, at or above 0: runs of digits compare as numbers, the rest as text."""
    if left == right:
        return 0
    lefts, rights = _CHUNK.findall(left), _CHUNK.findall(right)
    for a, b in zip(lefts, rights, strict=False):
        numbers = _number(a), _number(b)
        if numbers[0] is not None and numbers[1] is not None:
            if numbers[0] != numbers[1]:
                return -1 if numbers[0] < numbers[1] else 1
        elif a != b:
            return -1 if a < b else 1
    return len(lefts) - len(rights) or (-1 if left < right else 1)


def _number(chunk: str) -> int | None:
    if not chunk[0].isdigit() or not chunk.isascii():
        return None
    value = int(chunk) if len(chunk) < 4000 else _LARGEST_INT + 1
    return value if value <= _LARGEST_INT else None
