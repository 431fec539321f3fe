"""Durations are parsed and printed as Prometheus does it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.model.duration import UNITS_MS, DurationError, format_duration, parse_duration

_LARGEST_MS = (2**63 - 1) // 1_000_000


@pytest.mark.parametrize(
    ("text", "milliseconds", "printed"),
    [
        ("0", 0, "0s"),
        ("0w", 0, "0s"),
        ("0s", 0, "0s"),
        ("324ms", 324, "324ms"),
        ("3s", 3_000, "3s"),
        ("5m", 300_000, "5m"),
        ("90m", 5_400_000, "1h30m"),
        ("4d1h", 97 * 3_600_000, "4d1h"),
        ("14d", 14 * 86_400_000, "2w"),
        ("3w2d1h", 553 * 3_600_000, "23d1h"),
        ("10y", 3650 * 86_400_000, "10y"),
        ("1y1w", 372 * 86_400_000, "372d"),
        ("007m", 420_000, "7m"),
        ("1s0ms", 1_000, "1s"),
        ("0" * 30 + "1s", 1_000, "1s"),
        (f"{_LARGEST_MS}ms", _LARGEST_MS, "106751d23h47m16s854ms"),
    ],
)
def test_a_duration_is_parsed_and_printed(text: str, milliseconds: int, printed: str) -> None:
    assert parse_duration(text) == milliseconds
    assert format_duration(milliseconds) == printed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty duration string"),
        ("1", 'not a valid duration string: "1"'),
        ("00", 'not a valid duration string: "00"'),
        ("1m1d", 'not a valid duration string: "1m1d"'),
        ("1s1s", 'not a valid duration string: "1s1s"'),
        ("-1w", 'not a valid duration string: "-1w"'),
        ("+5m", 'not a valid duration string: "+5m"'),
        (" 5m", 'not a valid duration string: " 5m"'),
        ("5m ", 'unknown unit "m " in duration "5m "'),
        ("1.5d", 'unknown unit "." in duration "1.5d"'),
        ("d", 'not a valid duration string: "d"'),
        ("5m\n", r'unknown unit "m\n" in duration "5m\n"'),
        ("٣m", 'not a valid duration string: "٣m"'),
        ("1M", 'unknown unit "M" in duration "1M"'),
        ("294y", "duration out of range"),
        ("200y10400w", "duration out of range"),
        ("107675d", "duration out of range"),
        ("2584200h", "duration out of range"),
        ("18446744073709551615y", "duration out of range"),
        ("294y1m1d", "duration out of range"),
        (f"{_LARGEST_MS + 1}ms", "duration out of range"),
        ("18446744073709551616y", 'not a valid duration string: "18446744073709551616y"'),
        ("9" * 5000 + "s", f'not a valid duration string: "{"9" * 5000}s"'),
    ],
)
def test_what_is_no_duration_is_refused_in_upstreams_words(text: str, message: str) -> None:
    with pytest.raises(DurationError) as caught:
        parse_duration(text)
    assert str(caught.value) == message


@given(st.integers(0, _LARGEST_MS))
def test_print_and_parse_is_the_identity(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds)) == milliseconds


@given(st.integers(1, _LARGEST_MS))
def test_a_negative_duration_prints_with_a_sign(milliseconds: int) -> None:
    assert format_duration(-milliseconds) == "-" + format_duration(milliseconds)


@given(st.dictionaries(st.sampled_from(list(UNITS_MS)), st.integers(0, 200), min_size=1, max_size=7))
def test_units_in_descending_order_add_up(counts: dict[str, int]) -> None:
    text = "".join(f"{counts[unit]}{unit}" for unit in UNITS_MS if unit in counts)
    total = sum(count * UNITS_MS[unit] for unit, count in counts.items())
    if total <= _LARGEST_MS:
        assert parse_duration(text) == total


@given(st.text("0123456789ymwdhs.- ", max_size=12))
def test_any_text_is_a_duration_or_an_error(text: str) -> None:
    try:
        assert parse_duration(text) >= 0
    except DurationError:
        assert text != "0"
