"""Runs test scripts on the engine and compares as upstream does.

An instant query is also run with `@` on every selector at other evaluation times, and each of those as
the middle step of a range query: all must agree with the expectation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tests.conformance.nhcb import converted
from tests.conformance.script import Clear, Command, Eval, Load, parse_script
from tests.conformance.series import Expected, Value
from zseval.errors import PromQLError
from zseval.model.histogram import Histogram
from zseval.model.labels import Labels
from zseval.model.staleness import is_stale_value
from zseval.promql.engine import FEATURES as ALL_FEATURES
from zseval.promql.engine import Engine
from zseval.promql.functions import FUNCTIONS
from zseval.promql.result import Result
from zseval.promql.syntax.ast import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatrixSelector,
    ParenExpr,
    SubqueryExpr,
    UnaryExpr,
    ValueType,
    VectorSelector,
    walk,
)
from zseval.promql.syntax.parser import parse
from zseval.promql.syntax.printer import to_text
from zseval.tsdb.db import TSDB

__all__ = ["Outcome", "almost_equal", "run_file", "run_script"]

EPSILON = 1e-6
_MIN_NORMAL = math.ldexp(1.0, -1022)
_MINUTE = 60_000
_QUERY_CONTEXT = re.compile(r"(start|end|range|step)\(\)")
FEATURES = ALL_FEATURES - {"type-and-unit-labels"}
"""What upstream's test engine has on; the feature left out only changes which infos there are."""


class MismatchError(Exception):
    """The engine's answer is not the expected one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one eval command; problem is "" where it passed.

    histograms: native histograms were among the loaded or expected data.
    """

    line: int
    expr: str
    problem: str
    histograms: bool


def run_file(path: Path) -> list[Outcome]:
    return list(run_script(path.read_text(encoding="utf-8")))


def run_script(text: str) -> Iterator[Outcome]:
    """An outcome for each eval of the script, in order."""
    run = _Run()
    for command in parse_script(text):
        outcome = run.command(command)
        if outcome is not None:
            yield outcome


class _Run:
    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self.db = TSDB(retention=None)
        self.engine = Engine(self.db, features=FEATURES)
        self.histograms = False
        self.loads = 0

    def command(self, command: Command) -> Outcome | None:
        match command:
            case Clear():
                self._clear()
            case Load():
                self._load(command)
            case Eval():
                return self._eval(command)
        return None

    def _load(self, load: Load) -> None:
        """Row by row into a table of its own: the points at one time are like one scrape."""
        self.loads += 1
        table = self.db.table(f"load {self.loads}")
        self.histograms |= load.with_nhcb
        longest = max(map(len, load.series.values()), default=0)
        for step in range(longest):
            row: list[tuple[Labels, float]] = []
            for labels, values in load.series.items():
                value = values[step] if step < len(values) else None
                if isinstance(value, Expected):
                    self.histograms = True
                    offset = load.starts[labels][step] if labels in load.starts else None
                    started = None if offset is None else round(step * load.step_ms + offset)
                    self.db.append_histogram_at(labels, value.value, step * load.step_ms, started)
                elif value is not None and labels in load.starts:
                    self._append(labels, value, step * load.step_ms, load.starts[labels][step])
                elif value is not None:
                    row.append((labels, value))
            if row:
                ids = self.db.resolve([labels for labels, _ in row])
                values_at = np.array([value for _, value in row])
                table.append_row(step * load.step_ms, ids, values_at, epoch=self.db.epoch)
        if load.with_nhcb:
            for labels, time_ms, histogram in converted(load):
                self.db.append_histogram_at(labels, histogram, time_ms)

    def _append(self, labels: Labels, value: float, time: int, offset: float | None) -> None:
        """One sample with a start time."""
        started = None if offset is None else (time + offset) / 1000
        self.db.append(labels, value, time / 1000, started)

    def _eval(self, command: Eval) -> Outcome:
        expected = any(isinstance(value, Expected) for values in command.series.values() for value in values)
        try:
            if command.is_range:
                self._range(command)
            else:
                for expr, time in _variants(command):
                    self._instant(command, expr, time)
        except (MismatchError, PromQLError) as problem:
            text = f"{type(problem).__name__}: {problem}"
        except Exception as problem:  # a crash is an outcome to report, not the end of the run  # noqa: BLE001
            text = f"crash: {problem!r}"
        else:
            text = ""
        return Outcome(command.line, command.expr, text, self.histograms or expected)

    def _range(self, command: Eval) -> None:
        start, end, step = command.start_ms, command.end_ms, command.step_ms
        try:
            result = self.engine.range_at(command.expr, start, end, step)
        except PromQLError as error:
            _check_failure(command, error)
            return
        _check_success(command, result, command.expr)
        _check_matrix(command, result)

    def _instant(self, command: Eval, expr: str, time: int) -> None:
        try:
            result = self.engine.instant_at(expr, time)
        except PromQLError as error:
            _check_failure(command, error)
            return
        _check_success(command, result, expr)
        _check_value(command, result)
        if command.range_vector or command.string is not None or _QUERY_CONTEXT.search(expr):
            return
        ranged = self.engine.range_at(expr, time - _MINUTE, time + _MINUTE, _MINUTE)
        if command.expected("ordered"):
            return
        _check_sorted(ranged)
        _check_vector(command, _at_step(ranged, time), is_scalar=result.type is ValueType.SCALAR)


Sample = float | Histogram


def _at_step(result: Result, time: int) -> list[tuple[Labels, Sample]]:
    """The samples of a matrix at one time."""
    return [
        (labels, value) for labels, points in _points(result).items() for at, value in points if at == time
    ]


def _points(result: Result) -> dict[Labels, list[tuple[int, Sample]]]:
    """The samples of a matrix, in time order."""
    found: dict[Labels, list[tuple[int, Sample]]] = {}
    for (labels, times, values), (_, histogram_times, histograms) in zip(
        result.series(), result.histogram_series(), strict=True
    ):
        points: list[tuple[int, Sample]] = list(zip(times.tolist(), values.tolist(), strict=True))
        points += zip(histogram_times.tolist(), histograms, strict=True)
        found[labels] = sorted(points, key=lambda point: point[0])
    return found


def _vector(result: Result) -> list[tuple[Labels, Sample]]:
    """The samples of an instant vector, in its order."""
    samples: list[tuple[Labels, Sample]] = []
    for row, labels in enumerate(result.labels.to_list()):
        held = None if result.histograms is None else result.histograms[row, 0]
        samples.append((labels, float(result.values[row, 0]) if held is None else held))
    return samples


def _check_failure(command: Eval, error: PromQLError) -> None:
    wanted = command.expected("fail")
    if not wanted:
        raise error
    if not wanted[0].matches(str(error)):
        raise MismatchError(f"expected the error {wanted[0].wanted!r}, but got: {error}")


def _check_success(command: Eval, result: Result, expr: str) -> None:
    if command.expected("fail"):
        raise MismatchError(f"expected an error of {expr}, but got none")
    for kind, found in (("warn", result.warnings), ("info", result.infos)):
        wanted = command.expected(kind)
        if wanted and not found:
            raise MismatchError(f"expected {kind} annotations of {expr}, but got none")
        for each in wanted:
            if not any(each.matches(text) for text in found):
                raise MismatchError(f"expected {kind} {each.wanted!r} of {expr}, but got {found}")
        for text in found:
            if wanted and not any(each.matches(text) for each in wanted):
                raise MismatchError(f"unexpected {kind} of {expr}: {text}")
        if command.expected(f"no_{kind}") and found:
            raise MismatchError(f"expected no {kind} of {expr}, but got {found}")


def _check_value(command: Eval, result: Result) -> None:
    match result.type:
        case ValueType.STRING:
            if result.text != command.string:
                raise MismatchError(f"expected the string {command.string!r}, but got {result.text!r}")
        case ValueType.SCALAR:
            _check_vector(command, [(Labels(), result.scalar())], is_scalar=True)
        case ValueType.VECTOR:
            _check_vector(command, _vector(result), is_scalar=False)
        case _:
            _check_matrix(command, result)


def _check_vector(command: Eval, samples: Sequence[tuple[Labels, Sample]], *, is_scalar: bool) -> None:
    if is_scalar != (command.scalar is not None):
        raise MismatchError(f"expected {'no ' if is_scalar else ''}scalar, but got {samples}")
    if command.scalar is not None:
        if not _same(command.scalar, samples[0][1]):
            raise MismatchError(f"expected {command.scalar}, but got {samples[0][1]}")
        return
    expected = list(command.series)
    for position, (labels, value) in enumerate(samples):
        if labels not in command.series:
            raise MismatchError(f"unexpected series {labels} with {value}")
        if command.expected("ordered") and expected.index(labels) != position:
            raise MismatchError(f"expected {labels} at {expected.index(labels)}, but was at {position}")
        wanted = command.series[labels][0]
        if not _same(wanted, value):
            raise MismatchError(f"expected {wanted} for {labels}, but got {value}")
    missing = set(command.series) - {labels for labels, _ in samples}
    if missing:
        raise MismatchError(f"expected series not found: {', '.join(map(str, missing))}")


def _check_matrix(command: Eval, result: Result) -> None:
    if command.scalar is not None:
        raise MismatchError("expected a scalar, but got a matrix")
    _check_sorted(result)
    found = _points(result)
    for labels, values in found.items():
        if labels not in command.series:
            raise MismatchError(f"unexpected series {labels} with {values}")
        wanted = command.series[labels]
        points = [
            (command.start_ms + index * command.step_ms, each)
            for index, each in enumerate(wanted)
            if each is not None
        ]
        if points and points[-1][0] > command.end_ms:
            raise MismatchError(f"the script expects points after the end for {labels}")
        if [time for time, _ in points] != [time for time, _ in values]:
            raise MismatchError(f"expected {points} for {labels}, but got {values}")
        for (time, each), (_, value) in zip(points, values, strict=True):
            if not _same(each, value):
                raise MismatchError(f"expected {each} at {time} for {labels}, but got {value} (in {values})")
    missing = set(command.series) - set(found)
    if missing:
        raise MismatchError(f"expected series not found: {', '.join(map(str, missing))}")


def _check_sorted(result: Result) -> None:
    labels = result.labels.to_list()
    if labels != sorted(labels, key=lambda each: each.pairs):
        raise MismatchError(f"a matrix should be sorted by labels: {labels}")


def _same(wanted: Value, value: Sample) -> bool:
    if isinstance(wanted, Expected):
        return isinstance(value, Histogram) and _same_histogram(wanted, value)
    return isinstance(wanted, float) and isinstance(value, float) and almost_equal(wanted, value)


def _same_histogram(expected: Expected, found: Histogram) -> bool:
    """Numbers but for EPSILON, the shape exactly; counter resets where the script mentions them."""
    wanted, found = expected.value.compact(), found.compact()
    shape = ["schema", "custom_values", "zero_threshold"]
    if expected.hinted:
        shape.append("counter_reset")
    if any(getattr(wanted, name) != getattr(found, name) for name in shape):
        return False
    pairs = [(getattr(wanted, name), getattr(found, name)) for name in ("count", "sum", "zero_count")]
    for mine, theirs in ((wanted.positive, found.positive), (wanted.negative, found.negative)):
        if mine.indices.tolist() != theirs.indices.tolist():
            return False
        pairs += zip(mine.counts.tolist(), theirs.counts.tolist(), strict=True)
    return all(almost_equal(a, b) for a, b in pairs)


def almost_equal(a: float, b: float) -> bool:
    """Equal but for a relative error of EPSILON; NaN equals NaN, a staleness marker only itself."""
    if is_stale_value(a) or is_stale_value(b):
        return is_stale_value(a) and is_stale_value(b)
    if (math.isnan(a) and math.isnan(b)) or a == b:
        return True
    total, difference = abs(a) + abs(b), abs(a - b)
    if a == 0 or b == 0 or total < _MIN_NORMAL:
        return difference < EPSILON * _MIN_NORMAL
    return difference / min(total, 1.7976931348623157e308) < EPSILON


def _variants(command: Eval) -> list[tuple[str, int]]:
    """The query as it stands, and with `@` on its selectors at other evaluation times."""
    time = command.end_ms if command.range_vector else command.start_ms
    as_is = [(command.expr, time)]
    try:
        expr = parse(command.expr, features=Engine(TSDB(), features=FEATURES).features)
    except PromQLError:
        return as_is
    if any(isinstance(node, Call) and _varies(node.func) for node in walk(expr)):
        return as_is
    text = to_text(_pinned(expr, time))
    others = [-10 * time, 0, time // 5, time, 10 * time] if time else [-1000, 0, 1000]
    return as_is + [(text, other) for other in others]


def _varies(name: str) -> bool:
    if name in ("start", "end", "range", "step", "timestamp"):
        return True
    return name in FUNCTIONS and FUNCTIONS[name].varies_with_time


def _pinned(expr: Expr, time: int) -> Expr:
    """With `@ time` on every selector and subquery that has none, but nothing below a pinned subquery."""
    match expr:
        case VectorSelector():
            return expr if expr.at is not None else replace(expr, at=time)
        case MatrixSelector():
            selector = expr.selector
            return expr if selector.at is not None else replace(expr, selector=replace(selector, at=time))
        case SubqueryExpr():
            return expr if expr.at is not None else replace(expr, at=time)
        case ParenExpr() | UnaryExpr():
            return replace(expr, expr=_pinned(expr.expr, time))
        case BinaryExpr():
            return replace(expr, lhs=_pinned(expr.lhs, time), rhs=_pinned(expr.rhs, time))
        case AggregateExpr():
            param = None if expr.param is None else _pinned(expr.param, time)
            return replace(expr, expr=_pinned(expr.expr, time), param=param)
        case Call():
            return replace(expr, args=tuple(_pinned(arg, time) for arg in expr.args))
        case _:
            return expr
