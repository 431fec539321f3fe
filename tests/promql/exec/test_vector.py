"""Rows with equal labels become one, unless they share a step."""

from __future__ import annotations

import numpy as np
import pytest

from zseval.model.arrays import Mask
from zseval.model.labels import METRIC_NAME, Labels
from zseval.model.labelsets import LabelSets
from zseval.model.symbols import ScopedSymbols, Symbols
from zseval.promql.errors import EvaluationError
from zseval.promql.exec.context import Context, Query
from zseval.promql.exec.limits import Limits
from zseval.promql.exec.memo import LabelMemo
from zseval.promql.exec.vector import Vector, drop_names, mask_and, merged
from zseval.promql.plan.steps import Steps


def _context(symbols: Symbols, *, delayed: bool = False) -> Context:
    limits = Limits(10**9, float("inf"), lambda: 0.0)
    features = frozenset({"promql-delayed-name-removal"}) if delayed else frozenset()
    query = Query(symbols, ScopedSymbols(symbols), (), LabelMemo(), limits, 300_000, features)
    return Context(query, Steps(0, 1000, 3))


def _vector(symbols: Symbols, names: list[str], present: list[list[bool]] | None) -> Vector:
    labels = LabelSets.of([Labels({METRIC_NAME: name, "a": "1"}) for name in names], symbols)
    values = np.arange(3.0 * len(names)).reshape(len(names), 3)
    return Vector(labels, values, None if present is None else np.array(present))


def test_series_that_meet_at_no_step_are_joined() -> None:
    symbols = Symbols()
    vector = _vector(symbols, ["x", "y"], [[True, False, False], [False, False, True]])
    result = drop_names(vector, _context(symbols))
    assert result.labels.to_list() == [Labels({"a": "1"})]
    assert result.mask().tolist() == [[True, False, True]]
    assert result.values[0, [0, 2]].tolist() == [0.0, 5.0]


def test_series_that_meet_are_an_error() -> None:
    symbols = Symbols()
    vector = _vector(symbols, ["x", "y"], [[True, False, True], [False, False, True]])
    with pytest.raises(EvaluationError, match=r"^vector cannot contain metrics with the same labelset$"):
        drop_names(vector, _context(symbols))


def test_series_without_a_missing_sample_are_an_error_too() -> None:
    symbols = Symbols()
    with pytest.raises(EvaluationError):
        drop_names(_vector(symbols, ["x", "y"], None), _context(symbols))


def test_with_delayed_removal_names_are_marked_and_stay() -> None:
    symbols = Symbols()
    vector = _vector(symbols, ["x", "y"], None)
    result = drop_names(vector, _context(symbols, delayed=True))
    assert result.labels is vector.labels
    assert result.drop_name is not None
    assert result.drop_name.all()


def test_distinct_series_are_passed_through() -> None:
    symbols = Symbols()
    vector = _vector(symbols, ["x", "y"], None)
    assert merged(vector, _context(symbols)) is vector


def test_no_series_stay_no_series() -> None:
    symbols = Symbols()
    assert len(drop_names(_vector(symbols, [], None), _context(symbols)).labels) == 0


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (None, None, None),
        (np.array([True, False]), None, [True, False]),
        (None, np.array([True, False]), [True, False]),
        (np.array([True, True]), np.array([True, False]), [True, False]),
    ],
)
def test_none_is_a_mask_of_everything(
    left: Mask | None, right: Mask | None, expected: list[bool] | None
) -> None:
    result = mask_and(left, right)
    assert (None if result is None else result.tolist()) == expected
