"""GroupState: one rule group, evaluated at one time after another.

Rules run in order at one timestamp, and each sees what its predecessors wrote. A rule that fails says
so and costs the others nothing. Source: rules/group.go, rules/recording.go, rules/alerting.go upstream.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from zseval.errors import ZsevalError
from zseval.model.alert import Alert
from zseval.model.labels import METRIC_NAME, Labels
from zseval.promql.result import Result
from zseval.promql.syntax.ast import Expr, ValueType
from zseval.rules.alerts import AlertBook, Expand, RuleError
from zseval.rules.rule import AlertingRule, Group, RecordingRule, Rule
from zseval.rules.state import AlertState
from zseval.rules.writer import SeriesWriter, Store

__all__ = ["Change", "GroupResult", "GroupState", "Querier", "RuleState", "Surroundings"]

Samples = list[tuple[Labels, float]]


class Querier(Protocol):
    """What rules need of the engine."""

    def instant_at(self, expr: str | Expr, time_ms: int) -> Result: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all groups of a node share.

    expander: makes what expands the templates of a rule (its name) at a time (int64 ms).
    generator_url: the link of an alert, from its rule's expression.
    """

    querier: Querier
    store: Store
    expander: Callable[[int, str], Expand]
    generator_url: Callable[[str], str]
    query_offset_ms: int = 0
    resend_delay_ms: int = 60_000
    stopwatch: Callable[[], float] = time.perf_counter


@dataclass(frozen=True, slots=True)
class Change:
    """One alert that is in another state than before the evaluation; resolved ones are inactive."""

    labels: Labels
    annotations: Labels
    value: float
    before: AlertState
    after: AlertState


@dataclass(frozen=True, slots=True)
class GroupResult:
    """What one evaluation gave. errors: (rule name, why), of rules that failed."""

    time_ms: int
    alerts: Sequence[Alert] = ()
    changes: Sequence[Change] = ()
    errors: Sequence[tuple[str, str]] = ()
    samples: int = 0
    refused: int = 0


@dataclass(slots=True)
class RuleState:
    """A rule and what came of its last evaluation. book: its alerts, for an alerting rule."""

    rule: Rule
    writer: SeriesWriter
    book: AlertBook | None
    health: str = "unknown"
    last_error: str = ""
    last_evaluation_ms: int = 0
    evaluation_s: float = 0.0


@dataclass(slots=True)
class GroupState:
    """Evaluations of one group, one at a time; `evaluate` may run in any thread."""

    group: Group
    surroundings: Surroundings
    rules: list[RuleState] = field(init=False)
    last_evaluation_ms: int = 0
    evaluation_s: float = 0.0

    def __post_init__(self) -> None:
        source = f"rules:{self.group.file};{self.group.name}"
        self.rules = [
            RuleState(rule, SeriesWriter(self.surroundings.store, source), self._book(rule))
            for rule in self.group.rules
        ]

    def _book(self, rule: Rule) -> AlertBook | None:
        return AlertBook(rule, self.group.labels) if isinstance(rule, AlertingRule) else None

    @property
    def query_offset_ms(self) -> int:
        own = self.group.query_offset_ms
        return self.surroundings.query_offset_ms if own is None else own

    def evaluate(self, now_ms: int) -> GroupResult:
        """Evaluate all rules at now_ms (int64 ms) and store what they give."""
        watch = self.surroundings.stopwatch
        started = watch()
        alerts: list[Alert] = []
        changes: list[Change] = []
        errors: list[tuple[str, str]] = []
        samples = refused = 0
        for state in self.rules:
            begun = watch()
            before = state.book.states() if state.book else {}
            try:
                written, lost = self._evaluate_rule(state, now_ms)
                samples, refused = samples + written, refused + lost
                state.health, state.last_error = "ok", ""
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not cost the other rules
                state.health, state.last_error = "err", _reason(error)
                errors.append((state.rule.name, state.last_error))
            state.last_evaluation_ms, state.evaluation_s = now_ms, watch() - begun
            if state.book is not None and state.health == "ok":
                alerts += self._due(state, state.book, now_ms)
            if state.book is not None:
                changes += _changes(before, state.book)
        self.last_evaluation_ms, self.evaluation_s = now_ms, watch() - started
        return GroupResult(now_ms, alerts, changes, errors, samples, refused)

    def _evaluate_rule(self, state: RuleState, now_ms: int) -> tuple[int, int]:
        """How many samples the rule gave, and how many of them the store refused."""
        at_ms = now_ms - self.query_offset_ms
        results = _vector(self.surroundings.querier.instant_at(state.rule.expr, at_ms))
        if state.book is None:
            assert isinstance(state.rule, RecordingRule)
            samples = _recorded(state.rule, self.group, results)
        else:
            expand = self.surroundings.expander(at_ms, state.rule.name)
            state.book.evaluate(results, now_ms, self.group.limit, expand)
            samples = state.book.samples()
        labels = [each for each, _ in samples]
        result = state.writer.write(at_ms, labels, [value for _, value in samples])
        return len(samples), result.out_of_order + result.duplicates + result.out_of_bounds

    def _due(self, state: RuleState, book: AlertBook, now_ms: int) -> list[Alert]:
        url = self.surroundings.generator_url(state.rule.text)
        return book.due(now_ms, self.group.interval_ms, self.surroundings.resend_delay_ms, url)

    def take_over(self, older: GroupState) -> None:
        """Go on where the same group of an earlier configuration was; rules are matched in order."""
        available: dict[tuple[str, Labels], list[RuleState]] = {}
        for state in older.rules:
            available.setdefault(_identity(state.rule), []).append(state)
        for state in self.rules:
            same = available.get(_identity(state.rule))
            if not same:
                continue
            before = same.pop(0)
            state.writer = before.writer
            state.health, state.last_error = before.health, before.last_error
            state.last_evaluation_ms, state.evaluation_s = before.last_evaluation_ms, before.evaluation_s
            if state.book is not None and before.book is not None:
                state.book.take_over(before.book)
        self.last_evaluation_ms, self.evaluation_s = older.last_evaluation_ms, older.evaluation_s
        older.rules = [state for left in available.values() for state in left]

    def end(self, now_ms: int) -> list[Alert]:
        """Mark the group's series stale and resolve its alerts: it is gone from the configuration.

        After `take_over` this concerns the rules that nobody took over.
        """
        alerts: list[Alert] = []
        for state in self.rules:
            state.writer.end(now_ms - self.query_offset_ms)
            if state.book is not None:
                alerts += state.book.resolve_all(now_ms, self.surroundings.generator_url(state.rule.text))
        return alerts


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, ZsevalError) else f"internal error: {error!r}"


def _identity(rule: Rule) -> tuple[str, Labels]:
    return (rule.name, rule.labels)


def _vector(result: Result) -> Samples:
    """Raises RuleError for a value that is neither an instant vector nor a scalar."""
    match result.type:
        case ValueType.VECTOR:
            return result.samples()
        case ValueType.SCALAR:
            return [(Labels(), result.scalar())]
        case _:
            raise RuleError("rule result is not a vector or scalar")


def _recorded(rule: RecordingRule, group: Group, results: Samples) -> Samples:
    """The results under the rule's name. Raises RuleError where two become one, or past the limit."""
    extra = {**dict(group.labels), **dict(rule.labels), METRIC_NAME: rule.name}
    samples = [(labels.merged(extra), value) for labels, value in results]
    if len({labels for labels, _ in samples}) != len(samples):
        raise RuleError("vector contains metrics with the same labelset after applying rule labels")
    if 0 < group.limit < len(samples):
        raise RuleError(f"exceeded limit of {group.limit} with {len(samples)} series")
    return samples


def _changes(before: dict[Labels, AlertState], book: AlertBook) -> list[Change]:
    """Alerts in another state than before; a pending one that went away is no news."""
    changes = []
    for alert in book.known():
        was = before.get(alert.labels, AlertState.INACTIVE)
        if was is not alert.state:
            changes.append(Change(alert.labels, alert.annotations, alert.value, was, alert.state))
    return changes
