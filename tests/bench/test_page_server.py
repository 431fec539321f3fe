"""The pages that scraping is measured with."""

from __future__ import annotations

import itertools

import pytest

from bench.peers.page_server import CHANGING, addresses, bodies
from zseval.exposition.entries import Sample
from zseval.exposition.text import parse_text


def samples(body: bytes) -> dict[bytes, float]:
    return {entry.series: entry.value for entry in parse_text(body) if isinstance(entry, Sample)}


def test_a_page_has_so_many_samples_and_a_share_of_them_changes() -> None:
    pages = [samples(body) for body in bodies(1000, versions=4)]
    assert {len(page) for page in pages} == {1000}
    for before, after in itertools.pairwise(pages):
        assert before.keys() == after.keys()
        changed = sum(before[series] != after[series] for series in before)
        assert changed == pytest.approx(1000 * CHANGING, rel=0.2)


def test_a_share_of_the_series_can_be_others_each_time() -> None:
    first, second = (samples(body).keys() for body in bodies(100, churn=0.2, versions=2))
    assert len(first) == len(second) == 100
    assert len(first - second) == 20


def test_addresses_are_distinct_and_of_loopback() -> None:
    found = addresses(600)
    assert len(set(found)) == 600
    assert found[0] == "127.0.0.1"
    assert all(address.startswith("127.0.") for address in found)
