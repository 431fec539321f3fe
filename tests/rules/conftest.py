"""A store, an engine and groups on them, at times the test chooses."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from zseval.config.rule_files import parse_rule_file
from zseval.model.labels import Labels
from zseval.promql.engine import Engine
from zseval.rules.evaluate import GroupState, Surroundings
from zseval.rules.templates import expander
from zseval.tsdb.db import TSDB

START_MS = 1_700_000_000_000
MINUTE_MS = 60_000


class Bench:
    """failures: how many templates failed."""

    def __init__(self) -> None:
        self.db = TSDB()
        self.engine = Engine(self.db)
        self.failures = 0

    def surroundings(
        self, *, external_labels: Labels | None = None, query_offset_ms: int = 0
    ) -> Surroundings:
        return Surroundings(
            querier=self.engine,
            store=self.db,
            expander=expander(self.engine, external_labels or Labels(), "http://host", self._failed),
            generator_url=lambda expression: f"http://host/graph?g0.expr={expression}",
            query_offset_ms=query_offset_ms,
        )

    def _failed(self) -> None:
        self.failures += 1

    def group(self, text: str, *, query_offset_ms: int = 0) -> GroupState:
        """The first group of a rule file, whose rules are given without its head."""
        (group,) = parse_rule_file(f"groups: [{{name: g, {text}}}]", "rules.yml", MINUTE_MS)
        return GroupState(group, self.surroundings(query_offset_ms=query_offset_ms))

    def put(self, minute: float, **series: float) -> None:
        """Samples of series without labels."""
        for name, value in series.items():
            self.db.append({"__name__": name}, value, START_MS / 1000 + minute * 60)

    def put_labelled(self, minute: float, labels: Mapping[str, str], value: float) -> None:
        self.db.append(labels, value, START_MS / 1000 + minute * 60)

    def samples(self, expression: str, minute: float) -> dict[str, float]:
        result = self.engine.instant_at(expression, at(minute))
        return {str(labels): value for labels, value in result.samples()}


def at(minute: float) -> int:
    """ms of a minute of the test."""
    return START_MS + round(minute * MINUTE_MS)


@pytest.fixture
def bench() -> Bench:
    return Bench()
