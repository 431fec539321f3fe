"""Content types and Accept."""

from __future__ import annotations

import pytest

from zseval.errors import ScrapeError
from zseval.exposition.negotiate import ACCEPT, PROTOBUF_FIRST, Format, accept_header, format_of


def test_a_scrape_asks_as_prometheus_does() -> None:
    assert ACCEPT == (
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
        "application/openmetrics-text;version=0.0.1;q=0.5,"
        "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
        "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
    )


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("text/plain", Format.TEXT),
        ("text/plain; version=0.0.4; charset=utf-8", Format.TEXT),
        ('TEXT/PLAIN;charset="utf-8"', Format.TEXT),
        ("application/openmetrics-text; version=1.0.0", Format.OPENMETRICS),
        ("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily", Format.PROTOBUF),
    ],
)
def test_the_media_type_decides(content_type: str, expected: Format) -> None:
    assert format_of(content_type) is expected


@pytest.mark.parametrize(
    ("content_type", "words"),
    [
        ("", "sending blank Content-Type and no fallback_scrape_protocol"),
        ("text/html; charset=utf-8", 'received unsupported Content-Type "text/html; charset=utf-8"'),
        ("text/plain; a", "cannot parse Content-Type"),
        ("text/plain; a=1; a=2", "cannot parse Content-Type"),
        ("/", "cannot parse Content-Type"),
    ],
)
def test_anything_else_fails_unless_a_fallback_is_named(content_type: str, words: str) -> None:
    with pytest.raises(ScrapeError, match=words):
        format_of(content_type)
    assert format_of(content_type, "PrometheusText0.0.4") is Format.TEXT
    assert format_of(content_type, "OpenMetricsText1.0.0") is Format.OPENMETRICS


def test_a_job_can_ask_for_its_own_protocols_in_its_own_order() -> None:
    assert accept_header(()) == ACCEPT
    assert accept_header(("PrometheusText0.0.4", "OpenMetricsText1.0.0")) == (
        "text/plain;version=0.0.4;q=0.6,"
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
        "*/*;q=0.4"
    )


def test_protobuf_is_asked_for_first_where_it_is_preferred() -> None:
    assert accept_header(PROTOBUF_FIRST) == (
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
        "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
        "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
    )
