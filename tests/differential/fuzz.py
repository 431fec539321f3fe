"""Random expressions asked of the real Prometheus 2.42 and of zseval: `python -m tests.differential.fuzz`.

A difference is traced to where it begins (`trace`) and judged there (`reasons`); what no reason explains is a
finding.
"""

from __future__ import annotations

import argparse
import collections
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.differential.compare import Answer, difference
from tests.differential.grow import expressions
from tests.differential.hostile import END_S, START_S, generate
from tests.differential.peer import Peers, When, engine_with
from tests.differential.reasons import reason
from tests.differential.remote_write import prometheus_with
from tests.differential.trace import ours_of, trace

__all__ = ["Finding", "Report", "ask", "fuzz"]

_AT_ONCE = 64  # answers on their way from Prometheus at a time
_THREADS = 2
_TRIES = 40


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
    peers.close()
    return report


def ask(peers: Peers, expr: str, seed: int, report: Report) -> None:
    """One expression, at one time and over a range that the seed chooses."""
    for when in _times(random.Random(seed)):
        _judge(peers, expr, when, peers.theirs(expr, when), report)


def _chunks(seed: int, count: int) -> Iterator[list[tuple[str, When]]]:
    rng = random.Random(seed)
    chunk: list[tuple[str, When]] = []
    for expr in expressions(seed, count):
        chunk += [(expr, when) for when in _times(rng)]
        if len(chunk) >= _AT_ONCE:
            yield chunk
            chunk = []
    yield chunk


def _times(rng: random.Random) -> tuple[When, When]:
    moment = START_S + 3 + 15 * rng.randrange(10, (END_S - START_S) // 15 + 8)
    step = rng.choice([15, 30, 45, 60, 90, 150])
    start = START_S + 3 + 15 * rng.randrange(60)
    return When(moment, moment), When(start, start + step * 20, step)


def _judge(peers: Peers, expr: str, when: When, theirs: Answer, report: Report) -> None:
    ours = ours_of(peers, expr, when)
    report.asked += 1
    report.errors += "error" in theirs
    report.empty += theirs.get("result") == []
    what = difference(theirs, ours)
    if what is None:
        return
    case = trace(peers, expr, when)
    why = None if case is None else reason(case)
    if why is None and (_wavers(peers, expr, when) or (case and _wavers(peers, case.text, case.when))):
        why = "Prometheus answers this as well when asked again"
    finding = (
        Finding(expr, expr, when, what) if case is None else Finding(expr, case.text, case.when, case.what)
    )
    if why is None:
        report.findings.append(finding)
    else:
        report.explained[why] += 1


def _wavers(peers: Peers, expr: str, when: When) -> bool:
    """Whether the real server gives zseval's answer too: it goes through hash maps here and there."""
    ours = ours_of(peers, expr, when)
    if difference(ours, ours_of(peers, expr, when)) is not None:
        return False
    return any(difference(peers.theirs(expr, when), ours) is None for _ in range(_TRIES))


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
