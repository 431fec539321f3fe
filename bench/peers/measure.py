"""Rounds: the same question to one server after the other, over and over, and what each took."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from bench.peers.agree import compare, require
from bench.peers.client import Answer
from bench.peers.questions import Question
from bench.peers.results import Case
from bench.peers.servers import PROMETHEUS, VICTORIA, ZSEVAL, Server

__all__ = ["Say", "check", "latencies", "summary", "timed"]

Say = Callable[[str], None]
_FEW = 0.3  # of the values on rough data: ten targets restart, each in twenty windows, and maxima of them
_MOST, _ENOUGH_S = 5, 1.5  # requests of a round to each server: more where the slowest is quick


def check(question: Question, servers: Sequence[Server], end_s: float, *, rough: bool = False) -> str:
    """Compare the answers. Returns a line that says how they agree; raises Disagreement."""
    answers = {server.name: question.ask(server.client, end_s).data() for server in servers}
    words = []
    for name, data in answers.items():
        if name == ZSEVAL:
            continue
        is_exact = name == PROMETHEUS
        found = compare(answers[ZSEVAL], data, names=is_exact)
        require(
            found,
            f"{question.expr} on {name}",
            exact=is_exact,
            values=is_exact or (question.same and not rough),
            chosen=question.chosen and (rough or not is_exact),
            few=_FEW if rough else 0.0,
        )
        words.append(f"{name}: {found.series} series, {found.shared:.1%} shared, apart {found.apart:.1e}")
    return "; ".join(words)


def timed(
    question: Question, servers: Sequence[Server], end_s: float, rounds: int, *, rough: bool = False
) -> Case:
    """Milliseconds of a whole request, and of CPU, on each server: in each round the best of a few requests.

    The best, since other work on the machine only ever adds. Each request asks for times a second earlier, so
    that an answer kept from the one before is of no use.
    """
    note = check(question, servers, end_s, rough=rough)
    repeats = _repeats(question, servers, end_s)
    samples: dict[str, list[float]] = {server.name: [] for server in servers}
    cpu: dict[str, list[float]] = {server.name: [] for server in servers}
    for number in range(rounds):
        taken: dict[str, list[float]] = {server.name: [] for server in servers}
        spent: dict[str, list[float]] = {server.name: [] for server in servers}
        for repeat in range(repeats):
            for server in _turned(servers, number + repeat):
                before = server.cpu_seconds()
                answer = _ok(question.ask(server.client, end_s - number - repeat * rounds))
                spent[server.name].append((server.cpu_seconds() - before) * 1000)
                taken[server.name].append(answer.seconds * 1000)
        for server in servers:
            samples[server.name].append(min(taken[server.name]))
            cpu[server.name].append(min(spent[server.name]))
    return Case(question.name, "ms", samples, cpu, question.expr, note)


def _repeats(question: Question, servers: Sequence[Server], end_s: float) -> int:
    """The same for every server, or the best of a few would be better for the quick ones."""
    slowest = max(_ok(question.ask(server.client, end_s)).seconds for server in servers)
    return max(1, min(_MOST, int(_ENOUGH_S / max(slowest, 1e-6))))


def latencies(
    question: Question, servers: Sequence[Server], end_s: float, rounds: int, requests: int
) -> list[Case]:
    """The median and the 99th percentile of many requests a round, as two cases; with the first, CPU time."""
    note = check(question, servers, end_s)
    halves: dict[str, list[float]] = {server.name: [] for server in servers}
    spent: dict[str, list[float]] = {server.name: [] for server in servers}
    tails: dict[str, list[float]] = {server.name: [] for server in servers}
    for number in range(rounds):
        for server in _turned(servers, number):
            for warm in range(5):
                question.ask(server.client, end_s - warm)
            before = server.cpu_seconds()
            taken = sorted(
                _ok(question.ask(server.client, end_s - index % 200)).seconds * 1000
                for index in range(requests)
            )
            spent[server.name].append((server.cpu_seconds() - before) * 1000 / requests)
            halves[server.name].append(taken[len(taken) // 2])
            tails[server.name].append(taken[int(len(taken) * 0.99)])
    return [
        Case(f"{question.name}, p50", "ms", halves, spent, detail=question.expr, note=note),
        Case(f"{question.name}, p99", "ms", tails, detail=question.expr),
    ]


def summary(case: Case) -> str:
    """One line for the terminal."""
    medians = {name: statistics.median(figures) for name, figures in case.samples.items() if figures}
    ours = medians.get(ZSEVAL, 0.0)
    words = [f"{name} {figure:.4g}" for name, figure in medians.items()]
    words += [f"/{name[:4]} {ours / medians[name]:.3f}" for name in (PROMETHEUS, VICTORIA) if name in medians]
    spent = {name: statistics.median(figures) for name, figures in case.cpu.items() if figures}
    if spent:
        words.append("| CPU " + " ".join(f"{name[:4]} {figure:.4g}" for name, figure in spent.items()))
    return f"{case.name:<34} {case.unit}: " + "  ".join(words)


def _turned(servers: Sequence[Server], number: int) -> list[Server]:
    """Another one is first in each round."""
    first = number % len(servers)
    return [*servers[first:], *servers[:first]]


def _ok(answer: Answer) -> Answer:
    if answer.status != 200:
        raise RuntimeError(f"HTTP {answer.status}: {answer.body[:300]!r}")
    return answer
