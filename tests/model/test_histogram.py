"""Native histograms: what they print, laws of their arithmetic, resets, trimming."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.model.histogram import CounterReset, Histogram, IncompatibleSchemaError, InvalidHistogramError
from zseval.model.histogram.buckets import Buckets, upper_bounds
from zseval.model.histogram.sums import mean_of, sum_of
from zseval.model.histogram.trim import trimmed

counts = st.integers(0, 50).map(float)


@st.composite
def sides(draw: st.DrawFn) -> Buckets:
    return Buckets.of(draw(st.lists(counts, max_size=6)), draw(st.integers(-8, 8)))


@st.composite
def exponential(draw: st.DrawFn) -> Histogram:
    positive, negative, zero = draw(sides()), draw(sides()), draw(counts)
    return Histogram(
        schema=draw(st.integers(-2, 4)),
        zero_threshold=draw(st.sampled_from([0.0, 0.001, 0.25, 1.0, 3.0])),
        zero_count=zero,
        count=float(positive.counts.sum() + negative.counts.sum()) + zero,
        sum=draw(st.integers(-100, 100).map(float)),
        positive=positive,
        negative=negative,
    )


@st.composite
def custom(draw: st.DrawFn) -> Histogram:
    bounds = tuple(sorted(draw(st.sets(st.integers(-5, 5).map(float), max_size=5))))
    held = Buckets.of(draw(st.lists(counts, min_size=len(bounds) + 1, max_size=len(bounds) + 1)))
    return Histogram(schema=-53, count=float(held.counts.sum()), positive=held, custom_values=bounds)


def total(histogram: Histogram) -> float:
    return float(histogram.positive.counts.sum() + histogram.negative.counts.sum()) + histogram.zero_count


@given(st.one_of(exponential(), custom()))
def test_its_expression_parses_to_the_same(histogram: Histogram) -> None:
    assert Histogram.parse(repr(histogram)).compact() == histogram.compact()


@given(exponential(), exponential())
def test_addition_commutes(left: Histogram, right: Histogram) -> None:
    # What lies in the zero bucket of one and partly in that of the other may count twice, as upstream.
    if left.zero_threshold == right.zero_threshold == 0:
        assert (left + right).compact() == (right + left).compact()


@given(custom(), custom())
def test_adding_custom_buckets_loses_no_observation(left: Histogram, right: Histogram) -> None:
    added = left + right
    assert total(added) == left.count + right.count == added.count
    assert set(added.custom_values) == set(left.custom_values) & set(right.custom_values)


@given(exponential())
def test_a_histogram_less_itself_is_empty(histogram: Histogram) -> None:
    # Buckets inside the zero bucket, which no client makes, would be left over, as upstream.
    left = (replace(histogram, zero_threshold=0.0) - replace(histogram, zero_threshold=0.0)).compact()
    assert (left.count, left.zero_count, len(left.positive), len(left.negative)) == (0.0, 0.0, 0, 0)


@given(exponential(), st.integers(0, 4))
def test_a_lower_resolution_keeps_every_observation(histogram: Histogram, levels: int) -> None:
    reduced = histogram.reduced(max(histogram.schema - levels, -4))
    assert total(reduced) == total(histogram)
    assert [b.count for b in reduced.buckets()] == sorted(
        [b.count for b in reduced.buckets()], key=lambda _: 0
    )


@given(exponential())
def test_buckets_go_up_and_do_not_overlap_but_at_zero(histogram: Histogram) -> None:
    found = [bucket for bucket in histogram.buckets() if bucket.count]
    assert all(bucket.lower < bucket.upper or histogram.zero_threshold >= bucket.upper for bucket in found)
    assert sum(bucket.count for bucket in found) == total(histogram)


@given(exponential(), exponential())
def test_a_counter_that_only_grew_was_not_reset(first: Histogram, more: Histogram) -> None:
    if first.schema <= more.schema and first.zero_threshold == more.zero_threshold:
        assert not (first + more).is_reset_after(first)


@given(st.lists(exponential(), min_size=1, max_size=5))
def test_a_sum_counts_what_its_parts_count(histograms: list[Histogram]) -> None:
    assert sum_of(histograms).total().count == sum(each.count for each in histograms)
    mean = mean_of(histograms).total().count * len(histograms)
    assert math.isclose(mean, sum(each.count for each in histograms), abs_tol=1e-9)


@given(exponential(), st.floats(-20, 20))
def test_trimming_only_takes_away(histogram: Histogram, at: float) -> None:
    for upper in (False, True):
        assert total(trimmed(histogram, at, upper=upper)) <= total(histogram) + 1e-9


def test_trimming_at_infinity_changes_nothing() -> None:
    histogram = Histogram.parse("{{schema:0 sum:5 count:4 buckets:[1 2 1]}}")
    assert trimmed(histogram, math.inf, upper=True) == histogram
    assert trimmed(histogram, -math.inf, upper=False) == histogram


def test_a_compensated_sum_keeps_what_rounding_would_lose() -> None:
    parts = [Histogram(sum=value, count=1.0) for value in (1e100, 1.0, -1e100)]
    assert sum_of(parts).total().sum == 1.0


def test_a_mean_does_not_overflow() -> None:
    parts = [Histogram(sum=1.7e308, count=1.0) for _ in range(3)]
    assert math.isclose(mean_of(parts).total().sum, 1.7e308)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("{{}}", "{count:0, sum:0}"),
        ("{{schema:0 sum:5 count:4 buckets:[1 2 1]}}", "{count:4, sum:5, (0.5,1]:1, (1,2]:2, (2,4]:1}"),
        ("{{count:2 n_buckets:[1 0 1]}}", "{count:2, sum:0, [-4,-2):1, [-1,-0.5):1}"),
        ("{{z_bucket:3 z_bucket_w:0.5 count:3}}", "{count:3, sum:0, [-0.5,0.5]:3}"),
        (
            "{{schema:-53 count:3 custom_values:[5 10] buckets:[1 1 1]}}",
            "{count:3, sum:0, [-Inf,5]:1, (5,10]:1, (10,+Inf]:1}",
        ),
    ],
)
def test_it_prints_as_prometheus_does(text: str, printed: str) -> None:
    assert str(Histogram.parse(text)) == printed


def test_its_json_has_boundaries_and_no_empty_buckets() -> None:
    histogram = Histogram.parse("{{sum:5 count:4 z_bucket:1 z_bucket_w:0.1 buckets:[1 0 1] n_buckets:[1]}}")
    assert histogram.to_json() == {
        "count": "4",
        "sum": "5",
        "buckets": [
            [1, "-1", "-0.5", "1"],
            [3, "-0.1", "0.1", "1"],
            [0, "0.5", "1", "1"],
            [0, "2", "4", "1"],
        ],
    }
    assert Histogram().to_json() == {"count": "0", "sum": "0"}


@pytest.mark.parametrize(
    ("before", "after", "reset"),
    [
        ("{{count:4 buckets:[1 2 1]}}", "{{count:3 buckets:[1 1 1]}}", True),
        ("{{count:4 buckets:[1 2 1]}}", "{{count:4 buckets:[1 2 1]}}", False),
        ("{{count:4 buckets:[1 2 1]}}", "{{count:5 buckets:[2 1 2]}}", True),
        ("{{count:4 buckets:[1 2 1]}}", "{{count:9 buckets:[5 4]}}", True),
        ("{{count:4 buckets:[1 2 1]}}", "{{schema:1 count:9 buckets:[5 4]}}", True),
        ("{{count:1 buckets:[1]}}", "{{count:9 buckets:[9] counter_reset_hint:reset}}", True),
        ("{{count:4 buckets:[4]}}", "{{count:1 buckets:[1] counter_reset_hint:not_reset}}", False),
        ("{{count:1 z_bucket:1 z_bucket_w:1}}", "{{count:2 z_bucket:2 z_bucket_w:0.5}}", True),
        (
            "{{schema:-53 count:3 custom_values:[1 2] buckets:[1 1 1]}}",
            "{{schema:-53 count:4 custom_values:[2] buckets:[1 3]}}",
            True,
        ),
        (
            "{{schema:-53 count:3 custom_values:[1 2] buckets:[1 1 1]}}",
            "{{schema:-53 count:4 custom_values:[2] buckets:[2 2]}}",
            False,
        ),
    ],
)
def test_a_reset_shows_in_any_bucket(before: str, after: str, reset: bool) -> None:
    assert Histogram.parse(after).is_reset_after(Histogram.parse(before)) is reset


def test_hints_of_a_sum() -> None:
    reset, kept = (Histogram(counter_reset=hint) for hint in (CounterReset.RESET, CounterReset.NOT_RESET))
    gauge = Histogram(counter_reset=CounterReset.GAUGE)
    assert reset.plus(kept).collision
    assert reset.plus(kept).value.counter_reset is CounterReset.UNKNOWN
    assert reset.plus(gauge).value.is_gauge
    assert not reset.plus(gauge).collision
    assert (kept * -1.0).is_gauge


def test_exponential_and_custom_buckets_do_not_add_up() -> None:
    with pytest.raises(IncompatibleSchemaError):
        Histogram() + Histogram(schema=-53)


@pytest.mark.parametrize(
    "text",
    ["", "{{", "{{buckets:1}}", "{{sum}}", "{{schema:x}}", "{{nothing:1}}", "{{counter_reset_hint:no}}"],
)
def test_what_is_no_histogram_is_refused(text: str) -> None:
    with pytest.raises(InvalidHistogramError):
        Histogram.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "{{schema:9}}",
        "{{count:-1}}",
        "{{buckets:[-1]}}",
        "{{custom_values:[1]}}",
        "{{schema:-53 custom_values:[2 1]}}",
        "{{schema:-53 custom_values:[1] buckets:[1 1 1]}}",
        "{{schema:-53 z_bucket:1}}",
    ],
)
def test_contradictions_are_found(text: str) -> None:
    with pytest.raises(InvalidHistogramError):
        Histogram.parse(text).validate()


def test_bounds_of_the_last_finite_bucket_and_of_powers() -> None:
    index = Buckets.of([0.0], 1024).indices
    assert upper_bounds(index, 0)[0] == 1.7976931348623157e308
    assert upper_bounds(index + 1, 0)[0] == math.inf
    assert upper_bounds(Buckets.of([0.0] * 3).indices, -1).tolist() == [1.0, 4.0, 16.0]
    assert upper_bounds(Buckets.of([0.0] * 3).indices, 1).tolist() == pytest.approx([1.0, 2**0.5, 2.0])


def test_bucket_bounds_are_those_of_upstreams_table() -> None:
    """Not those nearest to the powers of two: the table is made by multiplication."""
    indices = np.arange(-7, 1, dtype=np.int32)
    assert upper_bounds(indices, 3).tolist() == [
        0.5452538663326288, 0.5946035575013605, 0.6484197773255048, 0.7071067811865475,
        0.7711054127039704, 0.8408964152537144, 0.9170040432046711, 1.0,
    ]  # fmt: skip
    assert upper_bounds(np.array([19], dtype=np.int32), 2).tolist() == [26.90868528811886]


def test_json_has_exponents_where_samples_have_them() -> None:
    made = Histogram(zero_threshold=2.0**-128, zero_count=1e21, count=1e21, sum=1e-7).to_json()
    assert made == {
        "count": "1e+21",
        "sum": "1e-07",
        "buckets": [[3, "-2.938735877055719e-39", "2.938735877055719e-39", "1e+21"]],
    }
