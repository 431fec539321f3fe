"""The queries of Prometheus' PromQL compliance tester: zseval answers each as the real server does."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.differential.compare import difference
from tests.differential.demo_service import END_S, START_S, demo_service
from tests.differential.peer import Peers, When, engine_with
from tests.differential.remote_write import prometheus_with

pytestmark = pytest.mark.xdist_group("prometheus-compliance")

_LIST = Path(__file__).parents[1] / "fixtures" / "promql" / "compliance.txt"
_NAME = re.compile(r"<([a-z-]+)>")
_RANGE = When(END_S - 1203, END_S - 603, 10)  # the tester's ten minutes; offsets go both ways
_NOW = When(_RANGE.end, _RANGE.end)

UTF8_NAMES = {
    'label_replace(demo_num_cpus, "~invalid", "", "src", "(.*)")',
    'label_join(demo_num_cpus, "~invalid", "-", "instance")',
}
"""Refused by 2.42 and by the list. In 3.x any UTF-8 is a name of a label."""


@dataclass(frozen=True, slots=True)
class Template:
    """A line of the list, and the queries that it stands for."""

    text: str
    queries: tuple[str, ...]
    fails: bool


def _templates() -> Iterator[Template]:
    values: dict[str, list[str]] = {}
    for line in _LIST.read_text(encoding="utf-8").splitlines():
        if line.startswith("let "):
            name, _, words = line.removeprefix("let ").partition(":")
            values[name] = words.split()
        elif line and not line.startswith("#"):
            text = line.removeprefix("fails: ")
            names = dict.fromkeys(_NAME.findall(text))
            choices = itertools.product(*(values[name] for name in names))
            queries = tuple(_filled(text, dict(zip(names, choice, strict=True))) for choice in choices)
            yield Template(text, queries, fails=text != line)


def _filled(text: str, chosen: dict[str, str]) -> str:
    return _NAME.sub(lambda match: chosen[match[1]], text)


TEMPLATES = list(_templates())


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    dataset = demo_service()
    with prometheus_with(dataset, tmp_path_factory.mktemp("prometheus")) as base:
        both = Peers(base, engine_with(dataset))
        yield both
        both.close()


def test_the_list_is_whole() -> None:
    assert sum(len(template.queries) for template in TEMPLATES) == 539


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.text)
def test_the_answers_are_those_of_the_real_server(template: Template, peers: Peers) -> None:
    for query, when in itertools.product(template.queries, (_RANGE, _NOW)):
        theirs, ours = peers.theirs(query, when), peers.ours(query, when)
        assert ("error" in theirs) == template.fails, theirs
        if query in UTF8_NAMES:
            assert "error" not in ours
        else:
            assert difference(theirs, ours) is None, f"{query} {when}: {difference(theirs, ours)}"


def test_the_data_has_every_metric_and_reaches_back_far_enough() -> None:
    asked = {name for template in TEMPLATES for name in re.findall(r"demo_\w+", template.text)}
    held = {dict(series.labels)["__name__"] for series in demo_service()}
    assert all(any(name.startswith(each) for name in held) for each in asked)
    assert _RANGE.start - 600 > START_S + 3600, "a range of an hour, with an offset of ten minutes"
