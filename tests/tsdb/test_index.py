"""The index agrees with asking every matcher about every series."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.model.labels import Labels
from zseval.model.matcher import Matcher, MatchType
from zseval.tsdb.index import Index
from zseval.tsdb.series import SeriesTable

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.sampled_from(["", "1", "2", "12", "x1", "x\ny"])
PATTERNS = st.sampled_from(
    ["", ".*", ".+", "1", "1|2", "(1|12)", "1.*", ".*1", "x?1", "|1", "1|", "x.y", "[12]+"]
)
LABELS = st.lists(st.dictionaries(NAMES, VALUES).map(Labels), max_size=30)


def matchers() -> st.SearchStrategy[list[Matcher]]:
    plain = st.builds(Matcher, st.sampled_from([MatchType.EQUAL, MatchType.NOT_EQUAL]), NAMES, VALUES)
    regex = st.builds(Matcher, st.sampled_from([MatchType.REGEX, MatchType.NOT_REGEX]), NAMES, PATTERNS)
    absent = st.builds(Matcher, st.sampled_from(MatchType), st.just("nowhere"), st.sampled_from(["", "1"]))
    return st.lists(st.one_of(plain, regex, absent), max_size=4)


def accepted(table: SeriesTable, wanted: list[Matcher]) -> list[int]:
    return [
        series
        for series in range(len(table))
        if all(each.matches(table.labels(series).get(each.name)) for each in wanted)
    ]


@settings(max_examples=200)
@given(LABELS, LABELS, matchers())
def test_resolution_is_what_every_matcher_says_of_every_series(
    early: list[Labels], late: list[Labels], wanted: list[Matcher]
) -> None:
    table = SeriesTable()
    index = Index(table)
    for batch in (early, late):
        for labels in batch:
            table.resolve(labels)
        resolved = index.resolve(wanted)
        assert resolved.ids.tolist() == accepted(table, wanted)
        assert resolved.labels.to_list() == [table.labels(series) for series in resolved.ids]


def filled(count: int) -> tuple[SeriesTable, Index]:
    table = SeriesTable()
    for number in range(count):
        table.resolve(Labels({"n": str(number), "half": str(number % 2)}))
    return table, Index(table)


def test_a_matcher_of_many_values_takes_the_other_road_to_the_same_answer() -> None:
    table, index = filled(3000)
    wanted = [Matcher(MatchType.REGEX, "n", "[0-9]*7"), Matcher(MatchType.NOT_REGEX, "n", ".*77")]
    assert index.find(wanted).tolist() == accepted(table, wanted)


def test_series_added_later_are_found_through_both_levels() -> None:
    table, index = filled(3000)
    wanted = [Matcher(MatchType.EQUAL, "half", "1"), Matcher(MatchType.REGEX, "n", "(new)?1.*")]
    index.find(wanted)
    for number in range(50):
        table.resolve(Labels({"n": f"new1{number}", "half": str(number % 2)}))
    assert index.find(wanted).tolist() == accepted(table, wanted)


def test_a_regex_is_asked_about_each_value_once() -> None:
    table, index = filled(100)
    asked: list[str] = []
    matcher = Matcher(MatchType.REGEX, "n", "1+")
    inner = matcher._accepts
    assert inner is not None

    def counted(value: str) -> bool:
        asked.append(value)
        return inner(value)

    object.__setattr__(matcher, "_accepts", counted)
    index.find([matcher])
    table.resolve(Labels({"n": "111"}))
    index.find([matcher])
    assert len(asked) == 101 + 2  # each value, and "" for each look-up


def test_repeated_resolution_gives_the_same_objects_until_the_answer_changes() -> None:
    table, index = filled(10)
    wanted = [Matcher(MatchType.EQUAL, "half", "1")]
    first = index.resolve(wanted)
    table.resolve(Labels({"half": "0"}))
    assert index.resolve(wanted) is first
    table.resolve(Labels({"half": "1"}))
    assert index.resolve(wanted).ids.tolist() == [*first.ids.tolist(), 11]


def test_label_values_and_names_are_sorted_and_follow_new_series() -> None:
    table, index = filled(3)
    assert index.values("n") == ["0", "1", "2"]
    table.resolve(Labels({"n": "05", "b": "x"}))
    assert index.values("n") == ["0", "05", "1", "2"]
    assert index.values("nowhere") == []
    assert index.names() == ["b", "half", "n"]
    some = np.array([1, 3], dtype=np.int32)
    assert index.values_among("n", some) == ["05", "1"]
    assert index.values_among("nowhere", some) == []
    assert index.names_among(some) == ["b", "half", "n"]
    assert index.names_among(some[:1]) == ["half", "n"]


def test_the_cache_of_resolutions_is_bounded_by_what_it_names() -> None:
    _, index = filled(30_000)
    for number in range(20):
        index.resolve([Matcher(MatchType.NOT_EQUAL, "n", str(number))])
    assert sum(len(resolved.ids) for _, resolved in index._resolved.values()) <= 120_000
    assert index._resolved_series == sum(len(resolved.ids) for _, resolved in index._resolved.values())
    for number in range(2000):
        index.resolve([Matcher(MatchType.EQUAL, "n", str(number))])
    assert len(index._resolved) == 1024
