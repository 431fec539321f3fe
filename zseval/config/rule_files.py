"""Rule files to groups, as strict as Prometheus, every error with its place.

An error in an expression is placed at the very character, inside block scalars too.
Source: prometheus model/rulefmt/rulefmt.go.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zseval.config.problems import ConfigErrors, Problem, Problems
from zseval.config.schema import (
    DURATION,
    INT,
    STRING,
    Field,
    Reading,
    Schema,
    Section,
    map_of,
    read_section,
    sections,
)
from zseval.config.yaml import Mapping, Scalar, parse_yaml
from zseval.errors import ConfigError, Position
from zseval.model.labels import METRIC_NAME, Labels, is_valid_name, quote
from zseval.promql.errors import ParseError
from zseval.promql.syntax.ast import Expr
from zseval.promql.syntax.parser import parse
from zseval.promql.syntax.printer import to_text
from zseval.rules.rule import AlertingRule, Group, RecordingRule, Rule
from zseval.template import check as check_template
from zseval.template.errors import TemplateSyntaxError

__all__ = ["parse_rule_file", "read_rule_file"]

RULE = Schema(
    "rule",
    {
        "record": Field(STRING),
        "alert": Field(STRING),
        "expr": Field(STRING),
        "for": Field(DURATION),
        "keep_firing_for": Field(DURATION),
        "labels": Field(map_of(STRING)),
        "annotations": Field(map_of(STRING)),
    },
)
GROUP = Schema(
    "group",
    {
        "name": Field(STRING),
        "interval": Field(DURATION),
        "query_offset": Field(DURATION),
        "limit": Field(INT),
        "rules": Field(sections(RULE)),
        "labels": Field(map_of(STRING)),
    },
)
RULE_FILE = Schema("the rule file", {"groups": Field(sections(GROUP))})


def read_rule_file(
    path: str | Path,
    default_interval_ms: int,
    *,
    ignore_unknown_fields: bool = False,
    features: frozenset[str] = frozenset(),
) -> tuple[Group, ...]:
    """The groups of a file; see `parse_rule_file`. Raises OSError where it cannot be read."""
    content = Path(path).read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigErrors([ConfigError("not valid UTF-8", file=str(path))]) from error
    return parse_rule_file(
        text, str(path), default_interval_ms, ignore_unknown_fields=ignore_unknown_fields, features=features
    )


def parse_rule_file(
    text: str,
    file: str,
    default_interval_ms: int,
    *,
    ignore_unknown_fields: bool = False,
    features: frozenset[str] = frozenset(),
) -> tuple[Group, ...]:
    """The groups of a rule file, their expressions parsed.

    default_interval_ms: the interval of groups that give none.
    features: PromQL features that are switched on.
    Raises ConfigErrors with everything that is wrong in the file.
    """
    problems = Problems(file)
    reading = Reading(problems, ignore_unknown_keys=ignore_unknown_fields)
    try:
        root = read_section(RULE_FILE, parse_yaml(text, file), reading)
    except Problem as problem:
        problems.caught(problem)
        problems.raise_if_any()
        raise
    names: set[str] = set()
    groups = [
        _group(made, names, _Target(file, default_interval_ms, features, problems)) for made in root["groups"]
    ]
    problems.raise_if_any()
    return tuple(groups)


class _Target:
    """Where groups go: the file they are of, and its problems."""

    def __init__(self, file: str, interval_ms: int, features: frozenset[str], problems: Problems) -> None:
        self.file = file
        self.interval_ms = interval_ms
        self.features = features
        self.problems = problems


class _RuleProblems:
    """Adds problems of one rule, with the group and rule named as Prometheus names them."""

    def __init__(self, problems: Problems, group: str, number: int, name: str) -> None:
        self._problems = problems
        self._prefix = f"group {quote(group)}, rule {number}, {quote(name)}: "

    def add(self, message: str, position: Position | None) -> None:
        self._problems.add(self._prefix + message, position)


def _group(made: Section, names: set[str], target: _Target) -> Group:
    name = made["name"]
    if not name:
        target.problems.add("Groupname must not be empty", made.position("name"))
    elif name in names:
        target.problems.add(f'groupname: "{name}" is repeated in the same file', made.position("name"))
    names.add(name)
    _check_names(made, "labels", "label", target.problems)
    rules = []
    for number, each in enumerate(made["rules"], start=1):
        problems = _RuleProblems(target.problems, name, number, each["alert"] or each["record"])
        rule = _rule(each, problems, target.features, dict(made["labels"]))
        if rule is not None:
            rules.append(rule)
    return Group(
        file=target.file,
        name=name,
        interval_ms=made["interval"] or target.interval_ms,
        rules=tuple(rules),
        limit=made["limit"],
        query_offset_ms=made["query_offset"] if _is_given(made, "query_offset") else None,
        labels=Labels(made["labels"]),
    )


def _is_given(made: Section, key: str) -> bool:
    node = made.node.items.get(key) if made.node else None
    return node is not None and not (isinstance(node, Scalar) and node.is_null)


def _rule(
    made: Section, problems: _RuleProblems, features: frozenset[str], group_labels: dict[str, str]
) -> Rule | None:
    """The rule, or None where its expression is missing or wrong; problems are added."""
    record, alert = made["record"], made["alert"]
    if record and alert:
        problems.add("only one of 'record' and 'alert' must be set", made.position("alert"))
    if not record and not alert:
        problems.add("one of 'record' or 'alert' must be set", made.position("record", "alert"))
    expr = _expression(made, problems, features)
    if record:
        _check_recording(made, problems)
    _check_names(made, "labels", "label", problems)
    _check_names(made, "annotations", "annotation", problems)
    if alert:
        _check_templates(made, "labels", "label", problems)
        _check_templates(made, "annotations", "annotation", problems)
    if expr is None:
        return None
    text = to_text(expr)
    labels = {**group_labels, **dict(made["labels"])}
    emptied = tuple(sorted(name for name, value in labels.items() if not value))
    if record:
        return RecordingRule(record, expr, text, Labels(made["labels"]), emptied)
    return AlertingRule(
        name=alert,
        expr=expr,
        text=text,
        hold_ms=made["for"],
        keep_firing_ms=made["keep_firing_for"],
        labels=Labels(made["labels"]),
        annotations=Labels(made["annotations"]),
        emptied=emptied,
    )


def _expression(made: Section, problems: _RuleProblems, features: frozenset[str]) -> Expr | None:
    text = made["expr"]
    node = made.node.items.get("expr") if made.node else None
    if not text or not isinstance(node, Scalar):
        if made.node is None or node is None or isinstance(node, Scalar):
            problems.add("field 'expr' must be set in rule", made.position("expr"))
        return None
    try:
        return parse(text, features=features)
    except ParseError as error:
        position = node.position_of(_offset(text, error.position))
        problems.add(f"could not parse expression: {error}", position)
        return None


def _offset(text: str, position: Position) -> int:
    """Where a position, its column in bytes, is in the characters of `text`."""
    lines = text.split("\n")
    before = lines[position.line - 1].encode("utf-8", "surrogatepass")[: position.column - 1]
    characters = len(before.decode("utf-8", "replace"))
    return sum(len(line) + 1 for line in lines[: position.line - 1]) + characters


_NOT_IN_RECORDING = ("annotations", "for", "keep_firing_for")


def _check_recording(made: Section, problems: _RuleProblems) -> None:
    record = made["record"]
    for key in _NOT_IN_RECORDING:
        if made[key]:
            problems.add(f"invalid field '{key}' in recording rule", made.position(key))
    if not is_valid_name(record):
        problems.add(f"invalid recording rule name: {record}", made.value_position("record"))
    if "{" in record or "}" in record:  # an expression in the wrong key, more likely than a name
        problems.add(
            f"braces present in the recording rule name; should it be in expr?: {record}",
            made.value_position("record"),
        )


def _check_names(made: Section, key: str, what: str, problems: Problems | _RuleProblems) -> None:
    for name, value in made[key]:
        at = _entry_position(made, key, name)
        if not is_valid_name(name) or (what == "label" and name == METRIC_NAME):
            problems.add(f"invalid {what} name: {name}", at)
        if what == "label" and value and not is_valid_name(value):  # any UTF-8 is a valid value
            problems.add(f"invalid label value: {value}", at)


def _check_templates(made: Section, key: str, what: str, problems: _RuleProblems) -> None:
    for name, value in made[key]:
        try:
            check_template(value, f"__alert_{made['alert']}")
        except TemplateSyntaxError as error:
            at = _entry_position(made, key, name)
            table: Any = made.node.items.get(key) if made.node else None
            node = table.items.get(name) if isinstance(table, Mapping) else None
            if isinstance(node, Scalar):
                at = node.position_of(_offset(value, error.position))
            problems.add(f"{what} {quote(name)}: {error}", at)


def _entry_position(made: Section, key: str, name: str) -> Position | None:
    node: Any = made.node.items.get(key) if made.node else None
    return node.position_of(name) if isinstance(node, Mapping) else made.position(key)
