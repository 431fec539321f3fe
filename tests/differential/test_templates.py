"""Templates as the real promtool and as zseval expand and check them: the same text, the same complaints.

promtool 2.42 knows neither `now`, `toDuration`, `urlQueryEscape` nor `else with`; tests/template has those.
"""

from __future__ import annotations

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.peers import program
from zseval.errors import TemplateError
from zseval.model.labels import Labels
from zseval.promql.engine import Engine
from zseval.template import check, expand
from zseval.template.literals import unquote
from zseval.tsdb.db import TSDB

_FIXTURE = Path(__file__).parents[1] / "fixtures" / "templates" / "differential.txt"
_TEMPLATES = [
    json.loads(line) for line in _FIXTURE.read_text("utf-8").splitlines() if not line.startswith("#")
]
_LABELS = {"__name__": "m", "instance": "host.example.com:9100", "job": "node", "path": "/a<b>"}
_EXTERNAL = {"region": "eu", "n": "1"}
_URL = "http://host:9090/prom"
_VALUE = 1234.5678
_ANNOTATION = re.compile(r'(a[0-9]{3})=("(?:[^"\\]|\\.)*")')


@pytest.fixture(scope="module")
def promtool() -> str:
    return program("promtool")


@pytest.fixture(scope="module")
def verdicts(promtool: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What `promtool check rules` says of each template, "" where nothing."""
    folder = tmp_path_factory.mktemp("check")

    def verdict(numbered: tuple[int, str]) -> str:
        number, template = numbered
        path = folder / f"{number}.yml"
        path.write_text(_rules({"a": template}))
        done = subprocess.run(
            [promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False
        )
        return "" if done.returncode == 0 else done.stderr[done.stderr.index("template: __alert_A") :].strip()

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(_TEMPLATES, pool.map(verdict, enumerate(_TEMPLATES)), strict=True))


def _rules(annotations: dict[str, str]) -> str:
    rule = {"alert": "A", "expr": "m", "annotations": annotations}
    return json.dumps({"groups": [{"name": "g", "rules": [rule]}]})


def _unit_test() -> str:
    series = [
        {"series": 'm{instance="host.example.com:9100",job="node",path="/a<b>"}', "values": f"{_VALUE}x10"},
        {"series": 'up{instance="b"}', "values": "0x10"},
        {"series": 'up{instance="a"}', "values": "1x10"},
    ]
    wrong = {"eval_time": "2m", "alertname": "A", "exp_alerts": [{"exp_annotations": {}}]}
    test = {
        "interval": "1m",
        "external_labels": _EXTERNAL,
        "external_url": _URL,
        "input_series": series,
        "alert_rule_test": [wrong],  # fails on purpose: promtool then prints what it got
    }
    return json.dumps({"rule_files": ["r.yml"], "evaluation_interval": "1m", "tests": [test]})


def _expanded_by_promtool(promtool: str, templates: list[str], folder: Path) -> list[str]:
    names = [f"a{index:03d}" for index in range(len(templates))]
    (folder / "r.yml").write_text(_rules(dict(zip(names, templates, strict=True))))
    (folder / "t.yml").write_text(_unit_test())
    done = subprocess.run(
        [promtool, "test", "rules", "t.yml"], cwd=folder, capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    found = dict(_ANNOTATION.findall(output[output.index("got:") :]))
    return [found.get(name, '""') for name in names]


def _expanded_by_zseval(template: str) -> str:
    db = TSDB()
    for instance, value in (("b", 0.0), ("a", 1.0)):
        db.append({"__name__": "up", "instance": instance}, value, 120.0)
    engine = Engine(db)

    def query(expression: str) -> list[tuple[Labels, float]]:
        return engine.instant_at(expression, 120_000).samples()

    try:
        return expand(
            template,
            labels=_LABELS,
            external_labels=_EXTERNAL,
            external_url=_URL,
            value=_VALUE,
            query=query,
            now_ms=120_000,
            name="__alert_A",
        )
    except TemplateError as error:
        # 2.42 has the value as a float64, 3.x as whatever it is: that shows in the type's name
        return f"<error expanding template: {error}>".replace("Value interface {} }", "Value float64 }")


def _complaint(template: str) -> str:
    try:
        check(template, "__alert_A")
    except TemplateError as error:
        return str(error)
    return ""


def test_the_same_templates_are_accepted_and_the_others_refused_in_the_same_words(
    verdicts: dict[str, str],
) -> None:
    ours = {template: _complaint(template) for template in _TEMPLATES}
    assert ours == verdicts


def test_expansion_gives_the_same_text(promtool: str, verdicts: dict[str, str], tmp_path: Path) -> None:
    accepted = [template for template in _TEMPLATES if not verdicts[template]]
    assert len(accepted) > 200
    theirs = _expanded_by_promtool(promtool, accepted, tmp_path)
    different = {}
    for template, quoted in zip(accepted, theirs, strict=True):
        wanted, ours = unquote(quoted), _expanded_by_zseval(template)
        if ours != wanted:
            different[template] = (wanted, ours)
    assert different == {}
