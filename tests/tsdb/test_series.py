"""SeriesTable gives each label set one id, and its labels back."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.model.labels import Labels
from zseval.tsdb.series import SeriesTable

LABELS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["1", "2", "3"]), max_size=4).map(Labels)


@settings(max_examples=100)
@given(st.lists(LABELS, max_size=200), st.data())
def test_ids_are_given_once_and_compaction_keeps_order(labels: list[Labels], data: st.DataObject) -> None:
    table = SeriesTable()
    ids = [table.resolve(each) for each in labels]
    distinct = list(dict.fromkeys(labels))
    assert ids == [distinct.index(each) for each in labels]
    assert [table.labels(series) for series in range(len(table))] == distinct
    picked = data.draw(st.lists(st.integers(0, len(table) - 1), unique=True)) if distinct else []
    sets = table.label_sets(np.array(picked, dtype=np.int32))
    assert sets.to_list() == [distinct[series] for series in picked]

    alive = np.isin(np.arange(len(table)), picked)
    compacted = table.compacted(alive)
    kept = [each for series, each in enumerate(distinct) if alive[series]]
    assert [compacted.labels(series) for series in range(len(compacted))] == kept
    assert [compacted.resolve(each) for each in kept] == list(range(len(kept)))
    assert [compacted.find(each) for each in distinct] == [
        kept.index(each) if each in kept else None for each in distinct
    ]
    assert sets.to_list() == [distinct[series] for series in picked]


def test_many_series_are_found_again_after_the_table_has_grown() -> None:
    table = SeriesTable()
    labels = [Labels({"i": str(i), "j": str(i % 7)}) for i in range(5000)]
    ids = [table.resolve(each) for each in labels]
    assert [table.resolve(each) for each in labels] == ids == list(range(5000))
    odd = table.compacted(np.arange(5000) % 2 == 1)
    assert [odd.resolve(each) for each in labels[1::2]] == list(range(2500))


def test_a_series_of_four_labels_costs_under_sixty_bytes() -> None:
    table = SeriesTable()
    for number in range(20_000):
        table.resolve(
            Labels(
                {
                    "__name__": f"m{number % 50}",
                    "instance": f"i{number // 1000}",
                    "job": "j",
                    "n": str(number % 1000),
                }
            )
        )
    assert table.nbytes / len(table) < 60
