"""Tables: what is remembered between rows, when blocks are widened, sealed and joined."""

from __future__ import annotations

import numpy as np
import pytest

from zseval.model.labels import Labels
from zseval.model.matcher import Matcher, MatchType
from zseval.model.staleness import ABSENT_NAN, STALE_NAN, is_absent
from zseval.tsdb.block import OpenBlock
from zseval.tsdb.db import TSDB
from zseval.tsdb.layout import Layout
from zseval.tsdb.table import Sizing

FOREVER = (-(2**62), 2**62)


def names(count: int) -> list[Labels]:
    return [Labels({"__name__": "m", "n": str(number)}) for number in range(count)]


def test_ids_arrays_that_never_come_back_are_not_remembered_for_ever() -> None:
    db = TSDB(None)
    ids, table = db.resolve(names(3000)), db.table("t")
    for row in range(50):
        table.append_row(row, ids.copy(), np.zeros(3000), epoch=db.epoch)
    assert table._placed == sum(len(place.ids) for place in table._places.values())
    assert len(table._places) <= 6


def test_blocks_that_share_their_series_are_joined_and_then_left_alone() -> None:
    db = TSDB(None, block_rows=10)
    ids, table = db.resolve(names(3)), db.table("t")
    for row in range(61):
        table.append_row(row, ids, np.full(3, float(row)), epoch=db.epoch)
    assert [block.rows for block in table.blocks] == [20, 20, 10]  # the newest rows stay open
    assert len({block.layout for block in table.blocks}) == 1


def test_blocks_are_not_joined_beyond_a_part_of_the_retention() -> None:
    db = TSDB("400s", block_rows=10)
    ids, table = db.resolve(names(3)), db.table("t")
    for row in range(40):
        table.append_row(row * 4000, ids, np.full(3, float(row)), epoch=db.epoch)
    assert [block.rows for block in table.blocks] == [10, 10, 10]


def test_a_young_block_is_widened_and_an_old_one_sealed_for_new_series() -> None:
    db = TSDB(None, block_rows=40)
    ids, table = db.resolve(names(200)), db.table("t")
    for row, width in enumerate([10, 60, 120]):
        table.append_row(row, ids[:width], np.zeros(width), epoch=db.epoch)
    assert not table.blocks
    for row in range(3, 30):
        table.append_row(row, ids[:120], np.zeros(120), epoch=db.epoch)
    table.append_row(30, ids, np.zeros(200), epoch=db.epoch)
    assert [(block.rows, len(block.layout)) for block in table.blocks] == [(30, 120)]
    assert db.status().samples == 10 + 60 + 28 * 120 + 200


def test_series_not_written_for_a_whole_block_are_not_carried_on() -> None:
    db = TSDB(None, block_rows=5)
    ids, table = db.resolve(names(10)), db.table("t")
    for row in range(16):
        width = 10 if row < 3 else 4
        table.append_row(row, ids[:width], np.zeros(width), epoch=db.epoch)
    assert [len(layout) for layout in table.layouts()] == [10, 4, 4]


def test_many_series_get_blocks_of_few_rows() -> None:
    db = TSDB(None)
    assert db._rows_for(1000) == 144
    assert 16 <= db._rows_for(100_000) < 60
    assert db._rows_for(10**7) == 16


def test_an_open_block_gets_its_room_by_and_by_and_earlier_reads_stay_true() -> None:
    db = TSDB(None)
    ids, table = db.resolve(names(100)), db.table("t")
    sizes, reads = [], []
    for row in range(120):
        table.append_row(row, ids, np.full(100, float(row)), epoch=db.epoch)
        if row in (0, 16, 100):
            sizes.append(table.open_bytes)
            reads.append(db.select([], -1, row))
    assert sizes[0] * 6 < sizes[2]
    assert sizes[0] < sizes[1] < sizes[2]
    for read, row in zip(reads, (0, 16, 100), strict=True):
        assert read.frames[0].values[0].tolist() == list(range(row + 1))
    assert table.sealed_count == 0


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        (2, [[2], [2, 2], [6], [6, 2], [6, 2, 2], [12]]),  # to half the length first
        (4, [[4], [4, 4], [12]]),  # a third of the length: once
    ],
)
def test_short_blocks_are_joined_by_and_by_and_longer_ones_once(rows: int, counts: list[list[int]]) -> None:
    db = TSDB(None)
    db._sizing = Sizing(lambda _columns: rows, lambda _rows: 0, merged_rows=12, merged_ms=1000)
    ids, table = db.resolve(names(3)), db.table("t")
    found = []
    for row in range(13):
        table.append_row(row, ids, np.full(3, float(row)), epoch=db.epoch)
        if row and row % rows == 0:
            found.append([block.rows for block in table.blocks])
    assert found == counts
    assert db.select([], -1, 99).frames[0].values[0].tolist() == list(range(13))


def test_a_block_knows_which_columns_may_have_gaps() -> None:
    block = OpenBlock(Layout(np.arange(3, dtype=np.int32)), 8)
    for row, columns in enumerate([[0, 1, 2], [0, 1], [0, 1, 2]]):
        block.begin_row(row)
        block.write(np.array(columns, dtype=np.intp), np.ones(len(columns)), has_stale=False)
    cells = block.cells()
    assert cells.may_be_absent(np.arange(3)).tolist() == [False, False, True]
    assert cells.occupied(1, 2).tolist() == [True, True, False]
    block.add_columns(np.array([7], dtype=np.int32), earlier_rows=block.rows)
    assert block.cells().may_be_absent(np.arange(4)).tolist() == [False, False, True, True]
    sealed = block.seal()
    assert sealed is not None
    assert sealed.layout.ids.tolist() == [0, 1, 2]
    assert is_absent(sealed.cells.take(np.arange(3), 0, 3)).tolist() == [
        [False, False, False],
        [False, False, False],
        [False, True, False],
    ]
    assert sealed.samples == block.samples == 8


def test_absent_is_a_cell_never_written_and_not_a_value() -> None:
    db = TSDB(None)
    ids, table = db.resolve(names(2)), db.table("t")
    table.append_row(0, ids, np.array([ABSENT_NAN, 1.0]), epoch=db.epoch)
    table.append_row(1, ids[:1], np.array([2.0]), epoch=db.epoch)
    frames = db.select([Matcher.metric("m")], *FOREVER).frames
    assert sum(frame.values.shape[1] for frame in frames if frame.is_dense) == 2
    assert [frame.counts.tolist() for frame in frames if frame.counts is not None] == [[1]]


def _wide(db: TSDB, width: int, rows: range, *, seed: int = 3) -> None:
    """Rows of random whole numbers, others for each time."""
    ids, table = db.resolve(names(width)), db.table("t")
    for row in rows:
        values = np.random.default_rng([seed, row]).integers(0, 1000, width).astype(np.float64)
        table.append_row(row, ids, values, epoch=db.epoch)


def _everything(db: TSDB) -> list[tuple[int, bytes]]:
    """Of each series its id and its samples."""
    selection = db.select([Matcher.metric("m")], *FOREVER)
    found: list[tuple[int, bytes]] = []
    for frame in selection.frames:
        for place, row in enumerate(frame.rows.tolist()):
            times = frame.times if frame.is_dense else frame.times[place]
            found.append((row, times.tobytes() + np.ascontiguousarray(frame.values[place]).tobytes()))
    return sorted(found)


def test_blocks_of_a_wide_table_are_encoded_and_joined_over_several_rows() -> None:
    db, apart = TSDB(None, block_rows=10), TSDB(None, block_rows=10_000)
    table = db.table("t")
    under_way: list[tuple[int, int]] = []
    for row in range(40):
        _wide(db, 700, range(row, row + 1))
        _wide(apart, 700, range(row, row + 1))
        assert _everything(db) == _everything(apart), row
        if table._encoding is not None:
            under_way.append((row, len(table._encoding.blocks)))
    begun = [(13, 1), (23, 1), (26, 2), (33, 1)]
    assert under_way == [(row + n, blocks) for row, blocks in begun for n in range(3)], (
        "700 columns, three rows"
    )
    assert [block.rows for block in table.blocks] == [20, 10]
    assert all(block.is_encoded for block in table.blocks)


def test_a_block_that_is_not_encoded_yet_drives_none_out() -> None:
    """What it takes above what it will take is not held against the budget."""
    db = TSDB(None, block_rows=30, retention_bytes=320_000)
    table, held = db.table("t"), []
    for row in range(300):
        _wide(db, 600, range(row, row + 1))
        held.append(table.samples // 600)
    assert max(block.nbytes for block in table.blocks if block.is_encoded) < 90_000
    assert min(held[200:]) >= 110, "a block of 30 rows takes 36,000 bytes, 176,000 while it is open"


def test_what_happens_to_blocks_while_they_are_joined() -> None:
    """Deletion, renumbering and a clock that was set, at any of the rows that joining takes."""
    for turn in range(18, 36):
        for change in ("delete", "shift", "rest", "seal"):
            db, apart = TSDB(None, block_rows=10), TSDB(None, block_rows=10_000)
            for each in (db, apart):
                _wide(each, 600, range(turn))
                match change:
                    case "delete":
                        each.delete([Matcher(MatchType.EQUAL, "n", "5")], 3, 2**40)
                        each.delete([Matcher(MatchType.EQUAL, "n", "7")], *FOREVER)
                    case "shift":
                        each.shift(100)
                    case "rest":
                        each.table("t").rest()
                    case "seal":
                        each.table("t").seal()
                first = turn + (100 if change == "shift" else 0)
                _wide(each, 600, range(first, first + 12))
            assert _everything(db) == _everything(apart), (turn, change)


def test_wide_sources_that_appear_together_do_not_all_fill_their_blocks_together() -> None:
    db = TSDB(retention=None, block_rows=32)
    sources = [f"target {number}" for number in range(8)]
    ids = {
        source: db.resolve([Labels({"__name__": "m", "of": source, "i": str(n)}) for n in range(300)])
        for source in sources
    }
    sealed: dict[str, list[int]] = {source: [] for source in sources}
    for row in range(120):
        for source in sources:
            before = db.table(source).sealed_count
            db.table(source).append_row(1000 * row, ids[source], np.full(300, row / 7), epoch=db.epoch)
            if db.table(source).sealed_count > before:
                sealed[source].append(row)
    firsts = [rows[0] for rows in sealed.values()]
    assert len(set(firsts)) > len(firsts) // 2
    assert all(16 <= first <= 48 for first in firsts)
    selection = db.select([Matcher.metric("m")], -1, 120_000)
    assert sum(int(np.prod(frame.values.shape)) for frame in selection.frames) == 8 * 300 * 120


def test_samples_of_an_open_block_are_counted_with_gaps() -> None:
    """Columns that come later, rows of some columns, a last row that is written in two parts."""
    rng = np.random.default_rng(7)
    for _ in range(20):
        db = TSDB(None)
        ids, table = db.resolve(names(12)), db.table("t")
        for row in range(int(rng.integers(1, 30))):
            some = ids[np.sort(rng.permutation(12)[: rng.integers(1, 13)])]
            values = rng.random(len(some))
            values[rng.random(len(some)) < 0.1] = STALE_NAN
            table.append_row(row, some, values, epoch=db.epoch)
            others = np.setdiff1d(ids, some)[:2]
            if len(others) and rng.random() < 0.3:
                table.append_row(row, others, rng.random(len(others)), epoch=db.epoch)
            block = table.open_block
            assert block is not None
            held = ~is_absent(block.values[: len(block.layout), : block.rows])
            assert table.samples == int(np.count_nonzero(held)) + sum(each.samples for each in table.blocks)
