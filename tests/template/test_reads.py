"""What a template's text depends on is told from the text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.template.test_bounds import _TEMPLATES
from zseval.errors import TemplateError
from zseval.model.labels import Labels
from zseval.template import Reads, check, expand, reads_of


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("no template", Reads()),
        ("{{ $labels.instance }} of {{ .Labels.job | title }}", Reads()),
        ("{{ externalURL }}{{ $externalLabels.site }}{{ with $x := 1 }}{{ $x }}{{ end }}", Reads()),
        ("{{ $value }}", Reads(value=True)),
        ("{{ if gt .Value 1.0 }}much{{ end }}", Reads(value=True)),
        ("{{ $.Value | humanize }}", Reads(value=True)),
        ("{{ (printf `%v` .) }}", Reads(value=True)),
        ("{{ define `x` }}{{ .Value }}{{ end }}{{ template `x` $ }}", Reads(value=True)),
        ("{{ block `x` . }}{{ end }}", Reads(value=True)),
        ("{{ if false }}{{ else }}{{ range query `up` }}{{ end }}{{ end }}", Reads(moment=True)),
        ("{{ (now).Year }}", Reads(moment=True)),
        ("{{ query `up` | first | value }} {{ $value }}", Reads(value=True, moment=True)),
    ],
)
def test_what_a_template_reads(text: str, reads: Reads) -> None:
    assert reads_of(text) == reads


def test_what_is_no_template_is_an_error() -> None:
    with pytest.raises(TemplateError):
        reads_of("{{ nope }}")


@settings(max_examples=400, deadline=None)
@given(_TEMPLATES)
def test_a_text_that_does_not_read_the_value_or_the_moment_is_the_same_whatever_they_are(text: str) -> None:
    try:
        check(text)
    except TemplateError:
        return
    read = reads_of(text)
    values = [1.5] if read.value else [1.5, -2.0]
    moments = [1_000] if read.moment else [1_000, 9_000_000]
    assert len({_outcome(text, value, moment) for value in values for moment in moments}) == 1


def _outcome(text: str, value: float, now_ms: int) -> str:
    try:
        return expand(
            text,
            labels={"instance": "a:1", "job": "node"},
            value=value,
            query=lambda _: [(Labels({"at": str(now_ms)}), float(now_ms))],
            now_ms=now_ms,
        )
    except TemplateError as error:
        return str(error)
