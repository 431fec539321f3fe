"""/api/v1/zseval/explain."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.fakes import NOW_MS
from zseval.promql.engine import Engine
from zseval.promql.plan.request import Evaluation
from zseval.tsdb.db import TSDB

PATH = "/api/v1/zseval/explain"


@pytest.fixture
def real() -> Engine:
    db = TSDB()
    db.append({"__name__": "up", "job": "a"}, 1, NOW_MS / 1000)
    return Engine(db)


async def test_a_query_is_explained_as_text_and_as_a_tree(serve: Any, real: Engine) -> None:
    data = (await (await serve(engine=real)).get(PATH, params={"query": 'up{job="b"} > 0'})).data
    assert data["reasons"] == ['no series has label job="b"; values seen: a']
    assert data["reasons"][0] in data["text"]
    assert data["root"]["inputs"][0]["expr"] == 'up{job="b"}'


async def test_a_form_is_taken_as_well(serve: Any, real: Engine) -> None:
    data = (await (await serve(engine=real)).post(PATH, data={"query": "up"})).data
    assert data["root"]["values"] == [{"metric": {"__name__": "up", "job": "a"}, "value": "1"}]


async def test_a_range_is_explained_at_its_last_step_unless_another_is_named(serve: Any, engine: Any) -> None:
    api = await serve(engine=engine)
    await api.get(f"{PATH}?query=up&start=10&end=20&step=5")
    await api.get(f"{PATH}?query=up&start=10&end=20&step=5&time=15")
    assert [each["evaluation"] for each in engine.asked] == [Evaluation(10_000, 20_000, 5000)] * 2
    assert [each["time_ms"] for each in engine.asked] == [20_000, 15_000]


async def test_mistakes_are_answered_as_of_a_query(serve: Any, real: Engine) -> None:
    api = await serve(engine=real)
    status, kind, error = (await api.get(f"{PATH}?query=sum(")).error
    assert (status, kind) == (400, "bad_data")
    assert error.startswith('invalid parameter "query": 1:5: parse error')
    assert (await api.get(f"{PATH}?query=up&start=10&end=5&step=1")).error[0] == 400


async def test_a_query_that_fails_is_explained_with_its_error(serve: Any, real: Engine) -> None:
    api = await serve(engine=real)
    data = (await api.get(PATH, params={"query": 'label_replace(up, "", "", "", "")'})).data
    assert data["error"]
    assert data["root"]["error"] == data["error"]


async def test_stats_have_samples_and_per_step_counts_where_switched_on(serve: Any, real: Engine) -> None:
    at = NOW_MS / 1000
    path = f"/api/v1/query_range?query=up&start={at}&end={at + 60}&step=60&stats=all"
    stats = (await (await serve(engine=real)).get(path)).data["stats"]
    assert stats["samples"]["totalQueryableSamples"] == 2
    assert "totalQueryableSamplesPerStep" not in stats["samples"]
    assert stats["timings"]["innerEvalTime"] <= stats["timings"]["execTotalTime"]
    api = await serve(engine=real, features=frozenset({"promql-per-step-stats"}))
    samples = (await api.get(path)).data["stats"]["samples"]
    assert samples["totalQueryableSamplesPerStep"] == [[at, 1], [at + 60, 1]]
    assert "totalQueryableSamplesPerStep" not in (await api.get(path.replace("all", "true"))).text
