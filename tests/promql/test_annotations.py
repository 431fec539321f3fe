"""Warnings and infos have Prometheus' texts."""

from __future__ import annotations

import math

from zseval.promql.annotations import Annotations, ForcedMonotonicity

QUERY = "histogram_quantile(2, x)"


def test_equal_annotations_count_once_and_the_last_place_stays() -> None:
    notes = Annotations()
    notes.possible_non_counter("x", 0)
    notes.possible_non_counter("x", 5)
    (text,) = notes.infos("a\nbcd efg")
    assert text == (
        "PromQL info: metric might not be a counter, "
        'name does not end in _total/_sum/_count/_bucket: "x" (2:4)'
    )


def test_warnings_and_infos_are_listed_apart() -> None:
    notes = Annotations()
    notes.invalid_quantile(2, 19)
    notes.possible_non_counter("x", 0)
    assert notes.warnings(QUERY) == ["PromQL warning: quantile value should be between 0 and 1, got 2 (1:20)"]
    assert len(notes.infos(QUERY)) == 1


def test_numbers_are_written_as_go_does() -> None:
    notes = Annotations()
    for value in (math.nan, math.inf, -1.5, 1e21):
        notes.invalid_quantile(value, 0)
    ends = [text.split("got ")[1] for text in notes.warnings(QUERY)]
    assert ends == ["NaN (1:1)", "+Inf (1:1)", "-1.5 (1:1)", "1e+21 (1:1)"]


def test_a_ratio_says_what_it_is_capped_to() -> None:
    notes = Annotations()
    notes.invalid_ratio(1.5, 1.0, 0)
    assert notes.warnings(QUERY) == [
        "PromQL warning: ratio value should be between -1 and 1, got 1.5, capping to 1 (1:1)"
    ]


def test_a_bucket_label_names_its_metric_where_that_is_known() -> None:
    notes = Annotations()
    notes.bad_bucket_label("", "", 0)
    notes.bad_bucket_label("x_bucket", 'a"b', 0)
    start = 'PromQL warning: bucket label "le" is missing or has a malformed value of '
    assert notes.warnings(QUERY) == [
        f'{start}"" (1:1)',
        f'{start}"a\\"b" for metric name "x_bucket" (1:1)',
    ]


def test_the_extents_of_forced_monotonicity_are_joined() -> None:
    notes = Annotations()
    notes.forced_monotonicity("", 22, ForcedMonotonicity(60_000, 120_000, 1.0, 2.0, 0.125, 2))
    notes.forced_monotonicity("", 22, ForcedMonotonicity(0, 60_000, 0.5, 1.0, 1234.0, 1))
    (text,) = notes.infos(QUERY)
    assert text.endswith(
        ", from buckets 0.5 to 2, with a max diff of 1.2e+03, over 3 samples "
        "from 1970-01-01T00:00:00Z to 1970-01-01T00:02:00Z (1:23)"
    )
