"""No template, however written, takes long, grows without end or raises anything but TemplateError."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zseval.errors import TemplateError
from zseval.model.labels import Labels
from zseval.template import check, expand
from zseval.template.builtins import BUILTINS
from zseval.template.functions import FUNCTIONS

_SYNTAX = """
    if else end range with define template block break continue nil true ( ) | := = , {{ }} {{- -}} {{/* */}}
    $x $labels $value . .Labels .Value .foo $ 1 -2.5 0x1F 'a' "up" "%d%s" `raw` 1i é # " "x" text
"""
_PIECES = ["$x := ", "\n", "\x00", '{{ range query "up" }}', "{{ end }}", "{{ else }}", "{{ if $value }}"]
_WORDS = st.sampled_from([*FUNCTIONS, *BUILTINS, *_SYNTAX.split(), *_PIECES])
_TEMPLATES = st.one_of(
    st.text(max_size=60),
    st.lists(_WORDS, max_size=12).map(" ".join),
    st.lists(_WORDS, max_size=8).map(lambda words: "{{ " + " ".join(words) + " }}"),
)


def _expanded(text: str) -> str:
    return expand(
        text,
        labels={"instance": "a:1", "job": "node"},
        value=42.5,
        query=lambda _expression: [(Labels({"instance": "a"}), 1.0), (Labels({"instance": "b"}), 2.0)],
    )


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_TEMPLATES)
def test_any_text_gives_text_or_a_template_error(text: str) -> None:
    try:
        check(text)
        parses = True
    except TemplateError:
        parses = False
    try:
        made = _expanded(text)
    except TemplateError:
        return
    assert parses
    made.encode("utf-8")


@pytest.mark.parametrize(
    "text",
    [
        '{{ define "x" }}{{ template "x" . }}{{ end }}{{ template "x" . }}',
        '{{ define "x" }}{{ template "x" . }}{{ template "x" . }}{{ end }}{{ template "x" . }}',
        '{{ $x := "aaaaaaaaaa" }}' + '{{ $x = printf "%s%s%s%s" $x $x $x $x }}' * 30 + "{{ $x }}",
        '{{ $x := args 1 }}' + "{{ $x = args $x $x }}" * 40 + "{{ $x }}",
        "{{ range 1000000000000 }}{{ end }}",
        "{{ range 1000 }}{{ range 1000 }}{{ range 1000 }}x{{ end }}{{ end }}{{ end }}",
        '{{ reReplaceAll "" (printf "%100000d" 1) (printf "%100000d" 1) }}',
        '{{ printf "%1000000d%1000000d%1000000d" 1 2 3 }}',
        '{{ match "(a*)*b" (printf "%100000s" "a") }}' * 200,
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ if 1 }}" * 5000 + "{{ end }}" * 5000,
        "{{ if 0 }}" + "{{ else if 0 }}" * 3000 + "{{ end }}",
        "{{ .Labels" + ".a" * 20_000 + " }}",
        "{{ 1" + " | print" * 20_000 + " }}",
    ],
    ids=lambda text: text[:40],
)  # fmt: skip
def test_what_would_never_end_or_fill_the_memory_ends_soon(text: str) -> None:
    started = time.monotonic()
    try:
        made = _expanded(text)
    except TemplateError:
        made = ""
    assert len(made) <= 1 << 20
    assert time.monotonic() - started < 20


def test_text_without_actions_stays_as_it_is() -> None:
    assert _expanded("no }} actions { here") == "no }} actions { here"


def test_check_says_line_and_column_in_the_users_text() -> None:
    with pytest.raises(TemplateError) as caught:
        check("first\n  {{ nope }}")
    error = caught.value
    assert str(error) == 'template: template:2: function "nope" not defined'
    assert str(getattr(error, "position", "")) == "2:6"
