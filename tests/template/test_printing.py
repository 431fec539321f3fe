"""Go's fmt and time, where the differential test's oracle is too old or cannot reach."""

from __future__ import annotations

import pytest

from zseval.template.gotime import Duration, Time
from zseval.template.printing import quoted, sprint, sprintf
from zseval.template.values import StringMap, Value


@pytest.mark.parametrize(
    ("nanoseconds", "wanted"),
    [
        (0, "0s"), (1, "1ns"), (1100, "1.1µs"), (2_200_000, "2.2ms"), (3_300_000_000, "3.3s"),
        (245_000_000_000, "4m5s"),
        (3_661_000_000_000, "1h1m1s"), (-1_500_000_000, "-1.5s"), (36_000_000_000_000, "10h0m0s"),
    ],
)  # fmt: skip
def test_durations_print_as_in_go(nanoseconds: int, wanted: str) -> None:
    assert str(Duration(nanoseconds)) == wanted


@pytest.mark.parametrize(
    ("layout", "wanted"),
    [
        ("2006-01-02T15:04:05Z07:00", "2015-06-23T13:19:44Z"),
        ("Jan _2 06 03:04PM", "Jun 23 15 01:19PM"),
        ("15:04:05.000 .999999", "13:19:44.128 .128"),
        ("Monday, January 2 (002)", "Tuesday, June 23 (174)"),
    ],
)
def test_times_are_laid_out_as_in_go(layout: str, wanted: str) -> None:
    assert Time(1_435_065_584_128_000_000).format(layout) == wanted


def test_calendar_arithmetic_carries_over() -> None:
    end_of_january = Time(1_422_662_400_000_000_000)  # 2015-01-31
    assert str(end_of_january.plus_date(0, 1, 0)) == "2015-03-03 00:00:00 +0000 UTC"


@pytest.mark.parametrize(
    ("form", "values", "wanted"),
    [
        ("%d", [1.0], "%!d(float64=1)"),
        ("%d", ["hi"], "%!d(string=hi)"),
        ("%d %s", [1], "1 %!s(MISSING)"),
        ("%d", [1, 2.5, None], "1%!(EXTRA float64=2.5, <nil>)"),
        ("%", [], "%!(NOVERB)"),
        ("%z", [1], "%!z(int=1)"),
        ("%[3]d", [1], "%!d(BADINDEX)"),
        ("%*d", ["x", 1], "%!(BADWIDTH)1"),
        ("%5.1f|%-8s|%08.3f", [3.14159, "left", 3.14159], "  3.1|left    |0003.142"),
        ("%v", [StringMap(b="2", a="1")], "map[a:1 b:2]"),
        ("%+d %x %X %o %b %c %q %U", [5, 255, 255, 8, 5, 97, 97, 97], "+5 ff FF 10 101 a 'a' U+0061"),
        ("%e %g %.3g %G", [123456.789, 1e21, 123456.0, 1e-10], "1.234568e+05 1e+21 1.23e+05 1E-10"),
        ("%t %v", [True, None], "true <nil>"),
    ],
)
def test_printf_formats_and_complains_as_go_does(form: str, values: list[Value], wanted: str) -> None:
    assert sprintf(form, values) == wanted


def test_print_puts_spaces_only_between_values_that_are_not_strings() -> None:
    assert sprint([1, 2, "a", "b", 3, 4, None, True]) == "1 2ab3 4 <nil> true"


def test_quoting_escapes_what_cannot_be_printed() -> None:
    assert quoted('a"\\\n\x00é\u200b') == '"a\\"\\\\\\n\\x00é\\u200b"'
