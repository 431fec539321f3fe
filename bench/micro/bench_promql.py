"""The language's own costs: parse an expression, evaluate it whole, write its result as JSON."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import orjson
import pytest

from bench.peers.data import PAGE_SERIES, pages
from bench.peers.questions import INSTANT, RANGE, Question
from bench.peers.rows.storage import fill
from zseval.promql.engine import Engine
from zseval.promql.result import Result, render_values
from zseval.promql.syntax.parser import parse
from zseval.promql.syntax.printer import to_text
from zseval.tsdb.db import TSDB

Benchmark = Callable[..., object]
END_MS = 1_700_000_100_000
RULE = (
    "histogram_quantile(0.95, sum by (job, instance, le)"
    ' (rate(task_duration_seconds_bucket{job="node"}[5m])))'
    " >= 25 or sum by (job) (rate(task_duration_seconds_sum[5m])) > 25"
)


@pytest.fixture(scope="module")
def engine() -> Engine:
    """Over an hour of two targets."""
    db = TSDB(None)
    for page in pages(2 * PAGE_SERIES, END_MS):
        fill(db, page)
    return Engine(db)


def bench_parse(benchmark: Benchmark) -> None:
    assert to_text(parse(RULE)).startswith("histogram_quantile(0.95, sum by (job, instance, le)")
    benchmark(parse, RULE)


@pytest.mark.parametrize("question", [*RANGE, *INSTANT], ids=lambda each: f"{each.name} {each.steps}")
def bench_query(benchmark: Benchmark, engine: Engine, question: Question) -> None:
    """A question of bench/peers over 2,000 series, the bytes of its answer included."""

    def ask() -> bytes:
        if question.steps:
            start_ms = END_MS - question.steps * 15_000
            return engine.range_at(question.expr, start_ms, END_MS, 15_000).to_json_bytes()
        return engine.instant_at(question.expr, END_MS).to_json_bytes()

    assert orjson.loads(ask())["result"]
    benchmark(ask)


def bench_json_of_a_matrix(benchmark: Benchmark, engine: Engine) -> None:
    """80 series of 241 points, two decimals each."""
    result: Result = engine.range_at("cpu_busy_percent", END_MS - 3_600_000, END_MS, 15_000)
    assert orjson.loads(result.to_json_bytes()) == result.to_json()
    benchmark(result.to_json_bytes)


@pytest.mark.parametrize("kind", ["whole", "decimals", "mantissas"])
def bench_values_as_text(benchmark: Benchmark, kind: str) -> None:
    """10,000 values; per value: / 10,000."""
    rng = np.random.default_rng(20)
    values = {
        "whole": rng.integers(0, 10**9, 10_000).astype(np.float64),
        "decimals": np.round(rng.random(10_000) * 100, 2),
        "mantissas": rng.random(10_000),
    }[kind]
    assert [float(text) for text in render_values(values)] == values.tolist()
    benchmark(render_values, values)
