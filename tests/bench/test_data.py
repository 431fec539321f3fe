"""The generated data, and how they go over the wire."""

from __future__ import annotations

import struct

import cramjam
import numpy as np

from bench.peers.data import PAGE_SERIES, Page, pages, roughened
from bench.peers.rows.storage import fill
from bench.peers.wire import requests
from zseval.model.matcher import Matcher
from zseval.model.staleness import is_stale
from zseval.tsdb.db import TSDB

END_MS = 1_700_000_100_000


def one(rows: int = 41) -> Page:
    return next(pages(PAGE_SERIES, END_MS, rows=rows))


def test_a_page_is_a_thousand_series_and_the_same_each_time() -> None:
    first, second = one(), one()
    assert len(set(first.labels)) == first.values.shape[0] == PAGE_SERIES
    assert first.values.shape[1] == len(first.times) == 41
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(first.times, second.times)


def test_no_sample_lies_on_a_whole_second_and_none_after_the_end() -> None:
    for page in pages(15 * PAGE_SERIES, END_MS, rows=5):
        assert (page.times % 1000 != 0).all()
        assert page.times[-1] < END_MS
        assert page.times[-1] > END_MS - 15_100


def test_counters_only_rise_and_buckets_are_cumulative() -> None:
    page = one()
    assert (np.diff(page.values[page.counters], axis=1) >= 0).all()
    buckets = [
        n
        for n, pairs in enumerate(page.labels)
        if ("__name__", "http_request_duration_seconds_bucket") in pairs
    ]
    assert (np.diff(page.values[buckets].reshape(-1, 11, 41), axis=1) >= 0).all()


def test_a_rough_page_has_gaps_resets_and_churn() -> None:
    page = roughened(one(241))
    assert page.present is not None
    series = len(page.values)
    assert series == PAGE_SERIES * 21 // 20 == len(set(page.labels))
    whole = page.present[:PAGE_SERIES].mean(axis=1)
    assert 0.97 < np.median(whole) < 0.99
    markers = is_stale(np.ascontiguousarray(page.values)) & page.present
    assert markers.sum() == PAGE_SERIES // 20
    assert (markers.sum(axis=1) <= 1).all()
    with np.errstate(invalid="ignore"):
        falls = np.diff(page.values[page.counters], axis=1) < 0
    assert (falls.sum(axis=1) <= 1).all()
    assert falls.any(axis=1).mean() > 0.9


def test_a_request_holds_what_the_page_does() -> None:
    page = one(3)
    (body,) = requests(page)
    message = bytes(cramjam.snappy.decompress_raw(body))
    value = float(page.values[0, 1])
    sample = b"\x12\x10\x09" + struct.pack("<d", value) + b"\x10" + _varint(int(page.times[1]))
    assert sample in message
    assert message.count(b"\x12\x10\x09") >= 3 * PAGE_SERIES


def test_absent_samples_are_not_sent() -> None:
    page = roughened(one(41))
    assert page.present is not None
    sent = sum(len(cramjam.snappy.decompress_raw(body)) for body in requests(page))
    whole = sum(len(cramjam.snappy.decompress_raw(body)) for body in requests(one(41)))
    assert sent < whole


def test_a_store_is_filled_with_the_page() -> None:
    page, db = one(5), TSDB("1d")
    fill(db, page)
    assert db.status().samples == page.values.size
    selection = db.select([Matcher.metric("cpu_busy_percent")], 0, END_MS)
    assert len(selection.ids) == 40


def test_a_store_is_filled_with_a_rough_page() -> None:
    page, db = roughened(one(41)), TSDB("1d")
    assert page.present is not None
    fill(db, page)
    assert db.status().samples == page.present.sum()


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
