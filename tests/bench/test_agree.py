"""The check of answers: it finds every kind of difference that matters, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from bench.peers.agree import Disagreement, compare, require


def matrix(*series: tuple[dict[str, str], dict[int, str]]) -> dict[str, Any]:
    return {
        "resultType": "matrix",
        "result": [
            {"metric": labels, "values": [[time, value] for time, value in points.items()]}
            for labels, points in series
        ],
    }


def test_equal_answers_agree() -> None:
    data = matrix(({"a": "b"}, {15: "1", 30: "NaN", 45: "+Inf"}))
    found = compare(data, data)
    require(found, "x", exact=True, values=True)
    assert (found.series, found.points, found.shared, found.apart) == (1, 3, 1.0, 0.0)


def test_rounding_is_no_difference_and_more_is() -> None:
    left = matrix(({"a": "b"}, {15: "1", 30: "2"}))
    require(compare(left, matrix(({"a": "b"}, {15: "1", 30: "2.000000001"}))), "x", exact=True, values=True)
    apart = compare(left, matrix(({"a": "b"}, {15: "1", 30: "2.00000001"})))
    with pytest.raises(Disagreement, match="values differ by 5e-09"):
        require(apart, "x", exact=True, values=True)
    require(apart, "x", exact=True, values=False)


def test_the_largest_difference_of_any_series_counts() -> None:
    left = matrix(({"a": "1"}, {15: "1"}), ({"a": "2"}, {15: "100"}))
    right = matrix(({"a": "1"}, {15: "2"}), ({"a": "2"}, {15: "100"}))
    assert compare(left, right).apart == compare(right, left).apart == 0.5


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
def test_no_number_is_near_nan_or_infinity(value: str) -> None:
    found = compare(matrix(({}, {15: "1"})), matrix(({}, {15: value})))
    with pytest.raises(Disagreement, match="values differ"):
        require(found, "x", exact=True, values=True)


def test_a_missing_point_is_a_difference() -> None:
    found = compare(matrix(({}, {15: "1", 30: "1"})), matrix(({}, {15: "1"})))
    with pytest.raises(Disagreement, match=r"50\.00% of the points"):
        require(found, "x", exact=True, values=True)


def test_a_few_missing_points_pass_where_it_need_not_be_exact() -> None:
    many = {15 * step: "1" for step in range(1, 101)}
    found = compare(matrix(({}, many)), matrix(({}, dict(list(many.items())[4:]))))
    require(found, "x", exact=False, values=True)
    with pytest.raises(Disagreement):
        require(found, "x", exact=True, values=True)


def test_other_series_are_a_difference_unless_they_were_chosen_by_value() -> None:
    left = matrix(({"a": "1"}, {15: "1"}), ({"a": "2"}, {15: "1"}))
    right = matrix(({"a": "1"}, {15: "1"}), ({"a": "3"}, {15: "1"}))
    found = compare(left, right)
    assert len(found.only) == 2
    with pytest.raises(Disagreement, match="2 series are not in both"):
        require(found, "x", exact=False, values=False)
    with pytest.raises(Disagreement, match="2 series are not in both"):
        require(found, "x", exact=False, values=False, chosen=True)


def test_two_empty_answers_prove_nothing() -> None:
    with pytest.raises(Disagreement):
        require(compare(matrix(), matrix()), "x", exact=True, values=True)


def test_metric_names_can_be_left_out() -> None:
    left, right = matrix(({"a": "b"}, {15: "1"})), matrix(({"__name__": "m", "a": "b"}, {15: "1"}))
    assert compare(left, right).only
    require(compare(left, right, names=False), "x", exact=True, values=True)


def test_instant_vectors_are_compared_as_well() -> None:
    data = {"resultType": "vector", "result": [{"metric": {"a": "b"}, "value": [15, "1"]}]}
    require(compare(data, data), "x", exact=True, values=True)


def test_few_values_may_differ_where_that_is_allowed() -> None:
    many = {15 * step: "1" for step in range(1, 101)}
    found = compare(matrix(({}, many)), matrix(({}, {**many, 15: "2"})))
    assert found.differing == 0.01
    require(found, "x", exact=True, values=True, few=0.01)
    with pytest.raises(Disagreement, match=r"values differ by 0\.5 of their size, 1\.00% of them"):
        require(found, "x", exact=True, values=True, few=0.009)
