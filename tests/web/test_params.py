"""Times, durations and escaped names, as requests write them."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.web.envelope import ApiError, rfc3339
from zseval.web.params import MAX_TIME_MS, MIN_TIME_MS, _fields, parse_duration_ns, parse_time
from zseval.web.series import unescape_name
from zseval.web.targets import global_url


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("0", 0),
        ("1795465266.5", 1795465266500),
        ("1795465266.8740246", 1795465266874),
        ("1e3", 1_000_000),
        ("-1.5", -1500),
        (".25", 250),
        ("1970-01-01T00:00:00Z", 0),
        ("2015-06-03T13:21:58.555Z", 1433337718555),
        ("2015-06-03T14:21:58.5559+01:00", 1433337718555),
        ("2015-06-03T12:51:58.555-00:30", 1433337718555),
        ("1969-12-31T23:59:59.5Z", -500),
        ("1795465266000", 1795465266000000),
        ("1e300", MAX_TIME_MS),
        ("-292273086-05-16T16:47:06Z", MIN_TIME_MS),
        ("292277025-08-18T07:12:54.999999999Z", MAX_TIME_MS),
    ],
)
def test_times_are_unix_seconds_or_rfc3339(text: str, time_ms: int) -> None:
    assert parse_time(text) == time_ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "NaN",
        "inf",
        "1_000",
        " 1",
        "1 ",
        "2015-06-03",
        "2015-13-03T13:21:58Z",
        "2015-06-03T13:21:58",
        "2015-06-03T13:21:58+25:00",
        "١٢٣",
    ],
)
def test_other_texts_are_no_times(text: str) -> None:
    assert parse_time(text) is None


@given(st.integers(-(10**12), 10**14))
def test_a_printed_time_reads_back_the_same(time_ms: int) -> None:
    if time_ms != 0:
        assert parse_time(rfc3339(time_ms)) == time_ms


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_none(text: str) -> None:
    time = parse_time(text)
    assert time is None or MIN_TIME_MS <= time <= MAX_TIME_MS


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("5m", 300 * 10**9),
        ("15", 15 * 10**9),
        ("0.5", 5 * 10**8),
        ("1e-9", 1),
        ("-5", -5 * 10**9),
        ("1h30m", 5400 * 10**9),
    ],
)
def test_durations_are_units_or_float_seconds(text: str, nanoseconds: int) -> None:
    assert parse_duration_ns(text) == nanoseconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'cannot parse "" to a valid duration'),
        ("5x", 'cannot parse "5x" to a valid duration'),
        ("-5m", 'cannot parse "-5m" to a valid duration'),
        ("1e99", 'cannot parse "1e99" to a valid duration. It overflows int64'),
    ],
)
def test_other_texts_are_no_durations(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="cannot parse") as caught:
        parse_duration_ns(text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("escaped", "name"),
    [
        ("job", "job"),
        ("U__http_2e_status_3a_sum", "http.status:sum"),
        ("U__a__b", "a_b"),
        ("U___1f600_", "😀"),
        ("U__a_zz_", "U__a_zz_"),
        ("U__a_d800_", "U__a_d800_"),
        ("U__a_", "U__a_"),
        ("U__", ""),
    ],
)
def test_escaped_label_names_are_unescaped(escaped: str, name: str) -> None:
    assert unescape_name(escaped) == name


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://localhost:9090/metrics", "https://node.example/metrics"),
        ("http://127.0.0.1:9100/metrics", "http://node.example:9100/metrics"),
        ("http://[::1]:9100/metrics", "http://node.example:9100/metrics"),
        ("http://localhost/metrics", "http://node.example/metrics"),
        ("http://other:9090/metrics", "http://other:9090/metrics"),
    ],
)
def test_local_targets_are_shown_under_the_external_host(url: str, shown: str) -> None:
    assert global_url(url, "127.0.0.1:9090", "https://node.example/") == shown


@given(st.text(alphabet="ab=&%+;41ef \u00e9", max_size=40))
def test_fields_are_those_of_the_standard_library(text: str) -> None:
    assert _fields(text) == parse_qsl(text, keep_blank_values=True)


def test_there_may_not_be_ever_so_many_fields() -> None:
    with pytest.raises(ApiError, match="number of fields"):
        _fields("&" * 20_000)
