"""A template that needs no interpreter gives what the interpreter gives."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.template.test_bounds import _TEMPLATES
from zseval.errors import TemplateError
from zseval.template import AlertData, check, expand, expand_alert
from zseval.template.calls import Environment
from zseval.template.expand import _flat
from zseval.template.functions import FUNCTIONS
from zseval.template.values import StringMap

LABELS = {"instance": "a:1", "job": "nöde \udc80", "quantile": "0.5"}
OPERANDS = ["$labels.instance", ".Labels.job", "$labels.quantile", "$labels.missing", "$value", ".Value"]
VALUES = st.one_of(
    st.floats(), st.sampled_from([0.0, -0.0, 1.0, 1e21, math.inf, -math.inf, math.nan, 1234567.0])
)
_ACTIONS = st.one_of(
    st.tuples(st.sampled_from(OPERANDS), st.sampled_from(["", *(f" | {name}" for name in FUNCTIONS)])),
    st.tuples(st.sampled_from([f"{name} " for name in FUNCTIONS]), st.sampled_from(OPERANDS)),
)
_FLAT = st.lists(
    st.one_of(
        st.sampled_from(["text", " é ", "\n"]), _ACTIONS.map(lambda both: "{{ " + "".join(both) + " }}")
    ),
    max_size=6,
).map("".join)


def _interpreted(text: str, value: float) -> str:
    data = AlertData(StringMap(LABELS), StringMap(), "", value)
    return expand_alert(text, data, Environment(lambda _: []), "template")


def _outcome(give: object, *args: object) -> str:
    try:
        return give(*args)  # type: ignore[operator, no-any-return]
    except TemplateError as error:
        return f"error: {error}"


def _expanded(text: str, value: float) -> str:
    return expand(text, labels=LABELS, value=value, query=lambda _: [])


@settings(max_examples=600, deadline=None)
@given(text=st.one_of(_FLAT, _TEMPLATES), value=VALUES)
def test_the_same_text_or_the_same_error(text: str, value: float) -> None:
    assert _outcome(_expanded, text, value) == _outcome(_interpreted, text, value)


@pytest.mark.parametrize(
    ("text", "is_flat"),
    [
        ("{{ $labels.instance }} has {{ $value | humanize }}", True),
        ("{{.Value}} of {{ .Labels.job }}", True),
        ("{{ $value | humanizePercentage }} {{ $labels.job | title }}", False),  # title takes a string
        ("{{ $value | printf `%v` }}", False),
        ("{{ if $labels.instance }}x{{ end }}", False),
        ("{{ $x := $value }}", False),
        ("{{ now }}", False),
        ("{{ humanize $value }}", True),
    ],
)
def test_which_need_no_interpreter(text: str, is_flat: bool) -> None:
    check(text)
    assert (_flat(text) is not None) is is_flat


def test_a_text_too_long_is_the_interpreters_error() -> None:
    text = "{{ $labels.instance }}" * 30
    with pytest.raises(TemplateError, match="output is too large"):
        expand(text, labels={"instance": "x" * 100_000})
