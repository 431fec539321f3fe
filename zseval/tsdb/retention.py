"""Retention: which blocks leave, by age and by bytes. Always whole ones, oldest first."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

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


def drop_to_fit(tables: Iterable[Table], irregular: Irregular, limit_bytes: int) -> bool:
    """Drop the blocks that end first, of any table, until the rest fits. True if anything went.

    Open blocks stay, so a limit below what they need leaves just them.
    """
    tables = list(tables)
    excess = stored_bytes(tables, irregular) - limit_bytes
    if excess <= 0:
        return False
    oldest = [(table.blocks[0].max_time_ms, number, 0) for number, table in enumerate(tables) if table.blocks]
    segments = sorted(irregular.segments, key=lambda segment: segment.max_time_ms)
    oldest += [(segments[0].max_time_ms, -1, 0)] if segments else []
    heapq.heapify(oldest)
    gone = dict.fromkeys(range(-1, len(tables)), 0)
    while oldest and excess > 0:
        _, number, place = heapq.heappop(oldest)
        ring = segments if number < 0 else tables[number].blocks
        excess -= ring[place].nbytes
        gone[number] = place + 1
        if place + 1 < len(ring):
            heapq.heappush(oldest, (ring[place + 1].max_time_ms, number, place + 1))
    for number, table in enumerate(tables):
        del table.blocks[: gone[number]]
    left = {id(segment) for segment in segments[gone[-1] :]}
    irregular.segments = [segment for segment in irregular.segments if id(segment) in left]
    return any(gone.values())


def stored_bytes(tables: Iterable[Table], irregular: Irregular) -> int:
    """Bytes of all samples kept: sealed, open and buffered."""
    sealed = sum(block.nbytes for table in tables for block in table.blocks)
    opened = sum(table.open_bytes for table in tables)
    return sealed + opened + sum(segment.nbytes for segment in irregular.segments) + irregular.open_bytes
