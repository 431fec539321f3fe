"""A plan that was kept is the plan that would have been built."""

from __future__ import annotations

import pytest

from zseval.model.symbols import Symbols
from zseval.promql.errors import InvalidQueryError
from zseval.promql.plan.build import build
from zseval.promql.plan.cache import Notes, PlanCache
from zseval.promql.plan.nodes import Plan
from zseval.promql.plan.request import Evaluation, Settings
from zseval.promql.syntax.ast import Expr
from zseval.promql.syntax.parser import parse

SETTINGS = Settings(300_000, 60_000)
SYMBOLS = Symbols()
AT_OTHER_TIMES = [
    "up",
    "1 + 2",
    'sum by (job) (rate(x[5m])) / on (job) group_left () y{a=~"b.*"} offset 1h',
    "topk(3, x offset -5m) > bool 2",
    "rate(x[5m]) + rate(x[1h])",
    "x - x offset 1w",
    "predict_linear(x[1h], 4 * 3600) < 0",
    "max_over_time(x[range() + 1m])",
    "timestamp(x) - time()",
    "info(x)",
]
AT_THEIR_TIME = [
    "x @ 100",
    "rate(x[5m] @ end())",
    "x @ start()",
    "max_over_time(rate(x[1m])[10m:1m])",
    "sum(x) + start()",
    "end() - x",
    "info(x @ 50)",
]
EVALUATIONS = [
    (Evaluation.instant(1_000_000), Evaluation.instant(1_015_500)),
    (Evaluation(1_000_000, 1_600_000, 15_000), Evaluation(1_007_003, 1_607_003, 15_000)),
]


def _parse(text: str) -> object:
    return parse(text, features=frozenset({"promql-experimental-functions", "promql-duration-expr"}))


def _plan(cache: PlanCache, expr: object, evaluation: Evaluation) -> Plan:
    return cache.plan(expr, evaluation, SETTINGS, SYMBOLS)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(("first", "second"), EVALUATIONS)
@pytest.mark.parametrize("text", AT_OTHER_TIMES + AT_THEIR_TIME)
def test_a_plan_at_another_time(text: str, first: Evaluation, second: Evaluation) -> None:
    cache, expr = PlanCache(), _parse(text)
    for evaluation in (first, second, first):
        assert _plan(cache, expr, evaluation) == build(expr, evaluation, SETTINGS)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", AT_OTHER_TIMES)
def test_it_is_built_once(text: str) -> None:
    cache, expr = PlanCache(), _parse(text)
    plans = [_plan(cache, expr, Evaluation.instant(time)) for time in (0, 15_000)]
    assert plans[0].root is plans[1].root
    assert len(cache) == 1


@pytest.mark.parametrize("text", AT_THEIR_TIME)
def test_one_that_names_times_is_not_kept(text: str) -> None:
    cache = PlanCache()
    _plan(cache, _parse(text), Evaluation.instant(0))
    assert len(cache) == 0


def test_other_steps_and_settings_have_plans_of_their_own() -> None:
    cache, expr = PlanCache(), parse("x[5m:]") and parse("rate(x[5m])")
    _plan(cache, expr, Evaluation(0, 100, 10))
    _plan(cache, expr, Evaluation(0, 100, 20))
    _plan(cache, expr, Evaluation(0, 200, 10))
    assert cache.plan(expr, Evaluation(0, 200, 10), Settings(1, 2), SYMBOLS)[0].moves
    assert len(cache) == 4


def test_a_mistake_is_told_each_time() -> None:
    cache, expr = PlanCache(), _parse("rate(x[range() * 0])")
    for _ in range(2):
        with pytest.raises(InvalidQueryError, match="greater than 0"):
            _plan(cache, expr, Evaluation.instant(0))


def test_the_oldest_plans_go() -> None:
    cache = PlanCache()
    kept = [parse(f"x + {number}") for number in range(1100)]
    for expr in kept:
        _plan(cache, expr, Evaluation.instant(0))
    assert len(cache) == 1000


def _notes(cache: PlanCache, expr: Expr, symbols: Symbols) -> Notes:
    return cache.plan(expr, Evaluation.instant(0), SETTINGS, symbols)[1]


def test_notes_are_kept_of_what_is_asked_again_and_again() -> None:
    cache, expr, symbols = PlanCache(), parse("x"), Symbols()
    notes = [_notes(cache, expr, symbols) for _ in range(6)]
    assert len({id(each) for each in notes[:3]}) == 3
    assert notes[3] is notes[4] is notes[5]


def test_notes_are_of_one_table_of_symbols() -> None:
    cache, expr, symbols = PlanCache(), parse("x"), Symbols()
    kept = [_notes(cache, expr, symbols) for _ in range(5)][-1]
    symbols.intern("more")
    assert _notes(cache, expr, symbols) is kept, "nothing was made up"
    kept.symbols.intern("made up")
    assert _notes(cache, expr, symbols) is not kept, "the store may have that string by now"
    again = _notes(cache, expr, symbols)
    again.symbols.intern("made up")
    assert _notes(cache, expr, symbols) is again
    symbols.intern("made up")
    assert _notes(cache, expr, symbols) is not again
    assert _notes(cache, expr, Symbols()) is not _notes(cache, expr, symbols)


def test_strings_made_up_without_end_are_forgotten() -> None:
    cache, expr, symbols = PlanCache(), parse("x"), Symbols()
    kept = [_notes(cache, expr, symbols) for _ in range(5)][-1]
    for number in range(10_000):
        kept.symbols.intern(str(number))
    assert _notes(cache, expr, symbols) is not kept
