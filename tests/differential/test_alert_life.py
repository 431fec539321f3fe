"""Alerts and recorded series, minute by minute, as the real promtool sees them and as zseval does."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.peers import program
from zseval.config.rule_files import parse_rule_file
from zseval.model.labels import Labels
from zseval.model.number import format_sample
from zseval.model.staleness import STALE_NAN
from zseval.promql.engine import Engine
from zseval.rules.evaluate import GroupState, Surroundings
from zseval.rules.templates import expander
from zseval.tsdb.db import TSDB

_MINUTES = 40

# Series by name: a value a minute; None is a staleness marker.
_SERIES: Mapping[str, Sequence[float | None]] = {
    'steady{i="a"}': [1] * _MINUTES,
    'flapping{i="a"}': [1, 0] * (_MINUTES // 2),
    'slow{i="a"}': ([1] * 3 + [0] * 3) * (_MINUTES // 6 + 1),
    'once{i="a"}': [0] * 5 + [1] * 8 + [0] * _MINUTES,
    'once{i="b"}': [0] * 9 + [1] * 8 + [0] * _MINUTES,
    'gone{i="a"}': [1] * 6 + [None] + [1] * 6 + [None],
    'grows{i="a"}': [float(minute) for minute in range(_MINUTES)],
    'many{i="a"}': [1] * _MINUTES,
    'many{i="b"}': [0] * 10 + [1] * 10 + [0] * _MINUTES,
    'many{i="c"}': [0] * 15 + [1] * 3 + [0] * _MINUTES,
}

_GROUPS = """
groups:
  - name: life
    rules:
      - {alert: Now, expr: flapping > 0}
      - {alert: Held, expr: slow > 0, for: 2m}
      - {alert: HeldTooLong, expr: slow > 0, for: 5m}
      - {alert: Exact, expr: once > 0, for: 5m}
      - {alert: Kept, expr: slow > 0, keep_firing_for: 2m}
      - {alert: KeptOver, expr: slow > 0, keep_firing_for: 4m}
      - {alert: HeldAndKept, expr: once > 0, for: 3m, keep_firing_for: 6m}
      - {alert: Vanishes, expr: gone > 0, for: 2m}
      - {alert: Always, expr: vector(1), for: 1m}
      - {alert: Missing, expr: absent(gone), for: 1m}
  - name: labels
    rules:
      - alert: Labelled
        expr: once > 0
        labels: {severity: '{{ if eq $labels.i "a" }}page{{ else }}info{{ end }}', i: '', n: '{{ $value }}'}
      - alert: ChangesItsLabels
        expr: grows > 3
        for: 1m
        labels: {tens: '{{ printf "%.0f" $value | reReplaceAll ".$" "0" }}'}
  - name: chain
    rules:
      - {record: 'job:many:sum', expr: sum(many), labels: {level: job}}
      - {record: 'job:many:twice', expr: 'job:many:sum * 2'}
      - {record: 'few:many', expr: many > 0}
      - {alert: FromRecord, expr: 'job:many:twice > 2', for: 2m}
      - {alert: FromAlert, expr: 'count(ALERTS{alertstate="firing",alertname="FromRecord"}) > 0'}
"""
_WATCHED = ["ALERTS", "ALERTS_FOR_STATE", "job:many:sum", "job:many:twice", "few:many"]

_SHOWN = re.compile(r'expr: "([^"]+)", time: (?:(\d+)m|0s),\s+exp: nil\s+got: ([^\n]*)')
_SAMPLE = re.compile(r'(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\}) ([^ ,]+)')

Seen = dict[tuple[str, int], dict[str, float]]
"""Samples by the watched name and the minute."""


def _notation(values: Sequence[float | None]) -> str:
    return " ".join("stale" if value is None else format_sample(value) for value in values[:_MINUTES])


def _nothing() -> Seen:
    return {(name, minute): {} for name in _WATCHED for minute in range(_MINUTES)}


def _seen_by_promtool(folder: Path) -> Seen:
    """Every sample is said to be expected nowhere, so that promtool shows what it got."""
    tool = program("promtool")
    (folder / "rules.yml").write_text(_GROUPS)
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": _notation(values)} for name, values in _SERIES.items()],
        "promql_expr_test": [
            {"expr": name, "eval_time": f"{minute}m"} for name in _WATCHED for minute in range(_MINUTES)
        ],
    }
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "test.yml").write_text(json.dumps(document))
    done = subprocess.run(
        [tool, "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True, check=False
    )
    seen = _nothing()
    for name, minute, samples in _SHOWN.findall(done.stdout + done.stderr):
        found = {labels: float(value) for labels, value in _SAMPLE.findall(samples)}
        seen[name, int(minute or 0)] = found
    return seen


def _seen_by_zseval() -> Seen:
    db = TSDB()
    engine = Engine(db)

    def failed() -> None:
        pytest.fail("a template failed")

    surroundings = Surroundings(
        querier=engine,
        store=db,
        expander=expander(engine, Labels(), "", failed),
        generator_url=lambda expression: expression,
    )
    groups = [GroupState(group, surroundings) for group in parse_rule_file(_GROUPS, "rules.yml", 60_000)]
    seen = _nothing()
    for minute in range(_MINUTES):
        for name, values in _SERIES.items():
            if minute < len(values):
                value = values[minute]
                db.append(_labels(name), STALE_NAN if value is None else value, minute * 60.0)
        for group in groups:
            assert not group.evaluate(minute * 60_000).errors
        for name in _WATCHED:
            samples = engine.instant(name, minute * 60.0).samples()
            seen[name, minute] = {str(labels): value for labels, value in samples}
    return seen


def _labels(series: str) -> Labels:
    name, _, rest = series.partition("{")
    return Labels({"__name__": name, "i": rest.split('"')[1]})


def test_alerts_live_and_records_follow_minute_by_minute_as_in_prometheus(tmp_path: Path) -> None:
    theirs, ours = _seen_by_promtool(tmp_path), _seen_by_zseval()
    assert sum(map(len, theirs.values())) > 500
    assert {key: value for key, value in ours.items() if value != theirs[key]} == {}
    assert ours == theirs
