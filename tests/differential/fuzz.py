"""Random expressions asked of the real Prometheus 2.42 and of zseval: `python -m tests.differential.fuzz`.

A difference is traced to where it begins: the smallest part of the expression whose own answers differ. That
part is then judged. It may be
- rounding: either what goes into the part already differs in its last digits (the difference is then a
  consequence: a comparison or floor() that tips over), or the part adds and subtracts, and the difference
  is below 2^-40 of the largest number that goes in (catastrophic cancellation: digits that neither has);
- a tie: topk and bottomk keep another one of several equal values;
- a row of the known differences;
- a finding.
"""

from __future__ import annotations

import argparse
import collections
import math
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.differential.compare import Answer, Close, close, difference, numbers
from tests.differential.grow import expressions
from tests.differential.hostile import END_S, START_S, generate
from tests.differential.known_differences import Case, explanation
from tests.differential.peer import Peers, When, engine_with
from tests.differential.remote_write import prometheus_with
from zseval.promql.syntax.ast import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Expr,
    MatrixSelector,
    ValueType,
    children,
    walk,
)
from zseval.promql.syntax.parser import parse

__all__ = ["Finding", "Report", "fuzz"]

_AT_ONCE = 64  # expressions on their way to Prometheus at a time
_THREADS = 2
_CANCELLATION = 2.0**-40

_ADDING = frozenset(
    {"sum", "avg", "stddev", "stdvar", "+", "-", "%", "rate", "increase", "delta", "idelta", "irate", "deriv"}
    | {"predict_linear", "sum_over_time", "avg_over_time", "stddev_over_time", "stdvar_over_time"}
    | {"quantile", "quantile_over_time", "histogram_quantile"}
)
_SQUARED = frozenset({"stdvar", "stddev", "stdvar_over_time", "stddev_over_time"})
_ROOTED = frozenset({"stddev", "stddev_over_time"})
_TIED = frozenset({"topk", "bottomk"})


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference that nothing explains."""

    expr: str
    smallest: str
    when: When
    what: str

    def __str__(self) -> str:
        return f"{self.smallest}\n    {self.when}\n    {self.what}\n    in {self.expr}"


@dataclass(slots=True)
class Report:
    """Counts of a run, and what it found."""

    asked: int = 0
    empty: int = 0
    errors: int = 0
    explained: collections.Counter[str] = field(default_factory=collections.Counter)
    findings: list[Finding] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"{self.asked} answers: {self.empty} empty, {self.errors} errors"]
        lines += [f"  {count} times: {what}" for what, count in self.explained.most_common()]
        lines += [f"  {len(self.findings)} differences that nothing explains"]
        return "\n".join([*lines, *(str(each) for each in self.findings)])


def fuzz(peers: Peers, seed: int, count: int) -> Report:
    """Ask `count` expressions, each at one time and over a range."""
    report = Report()
    with ThreadPoolExecutor(_THREADS) as pool:
        for chunk in _chunks(seed, count):
            answers = [pool.submit(peers.theirs, expr, when) for expr, when in chunk]
            for (expr, when), answer in zip(chunk, answers, strict=True):
                _judge(peers, expr, when, answer.result(), report)
        for _ in range(_THREADS):
            pool.submit(peers.close)
    peers.close()
    return report


def _chunks(seed: int, count: int) -> Iterator[list[tuple[str, When]]]:
    rng = random.Random(seed)
    chunk: list[tuple[str, When]] = []
    for expr in expressions(seed, count):
        moment = START_S + 3 + 15 * rng.randrange(10, (END_S - START_S) // 15 + 8)
        step = rng.choice([45, 60, 90, 150])
        start = START_S + 3 + 15 * rng.randrange(60)
        chunk += [(expr, When(moment, moment)), (expr, When(start, start + step * 20, step))]
        if len(chunk) >= _AT_ONCE:
            yield chunk
            chunk = []
    yield chunk


def _judge(peers: Peers, expr: str, when: When, theirs: Answer, report: Report) -> None:
    ours = _ours(peers, expr, when)
    report.asked += 1
    report.errors += "error" in theirs
    report.empty += theirs.get("result") == []
    if difference(theirs, ours) is None:
        return
    case = _smallest(peers, expr, when) or Case(parse(expr), expr, theirs, ours)
    reason = _reason(peers, case, when)
    if reason is not None:
        report.explained[reason] += 1
        return
    what = difference(case.theirs, case.ours)
    assert what is not None
    report.findings.append(Finding(expr, case.text, when, what))


def _ours(peers: Peers, expr: str, when: When) -> Answer:
    try:
        return peers.ours(expr, when)
    except Exception as error:  # noqa: BLE001 - a crash is a finding like another; its words say so
        return {"resultType": "crash", "result": f"{type(error).__name__}: {error}"}


def _smallest(peers: Peers, expr: str, when: When) -> Case | None:
    """The first part, by length, that differs when it is asked by itself."""
    texts: dict[str, Expr] = {}
    for node in walk(parse(expr)):
        if node.type is not ValueType.MATRIX or when.step == 0:
            texts.setdefault(expr[node.span.start : node.span.end], node)
    for text, node in sorted(texts.items(), key=lambda item: len(item[0])):
        theirs, ours = peers.theirs(text, when), _ours(peers, text, when)
        if difference(theirs, ours) is not None:
            return Case(node, text, theirs, ours)
    return None


def _reason(peers: Peers, case: Case, when: When) -> str | None:
    """Why a difference is none to look into, or None."""
    known = explanation(case)
    if known is not None:
        return known.what
    if "error" in case.theirs or "error" in case.ours or case.ours["resultType"] == "crash":
        return None
    name = _name(case.expr)
    if name in _TIED and _ranked(case.theirs) == _ranked(case.ours):
        return "tie"
    inputs = _inputs(peers, case, when)
    if any(theirs != ours and difference(theirs, ours) is None for theirs, ours in inputs):
        return "rounding of what goes in"
    if name in _ADDING and difference(case.theirs, case.ours, _cancelling(name, inputs)) is None:
        return "cancellation"
    return None


def _name(node: Expr) -> str:
    match node:
        case Call(func=name) | AggregateExpr(op=name) | BinaryExpr(op=name):
            return name
        case _:
            return ""


def _ranked(answer: Answer) -> list[str]:
    return sorted(map(str, numbers(answer)))  # as text: NaN equals NaN


def _inputs(peers: Peers, case: Case, when: When) -> list[tuple[Answer, Answer]]:
    """(theirs, ours) of each operand; of a range vector at the end of the range."""
    found = []
    for child in children(case.expr):
        start = case.expr.span.start
        text = case.text[child.span.start - start : child.span.end - start]
        at = When(when.end, when.end) if isinstance(child, MatrixSelector) else when
        if child.type is ValueType.MATRIX:
            at = When(when.end, when.end)
        found.append((_sorted(peers.theirs(text, at)), _sorted(_ours(peers, text, at))))
    return found


def _sorted(answer: Answer) -> Answer:
    if answer.get("resultType") in ("vector", "matrix"):
        ranked = sorted(answer["result"], key=lambda each: sorted(each["metric"].items()))
        return {**answer, "result": ranked}
    return answer


def _cancelling(name: str, inputs: list[tuple[Answer, Answer]]) -> Close:
    """Equality that leaves out digits below the rounding of the largest number that goes in."""
    finite = [abs(value) for theirs, _ in inputs for value in numbers(theirs) if math.isfinite(value)]
    largest = max(finite, default=0.0)
    slack = _CANCELLATION * (largest * largest if name in _SQUARED else largest)

    def same(theirs: float, ours: float) -> bool:
        if close(theirs, ours):
            return True
        if name in _ROOTED:
            theirs, ours = theirs * theirs, ours * ours
        return abs(theirs - ours) <= slack

    return same


def main() -> int:
    """Run from the command line; the exit code says whether anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential.fuzz", description=main.__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    parser.add_argument("--runs", type=int, default=1, help="this many seeds, one after the other")
    parser.add_argument("--count", type=int, default=2000, help="expressions a run")
    options = parser.parse_args()
    found = False
    with tempfile.TemporaryDirectory() as home, prometheus_with(generate(), Path(home)) as base:
        peers = Peers(base, engine_with(generate()))
        for seed in range(options.seed, options.seed + options.runs):
            began = time.monotonic()
            report = fuzz(peers, seed, options.count)
            found = found or bool(report.findings)
            sys.stdout.write(f"seed {seed}, {time.monotonic() - began:.0f} s: {report}\n")
            sys.stdout.flush()
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
