"""Rule files: what arrives, and every kind of error with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from zseval.config.problems import ConfigErrors
from zseval.config.rule_files import parse_rule_file, read_rule_file
from zseval.errors import Position
from zseval.model.labels import Labels
from zseval.rules.rule import AlertingRule, Group, RecordingRule

GOOD = """
groups:
  - name: alerts
    interval: 30s
    query_offset: 0s
    limit: 10
    labels: {team: infra}
    rules:
      - alert: Down
        expr: |
          up
            == 0
        for: 5m
        keep_firing_for: 1h
        labels: {severity: page, empty: ''}
        annotations:
          summary: "{{ $labels.instance }} is down"
          empty:
      - record: job:up:sum
        expr: sum by(job)(up)
        labels: {a: b}
  - name: "two"
"""


def parse(text: str) -> tuple[Group, ...]:
    return parse_rule_file(text, "rules.yml", 15_000)


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        parse(text)
    return [str(error) for error in caught.value.errors]


def rule(body: str) -> str:
    """A file with one rule; its first key stands at 4:7."""
    return "groups:\n- name: g\n  rules:\n    - " + body.strip().replace("\n", "\n      ")


def test_every_key_of_a_rule_file_arrives() -> None:
    alerts, two = parse(GOOD)
    assert (alerts.file, alerts.name, alerts.interval_ms) == ("rules.yml", "alerts", 30_000)
    assert (alerts.limit, alerts.query_offset_ms, alerts.labels) == (10, 0, Labels({"team": "infra"}))
    assert (two.name, two.interval_ms, two.query_offset_ms, two.rules) == ("two", 15_000, None, ())
    down, total = alerts.rules
    assert isinstance(down, AlertingRule)
    assert (down.name, down.text, down.hold_ms, down.keep_firing_ms) == (
        "Down",
        "up == 0",
        300_000,
        3_600_000,
    )
    assert down.labels == Labels({"severity": "page"})
    assert down.annotations == Labels({"summary": "{{ $labels.instance }} is down"})
    assert isinstance(total, RecordingRule)
    assert (total.name, total.text, total.labels) == ("job:up:sum", "sum by (job) (up)", Labels({"a": "b"}))


@pytest.mark.parametrize("text", ["", "groups:", "groups: []", "# nothing"])
def test_a_file_may_be_empty(text: str) -> None:
    assert parse(text) == ()


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("group: []", "1:1", 'field group not found in the rule file; did you mean "groups"?'),
        ("groups: [{name: y, nam: x}]", "1:20", 'field nam not found in group; did you mean "name"?'),
        ("groups: [{rules: []}]", "1:10", "Groupname must not be empty"),
        (
            "groups:\n- name: a\n- name: a\n",
            "3:3",
            'groupname: "a" is repeated in the same file',
        ),
        ("groups: [{name: a, interval: 5}]", "1:30", 'not a valid duration string: "5"'),
        ("groups: [{name: a, limit: many}]", "1:27", '"many" is not an integer'),
        ("groups: [{name: a, labels: {__name__: x}}]", "1:29", "invalid label name: __name__"),
        (rule("record: a\nexpr: up\nfore: 5m"), "6:7", 'field fore not found in rule; did you mean "for"?'),
        (rule("expr: up"), "4:7", "group \"g\", rule 1, \"\": one of 'record' or 'alert' must be set"),
        (
            rule("record: a\nalert: b\nexpr: up"),
            "5:7",
            "group \"g\", rule 1, \"b\": only one of 'record' and 'alert' must be set",
        ),
        (rule("record: a"), "4:7", "field 'expr' must be set in rule"),
        (rule("record: a\nexpr:"), "5:7", "field 'expr' must be set in rule"),
        (rule("record: a\nexpr: up\nfor: 5m"), "6:7", "invalid field 'for' in recording rule"),
        (rule("record: a\nexpr: up\nannotations: {x: y}"), "6:7", "invalid field 'annotations' in"),
        (rule("record: a{b}\nexpr: up"), "4:15", "braces present in the recording rule name"),
        (rule("alert: a\nexpr: up\nlabels: {'': x}"), "6:16", "invalid label name: "),
        (rule("alert: a\nexpr: up\nannotations: {'': x}"), "6:21", "invalid annotation name: "),
        (rule("alert: a\nexpr: up\nlabels: [x]"), "6:15", "expected a mapping"),
        (rule("alert: a\nexpr: [up]"), "5:13", "expected a single value"),
        (rule("alert: a\nexpr: up\nexpr: up"), "6:7", 'mapping key "expr" already defined at line 5'),
    ],
)
def test_an_error_says_where_and_what(text: str, place: str, message: str) -> None:
    (error,) = errors(text)
    assert error.startswith(f"rules.yml:{place}: ")
    assert message in error


@pytest.mark.parametrize(
    ("expr", "place"),
    [
        ("expr: up}", "5:15"),
        ("expr: 'up}'", "5:16"),
        ('expr: "up}"', "5:16"),
        ("expr: |\n  up\n  }", "7:9"),
        ("expr: >-\n  up\n    or\n\n  }", "9:9"),
        ("expr: up\n  }", "6:9"),
    ],
)
def test_an_error_in_an_expression_is_placed_at_the_character(expr: str, place: str) -> None:
    (error,) = errors(rule(f"record: a\n{expr}"))
    assert error.startswith(f'rules.yml:{place}: group "g", rule 1, "a": could not parse expression: ')
    assert "parse error: unexpected character: '}'" in error


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (
            rule('alert: A\nexpr: up\nannotations:\n  summary: "\\x41 {{ nope }}"'),
            "7:27",
            'annotation "summary": template: __alert_A:1: function "nope" not defined',
        ),
        (
            rule("alert: A\nexpr: up\nlabels:\n  severity: |\n    a\n    b {{ nope }}"),
            "9:16",
            'label "severity": template: __alert_A:2: function "nope" not defined',
        ),
    ],
)
def test_an_error_in_a_template_is_placed_at_the_character(text: str, place: str, message: str) -> None:
    (error,) = errors(text)
    assert error == f'rules.yml:{place}: group "g", rule 1, "A": {message}'


def test_all_errors_of_a_file_are_reported_in_order() -> None:
    text = rule("record: a\nexpr: up +") + "\n    - alert: b\n      expr: nope(\n      fore: 1\n- limit: x\n"
    assert [error.split(": ", 1)[0] for error in errors(text)] == [
        "rules.yml:5:17",
        "rules.yml:7:18",
        "rules.yml:8:7",
        "rules.yml:9:3",
        "rules.yml:9:10",
    ]


def test_unknown_fields_can_be_let_through() -> None:
    text = "owner: me\n" + rule("record: a\nexpr: up\nnote: hello")
    (group,) = parse_rule_file(text, "rules.yml", 1000, ignore_unknown_fields=True)
    assert [each.name for each in group.rules] == ["a"]


def test_a_utf8_name_may_be_recorded() -> None:
    (group,) = parse(rule("record: température.max\nexpr: max(up)\nlabels: {étage: un}"))
    assert group.rules[0].name == "température.max"
    assert group.rules[0].labels == Labels({"étage": "un"})


def test_a_file_that_is_not_text_is_an_error_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_bytes(b"groups: \xff")
    with pytest.raises(ConfigErrors, match="not valid UTF-8") as caught:
        read_rule_file(file, 1000)
    assert caught.value.file == str(file)


def test_positions_count_from_the_file_and_not_from_the_expression() -> None:
    with pytest.raises(ConfigErrors) as caught:
        parse(rule("record: a\nexpr: up}"))
    assert caught.value.errors[0].position == Position(5, 15)
