"""Files of targets, as file_sd_configs reads them, checked as `zseval check config` does."""

from __future__ import annotations

import json
from pathlib import Path

from zseval.config.load import read_text
from zseval.config.problems import ConfigErrors, Problem, Problems
from zseval.config.schema import Reading, Section
from zseval.config.tables import TARGET_GROUPS
from zseval.config.yaml import Mapping, Node, Scalar, Series, parse_yaml
from zseval.errors import ConfigError, Position
from zseval.model.labels import quote

__all__ = ["read_target_file"]


def read_target_file(path: str) -> tuple[Section, ...]:
    """The target groups of a .json, .yml or .yaml file. Raises ConfigErrors or OSError."""
    problems = Problems(path)
    suffix = Path(path).suffix.lower()
    if suffix not in (".json", ".yml", ".yaml"):
        raise ConfigErrors([ConfigError(f"invalid file extension: {quote(suffix)}", file=path)])
    text = read_text(Path(path))
    groups: tuple[Section, ...] = ()
    try:
        node = _from_json(text) if suffix == ".json" else parse_yaml(text, path)
        if not (isinstance(node, Scalar) and node.is_null):
            groups = TARGET_GROUPS.read(node, Reading(problems))
    except Problem as problem:
        problems.caught(problem)
    problems.raise_if_any()
    return groups


def _from_json(text: str) -> Node:
    try:
        return _node(json.loads(text))
    except json.JSONDecodeError as error:
        raise Problem(f"not valid JSON: {error.msg}", Position(error.lineno, error.colno)) from error
    except RecursionError as error:
        raise Problem("nested too deep", Position(1, 1)) from error


def _node(value: object) -> Node:
    """A JSON value as nodes; JSON keeps no places, so all stand at the beginning."""
    start = Position(1, 1)
    if isinstance(value, dict):
        keys = {key: Scalar(key, start) for key in value}
        return Mapping({key: _node(each) for key, each in value.items()}, keys, start)
    if isinstance(value, list):
        return Series(tuple(_node(each) for each in value), start)
    if isinstance(value, str):
        return Scalar(value, start, style='"')
    if value is None:
        return Scalar("", start, is_null=True)
    raise Problem(f"expected a string, found {json.dumps(value)}", start)
