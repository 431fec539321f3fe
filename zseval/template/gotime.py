"""Go's time.Time (in UTC) and time.Duration, with their methods, as templates see them.

Source: Go's documentation of package time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from zseval.template.errors import CallError

__all__ = ["DURATION_METHODS", "TIME_METHODS", "Duration", "Month", "Time", "Weekday"]

SECOND = 1_000_000_000
_MINUTE, _HOUR = 60 * SECOND, 3600 * SECOND
_MAX_INT64 = 2**63 - 1
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_STRING_LAYOUT = "2006-01-02 15:04:05.999999999 -0700 MST"


class Month(int):
    """time.Month: 1 is January."""

    def __str__(self) -> str:
        return _MONTHS[self - 1]


class Weekday(int):
    """time.Weekday: 0 is Sunday."""

    def __str__(self) -> str:
        return _WEEKDAYS[self]


@dataclass(frozen=True, slots=True)
class Duration:
    """is_pointer: Prometheus' toDuration gives a pointer, which only shows in error texts and `%T`."""

    nanoseconds: int
    is_pointer: bool = False

    @property
    def seconds(self) -> float:
        return self.nanoseconds / SECOND

    def __str__(self) -> str:
        """As Go prints it: `1h30m0s`, `1.5s`, `2ms`."""
        size = abs(self.nanoseconds)
        sign = "-" if self.nanoseconds < 0 else ""
        if size < SECOND:
            return sign + _below_a_second(size)
        hours, rest = divmod(size, _HOUR)
        minutes, rest = divmod(rest, _MINUTE)
        head = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
        return f"{sign}{head}{_decimal(rest, SECOND)}s"

    def rounded(self, unit: Duration) -> Duration:
        """To the nearest multiple, halves away from zero."""
        step = unit.nanoseconds
        if step <= 0:
            return self
        size = (2 * abs(self.nanoseconds) + step) // (2 * step) * step
        return Duration(size if self.nanoseconds >= 0 else -size)

    def truncated(self, unit: Duration) -> Duration:
        step = unit.nanoseconds
        if step <= 0:
            return self
        size = abs(self.nanoseconds) // step * step
        return Duration(size if self.nanoseconds >= 0 else -size)


def _below_a_second(size: int) -> str:
    if size == 0:
        return "0s"
    for unit, scale in (("ns", 1), ("µs", 1000), ("ms", 1_000_000)):
        if size < scale * 1000:
            return _decimal(size, scale) + unit
    raise AssertionError(size)


def _decimal(amount: int, scale: int) -> str:
    """amount / scale in decimals, without trailing zeros."""
    whole, rest = divmod(amount, scale)
    if not rest:
        return str(whole)
    digits = str(rest).rjust(len(str(scale)) - 1, "0").rstrip("0")
    return f"{whole}.{digits}"


@dataclass(frozen=True, slots=True)
class Time:
    """nanoseconds: since the Unix epoch.  is_pointer: as of Duration."""

    nanoseconds: int
    is_pointer: bool = False

    @property
    def date(self) -> datetime:
        """The moment, to the second. Raises CallError outside the years 1 to 9999."""
        try:
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=self.nanoseconds // SECOND)
        except OverflowError:
            raise CallError("time is out of range") from None

    @property
    def fraction(self) -> int:
        """Nanoseconds within the second."""
        return self.nanoseconds % SECOND

    def __str__(self) -> str:
        return self.format(_STRING_LAYOUT)

    def format(self, layout: str) -> str:
        """The time in a layout of Go: the reference time Mon Jan 2 15:04:05 2006 MST shows how."""
        return _LAYOUT.sub(lambda match: _layout_part(self, match.group()), layout)

    def plus(self, nanoseconds: int) -> Time:
        return Time(self.nanoseconds + nanoseconds)

    def plus_date(self, years: int, months: int, days: int) -> Time:
        """Calendar arithmetic: days beyond the end of a month go on into the next."""
        date = self.date
        year, month = divmod(date.year * 12 + date.month - 1 + years * 12 + months, 12)
        try:
            first = date.replace(year=year, month=month + 1, day=1)
            moved = first + timedelta(days=date.day - 1 + days)
        except (ValueError, OverflowError):
            raise CallError("time is out of range") from None
        seconds = int((moved - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
        return Time(seconds * SECOND + self.fraction)


_LAYOUT = re.compile(
    r"January|Jan|Monday|Mon|MST|2006|_2006|__2|002|_2|01|02|03|04|05|06|15|1|2|3|4|5|PM|pm"
    r"|-07:00:00|-070000|-07:00|-0700|-07|Z07:00:00|Z070000|Z07:00|Z0700|Z07|[.,](?:0+|9+)(?![0-9])"
)


def _layout_part(time: Time, part: str) -> str:
    if part[0] in ".,":
        digits = f"{time.fraction:09d}"[: len(part) - 1]
        if part[1] == "9":
            digits = digits.rstrip("0")
        return part[0] + digits if digits else ""
    return _LAYOUT_PARTS[part](time.date)


_LAYOUT_PARTS: Mapping[str, Callable[[datetime], str]] = {
    "January": lambda date: _MONTHS[date.month - 1],
    "Jan": lambda date: _MONTHS[date.month - 1][:3],
    "Monday": lambda date: _WEEKDAYS[date.isoweekday() % 7],
    "Mon": lambda date: _WEEKDAYS[date.isoweekday() % 7][:3],
    "MST": lambda _date: "UTC",
    "2006": lambda date: f"{date.year:04d}",
    "_2006": lambda date: f"_{date.year:04d}",
    "06": lambda date: f"{date.year % 100:02d}",
    "01": lambda date: f"{date.month:02d}",
    "1": lambda date: str(date.month),
    "02": lambda date: f"{date.day:02d}",
    "_2": lambda date: f"{date.day:2d}",
    "2": lambda date: str(date.day),
    "002": lambda date: f"{date.timetuple().tm_yday:03d}",
    "__2": lambda date: f"{date.timetuple().tm_yday:3d}",
    "15": lambda date: f"{date.hour:02d}",
    "03": lambda date: f"{(date.hour - 1) % 12 + 1:02d}",
    "3": lambda date: str((date.hour - 1) % 12 + 1),
    "04": lambda date: f"{date.minute:02d}",
    "4": lambda date: str(date.minute),
    "05": lambda date: f"{date.second:02d}",
    "5": lambda date: str(date.second),
    "PM": lambda date: "PM" if date.hour >= 12 else "AM",
    "pm": lambda date: "pm" if date.hour >= 12 else "am",
    "-0700": lambda _date: "+0000",
    "-07:00": lambda _date: "+00:00",
    "-07": lambda _date: "+00",
    "-070000": lambda _date: "+000000",
    "-07:00:00": lambda _date: "+00:00:00",
    "Z0700": lambda _date: "Z",
    "Z07:00": lambda _date: "Z",
    "Z07": lambda _date: "Z",
    "Z070000": lambda _date: "Z",
    "Z07:00:00": lambda _date: "Z",
}

# Methods: name -> (Go types of the parameters, function of the receiver and the arguments).
_Method = tuple[tuple[str, ...], Callable[..., Any]]

TIME_METHODS: Mapping[str, _Method] = {
    "Format": (("string",), lambda time, layout: time.format(layout)),
    "String": ((), str),
    "GoString": ((), str),
    "Unix": ((), lambda time: time.nanoseconds // SECOND),
    "UnixMilli": ((), lambda time: time.nanoseconds // 1_000_000),
    "UnixMicro": ((), lambda time: time.nanoseconds // 1000),
    "UnixNano": ((), lambda time: time.nanoseconds),
    "Year": ((), lambda time: time.date.year),
    "Month": ((), lambda time: Month(time.date.month)),
    "Day": ((), lambda time: time.date.day),
    "Hour": ((), lambda time: time.date.hour),
    "Minute": ((), lambda time: time.date.minute),
    "Second": ((), lambda time: time.date.second),
    "Nanosecond": ((), lambda time: time.fraction),
    "Weekday": ((), lambda time: Weekday(time.date.isoweekday() % 7)),
    "YearDay": ((), lambda time: time.date.timetuple().tm_yday),
    "UTC": ((), lambda time: Time(time.nanoseconds)),
    "Local": ((), lambda time: Time(time.nanoseconds)),
    "IsZero": ((), lambda time: time.nanoseconds == -62135596800 * SECOND),
    "Add": (("time.Duration",), lambda time, duration: time.plus(duration.nanoseconds)),
    "AddDate": (("int", "int", "int"), lambda time, *parts: time.plus_date(*parts)),
    "Sub": (("time.Time",), lambda time, other: _difference(time, other)),
    "Before": (("time.Time",), lambda time, other: time.nanoseconds < other.nanoseconds),
    "After": (("time.Time",), lambda time, other: time.nanoseconds > other.nanoseconds),
    "Equal": (("time.Time",), lambda time, other: time.nanoseconds == other.nanoseconds),
    "Compare": (
        ("time.Time",),
        lambda time, other: (time.nanoseconds > other.nanoseconds) - (time.nanoseconds < other.nanoseconds),
    ),
}

DURATION_METHODS: Mapping[str, _Method] = {
    "String": ((), str),
    "Hours": ((), lambda duration: duration.nanoseconds / _HOUR),
    "Minutes": ((), lambda duration: duration.nanoseconds / _MINUTE),
    "Seconds": ((), lambda duration: duration.seconds),
    "Milliseconds": ((), lambda duration: _toward_zero(duration.nanoseconds, 1_000_000)),
    "Microseconds": ((), lambda duration: _toward_zero(duration.nanoseconds, 1000)),
    "Nanoseconds": ((), lambda duration: duration.nanoseconds),
    "Abs": ((), lambda duration: Duration(abs(duration.nanoseconds))),
    "Round": (("time.Duration",), lambda duration, unit: duration.rounded(unit)),
    "Truncate": (("time.Duration",), lambda duration, unit: duration.truncated(unit)),
}


def _difference(time: Time, other: Time) -> Duration:
    """Saturates, as Go's Sub does."""
    return Duration(max(-_MAX_INT64 - 1, min(_MAX_INT64, time.nanoseconds - other.nanoseconds)))


def _toward_zero(amount: int, scale: int) -> int:
    return abs(amount) // scale * (1 if amount >= 0 else -1)
