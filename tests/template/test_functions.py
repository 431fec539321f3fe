"""Prometheus' template functions. The values are those of its documentation and of its own behaviour."""

from __future__ import annotations

import re

import pytest

from zseval.errors import TemplateError
from zseval.model.labels import Labels
from zseval.template import expand

RESULT = [
    (Labels({"__name__": "up", "instance": "b"}), 21.0),
    (Labels({"__name__": "up", "instance": "a"}), 11.0),
]


def expanded(text: str, value: float = 1234.5678) -> str:
    return expand(
        text,
        labels={"instance": "host.example.com:9100", "job": "node"},
        external_labels={"region": "eu"},
        external_url="http://testhost:9090/path/prefix",
        value=value,
        query=lambda _expression: RESULT,
        now_ms=1_353_755_652_000,
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('{{ "foo.example.com" | stripPort }}', "foo.example.com"),
        ('{{ "foo.example.com:12345" | stripPort }}', "foo.example.com"),
        ('{{ "[2001:0DB8::1]:12345" | stripPort }}', "2001:0DB8::1"),
        ('{{ "[2001:0DB8::1]::12345" | stripPort }}', "[2001:0DB8::1]::12345"),
        ('{{ "foo.example.com:12345" | stripDomain }}', "foo:12345"),
        ('{{ "192.0.2.1:12345" | stripDomain }}', "192.0.2.1:12345"),
        ('{{ "[2001:0DB8::1]:12345" | stripDomain }}', "[2001:0DB8::1]:12345"),
        ("{{ externalURL }} {{ pathPrefix }}", "http://testhost:9090/path/prefix /path/prefix"),
        ("{{ now }}", "1.353755652e+09"),
        ('{{ (now | toTime).Format "Mon Jan 2 15:04:05 2006" }}', "Sat Nov 24 11:14:12 2012"),
        (
            '{{ ("-30m" | parseDuration | toDuration | (now | toTime).Add).UnixMilli }}',
            "1353753852000",
        ),
        ("{{ (1800 | toDuration).String }}", "30m0s"),
        ('{{ printf "%0.2f" (parseDuration "-1h2m10ms") }}', "-3720.01"),
        ('{{ "aa bb CC" | title }}', "Aa Bb CC"),
        ('{{ "it\'s foo-bar foo_bar ab.cd" | title }}', "It's Foo-Bar Foo_bar Ab.cd"),
        ('{{ urlQueryEscape "a b&c" }}', "a+b%26c"),
        ('{{ graphLink "up" }}', "/graph?g0.expr=up&g0.tab=0"),
        ('{{ tableLink "up" }}', "/graph?g0.expr=up&g0.tab=1"),
        (
            '{{ range query "up" | sortByLabel "instance" }}{{ .Labels.instance }}:{{ .Value }} {{ end }}',
            "a:11 b:21 ",
        ),
        ('{{ query "up" | first | label "instance" }}', "b"),
        ('{{ define "x" }}{{ .arg0 }} {{ .arg1 }}{{ end }}{{ template "x" (args 1 "2") }}', "1 2"),
        ("{{ humanize 0.12 }} {{ humanize1024 1048576.0 }}", "120m 1Mi"),
        ("{{ humanizePercentage 0.1234567 }} {{ humanizeTimestamp 1435065584.128 }}",
         "12.35% 2015-06-23 13:19:44.128 +0000 UTC"),
        ("{{ $labels.instance }} {{ $externalLabels.region }} {{ $externalURL }} {{ $value }}",
         "host.example.com:9100 eu http://testhost:9090/path/prefix 1234.5678"),
        ("{{ .Labels.missing }}|", "|"),
        ('{{ with 0 }}{{ else with 2 }}{{ . }}{{ end }}', "2"),
        ("{{ range 3 }}{{ . }}{{ end }}", "012"),
    ],
)  # fmt: skip
def test_expands_as_prometheus_does(text: str, wanted: str) -> None:
    assert expanded(text) == wanted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{{ humanize "one" }}', 'error calling humanize: strconv.ParseFloat: parsing "one": invalid syntax'),
        ("{{ humanizeTimestamp 1e30 }}", "1e+30 cannot be represented as a nanoseconds timestamp"),
        ("{{ toTime (printf `NaN`) }}", "value is NaN or Inf"),
        ('{{ parseDuration "x" }}', "not a valid duration string"),
        ('{{ tmpl "x" . }}', 'function "tmpl" not defined'),
        ("{{ .Foo }}", "can't evaluate field Foo in type struct { Labels map[string]string; "),
    ],
)
def test_says_why_in_prometheus_words(text: str, reason: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(reason)):
        expanded(text)


def test_a_query_that_fails_is_the_templates_error() -> None:
    def query(_expression: str) -> list[tuple[Labels, float]]:
        raise TemplateError("no data")

    with pytest.raises(TemplateError, match="error calling query: no data"):
        expand('{{ query "up" }}', labels={}, query=query)
