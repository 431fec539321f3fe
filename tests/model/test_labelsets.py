"""LabelSets do to columns what plain Python does to a list of Labels."""

from __future__ import annotations

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.model.labels import Labels
from zseval.model.labelsets import LabelSets, factorize
from zseval.model.symbols import ScopedSymbols, Symbols

_NAMES = st.sampled_from(["__name__", "a", "b", "c", "é", "z.z"])
_LABELS = st.dictionaries(_NAMES, st.sampled_from(["", "1", "2", "x", "ü"]), max_size=5).map(Labels)
_LISTS = st.lists(_LABELS, max_size=12)


def _groups(labels: list[Labels]) -> tuple[list[int], list[int]]:
    """Group numbers by first appearance, and the first series of each."""
    seen: dict[Labels, int] = {}
    ids = [seen.setdefault(each, len(seen)) for each in labels]
    return ids, [ids.index(group) for group in range(len(seen))]


@given(_LISTS)
def test_labels_go_in_and_come_out_the_same(labels: list[Labels]) -> None:
    sets = LabelSets.of(labels)
    assert sets.to_list() == labels
    assert len(sets) == len(labels)
    assert list(sets.names) == sorted(sets.names)


@given(_LISTS)
def test_equal_label_sets_are_one_group_numbered_by_first_appearance(labels: list[Labels]) -> None:
    grouping = LabelSets.of(labels).group()
    ids, first = _groups(labels)
    assert (grouping.ids.tolist(), grouping.first.tolist()) == (ids, first)
    assert grouping.count == len(first)


@given(_LISTS, st.sets(_NAMES))
def test_grouping_by_some_labels_is_grouping_what_is_kept(labels: list[Labels], names: set[str]) -> None:
    sets = LabelSets.of(labels)
    assert sets.keep(names).to_list() == [each.only(*names) for each in labels]
    assert sets.drop(names).to_list() == [each.without(*names) for each in labels]
    assert sets.keep(names).group().ids.tolist() == _groups([each.only(*names) for each in labels])[0]
    assert factorize(sets.aligned(sorted(names))).ids.tolist() == sets.keep(names).group().ids.tolist()


@given(_LISTS)
def test_without_name_drops_the_metric_name_alone(labels: list[Labels]) -> None:
    assert LabelSets.of(labels).without_name().to_list() == [each.without("__name__") for each in labels]


@given(st.lists(_LISTS, min_size=1, max_size=4))
def test_concat_puts_the_parts_one_after_the_other(parts: list[list[Labels]]) -> None:
    symbols = Symbols()
    joined = LabelSets.concat(LabelSets.of(part, symbols) for part in parts)
    assert joined.to_list() == [each for part in parts for each in part]


@given(_LISTS.filter(bool))
def test_json_is_the_same_for_few_label_sets_and_for_many(labels: list[Labels]) -> None:
    expected = [orjson.dumps(each.to_dict()) for each in labels]
    assert LabelSets.of(labels).to_json() == expected
    many = LabelSets.of(labels * 120)
    assert len(many) > 100
    assert many.to_json() == expected * 120


@given(_LISTS, st.data())
def test_take_selects_series_in_any_order_and_more_than_once(
    labels: list[Labels], data: st.DataObject
) -> None:
    positions = data.draw(st.lists(st.integers(0, len(labels) - 1), max_size=8)) if labels else []
    assert LabelSets.of(labels).take(positions).to_list() == [labels[at] for at in positions]


@given(_LISTS, _NAMES, st.sampled_from(["", "1", "new"]))
def test_a_column_replaces_a_label_and_symbol_zero_removes_it(
    labels: list[Labels], name: str, value: str
) -> None:
    symbols = Symbols()
    sets = LabelSets.of(labels, symbols).with_column(name, symbols.intern(value))
    assert sets.to_list() == [each.merged({name: value}) for each in labels]
    assert list(sets.names) == sorted(sets.names)


@given(_LISTS)
def test_order_sorts_as_prometheus_sorts_label_sets(labels: list[Labels]) -> None:
    order = LabelSets.of(labels).order()
    assert [labels[at] for at in order] == sorted(labels)


@given(_LISTS, _LISTS)
def test_strings_of_one_query_group_beside_those_of_the_store(
    stored: list[Labels], made: list[Labels]
) -> None:
    scoped = ScopedSymbols(Symbols())
    sets = LabelSets.concat([LabelSets.of(stored, scoped), LabelSets.of(made, scoped)])
    assert sets.group().ids.tolist() == _groups(stored + made)[0]


def test_no_label_at_all_is_one_group_and_no_series_is_none() -> None:
    symbols = Symbols()
    assert LabelSets.empty(3, symbols).group().ids.tolist() == [0, 0, 0]
    assert LabelSets.empty(0, symbols).group().count == 0
    assert LabelSets.empty(2, symbols).to_list() == [Labels(), Labels()]


def test_an_unknown_column_reads_as_absent_everywhere() -> None:
    sets = LabelSets.of([Labels({"a": "1"}), Labels({"b": "2"})])
    assert sets.column("nope").tolist() == [0, 0]
    assert (sets.column("a") != 0).tolist() == [True, False]


@pytest.mark.parametrize("extreme", [2**31 - 1, -(2**31)])
def test_symbols_at_the_ends_of_their_range_do_not_collide(extreme: int) -> None:
    codes = np.array([[extreme, 0, extreme, -1], [1, extreme, 1, extreme]], dtype=np.int32)
    assert factorize(codes).ids.tolist() == [0, 1, 0, 2]
