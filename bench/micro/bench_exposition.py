"""Reading scrape bodies: cost by how much of the body changed.

Run: pytest bench/micro/bench_exposition.py -o python_files='bench_*.py' -o python_functions='bench_*' \
    --benchmark-columns=median,iqr,rounds
Divide by LINES for the cost of a line.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from zseval.exposition.delta import DeltaParser
from zseval.exposition.entries import Sample
from zseval.exposition.negotiate import Format
from zseval.exposition.text import parse_text
from zseval.model.labels import Labels
from zseval.scrape.config import ScrapeConfig
from zseval.scrape.ingest import Ingest
from zseval.tsdb.db import TSDB

LINES = 10_000


def page(step: int, changing: float, *, extra: int = 0) -> bytes:
    """A body of LINES samples in families of 50; a share of them has another value at each step."""
    out = []
    for number in range(LINES + extra):
        if number % 50 == 0:
            out.append(f"# HELP m{number // 50} Of m.\n# TYPE m{number // 50} gauge\n")
        value = number * 1.5 + (step if number * 7919 % 1000 < changing * 1000 else 0)
        out.append(
            f'm{number // 50}{{code="{number % 7}",method="get",path="/api/x{number % 50}"}} {value}\n'
        )
    return "".join(out).encode()


def check(parser: DeltaParser, body: bytes) -> None:
    expected = [entry.value for entry in parse_text(body) if isinstance(entry, Sample)]
    np.testing.assert_array_equal(parser.parse(body).values, expected)


@pytest.mark.parametrize("changing", [0.0, 0.1, 0.3, 1.0])
def bench_same_series(benchmark: Any, changing: float) -> None:
    parser = DeltaParser(Format.TEXT)
    for step in range(2):
        check(parser, page(step, changing))
    bodies = itertools.cycle([page(step, changing) for step in range(4)])
    benchmark(lambda: parser.parse(next(bodies)))


def bench_series_come_and_go(benchmark: Any) -> None:
    parser = DeltaParser(Format.TEXT)
    for step in range(2):
        check(parser, page(step, 0.3, extra=step * 10))
    bodies = itertools.cycle([page(step, 0.3, extra=step * 10) for step in range(4)])
    benchmark(lambda: parser.parse(next(bodies)))


def bench_never_seen(benchmark: Any) -> None:
    body = page(0, 0.3)
    check(DeltaParser(Format.TEXT), body)
    benchmark(lambda: DeltaParser(Format.TEXT).parse(body))


def bench_strict_parser(benchmark: Any) -> None:
    body = page(0, 0.3)
    benchmark(lambda: sum(1 for _ in parse_text(body)))


@pytest.mark.parametrize("changing", [0.0, 0.3])
def bench_into_the_store(benchmark: Any, changing: float) -> None:
    """The whole way from bytes to a row, `up` and its companions included."""
    ingest = Ingest(TSDB(), "bench", Labels({"job": "j", "instance": "i:1"}), ScrapeConfig("j"))
    bodies = itertools.cycle([page(step, changing) for step in range(4)])
    times = itertools.count(1_000, 1_000)

    def scrape() -> None:
        outcome = ingest.store(ingest.read(next(bodies), "text/plain"), next(times), lambda: 0.1)
        assert outcome.scraped == LINES

    scrape()
    benchmark(scrape)
