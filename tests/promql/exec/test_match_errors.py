"""Of two mistakes in matching, the one that comes first in time is told."""

from __future__ import annotations

import pytest

from zseval.promql.engine import Engine
from zseval.promql.errors import EvaluationError
from zseval.tsdb.db import TSDB


def _store(left: dict[str, list[int]], right: dict[str, list[int]]) -> TSDB:
    """Series l{id=...} and r{id=...} with a sample at each of these seconds."""
    db = TSDB(retention=None)
    for name, series in (("l", left), ("r", right)):
        for key, seconds in series.items():
            for second in seconds:
                db.append({"__name__": name, "id": key}, 1.0, second)
    return db


@pytest.mark.parametrize(
    ("left", "right", "said"),
    [
        ({"a": [10], "b": [10]}, {"a": [10, 20], "b": [20]}, "multiple matches for labels"),
        ({"a": [10, 20], "b": [20]}, {"a": [10], "b": [10]}, "found duplicate series"),
        ({"a": [10], "b": [10]}, {"a": [10], "b": [10]}, "found duplicate series"),
        ({"a": [10, 20]}, {"a": [10, 20], "b": [20]}, "found duplicate series"),
        ({"a": [10, 20], "b": [20]}, {"a": [10, 20]}, "multiple matches for labels"),
    ],
)
@pytest.mark.parametrize("op", ["+", ">=", ">= bool"])
def test_the_earlier_mistake_is_told(
    left: dict[str, list[int]], right: dict[str, list[int]], said: str, op: str
) -> None:
    engine = Engine(_store(left, right), lookback="5s")
    with pytest.raises(EvaluationError, match=said):
        engine.range(f"l {op} on () r", 10, 20, 10)
