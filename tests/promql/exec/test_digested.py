"""Long windows at one step, by digests of the blocks inside them, against reading every sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.model.arrays import Times, Values
from zseval.model.labels import Labels
from zseval.model.staleness import STALE_NAN
from zseval.promql.engine import Engine
from zseval.promql.exec import ranges
from zseval.promql.exec.digested import digested
from zseval.promql.functions import FUNCTIONS, Function
from zseval.tsdb.db import TSDB
from zseval.tsdb.frame import Frame

PERIOD = 15_000
ROWS = 90
SERIES = 4
USED = [function.name for function in FUNCTIONS.values() if function.digest is not None]
KINDS = ("rising", "resets", "floats", "rests", "signs", "nan", "odd")


def _values(kind: str, rng: np.random.Generator) -> Values:
    """float64[ROWS] of a series of some kind."""
    rising = np.cumsum(rng.integers(0, 9, ROWS)).astype(np.float64)
    match kind:
        case "rising":
            return rising
        case "resets":
            cut = int(rng.integers(1, ROWS))
            rising[cut:] -= rising[cut]
            return rising
        case "floats":
            return rng.normal(0, 1e3, ROWS)
        case "rests":
            return np.full(ROWS, float(rng.integers(-2, 3)))
        case "signs":
            return rng.choice([0.0, -0.0, -1.0, -2.0], ROWS, p=[0.2, 0.1, 0.4, 0.3])
        case "nan":
            return np.where(rng.random(ROWS) < 0.5, np.nan, rising)
        case _:
            return rng.choice([np.nan, np.inf, -np.inf, 0.1, 1e300, 5e-324, 2.0**60], ROWS)


def _stores(seed: int, kinds: Sequence[str], block_rows: int, *, holes: bool) -> Iterator[tuple[TSDB, int]]:
    """The same store after one row and another, and the time of the row."""
    rng, db = np.random.default_rng(seed), TSDB(retention=None, block_rows=block_rows)
    sources = [
        np.stack([_values(kind, rng) for kind in kinds[source * SERIES : (source + 1) * SERIES]])
        for source in range(2)
    ]
    labels = [
        [Labels({"__name__": "x_total", "source": str(source), "n": str(n)}) for n in range(SERIES)]
        for source in range(2)
    ]
    for row in range(ROWS):
        for source, values in enumerate(sources):
            ids, cells = db.resolve(labels[source]), values[:, row].copy()
            if holes and rng.random() < 0.05:
                kept = int(rng.integers(0, SERIES))
                ids, cells = ids[:kept], cells[:kept]
            if holes and rng.random() < 0.03:
                cells[:1] = STALE_NAN
            db.table(str(source)).append_row(row * PERIOD + source, ids, cells, epoch=db.epoch)
        yield db, row * PERIOD + source


def _all_read(
    _: Function, frames: Sequence[Frame], __: Times, ___: int, ____: object
) -> tuple[list[object], list[Frame]]:
    return [], list(frames)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kinds=st.lists(st.sampled_from(KINDS), min_size=2 * SERIES, max_size=2 * SERIES),
    block_rows=st.sampled_from([8, 16, 40]),
    minutes=st.integers(3, 20),
    holes=st.booleans(),
    names=st.lists(st.sampled_from(USED), min_size=3, max_size=3, unique=True),
)
def test_a_digest_gives_what_all_samples_give(
    seed: int, kinds: list[str], block_rows: int, minutes: int, holes: bool, names: list[str]
) -> None:
    for row, (db, now_ms) in enumerate(_stores(seed, kinds, block_rows, holes=holes)):
        if row < 30 or row % 7:
            continue
        for name in names:
            expr = f"{name}(x_total[{minutes}m])"
            found = Engine(db).instant_at(expr, now_ms + 4_000).to_json_bytes()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ranges, "digested", _all_read)
                wanted = Engine(db).instant_at(expr, now_ms + 4_000).to_json_bytes()
            assert found == wanted, (name, row)


@pytest.mark.parametrize("name", USED)
def test_what_is_known_of_a_block_is_not_read_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def counting(*args: object) -> tuple[list[object], list[Frame]]:
        windows, rest = digested(*args)  # type: ignore[arg-type]
        asked.append(len(rest))
        return windows, rest  # type: ignore[return-value]

    monkeypatch.setattr(ranges, "digested", counting)
    for row, (db, now_ms) in enumerate(_stores(1, ["rising"] * 8, 16, holes=False)):
        if row in (80, 81):
            Engine(db).instant_at(f"{name}(x_total[15m])", now_ms)
    assert asked == [0, 0]
    monkeypatch.setattr("zseval.tsdb.digest._Kept", None)  # no new block: nothing else to be found out
    Engine(db).instant_at(f"{name}(x_total[5m])", now_ms - 5 * 60_000)
