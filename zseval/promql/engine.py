"""Engine: text in, Result out. Synchronous, usable from any thread.

The parser and `evaluation`, with all that evaluates, are loaded for the first query: a program that has
asked nothing yet has paid for nothing. `warm_up` loads them beforehand.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from zseval.model.duration import parse_duration
from zseval.model.labels import quote
from zseval.promql.errors import InvalidQueryError
from zseval.promql.exec.limits import CancelToken, Limits
from zseval.promql.exec.memo import LabelMemo
from zseval.promql.plan.request import Evaluation, Settings
from zseval.promql.syntax.value_type import ValueType

if TYPE_CHECKING:
    from zseval.promql.evaluation import Database, Evaluator
    from zseval.promql.explain.explanation import Explanation
    from zseval.promql.plan.cache import PlanCache
    from zseval.promql.plan.nodes import Plan
    from zseval.promql.result import Result
    from zseval.promql.syntax.ast import Expr

__all__ = ["FEATURES", "Engine"]

FEATURES = frozenset(
    {
        "promql-experimental-functions",
        "promql-delayed-name-removal",
        "promql-duration-expr",
        "promql-extended-range-selectors",
        "promql-binop-fill-modifiers",
        "type-and-unit-labels",
        "use-start-timestamps",
        "promql-per-step-stats",
    }
)
"""Upstream's feature names that concern queries."""

_PARSED_QUERIES = 1000  # a few dashboards and every rule of a node


class Engine:
    """Evaluates PromQL on one store.

    lookback: how old the sample of an instant selector may be.
    features: names from FEATURES, or "all".
    max_samples: how many samples a query may hold at once.  timeout: seconds a query may take.
    default_step: the step of subqueries that name none (Prometheus: the global evaluation interval);
    default_step_ms is it in ms, and may be changed.
    clock: seconds on a scale that only goes forward, for the timeout; a test gives its own.
    """

    def __init__(
        self,
        db: Database,
        lookback: str = "5m",
        *,
        features: Collection[str] | str = frozenset(),
        max_samples: int = 50_000_000,
        timeout: float = 120.0,
        default_step: str = "1m",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.db = db
        self.lookback_ms = parse_duration(lookback)
        self.default_step_ms = parse_duration(default_step)
        self.features = _features(features)
        self.max_samples = max_samples
        self.timeout = timeout
        self._clock = clock
        self._memo = LabelMemo()
        self._plans: PlanCache | None = None  # with the first query, as what plans is loaded then
        self._evaluator_type: type[Evaluator] | None = None
        self._parse_text = lru_cache(_PARSED_QUERIES)(partial(_parse, features=self.features))

    def instant(self, expr: str | Expr, time: float, *, timeout: float | None = None) -> Result:
        """The value of an expression at one time, Unix seconds.

        Raises ParseError, InvalidQueryError, EvaluationError, TooManySamplesError and QueryTimeoutError, all
        PromQLErrors.
        """
        return self.instant_at(expr, _milliseconds(time), timeout=timeout)

    def range(
        self, expr: str | Expr, start: float, end: float, step: float, *, timeout: float | None = None
    ) -> Result:
        """The values of an expression from start to end (Unix seconds), `step` seconds apart, as a matrix.

        Raises as `instant` does, and ValueError for a step of less than a millisecond.
        """
        start_ms, end_ms = _milliseconds(start), _milliseconds(end)
        return self.range_at(expr, start_ms, end_ms, _milliseconds(step), timeout=timeout)

    def instant_at(
        self,
        expr: str | Expr,
        time_ms: int,
        *,
        lookback_ms: int | None = None,
        timeout: float | None = None,
        cancel: CancelToken | None = None,
        stats: bool = False,
    ) -> Result:
        """`instant` in milliseconds, with a lookback of its own and a token that calls it off.

        stats: count samples, which costs a little; they are the result's `stats`.
        """
        evaluator = self._evaluator(expr, lookback_ms, timeout, cancel)
        return evaluator.result(Evaluation.instant(time_ms), stats=stats)

    def range_at(
        self,
        expr: str | Expr,
        start_ms: int,
        end_ms: int,
        step_ms: int,
        *,
        lookback_ms: int | None = None,
        timeout: float | None = None,
        cancel: CancelToken | None = None,
        stats: bool = False,
    ) -> Result:
        """`range` in milliseconds, with what `instant_at` takes."""
        if step_ms <= 0:
            raise ValueError("the step of a range query must be at least a millisecond")
        evaluator = self._evaluator(expr, lookback_ms, timeout, cancel)
        kind = evaluator.expr.type
        if kind not in (ValueType.VECTOR, ValueType.SCALAR):
            raise InvalidQueryError(
                f"invalid expression type {quote(kind.documented)} for range query, "
                "must be Scalar or instant Vector"
            )
        return evaluator.result(Evaluation(start_ms, end_ms, step_ms), stats=stats)

    def explain(
        self,
        expr: str | Expr,
        time: float,
        *,
        start: float | None = None,
        end: float | None = None,
        step: float | None = None,
    ) -> Explanation:
        """What each part of a query gave, and why it is empty where it is. `print` it.

        time: Unix seconds, the moment whose values are shown. With start, end and step the query is a
        range query, and counts are of all its steps.
        Raises ParseError, QueryTimeoutError, and EvaluationError for what cannot even be planned.
        """
        evaluation = Evaluation.instant(_milliseconds(time))
        if start is not None and end is not None and step is not None:
            evaluation = Evaluation(_milliseconds(start), _milliseconds(end), max(1, _milliseconds(step)))
        return self.explain_at(expr, evaluation, _milliseconds(time))

    def explain_at(
        self,
        expr: str | Expr,
        evaluation: Evaluation,
        time_ms: int,
        *,
        lookback_ms: int | None = None,
        timeout: float | None = None,
        cancel: CancelToken | None = None,
    ) -> Explanation:
        """`explain` in milliseconds."""
        return self._evaluator(expr, lookback_ms, timeout, cancel).explanation(evaluation, time_ms)

    def plan(self, expr: str | Expr, evaluation: Evaluation, *, lookback_ms: int | None = None) -> Plan:
        """The plan an evaluation would follow; `zseval.promql.plan.explain` prints it."""
        return self._evaluator(expr, lookback_ms).plan(evaluation)

    def warm_up(self) -> None:
        """Import what the first query would import, some tens of milliseconds of it; from any thread.

        Raises ImportError where a package is missing or broken.
        """
        import zseval.promql.evaluation
        import zseval.promql.syntax.parser  # noqa: F401

    def _evaluator(
        self,
        expr: str | Expr,
        lookback_ms: int | None,
        timeout: float | None = None,
        cancel: CancelToken | None = None,
    ) -> Evaluator:
        """Time runs from here. Raises ParseError."""
        if self._evaluator_type is None:
            self._load()
        make, plans = self._evaluator_type, self._plans
        assert make is not None, "it is loaded"
        assert plans is not None, "it was made then"
        parsed, text = (self._parse_text(expr), expr) if isinstance(expr, str) else (expr, "")
        starts = "use-start-timestamps" in self.features
        settings = Settings(lookback_ms or self.lookback_ms, self.default_step_ms, starts)
        seconds = self.timeout if timeout is None else min(timeout, self.timeout)
        limits = Limits(self.max_samples, self._clock() + seconds, self._clock, cancel)
        return make(self.db, self._memo, plans, self.features, settings, limits, parsed, text)

    def _load(self) -> None:
        from zseval.promql.evaluation import Evaluator
        from zseval.promql.plan.cache import PlanCache

        self._plans = self._plans or PlanCache()
        self._evaluator_type = Evaluator


def _parse(text: str, features: frozenset[str]) -> Expr:
    from zseval.promql.syntax.parser import parse

    return parse(text, features=features)


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _features(names: Collection[str] | str) -> frozenset[str]:
    if names == "all":
        return FEATURES
    chosen = frozenset((names,) if isinstance(names, str) else names)
    unknown = sorted(chosen - FEATURES)
    if unknown:
        raise ValueError(f"unknown feature {quote(unknown[0])}; known are {', '.join(sorted(FEATURES))}")
    return chosen
