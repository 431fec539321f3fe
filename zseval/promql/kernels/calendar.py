"""minute, hour, day_of_week, … of Unix seconds, in UTC and the proleptic Gregorian calendar.

Each takes float64 seconds of any shape and gives float64 of that shape. Seconds are cut to whole ones
toward zero, as Go's conversion does; what has no int64 (NaN, infinities) becomes the smallest int64, as
on amd64, and from there on Go's uint64 wraps to December of the year 292277026596.
Source: promql/functions.go (dateWrapper), Go's time package.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Times, Values

__all__ = [
    "CALENDAR",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "hour",
    "minute",
    "month",
    "year",
]

_DAY = 86_400
_ERA = 146_097  # days in 400 years
_ZERO_YEAR = -292_277_022_399  # Go counts from its 1 January: a Monday, and a year 1 of an era
_UNIX_TO_ZERO = 9_223_372_028_715_321_600  # seconds from there to 1970
_MONTH_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int64)
_BEFORE_MONTH = np.cumsum(_MONTH_DAYS) - _MONTH_DAYS

Whole = NDArray[np.int64]


def _since_zero(values: Values) -> tuple[Whole, Whole]:
    """Days since Go's zero day, and seconds of the day."""
    fits = np.abs(values) < 2.0**63
    seconds = np.full(values.shape, np.iinfo(np.int64).min, dtype=np.int64)
    seconds[fits] = values[fits].astype(np.int64)
    absolute = seconds.view(np.uint64) + np.uint64(_UNIX_TO_ZERO)
    days, rest = np.divmod(absolute, np.uint64(_DAY))
    return days.astype(np.int64), rest.astype(np.int64)


def _date(values: Values) -> tuple[Times, Whole, Whole]:
    """Year, month from 1 and day from 1.

    Counted from 1 March of the year before the zero year, so that a leap day is the last of its year.
    """
    days = _since_zero(values)[0] + 306
    era, of_era = np.divmod(days, _ERA)
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // (_ERA - 1)) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    from_march = (5 * of_year + 2) // 153
    day = of_year - (153 * from_march + 2) // 5 + 1
    number = np.where(from_march < 10, from_march + 3, from_march - 9)
    years = era * 400 + year_of_era + (number <= 2) + (_ZERO_YEAR - 1)
    return years, number, day


def _is_leap(years: Times) -> NDArray[np.bool_]:
    return np.asarray((years % 4 == 0) & ((years % 100 != 0) | (years % 400 == 0)))


def minute(values: Values) -> Values:
    """0 to 59."""
    return (_since_zero(values)[1] % 3600 // 60).astype(np.float64)


def hour(values: Values) -> Values:
    """0 to 23."""
    return (_since_zero(values)[1] // 3600).astype(np.float64)


def day_of_week(values: Values) -> Values:
    """0, which is Sunday, to 6."""
    return ((_since_zero(values)[0] + 1) % 7).astype(np.float64)


def day_of_month(values: Values) -> Values:
    """1 to 31."""
    return _date(values)[2].astype(np.float64)


def day_of_year(values: Values) -> Values:
    """1 to 366."""
    years, number, day = _date(values)
    after_leap_day = _is_leap(years) & (number > 2)
    of_year: Whole = np.add(_BEFORE_MONTH[number - 1], day + after_leap_day)
    return of_year.astype(np.float64)


def days_in_month(values: Values) -> Values:
    """28 to 31."""
    years, number, _ = _date(values)
    days: Whole = np.add(_MONTH_DAYS[number - 1], _is_leap(years) & (number == 2))
    return days.astype(np.float64)


def month(values: Values) -> Values:
    """1 to 12."""
    return _date(values)[1].astype(np.float64)


def year(values: Values) -> Values:
    """The year."""
    return _date(values)[0].astype(np.float64)


CALENDAR = {
    "day_of_month": day_of_month,
    "day_of_week": day_of_week,
    "day_of_year": day_of_year,
    "days_in_month": days_in_month,
    "hour": hour,
    "minute": minute,
    "month": month,
    "year": year,
}
"""PromQL's name of each to its function."""
