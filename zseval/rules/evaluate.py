"""GroupState: one rule group, evaluated at one time after another.

Rules run in order at one timestamp, and each sees what its predecessors wrote. A rule that fails says
so and costs the others nothing; its series are then left as they are.
Source: rules/group.go, rules/recording.go, rules/alerting.go upstream.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from zseval.errors import ZsevalError
from zseval.model.alert import Alert
from zseval.model.arrays import Values
from zseval.model.histogram import Histogram
from zseval.model.labels import METRIC_NAME, Labels
from zseval.promql.syntax.value_type import ValueType
from zseval.rules.alerts import AlertBook, RuleError
from zseval.rules.naming import Naming
from zseval.rules.rule import AlertingRule, Group, Rule
from zseval.rules.state import ActiveAlert, AlertState
from zseval.rules.texts import Expand
from zseval.rules.writer import Refused, SeriesWriter, Store

if TYPE_CHECKING:
    from zseval.promql.result import Result
    from zseval.promql.syntax.ast import Expr

__all__ = ["Change", "GroupResult", "GroupState", "Querier", "RuleState", "Surroundings"]

Samples = list[tuple[Labels, float]]
Histograms = Sequence[tuple[Labels, Histogram]]


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
    """One alert that is in another state than before the evaluation; inactive where it is over."""

    labels: Labels
    annotations: Labels
    value: float
    before: AlertState
    after: AlertState


@dataclass(frozen=True, slots=True)
class GroupResult:
    """What one evaluation gave. alerts: to be told of.  errors: (rule name, why), of rules that failed.

    refused: (rule name, why), of rules with samples the store did not take.
    """

    time_ms: int
    alerts: Sequence[Alert] = ()
    changes: Sequence[Change] = ()
    errors: Sequence[tuple[str, str]] = ()
    refused: Sequence[tuple[str, str]] = ()
    samples: int = 0


@dataclass(slots=True)
class RuleState:
    """A rule and what came of its last evaluation. book: its alerts, for an alerting rule.  naming: of what
    it finds and, for a recording rule, writes.

    health: unknown before the first evaluation, then ok or err.
    """

    rule: Rule
    writer: SeriesWriter
    naming: Naming
    book: AlertBook | None
    health: str = "unknown"
    last_error: str = ""
    last_evaluation_ms: int = 0
    evaluation_s: float = 0.0

    def note(self, error: str) -> None:
        """What came of an evaluation; "" for a good one."""
        self.health, self.last_error = ("err", error) if error else ("ok", "")


@dataclass(slots=True)
class _Gathered:
    """A GroupResult in the making."""

    alerts: list[Alert] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    samples: int = 0


@dataclass(slots=True)
class GroupState:
    """Evaluations of one group, one at a time; any thread may do it, and others may look meanwhile."""

    group: Group
    surroundings: Surroundings
    rules: list[RuleState] = field(init=False)
    last_evaluation_ms: int = 0
    evaluation_s: float = 0.0
    _orphans: list[SeriesWriter] = field(default_factory=list)  # of rules that are gone

    def __post_init__(self) -> None:
        self.rules = [
            RuleState(
                rule,
                SeriesWriter(self.surroundings.store, self._source),
                Naming({**self.group.labels_of(rule), METRIC_NAME: rule.name}),
                self._book(rule),
            )
            for rule in self.group.rules
        ]

    def _book(self, rule: Rule) -> AlertBook | None:
        return AlertBook(rule, self.group.labels_of(rule)) if isinstance(rule, AlertingRule) else None

    @property
    def _source(self) -> str:
        return f"rules:{self.group.file};{self.group.name}"

    @property
    def query_offset_ms(self) -> int:
        own = self.group.query_offset_ms
        return self.surroundings.query_offset_ms if own is None else own

    def evaluate(self, now_ms: int) -> GroupResult:
        """Evaluate all rules at now_ms (int64 ms) and store what they give."""
        watch = self.surroundings.stopwatch
        started = watch()
        result = _Gathered()
        for state in self.rules:
            begun = watch()
            before = state.book.known() if state.book is not None else {}
            try:
                self._evaluate_rule(state, now_ms, result)
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not cost the other rules
                state.note(_reason(error))
                result.errors.append((state.rule.name, state.last_error))
            state.last_evaluation_ms, state.evaluation_s = now_ms, watch() - begun
            if state.book is not None:
                result.changes += _changes(before, state.book.known())
        self._end_orphans(now_ms)
        self.last_evaluation_ms, self.evaluation_s = now_ms, watch() - started
        return GroupResult(
            now_ms, result.alerts, result.changes, result.errors, result.refused, result.samples
        )

    def _evaluate_rule(self, state: RuleState, now_ms: int, result: _Gathered) -> None:
        at_ms = now_ms - self.query_offset_ms
        found = self.surroundings.querier.instant_at(state.rule.expr, at_ms)
        histograms: Histograms = ()
        if state.book is None:
            labels, values, histograms = self._recorded(state, found)
        else:
            expand = self.surroundings.expander(now_ms, state.rule.name)
            state.book.evaluate(*_alerting(state, found), now_ms, self.group.limit, expand)
            labels, values = state.book.samples()
            result.alerts += self._due(state, state.book, now_ms)  # told whatever the store says
        state.note("")
        result.samples += len(labels) + len(histograms)
        written = state.writer.write(at_ms, labels, values, histograms)
        refusal = _refusal(written)
        if refusal:
            state.note(refusal)
            result.refused.append((state.rule.name, refusal))

    def _recorded(self, state: RuleState, found: Result) -> tuple[tuple[Labels, ...], Values, Histograms]:
        """What a recording rule writes: labels and values of floats, and native histograms.

        Raises RuleError where two results become one, or past the limit.
        """
        histograms: Histograms = ()
        if found.type is ValueType.VECTOR and found.histograms is None:
            labels, values = state.naming.written(found.labels), found.values[:, 0]
        else:
            floats, held = _vector(found), _histograms(found)
            named = state.naming.named([each for each, _ in (*floats, *held)])
            labels = named[: len(floats)]
            values = np.array([value for _, value in floats], dtype=np.float64)
            histograms = [(name, value) for name, (_, value) in zip(named[len(floats) :], held, strict=True)]
        count = len(labels) + len(histograms)
        if 0 < self.group.limit < count:
            raise RuleError(f"exceeded limit of {self.group.limit} with {count} series")
        return labels, values, histograms

    def _due(self, state: RuleState, book: AlertBook, now_ms: int) -> list[Alert]:
        def url() -> str:
            return self.surroundings.generator_url(state.rule.text)

        return book.due(now_ms, self.group.interval_ms, self.surroundings.resend_delay_ms, url)

    def _end_orphans(self, now_ms: int) -> None:
        """Series of rules that are gone, unless a rule that is there has just written them."""
        for writer in self._orphans:
            writer.end(now_ms - self.query_offset_ms)
        self._orphans.clear()

    def take_over(self, older: GroupState) -> None:
        """Go on where the same group of an earlier configuration was.

        Rules are matched by name and labels, the first with the first. `older` is left with the rules
        that are gone; their series end after this group's next evaluation.
        """
        available: dict[object, list[RuleState]] = {}
        for state in older.rules:
            available.setdefault(_identity(state.rule, older.group), []).append(state)
        for state in self.rules:
            same = available.get(_identity(state.rule, self.group))
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
        self._orphans = [*older._orphans, *(state.writer for state in older.rules)]
        older._orphans = []

    def resolve(self, now_ms: int) -> GroupResult:
        """End all alerts: the rules are gone from the configuration."""
        alerts: list[Alert] = []
        changes: list[Change] = []
        for state in self.rules:
            if state.book is not None:
                before = state.book.known()
                url = self.surroundings.generator_url(state.rule.text)
                alerts += state.book.resolve_all(now_ms, url)
                changes += _changes(before, {})
        return GroupResult(now_ms, alerts, changes)

    def end(self, now_ms: int) -> None:
        """Mark the group's series stale: it is gone. Series that others have written since go on."""
        time_ms = max(now_ms, self.last_evaluation_ms + 1)
        self._orphans += [state.writer for state in self.rules]
        self._end_orphans(time_ms)
        self.surroundings.store.release(self._source)

    def shift(self, delta_ms: int) -> None:
        """Move all times, as when the clock was set; to be called between evaluations."""
        for state in self.rules:
            if state.last_evaluation_ms:
                state.last_evaluation_ms += delta_ms
            if state.book is not None:
                state.book.shift(delta_ms)
        if self.last_evaluation_ms:
            self.last_evaluation_ms += delta_ms


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, ZsevalError) else f"internal error: {error!r}"


def _refusal(result: Refused) -> str:
    """Why the store did not take some samples, in upstream's words; "" where it took all."""
    if result.out_of_order:
        return "out of order sample"
    if result.out_of_bounds:
        return "out of bounds"
    return "duplicate sample for timestamp" if result.duplicates else ""


def _identity(rule: Rule, group: Group) -> tuple[str, tuple[tuple[str, str], ...]]:
    """What tells rules apart from one configuration to the next."""
    return (rule.name, tuple(sorted(group.labels_of(rule).items())))


def _alerting(state: RuleState, found: Result) -> tuple[Sequence[Labels], Sequence[float]]:
    """Labels and values of what an alerting rule found. A native histogram is 0, as upstream has it."""
    if found.type is ValueType.VECTOR and found.histograms is None:
        return state.naming.results(found.labels), found.values[:, 0].tolist()
    samples = [*_vector(found), *((labels, 0.0) for labels, _ in _histograms(found))]
    return [labels for labels, _ in samples], [value for _, value in samples]


def _histograms(result: Result) -> Histograms:
    return result.histogram_samples() if result.type is ValueType.VECTOR else []


def _vector(result: Result) -> Samples:
    """Raises RuleError for a value that is neither an instant vector nor a scalar."""
    match result.type:
        case ValueType.VECTOR:
            return result.samples()
        case ValueType.SCALAR:
            return [(Labels(), result.scalar())]
        case _:
            raise RuleError("rule result is not a vector or scalar")


def _changes(before: Mapping[Labels, ActiveAlert], after: Mapping[Labels, ActiveAlert]) -> list[Change]:
    """Alerts in another state than before, those that are gone included."""
    changes: list[Change] = []
    if before is after:
        return changes
    new = len(after)
    for labels, was in before.items():
        now = after.get(labels)
        new -= now is not None
        state = AlertState.INACTIVE if now is None else now.state
        if state is not was.state:
            latest = now or was
            changes.append(Change(labels, latest.annotations, latest.value, was.state, state))
    for labels, alert in after.items() if new else ():
        if labels not in before and alert.state is not AlertState.INACTIVE:
            changes.append(Change(labels, alert.annotations, alert.value, AlertState.INACTIVE, alert.state))
    return changes
