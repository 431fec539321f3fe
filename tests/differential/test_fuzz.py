"""Thousands of random expressions, at one time and over a range: zseval answers as the real Prometheus does.

A run takes the same expressions each time. For others, set ZSEVAL_FUZZ_SEED (and ZSEVAL_FUZZ_COUNT), or run
`python -m tests.differential.fuzz --help`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.differential.compare import difference
from tests.differential.fuzz import Report, ask, fuzz
from tests.differential.grow import expressions
from tests.differential.hostile import generate
from tests.differential.known_differences import KNOWN_DIFFERENCES, KnownDifference, explanation
from tests.differential.peer import Peers, engine_with
from tests.differential.remote_write import prometheus_with
from tests.differential.trace import trace
from tests.strategies import grown_expressions

pytestmark = pytest.mark.xdist_group("prometheus-fuzz")

SEED = int(os.environ.get("ZSEVAL_FUZZ_SEED", "1"))
COUNT = int(os.environ.get("ZSEVAL_FUZZ_COUNT", "2500"))
_TRIES = 200  # where the real server goes through a hash map, it differs in one of eight or so
_COMPATIBILITY = Path(__file__).parents[2] / "docs" / "compatibility.md"
_names = pytest.mark.parametrize("known", KNOWN_DIFFERENCES, ids=lambda known: known.what)


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    dataset = generate()
    with prometheus_with(dataset, tmp_path_factory.mktemp("prometheus")) as base:
        both = Peers(base, engine_with(dataset))
        yield both
        both.close()


def test_random_expressions_agree(peers: Peers) -> None:
    report = fuzz(peers, SEED, COUNT)
    assert not report.findings, str(report)
    assert report.asked == 2 * COUNT
    assert report.empty + report.errors < report.asked / 2, "most expressions must say something"


@given(expr=grown_expressions(), seed=st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_an_expression_that_does_not_agree_is_made_small(peers: Peers, expr: str, seed: int) -> None:
    report = Report()
    ask(peers, expr, seed, report)
    assert not report.findings, str(report)


@_names
def test_a_known_difference_is_there_and_explains_its_example(known: KnownDifference, peers: Peers) -> None:
    for _ in range(_TRIES):
        theirs, ours = peers.theirs(known.example, known.when), peers.ours(known.example, known.when)
        if difference(theirs, ours) is None:
            continue
        if known.explains is None:
            return
        case = trace(peers, known.example, known.when)
        if case is not None:
            assert explanation(case) is known
            return
    pytest.fail("it is none any more: take it off the list")


@_names
def test_a_known_difference_is_in_the_documentation(known: KnownDifference) -> None:
    assert known.row in _COMPATIBILITY.read_text(encoding="utf-8").splitlines()


def test_a_seed_gives_the_same_expressions_every_time() -> None:
    assert list(expressions(SEED, 50)) == list(expressions(SEED, 50))
    assert list(expressions(SEED, 50)) != list(expressions(SEED + 1, 50))
