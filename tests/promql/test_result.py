"""Results as Prometheus' JSON: the fast bytes and the plain objects say the same."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zseval.model.arrays import Mask, Values
from zseval.model.labels import Labels
from zseval.model.labelsets import LabelSets
from zseval.model.number import format_sample
from zseval.promql import result as result_module
from zseval.promql.result import Result, render_values
from zseval.promql.syntax.ast import ValueType

MANY = result_module._ONE_BY_ONE + 1  # even of one value, so many are written as arrays


def _result(
    kind: ValueType, values: Values, times: list[int], present: Mask | None = None, text: str = ""
) -> Result:
    labels = [Labels({"__name__": "up", "n": str(row)}) for row in range(len(values))]
    sets = LabelSets.of(labels if kind is not ValueType.SCALAR else [Labels()])
    return Result(kind, sets, np.array(times, dtype=np.int64), values, present, text)


def test_a_vector_has_one_value_a_series() -> None:
    result = _result(ValueType.VECTOR, np.array([[1.0], [0.5]]), [1500])
    assert result.to_json() == {
        "resultType": "vector",
        "result": [
            {"metric": {"__name__": "up", "n": "0"}, "value": [1.5, "1"]},
            {"metric": {"__name__": "up", "n": "1"}, "value": [1.5, "0.5"]},
        ],
    }


def test_an_empty_vector_is_an_empty_list() -> None:
    result = _result(ValueType.VECTOR, np.zeros((0, 1)), [0])
    assert result.to_json_bytes() == b'{"resultType":"vector","result":[]}'


def test_a_scalar_is_a_time_and_a_text() -> None:
    result = _result(ValueType.SCALAR, np.array([[math.nan]]), [60_000])
    assert result.to_json_bytes() == b'{"resultType":"scalar","result":[60,"NaN"]}'


def test_a_string_is_quoted() -> None:
    result = _result(ValueType.STRING, np.zeros((0, 1)), [60_001], text='a "b"')
    assert result.to_json_bytes() == b'{"resultType":"string","result":[60.001,"a \\"b\\""]}'


def test_times_have_three_decimals_or_none_and_absent_points_are_left_out() -> None:
    present = np.array([[True, False, True]])
    result = _result(ValueType.MATRIX, np.array([[1.0, 2.0, 3.0]]), [1000, 1500, 2050], present)
    assert result.to_json_bytes() == (
        b'{"resultType":"matrix","result":[{"metric":{"__name__":"up","n":"0"},'
        b'"values":[[1,"1"],[2.050,"3"]]}]}'
    )


def test_series_of_a_range_vector_have_times_of_their_own() -> None:
    times = np.array([[1000, 2000], [5000, 0]])
    labels = LabelSets.of([Labels({"n": "0"}), Labels({"n": "1"})])
    present = np.array([[True, True], [True, False]])
    result = Result(ValueType.MATRIX, labels, times, np.array([[1.0, 2.0], [3.0, 0.0]]), present)
    assert [points["values"] for points in json.loads(result.to_json_bytes())["result"]] == [
        [[1, "1"], [2, "2"]],
        [[5, "3"]],
    ]


def test_samples_are_for_instant_vectors_only() -> None:
    result = _result(ValueType.MATRIX, np.array([[1.0]]), [0])
    with pytest.raises(TypeError, match="range vector"):
        result.samples()
    with pytest.raises(TypeError, match="not a scalar"):
        result.scalar()


@given(hnp.arrays(np.float64, st.integers(0, 20), elements=st.floats(width=64)))
def test_values_are_written_as_prometheus_writes_them(values: Values) -> None:
    wanted = [format_sample(value).encode() for value in values.tolist()]
    assert render_values(values) == wanted
    assert render_values(np.tile(values, MANY)) == wanted * MANY


@given(st.lists(st.integers(-(10**17), 10**17), max_size=10))
def test_integers_have_no_point(values: list[int]) -> None:
    array = np.array(values, dtype=np.float64)
    wanted = [format_sample(float(value)).encode() for value in values]
    assert render_values(array) == wanted
    assert render_values(np.tile(array, MANY)) == wanted * MANY


@given(st.data())
def test_bytes_and_objects_agree(data: st.DataObject) -> None:
    shape = data.draw(st.tuples(st.integers(0, 3), st.integers(1, 4)))
    values = data.draw(hnp.arrays(np.float64, shape, elements=st.floats(width=64)))
    present = data.draw(hnp.arrays(np.bool_, shape))
    present[:, 0] = True  # every series of a result has a sample
    times = [1000 * index + data.draw(st.integers(0, 999)) for index in range(shape[1])]
    result = _result(ValueType.MATRIX, values, times, present)
    assert json.loads(result.to_json_bytes()) == json.loads(json.dumps(result.to_json()))


@pytest.mark.parametrize("kind", ["counts", "percent", "any"])
@pytest.mark.parametrize("is_whole", [True, False])
def test_bytes_and_objects_agree_where_there_are_many_points(kind: str, is_whole: bool) -> None:
    rng = np.random.default_rng(7)
    values = rng.random((130, 300)) * 100
    if kind != "any":
        values = np.round(values, 0 if kind == "counts" else 2)
    values[3, 4:6] = [math.nan, -math.inf] if kind == "any" else -0.0
    present = None if is_whole else rng.random(values.shape) < 0.5
    result = _result(
        ValueType.MATRIX, values, list(range(1_700_000_000_000, 1_700_000_300_000, 1000)), present
    )
    assert json.loads(result.to_json_bytes()) == json.loads(json.dumps(result.to_json()))


@pytest.mark.parametrize("missing", [0, 5])
def test_a_long_vector_is_written_as_a_short_one_is(missing: int) -> None:
    labels = [Labels({"a": "" if row == missing else "x", "n": str(row % 7)}) for row in range(1, 151)]
    sets = LabelSets.of(labels)
    result = Result(ValueType.VECTOR, sets, np.array([1500]), np.arange(150.0)[:, np.newaxis])
    assert json.loads(result.to_json_bytes()) == result.to_json()


@pytest.mark.parametrize("rows", [[0, 1, 2, 3], [1, 0, 3, 2], [0, 0, 1], [1, 1], [2, 0], [3]])
def test_parts_of_a_matrix_that_are_written_in_different_ways_join(
    rows: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small values with spaces after them, others without, and series with gaps, a series at a time."""
    kinds = np.array([[1.0, 2.5, 3.0], [0.1 + 0.2, -4.0, 1e300], [7.0, 8.0, 9.0], [10.0, 100.25, 0.0]])
    present = np.ones((len(rows), 3), dtype=np.bool_)
    present[[row == 2 for row in rows], 1] = False
    monkeypatch.setattr(result_module, "_POINTS_AT_ONCE", 3)
    monkeypatch.setattr(result_module, "_WOVEN_FROM", 0)
    labels = LabelSets.of([Labels({"n": str(n)}) for n in range(len(rows))])
    times = np.array([1_700_000_000_000, 1_700_000_015_000, 1_700_000_030_000])
    made = Result(ValueType.MATRIX, labels, times, kinds[rows], present)
    assert json.loads(made.to_json_bytes()) == json.loads(json.dumps(made.to_json()))
