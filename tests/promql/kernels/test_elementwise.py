"""Functions of single values, against Go's definitions in plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.oracles.go import sqrt
from tests.promql.kernels.frames import same
from zseval.promql.kernels.elementwise import ELEMENTWISE

inf, nan = math.inf, math.nan


def _log(value: float) -> float:
    if value == 0:
        return -inf
    return nan if value < 0 else math.log(value)


def _log2(value: float) -> float:
    if value <= 0 or math.isinf(value) or math.isnan(value):
        return _log(value)
    fraction, exponent = math.frexp(value)
    return exponent - 1.0 if fraction == 0.5 else math.log(fraction) * (1 / math.log(2)) + exponent


def _domain(function: Callable[[float], float], inside: Callable[[float], bool]) -> Callable[[float], float]:
    return lambda value: function(value) if inside(value) else nan


def _whole(function: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: float(function(value)) if math.isfinite(value) else value


def _exp(value: float) -> float:
    return inf if value > 709.79 else math.exp(value)


SLOW: dict[str, Callable[[float], float]] = {
    "abs": abs,
    "ceil": _whole(math.ceil),
    "floor": _whole(math.floor),
    "sqrt": lambda value: value if math.isnan(value) else sqrt(value),
    "exp": _exp,
    "ln": _log,
    "log2": _log2,
    "log10": lambda value: _log2(value) * (math.log(2) / math.log(10)),
    "sgn": lambda value: -1 if value < 0 else 1 if value > 0 else value,
    "sin": _domain(math.sin, math.isfinite),
    "cos": _domain(math.cos, math.isfinite),
    "tan": _domain(math.tan, math.isfinite),
    "asin": _domain(math.asin, lambda value: abs(value) <= 1),
    "acos": _domain(math.acos, lambda value: abs(value) <= 1),
    "atan": math.atan,
    "tanh": math.tanh,
    "asinh": math.asinh,
    "acosh": _domain(math.acosh, lambda value: value >= 1),
    "atanh": lambda value: math.atanh(value) if abs(value) < 1 else value * inf if abs(value) == 1 else nan,
    "rad": lambda value: value * math.pi / 180,
    "deg": lambda value: value * 180 / math.pi,
    "round": lambda value: math.floor(value + 0.5) if math.isfinite(value) and abs(value) < 2**52 else value,
}


@pytest.mark.parametrize("name", SLOW)
@given(value=st.one_of(st.floats(), st.floats(-5, 5), st.sampled_from([0.5, 1.0, -1.0, 2.5, -2.5])))
def test_a_function_is_gos(name: str, value: float) -> None:
    if name == "round" and 2**51 < abs(value) < 2**54:
        return  # adding a half rounds there, in Go too; Python's floor of the sum says the same less clearly
    got = float(ELEMENTWISE[name](np.array([[value]]))[0, 0])
    assert same(got, SLOW[name](value), rel=1e-14 if name in ("tan", "atanh") else 2e-15)


@given(st.floats(-700, 700))
def test_hyperbolic_functions_are_those_of_math(value: float) -> None:
    for name, slow in (("sinh", math.sinh), ("cosh", math.cosh)):
        assert same(float(ELEMENTWISE[name](np.array([value]))[0]), slow(value), rel=1e-14)


@pytest.mark.parametrize("exponent", [-1074, -10, 0, 1, 52, 1023])
def test_log2_of_a_power_of_two_is_exact(exponent: int) -> None:
    assert ELEMENTWISE["log2"](np.array([2.0**exponent]))[0] == exponent


def test_log10_is_computed_from_log2() -> None:
    assert ELEMENTWISE["log10"](np.array([1000.0]))[0] == 2.9999999999999996


@given(st.floats(-1e6, 1e6), st.sampled_from([1.0, 5.0, 0.1, 0.5, -2.0, 100.0]))
def test_round_goes_to_the_nearest_multiple_and_halfway_up(value: float, to: float) -> None:
    got = float(ELEMENTWISE["round"](np.array([[value]]), np.array([to]))[0, 0])
    assert same(got, math.floor(value * (1 / to) + 0.5) / (1 / to))


def test_round_to_zero_is_nan() -> None:
    assert np.isnan(ELEMENTWISE["round"](np.array([[3.0]]), np.array([0.0]))[0, 0])


def _max(left: float, right: float) -> float:
    if inf in (left, right):
        return inf
    if math.isnan(left) or math.isnan(right):
        return nan
    if left == right == 0:
        return right if math.copysign(1, left) < 0 else left
    return max(left, right)


def _min(left: float, right: float) -> float:
    return -_max(-left, -right)


NUMBERS = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, nan, inf, -inf]))


@given(NUMBERS, NUMBERS, NUMBERS)
def test_clamps_use_gos_min_and_max(value: float, low: float, high: float) -> None:
    values, lows, highs = np.array([[value]]), np.array([low]), np.array([high])
    for got, expected in (
        (ELEMENTWISE["clamp"](values, lows, highs), _max(low, _min(high, value))),
        (ELEMENTWISE["clamp_min"](values, lows), _max(low, _min(inf, value))),
        (ELEMENTWISE["clamp_max"](values, highs), _max(-inf, _min(high, value))),
    ):
        found = float(got[0, 0])
        assert same(found, expected)
        assert math.isnan(found) or math.copysign(1, found) == math.copysign(1, expected)


def test_parameters_vary_by_step() -> None:
    values = np.array([[1.0, 5.0], [9.0, 2.0]])
    got = ELEMENTWISE["clamp_max"](values, np.array([3.0, 4.0]))
    assert got.tolist() == [[1.0, 4.0], [3.0, 2.0]]


def test_arguments_are_not_written_to() -> None:
    values = np.array([[-1.5, 0.0, 2.5]])
    for name, function in ELEMENTWISE.items():
        params = {"clamp": 2, "clamp_min": 1, "clamp_max": 1}.get(name, 0)
        function(values, *[np.ones(3)] * params)
        assert values.tolist() == [[-1.5, 0.0, 2.5]]


def test_hyperbolic_functions_overflow_where_gos_do() -> None:
    large = np.array([[709.7, 710.0, 710.4, -710.0, -30.0]])
    with np.errstate(over="ignore"):
        assert ELEMENTWISE["cosh"](large)[0, 1:4].tolist() == [math.inf] * 3
        assert ELEMENTWISE["sinh"](large)[0, 1:4].tolist() == [math.inf, math.inf, -math.inf]
    assert ELEMENTWISE["cosh"](large)[0, 0] == math.exp(709.7) * 0.5
    assert ELEMENTWISE["sinh"](large)[0, 4] == -math.exp(30.0) * 0.5
