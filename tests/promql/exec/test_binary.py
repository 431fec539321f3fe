"""Binary operators on whole matrices agree with upstream's algorithm, written out step by step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.errors import PromQLError
from zseval.model.labels import METRIC_NAME, Labels
from zseval.model.labelsets import LabelSets
from zseval.model.symbols import ScopedSymbols, Symbols
from zseval.promql.exec.binary import binary
from zseval.promql.exec.context import Context, Query
from zseval.promql.exec.limits import Limits
from zseval.promql.exec.memo import LabelMemo
from zseval.promql.exec.vector import Vector
from zseval.promql.plan.nodes import Binary, Number
from zseval.promql.plan.steps import Steps
from zseval.promql.syntax.ast import Cardinality, VectorMatching

STEPS = 3
Sample = tuple[Labels, float]


def _context(symbols: Symbols) -> Context:
    limits = Limits(10**9, float("inf"), lambda: 0.0)
    query = Query(symbols, ScopedSymbols(symbols), (), LabelMemo(), limits, 300_000)
    return Context(query, Steps(0, 1000, STEPS))


@dataclass
class _Side:
    labels: list[Labels]
    present: list[list[bool]]

    def vector(self, symbols: Symbols, base: float) -> Vector:
        count = len(self.labels)
        values = base + np.arange(count * STEPS, dtype=np.float64).reshape(count, STEPS)
        mask = np.array(self.present, dtype=np.bool_).reshape(count, STEPS)
        return Vector(LabelSets.of(self.labels, symbols), values, None if mask.all() else mask)

    def at(self, step: int, base: float) -> list[Sample]:
        return [
            (labels, base + row * STEPS + step)
            for row, labels in enumerate(self.labels)
            if self.present[row][step]
        ]


def _sides(name: str) -> st.SearchStrategy[_Side]:
    label_sets = st.lists(
        st.fixed_dictionaries({"a": st.sampled_from(["", "1", "2"]), "b": st.sampled_from(["", "x", "y"])}),
        max_size=4,
        unique_by=lambda each: (each["a"], each["b"]),
    )
    return label_sets.flatmap(
        lambda found: st.builds(
            _Side,
            st.just([Labels({METRIC_NAME: name, **each}) for each in found]),
            st.lists(
                st.lists(st.booleans(), min_size=STEPS, max_size=STEPS),
                min_size=len(found),
                max_size=len(found),
            ),
        )
    )


MATCHINGS = st.builds(
    VectorMatching,
    st.sampled_from([Cardinality.ONE_TO_ONE, Cardinality.MANY_TO_ONE, Cardinality.ONE_TO_MANY]),
    st.sampled_from([(), ("a",), ("b",), ("a", "b")]),
    st.booleans(),
    st.sampled_from([(), ("a",), ("b",)]),
)


class _FailureError(Exception):
    pass


def _signature(labels: Labels, matching: VectorMatching) -> Labels:
    if matching.on:
        return labels.only(*matching.labels)
    return labels.without(METRIC_NAME, *matching.labels)


def _slow(left: list[Sample], right: list[Sample], op: str, matching: VectorMatching) -> dict[Labels, float]:
    """One step as upstream does it: a map of the one side, then the many side sample by sample."""
    if not left or not right:
        return {}
    swapped = matching.cardinality is Cardinality.ONE_TO_MANY
    many, one = (right, left) if swapped else (left, right)
    ones: dict[Labels, Sample] = {}
    for sample in one:
        if ones.setdefault(_signature(sample[0], matching), sample) is not sample:
            raise _FailureError("found duplicate series")
    seen: set[object] = set()
    result: dict[Labels, float] = {}
    for labels, value in many:
        signature = _signature(labels, matching)
        if signature not in ones:
            continue
        other_labels, other = ones[signature]
        first, second = (other, value) if swapped else (value, other)
        metric = _result_metric(labels, other_labels, op, matching)
        key = signature if matching.cardinality is Cardinality.ONE_TO_ONE else (signature, metric)
        if key in seen:
            raise _FailureError("multiple matches for labels")
        seen.add(key)
        if op == ">" and not first > second:
            continue
        if metric in result:
            raise _FailureError("vector cannot contain metrics with the same labelset")
        result[metric] = first if op == ">" else first - second
    return result


def _result_metric(many: Labels, one: Labels, op: str, matching: VectorMatching) -> Labels:
    labels = many.without(METRIC_NAME) if op == "-" else many
    if matching.cardinality is Cardinality.ONE_TO_ONE:
        labels = labels.only(*matching.labels) if matching.on else labels.without(*matching.labels)
    return labels.merged({name: one.get(name) for name in matching.include})


@settings(max_examples=200)
@given(_sides("left"), _sides("right"), MATCHINGS, st.sampled_from(["-", ">"]))
def test_matching_agrees_with_the_step_by_step_algorithm(
    left: _Side, right: _Side, matching: VectorMatching, op: str
) -> None:
    if matching.cardinality is Cardinality.ONE_TO_ONE:
        matching = VectorMatching(matching.cardinality, matching.labels, matching.on)
    symbols = Symbols()
    node = Binary(op, Number(0), Number(0), False, False, matching)
    ctx = _context(symbols)
    vectors = left.vector(symbols, 0.0), right.vector(symbols, 5.0)
    try:
        expected = [_slow(left.at(step, 0.0), right.at(step, 5.0), op, matching) for step in range(STEPS)]
    except _FailureError:
        with pytest.raises(PromQLError):
            binary(node, *vectors, ctx)
        return
    result = binary(node, *vectors, ctx)
    labels = LabelSets(result.labels.names, result.labels.codes, ctx.query.symbols).to_list()
    found = [
        {each: float(result.values[row, step]) for row, each in enumerate(labels) if result.mask()[row, step]}
        for step in range(STEPS)
    ]
    assert found == expected


def _slow_set(
    left: list[Sample], right: list[Sample], op: str, matching: VectorMatching
) -> dict[Labels, float]:
    lefts = {_signature(labels, matching) for labels, _ in left}
    rights = {_signature(labels, matching) for labels, _ in right}
    match op:
        case "and":
            return {labels: value for labels, value in left if _signature(labels, matching) in rights}
        case "unless":
            return {labels: value for labels, value in left if _signature(labels, matching) not in rights}
        case _:
            added = {labels: value for labels, value in right if _signature(labels, matching) not in lefts}
            return {**dict(left), **added}


@settings(max_examples=150)
@given(_sides("same"), _sides("same"), MATCHINGS, st.sampled_from(["and", "or", "unless"]))
def test_set_operators_agree_with_the_step_by_step_algorithm(
    left: _Side, right: _Side, matching: VectorMatching, op: str
) -> None:
    matching = VectorMatching(Cardinality.MANY_TO_MANY, matching.labels, matching.on)
    symbols = Symbols()
    ctx = _context(symbols)
    node = Binary(op, Number(0), Number(0), False, False, matching)
    result = binary(node, left.vector(symbols, 0.0), right.vector(symbols, 100.0), ctx)
    labels = LabelSets(result.labels.names, result.labels.codes, ctx.query.symbols).to_list()
    for step in range(STEPS):
        expected = _slow_set(left.at(step, 0.0), right.at(step, 100.0), op, matching)
        mask = result.mask()[:, step]
        assert {each: result.values[row, step] for row, each in enumerate(labels) if mask[row]} == expected


def test_label_work_is_not_repeated_for_the_same_label_sets() -> None:
    symbols = Symbols()
    ctx = _context(symbols)
    side = _Side([Labels({METRIC_NAME: "x", "a": "1"})], [[True] * STEPS])
    vector = side.vector(symbols, 0.0)
    node = Binary("-", Number(0), Number(0), False, False, VectorMatching())
    first = binary(node, vector, vector, ctx)
    entries = len(ctx.query.memo)
    second = binary(node, vector, vector, ctx)
    assert len(ctx.query.memo) == entries
    assert second.labels is first.labels
