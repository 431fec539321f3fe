"""What a group remembers from one evaluation to the next changes nothing of what it does.

The twin's querier gives labels in symbols of their own each time, and its templates say that they last no
longer than an evaluation: so it makes everything anew.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules.conftest import Bench, at
from zseval.model.labels import Labels
from zseval.model.labelsets import LabelSets
from zseval.promql.engine import Engine
from zseval.promql.result import Result
from zseval.rules.evaluate import GroupResult, Surroundings
from zseval.rules.texts import Expand, Expanded

_RULES = """
limit: 2,
labels: {group: g, own: ''},
rules: [
  {record: 'copy', expr: m},
  {record: 'few', expr: copy > 1, labels: {i: '', kind: few}},
  {record: 'made', expr: 'label_replace(copy, "made", "$1", "i", "(.*)")'},
  {record: 'whole', expr: sum(made)},
  {alert: Plain, expr: m > 0, labels: {severity: page}, annotations: {of: '{{ $labels.i }}', empty: ''}},
  {alert: Waits, expr: m >= 0, for: 2m, annotations: {value: '{{ $value }} of {{ $labels.i }}'}},
  {alert: Keeps, expr: copy != 1, keep_firing_for: 1m, labels: {tens: '{{ printf "%.0f" $value }}'}},
  {alert: Asks, expr: m > 1, annotations: {all: '{{ query "whole" | first | value }}', at: '{{ now }}'}},
  {alert: Fails, expr: m > 1, annotations: {why: '{{ .Nope }}', value: '{{ .Value }}'}},
  {alert: Made, expr: made > 1, labels: {i: '{{ if gt $value 2.0 }}many{{ end }}'}},
  {alert: Follows, expr: 'sum by (alertname) (ALERTS{alertstate="firing"}) > 1'},
]
"""

_VALUES = st.sampled_from([None, -1.0, -0.0, 0.0, 1.0, 2.0, 3.0, float("nan"), float("inf")])
_MINUTES = st.lists(st.fixed_dictionaries(dict.fromkeys("abc", _VALUES)), min_size=1, max_size=8)


class _Forgetful:
    """An engine whose results share nothing with those before."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def instant_at(self, expr: Any, time_ms: int) -> Result:
        found = self._engine.instant_at(expr, time_ms)
        return replace(found, labels=LabelSets.of(found.labels.to_list()))


def _forgetful(surroundings: Surroundings, engine: Engine) -> Surroundings:
    def expander(time_ms: int, rule: str) -> Expand:
        expand = surroundings.expander(time_ms, rule)

        def expanded(text: str, labels: Labels, value: float) -> Expanded:
            return Expanded(expand(text, labels, value).text)

        return expanded

    return replace(surroundings, querier=_Forgetful(engine), expander=expander)


def _said(result: GroupResult) -> tuple[object, ...]:
    """As text, where NaN is equal to itself."""
    told = (result.alerts, result.changes, result.errors, result.refused)
    return *(list(map(repr, each)) for each in told), result.samples


@settings(max_examples=40, deadline=None)
@given(minutes=_MINUTES, is_limited=st.booleans())
def test_a_group_does_the_same_as_one_that_remembers_nothing(
    minutes: list[dict[str, float | None]], *, is_limited: bool
) -> None:
    benches = Bench(), Bench()
    text = _RULES if is_limited else _RULES.replace("limit: 2", "limit: 0")
    groups = [bench.group(text) for bench in benches]
    groups[1].surroundings = _forgetful(groups[1].surroundings, benches[1].engine)
    for minute, values in enumerate(minutes):
        for bench in benches:
            for name, value in values.items():
                if value is not None:
                    bench.put_labelled(minute * 3, {"__name__": "m", "i": name, "own": "x"}, value)
        ours, theirs = (group.evaluate(at(minute * 3)) for group in groups)
        assert _said(ours) == _said(theirs)
        for mine, twins in zip(groups[0].rules, groups[1].rules, strict=True):
            assert (mine.health, mine.last_error) == (twins.health, twins.last_error)
            if mine.book is not None and twins.book is not None:
                assert repr(dict(mine.book.known())) == repr(dict(twins.book.known()))
        everything = '{__name__=~".+"}'
        stored = [repr(sorted(bench.samples(everything, minute * 3).items())) for bench in benches]
        assert stored[0] == stored[1]
    assert benches[0].failures == benches[1].failures
