"""Status: what the store holds, as `/api/v1/status/tsdb` shows it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zseval.model.labels import METRIC_NAME
from zseval.tsdb.index import Index
from zseval.tsdb.series import SeriesTable

__all__ = ["HeadStatus", "bytes_by_label", "series_by_metric", "series_by_pair", "values_by_label"]

Stats = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class HeadStatus:
    """How much there is. Times are ms; bytes are of arrays, not of objects.

    chunk_count: series in blocks, each what Prometheus calls a chunk.  blocks: sealed ones.
    The last four are the largest of their kind as (name, count), largest first.
    """

    num_series: int
    num_label_pairs: int
    chunk_count: int
    blocks: int
    samples: int
    min_time_ms: int
    max_time_ms: int
    sealed_bytes: int
    open_bytes: int
    index_bytes: int
    series_by_metric: Stats
    values_by_label: Stats
    bytes_by_label: Stats
    series_by_pair: Stats


def series_by_metric(table: SeriesTable, index: Index, limit: int) -> Stats:
    """The metric names that most series have."""
    if not limit:
        return ()
    names = table.values_of.get(METRIC_NAME, {})
    counts = index.series_per_pair()
    return _largest({name: int(counts[pair]) for name, pair in names.items()}, limit)


def values_by_label(table: SeriesTable, limit: int) -> Stats:
    """The label names with the most values."""
    return _largest({name: len(values) for name, values in table.values_of.items()}, limit)


def bytes_by_label(table: SeriesTable, limit: int) -> Stats:
    """The label names whose distinct values take the most UTF-8 bytes."""
    if not limit:
        return ()
    items = table.values_of.items()
    return _largest({name: sum(len(value.encode()) for value in values) for name, values in items}, limit)


def series_by_pair(table: SeriesTable, index: Index, limit: int) -> Stats:
    """The `name=value` pairs that most series have."""
    if not limit:
        return ()
    counts, text = index.series_per_pair(), table.symbols.text
    top = np.argsort(-counts, kind="stable")[:limit]
    names, values = table.pair_names[top].tolist(), table.pair_values[top].tolist()
    return tuple(
        (f"{text(name)}={text(value)}", count)
        for name, value, count in zip(names, values, counts[top].tolist(), strict=True)
    )


def _largest(counts: dict[str, int], limit: int) -> Stats:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit])
