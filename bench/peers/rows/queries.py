"""Range, instant and tiny queries, on whole hours and on rough ones."""

from __future__ import annotations

from collections.abc import Iterator

from bench.peers.measure import latencies, summary, timed
from bench.peers.questions import INSTANT, RANGE, TINY
from bench.peers.results import Case
from bench.peers.rows.context import Context

__all__ = ["measure_hostile", "measure_queries"]

_TINY_REQUESTS = 300
_TINY_QUICK = 100


def measure_queries(context: Context, scale: int, wanted: frozenset[str]) -> Iterator[tuple[str, list[Case]]]:
    """Those of the rows range, instant and tiny that are wanted: (row, its cases)."""
    with context.filled(scale) as (servers, end_s):
        if "range" in wanted:
            yield "range", [_said(context, timed(each, servers, end_s, context.pairs)) for each in RANGE]
        if "instant" in wanted:
            yield "instant", [_said(context, timed(each, servers, end_s, context.pairs)) for each in INSTANT]
        if "tiny" in wanted:
            requests = _TINY_QUICK if context.quick else _TINY_REQUESTS
            yield (
                "tiny",
                [
                    _said(context, case)
                    for each in TINY
                    for case in latencies(each, servers, end_s, context.pairs, requests)
                ],
            )


def measure_hostile(context: Context, scale: int) -> list[Case]:
    """The range queries on data with gaps, resets and churn."""
    with context.filled(scale, rough=True) as (servers, end_s):
        return [_said(context, timed(each, servers, end_s, context.pairs, rough=True)) for each in RANGE]


def _said(context: Context, case: Case) -> Case:
    context.say(summary(case))
    return case
