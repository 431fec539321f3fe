"""Retention: which blocks leave, by age and by bytes. Always whole ones, oldest first."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from zseval.tsdb.histograms import Histograms
from zseval.tsdb.irregular import Irregular
from zseval.tsdb.table import Table

__all__ = ["drop_before", "drop_to_fit", "stored_bytes"]


def drop_before(tables: Iterable[Table], irregular: Irregular, cutoff_ms: int) -> bool:
    """Drop what ends before a time, open blocks of silent sources included. True if anything went."""
    dropped = False
    for table in tables:
        expired = 0
        while expired < len(table.blocks) and table.blocks[expired].max_time_ms < cutoff_ms:
            expired += 1
        if expired:
            del table.blocks[:expired]
            dropped = True
        if table.has_open and table.last_row_ms < cutoff_ms:
            table.drop_open()
            dropped = True
    kept = [segment for segment in irregular.segments if segment.max_time_ms >= cutoff_ms]
    if len(kept) < len(irregular.segments):
        irregular.segments = kept
        dropped = True
    if irregular.buffer_ends_before(cutoff_ms):
        irregular.drop_buffer()
        dropped = True
    return dropped


def drop_to_fit(
    tables: Iterable[Table],
    irregular: Irregular,
    histograms: Histograms,
    limit_bytes: int,
    *,
    silent_before_ms: int,
) -> bool:
    """Drop the blocks that end first, of any table, until the rest fits. True if anything went.

    Runs of histograms leave in their turn. Open blocks stay: a limit below what they need leaves just them.
    silent_before_ms: histograms of series that ended before it are not waited for.
    """
    tables = list(tables)
    excess = stored_bytes(tables, irregular) + histograms.looked_at() - limit_bytes
    if excess <= 0:
        return False
    runs = histograms.complete(silent_before_ms)
    segments = sorted(irregular.segments, key=lambda segment: segment.max_time_ms)
    rings = [[(block.max_time_ms, block.nbytes) for block in table.blocks] for table in tables]
    rings.append([(segment.max_time_ms, segment.nbytes) for segment in segments])
    rings.append([(end_ms, size) for end_ms, size, _ in runs])
    gone = _oldest(rings, excess)
    for table, count in zip(tables, gone, strict=False):
        del table.blocks[:count]
    left = {id(segment) for segment in segments[gone[-2] :]}
    irregular.segments = [segment for segment in irregular.segments if id(segment) in left]
    histograms.drop_oldest(series for _, _, series in runs[: gone[-1]])
    return any(gone)


def _oldest(rings: Sequence[Sequence[tuple[int, int]]], excess: int) -> list[int]:
    """How many of each ring have to go, of all those that end first, until so many bytes are gone.

    rings: (end, bytes), those that end first first.
    """
    gone = [0] * len(rings)
    following = [(ring[0][0], number) for number, ring in enumerate(rings) if ring]
    heapq.heapify(following)
    while following and excess > 0:
        _, number = heapq.heappop(following)
        ring, place = rings[number], gone[number]
        excess -= ring[place][1]
        gone[number] = place + 1
        if place + 1 < len(ring):
            heapq.heappush(following, (ring[place + 1][0], number))
    return gone


def stored_bytes(tables: Iterable[Table], irregular: Irregular) -> int:
    """Bytes of all samples kept: sealed, open and buffered."""
    sealed = sum(block.nbytes for table in tables for block in table.blocks)
    opened = sum(table.open_bytes for table in tables)
    return sealed + opened + sum(segment.nbytes for segment in irregular.segments) + irregular.open_bytes
