"""Status: what the store holds, as `/api/v1/status/tsdb` shows it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zseval.model.labels import METRIC_NAME
from zseval.tsdb.head import Head
from zseval.tsdb.holdings import Holdings
from zseval.tsdb.index import Index
from zseval.tsdb.series import SeriesTable

__all__ = ["HeadStatus", "head_status"]

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


def head_status(held: Holdings, series: SeriesTable, index: Index, head: Head, limit: int) -> HeadStatus:
    """How much there is, and the `limit` largest metrics and labels."""
    holders, histograms = held.holders(), held.histograms
    opened = sum(holder.open_bytes for holder in holders)
    layouts = sum(layout.ids.nbytes for layout in held.layouts())
    return HeadStatus(
        num_series=len(series),
        num_label_pairs=series.pair_count,
        blocks=sum(holder.sealed_count for holder in holders),
        chunk_count=sum(len(layout) for holder in holders for layout in holder.layouts())
        + histograms.run_count,
        samples=sum(holder.samples for holder in holders) + histograms.samples,
        min_time_ms=held.min_time_ms,
        max_time_ms=head.max_time_ms,
        sealed_bytes=held.stored_bytes - opened + layouts,
        open_bytes=opened + histograms.nbytes,
        index_bytes=series.nbytes + index.nbytes + head.nbytes,
        series_by_metric=_series_by_metric(series, index, limit),
        values_by_label=_values_by_label(series, limit),
        bytes_by_label=_bytes_by_label(series, limit),
        series_by_pair=_series_by_pair(series, index, limit),
    )


def _series_by_metric(table: SeriesTable, index: Index, limit: int) -> Stats:
    """The metric names that most series have."""
    if not limit:
        return ()
    names = table.values_of.get(METRIC_NAME, {})
    counts = index.series_per_pair()
    return _largest({name: int(counts[pair]) for name, pair in names.items()}, limit)


def _values_by_label(table: SeriesTable, limit: int) -> Stats:
    """The label names with the most values."""
    return _largest({name: len(values) for name, values in table.values_of.items()}, limit)


def _bytes_by_label(table: SeriesTable, limit: int) -> Stats:
    """The label names whose distinct values take the most UTF-8 bytes."""
    if not limit:
        return ()
    items = table.values_of.items()
    return _largest({name: sum(len(value.encode()) for value in values) for name, values in items}, limit)


def _series_by_pair(table: SeriesTable, index: Index, limit: int) -> Stats:
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
