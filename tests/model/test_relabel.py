"""Relabelling, action by action."""

from __future__ import annotations

import pytest

from zseval.model.labels import Labels
from zseval.model.matcher import RegexError
from zseval.model.relabel import RelabelRule as Rule
from zseval.model.relabel import relabel

BASE = {"a": "foo", "b": "bar", "c": "baz"}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param(
            [Rule(("a",), regex="f(.*)", target_label="d", replacement="ch$1-ch$1")],
            {"d": "choo-choo"},
            id="replace",
        ),
        pytest.param(
            [Rule(("a", "b"), regex="f(.*);(.*)r", target_label="a", replacement="b${1}${2}m")],
            {"a": "boobam"},
            id="two sources",
        ),
        pytest.param(
            [Rule(("a",), regex="o", target_label="d", replacement="x")], {}, id="patterns are anchored"
        ),
        pytest.param(
            [Rule(("a",), regex="f(.*)", target_label="a", replacement="$2")],
            {"a": ""},
            id="an empty result removes",
        ),
        pytest.param([Rule(target_label="d", replacement="fixed")], {"d": "fixed"}, id="no source"),
        pytest.param(
            [Rule(("nope",), regex="f", target_label="d", replacement="x")], {}, id="no match, no change"
        ),
        pytest.param(
            [Rule(("a",), regex="(f)(.*)", target_label="${2}_$1", replacement="x")],
            {"oo_f": "x"},
            id="template in the target",
        ),
        pytest.param(
            [Rule(("a",), regex="(?P<first>.).*", target_label="d", replacement="$first$$$0")],
            {"d": "f$foo"},
            id="named groups and dollars",
        ),
        pytest.param(
            [Rule(("a",), regex="(.).*", target_label="d", replacement="$1x")],
            {"d": ""},
            id="the longest name counts",
        ),
        pytest.param(
            [Rule(("a",), regex="(.).*", target_label="d", replacement="${1}x $")],
            {"d": "fx $"},
            id="braces end a name",
        ),
        pytest.param([Rule(("a",), regex="foo|nope", action="keep")], {}, id="keep"),
        pytest.param([Rule(("a",), regex="nope", action="keep")], None, id="keep drops others"),
        pytest.param([Rule(("a",), regex=".*o.*", action="drop")], None, id="drop"),
        pytest.param([Rule(("a",), regex="f", action="drop")], {}, id="drop leaves others"),
        pytest.param([Rule(("a",), target_label="a", action="keepequal")], {}, id="keepequal"),
        pytest.param([Rule(("a",), target_label="b", action="keepequal")], None, id="keepequal drops others"),
        pytest.param([Rule(("a",), target_label="a", action="dropequal")], None, id="dropequal"),
        pytest.param([Rule(("a",), target_label="b", action="dropequal")], {}, id="dropequal leaves others"),
        pytest.param(
            [Rule(("c",), target_label="d", modulus=1000, action="hashmod")], {"d": "976"}, id="hashmod"
        ),
        pytest.param(
            [
                Rule(("a",), target_label="up", action="uppercase"),
                Rule(("up",), target_label="low", action="lowercase"),
            ],
            {"up": "FOO", "low": "foo"},
            id="case",
        ),
        pytest.param(
            [Rule(regex="(a|b)", replacement="new_$1", action="labelmap")],
            {"new_a": "foo", "new_b": "bar"},
            id="labelmap",
        ),
        pytest.param([Rule(regex="a|b", action="labeldrop")], {"a": "", "b": ""}, id="labeldrop"),
        pytest.param([Rule(regex="a|b", action="labelkeep")], {"c": ""}, id="labelkeep"),
        pytest.param(
            [
                Rule(("a",), regex="nope", action="drop"),
                Rule(("a",), target_label="d"),
                Rule(("d",), regex="foo", action="drop"),
            ],
            None,
            id="in order",
        ),
    ],
)
def test_a_rule_does_what_prometheus_does(rules: list[Rule], expected: dict[str, str] | None) -> None:
    found = relabel(Labels(BASE), rules)
    assert found == (None if expected is None else Labels({**BASE, **expected}))


def test_case_is_changed_letter_by_letter() -> None:
    upper = relabel(Labels({"a": "straße ñ"}), [Rule(("a",), target_label="a", action="uppercase")])
    lower = relabel(Labels({"a": "ΟΔΟΣ İ"}), [Rule(("a",), target_label="a", action="lowercase")])
    assert upper == Labels({"a": "STRAßE Ñ"})
    assert lower == Labels({"a": "οδοσ İ"})


def test_a_dot_matches_a_line_break() -> None:
    found = relabel(Labels({"a": "x\ny"}), [Rule(("a",), regex="x.y", target_label="b", replacement="z")])
    assert found == Labels({"a": "x\ny", "b": "z"})


def test_a_pattern_re2_refuses_is_an_error() -> None:
    with pytest.raises(RegexError, match="error parsing regexp"):
        relabel(Labels(BASE), [Rule(("a",), regex="(?=x)", target_label="b")])
