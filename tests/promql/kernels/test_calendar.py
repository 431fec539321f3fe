"""Calendar functions, against datetime and, outside its years, against the 400-year cycle."""

from __future__ import annotations

import calendar as python_calendar
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.promql.kernels.calendar import CALENDAR

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ERA_SECONDS = 146_097 * 86_400


def _slow(moment: datetime) -> dict[str, int]:
    return {
        "minute": moment.minute,
        "hour": moment.hour,
        "day_of_week": moment.isoweekday() % 7,
        "day_of_month": moment.day,
        "day_of_year": moment.timetuple().tm_yday,
        "days_in_month": python_calendar.monthrange(moment.year, moment.month)[1],
        "month": moment.month,
        "year": moment.year,
    }


@given(st.integers(-62_135_596_800, 253_402_300_799), st.integers(-10_000, 10_000))
def test_a_date_is_that_of_datetime_and_repeats_every_400_years(seconds: int, eras: int) -> None:
    expected = _slow(EPOCH + timedelta(seconds=seconds))
    values = np.array([[float(seconds), float(seconds + eras * ERA_SECONDS)]])
    for name, function in CALENDAR.items():
        shift = 400 * eras if name == "year" else 0
        assert function(values).tolist() == [[expected[name], expected[name] + shift]], name


@given(st.floats(-1e9, 1e9))
def test_fractions_are_cut_toward_zero(value: float) -> None:
    for function in CALENDAR.values():
        assert function(np.array([value])).tolist() == function(np.array([float(int(value))])).tolist()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, -1e300])
def test_what_is_no_time_is_where_go_wraps_to(value: float) -> None:
    values = np.array([value])
    found = {name: function(values).item() for name, function in CALENDAR.items()}
    assert found == {
        "year": 292_277_026_596,
        "month": 12,
        "day_of_month": 4,
        "day_of_week": 0,
        "day_of_year": 339,
        "days_in_month": 31,
        "hour": 15,
        "minute": 30,
    }


@pytest.mark.parametrize(
    ("year", "month", "days"), [(2000, 2, 29), (1900, 2, 28), (2024, 2, 29), (2023, 2, 28), (2023, 12, 31)]
)
def test_leap_years_have_a_longer_february(year: int, month: int, days: int) -> None:
    moment = datetime(year, month, 15, tzinfo=UTC).timestamp()
    assert CALENDAR["days_in_month"](np.array([moment])).tolist() == [days]
