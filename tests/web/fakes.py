"""Made-up services, and a client of the API over them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import numpy as np

from zseval.errors import PromQLError
from zseval.metrics import Registry
from zseval.model.labels import Labels
from zseval.model.labelsets import LabelSets
from zseval.model.matcher import Matcher
from zseval.promql.exec.limits import CancelToken
from zseval.promql.explain.explanation import Explanation, NodeReport
from zseval.promql.plan.request import Evaluation
from zseval.promql.result import Result
from zseval.promql.syntax.ast import ValueType
from zseval.tsdb.frame import Frame, Selection
from zseval.tsdb.status import HeadStatus
from zseval.web.server import Server
from zseval.web.services import AlertmanagersView, RuntimeInfo, Services

__all__ = ["NOW_MS", "Answer", "Api", "FakeDatabase", "FakeEngine", "make_services"]

NOW_MS = 1_700_000_000_123


@dataclass
class FakeEngine:
    """Records what it is asked; answers with the sample 1 for each of `series`, or raises `error`."""

    series: Sequence[Labels] = (Labels({"__name__": "up", "job": "a"}),)
    error: PromQLError | None = None
    warnings: list[str] = field(default_factory=list)
    infos: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    block: Callable[[CancelToken | None], None] = lambda _cancel: None

    def instant_at(self, expr: str, time_ms: int, **options: Any) -> Result:
        times = np.array([time_ms], dtype=np.int64)
        return self._answer(ValueType.VECTOR, times, {"expr": expr, "time_ms": time_ms}, options)

    def range_at(self, expr: str, start_ms: int, end_ms: int, step_ms: int, **options: Any) -> Result:
        asked = {"expr": expr, "start_ms": start_ms, "end_ms": end_ms, "step_ms": step_ms}
        times = np.arange(start_ms, end_ms + 1, step_ms, dtype=np.int64)
        return self._answer(ValueType.MATRIX, times, asked, options)

    def explain_at(self, expr: str, evaluation: Evaluation, time_ms: int, **options: Any) -> Explanation:
        self.asked.append({"expr": expr, "evaluation": evaluation, "time_ms": time_ms, **options})
        if self.error is not None:
            raise self.error
        return Explanation(expr, time_ms, 1, (), NodeReport("Select", expr), None)

    def _answer(self, kind: ValueType, times: Any, asked: dict[str, Any], options: dict[str, Any]) -> Result:
        self.asked.append({**asked, **options})
        self.block(options["cancel"])
        if self.error is not None:
            raise self.error
        values = np.ones((len(self.series), len(times)))
        labels = LabelSets.of(list(self.series))
        return Result(kind, labels, times, values, warnings=self.warnings, infos=self.infos)


@dataclass
class FakeDatabase:
    """A few series, each with one sample; records the ranges it is asked for."""

    found: list[Labels] = field(default_factory=list)
    times_ms: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Selection:
        self.asked.append((tuple(map(str, matchers)), start_ms, end_ms))
        chosen = [
            row
            for row, labels in enumerate(self.found)
            if all(matcher.matches(labels.get(matcher.name)) for matcher in matchers)
            and start_ms < self.times_ms[row] <= end_ms
        ]
        frames = tuple(
            Frame(
                np.array([index], dtype=np.intp),
                np.array([self.times_ms[row]], dtype=np.int64),
                np.array([[self.values[row]]]),
                None,
                has_stale=True,
            )
            for index, row in enumerate(chosen)
        )
        ids = np.array(chosen, dtype=np.int32)
        return Selection(ids, 0, LabelSets.of([self.found[row] for row in chosen]), frames)

    def series(self, sets: Any, start_ms: int, end_ms: int) -> list[Labels]:
        self.asked.append((self._texts(sets), start_ms, end_ms))
        return self.found

    def label_names(self, sets: Any, start_ms: int, end_ms: int) -> list[str]:
        self.asked.append((self._texts(sets), start_ms, end_ms))
        return sorted({name for labels in self.found for name, _ in labels})

    def label_values(self, name: str, sets: Any, start_ms: int, end_ms: int) -> list[str]:
        self.asked.append((name, self._texts(sets), start_ms, end_ms))
        return sorted({labels.get(name) for labels in self.found if name in labels})

    def status(self, limit: int = 10) -> HeadStatus:
        return HeadStatus(
            num_series=2,
            num_label_pairs=3,
            chunk_count=4,
            blocks=1,
            samples=9,
            min_time_ms=5,
            max_time_ms=6,
            sealed_bytes=0,
            open_bytes=0,
            index_bytes=0,
            series_by_metric=(("up", 2), ("x", 1))[:limit],
            values_by_label=(("job", 1),),
            bytes_by_label=(("job", 9),),
            series_by_pair=(("job=a", 2),),
        )

    def _texts(self, sets: Any) -> list[list[str]]:
        return [[str(matcher) for matcher in matchers] for matchers in sets]


def make_services() -> Services:
    async def reload() -> None:
        return None

    return Services(
        db=FakeDatabase(),
        engine=FakeEngine(),
        registry=Registry(),
        targets=lambda: (),
        dropped_targets=lambda: (),
        scrape_pools=dict,
        rule_groups=lambda: (),
        alertmanagers=AlertmanagersView,
        config_text=lambda: "global: {}\n",
        external_labels=Labels,
        runtime=lambda: RuntimeInfo(1000, "/", "host", True, 2000, 7, "15d", 3, 2),
        is_ready=lambda: True,
        reload=reload,
        quit=lambda: None,
        now_ms=lambda: NOW_MS,
    )


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """The data of a success."""
        assert self.status == 200, self.text
        assert self.json["status"] == "success"
        return self.json["data"]

    @property
    def error(self) -> tuple[int, str, str]:
        """Status, errorType and error."""
        assert self.json["status"] == "error"
        return self.status, self.json["errorType"], self.json["error"]


class Api:
    """A client of one running server."""

    def __init__(self, server: Server, session: aiohttp.ClientSession) -> None:
        self.url = server.url
        self.session = session

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        async with self.session.request(method, self.url + path, **options) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.ask("GET", path, **options)

    async def post(self, path: str, **options: Any) -> Answer:
        return await self.ask("POST", path, **options)
