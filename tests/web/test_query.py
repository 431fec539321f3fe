"""/api/v1/query and query_range over a recording engine: what is asked, what comes back."""
# ruff: noqa: E501 - error texts are clearer on one line

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.web.fakes import NOW_MS
from zseval.errors import Position
from zseval.model.labels import Labels
from zseval.promql.errors import (
    EvaluationError,
    InvalidQueryError,
    ParseError,
    QueryCanceledError,
    QueryTimeoutError,
    TooManySamplesError,
)

JSON_TYPE = {"Content-Type": "application/json"}
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_an_instant_query_answers_now_by_default(serve: Any, engine: Any) -> None:
    api = await serve(engine=engine)
    answer = await api.get("/api/v1/query?query=up")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.data == {
        "resultType": "vector",
        "result": [{"metric": {"__name__": "up", "job": "a"}, "value": [1_700_000_000.123, "1"]}],
    }
    (asked,) = engine.asked
    assert (asked["expr"], asked["time_ms"], asked["lookback_ms"]) == ("up", NOW_MS, None)
    assert 60 < asked["timeout"] <= 120


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        # Grafana: save & test, then a panel of type table
        ("POST", "/api/v1/query", {"data": "query=up&time=4", "headers": FORM_TYPE}),
        ("GET", "/api/v1/query?query=up&time=4", {}),
        # vmalert 1.79: parameters in the URL, an empty body, JSON as its type, an unknown parameter
        ("POST", "/api/v1/query?query=up&step=300s&time=4", {"headers": JSON_TYPE}),
        # promtool query instant
        ("POST", "/api/v1/query", {"data": "query=up&time=4.0000246", "headers": FORM_TYPE}),
        # body before URL, as Go's FormValue
        ("POST", "/api/v1/query?query=other&time=9", {"data": "query=up&time=4", "headers": FORM_TYPE}),
        ("POST", "/api/v1/query?query=up&time=4", {"data": "{not json", "headers": JSON_TYPE}),
        ("POST", "/api/v1/query", {"data": {"query": "up", "time": "1970-01-01T00:00:04Z"}}),
    ],
)
async def test_a_query_arrives_however_it_is_sent(
    serve: Any, engine: Any, method: str, path: str, options: dict[str, Any]
) -> None:
    api = await serve(engine=engine)
    assert (await api.ask(method, path, **options)).data["result"][0]["value"] == [4, "1"]
    assert [(asked["expr"], asked["time_ms"]) for asked in engine.asked] == [("up", 4000)]


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        (
            "POST",
            "/api/v1/query_range",
            {"data": "query=up&start=0.5&end=60.5&step=15", "headers": FORM_TYPE},
        ),
        ("POST", "/api/v1/query_range?query=up&start=0.5&end=60.5&step=15s", {"headers": JSON_TYPE}),
        ("GET", "/api/v1/query_range?query=up&start=0.5&end=60.5&step=15.0", {}),
    ],
)
async def test_a_range_query_arrives_however_it_is_sent(
    serve: Any, engine: Any, method: str, path: str, options: dict[str, Any]
) -> None:
    api = await serve(engine=engine)
    data = (await api.ask(method, path, **options)).data
    assert data["resultType"] == "matrix"
    assert [point[0] for point in data["result"][0]["values"]] == [0.5, 15.5, 30.5, 45.5, 60.5]
    (asked,) = engine.asked
    assert (asked["start_ms"], asked["end_ms"], asked["step_ms"]) == (500, 60_500, 15_000)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "query?query=up&time=x",
            'invalid parameter "time": invalid time value for \'time\': cannot parse "x" to a valid timestamp',
        ),
        ("query?query=up&timeout=x", 'invalid parameter "timeout": cannot parse "x" to a valid duration'),
        ("query?query=up&limit=x", 'invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax'),
        ("query?query=up&limit=-1", 'invalid parameter "limit": limit must be non-negative'),
        (
            "query?query=up&lookback_delta=x",
            'error parsing lookback delta duration: cannot parse "x" to a valid duration',
        ),
        (
            "query_range?query=up&start=x&end=1&step=1",
            'invalid parameter "start": cannot parse "x" to a valid timestamp',
        ),
        (
            "query_range?query=up&end=1&step=1",
            'invalid parameter "start": cannot parse "" to a valid timestamp',
        ),
        (
            "query_range?query=up&start=1&end=y&step=1",
            'invalid parameter "end": cannot parse "y" to a valid timestamp',
        ),
        (
            "query_range?query=up&start=2&end=1&step=1",
            'invalid parameter "end": end timestamp must not be before start time',
        ),
        (
            "query_range?query=up&start=1&end=2&step=x",
            'invalid parameter "step": cannot parse "x" to a valid duration',
        ),
        (
            "query_range?query=up&start=1&end=2&step=0",
            'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
        ),
        (
            "query_range?query=up&start=0&end=11001&step=1",
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ),
        ("query_exemplars?query=up&start=2&end=1", "end timestamp must not be before start timestamp"),
    ],
)
async def test_bad_parameters_are_named(serve: Any, engine: Any, path: str, message: str) -> None:
    api = await serve(engine=engine)
    assert (await api.get(f"/api/v1/{path}")).error == (400, "bad_data", message)
    assert engine.asked == []


async def test_eleven_thousand_points_are_allowed(serve: Any, engine: Any) -> None:
    api = await serve(engine=engine)
    data = (await api.get("/api/v1/query_range?query=up&start=0&end=11000&step=1")).data
    assert len(data["result"][0]["values"]) == 11_001


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            ParseError("unexpected end of input", Position(1, 5), "up +"),
            (400, "bad_data", 'invalid parameter "query": 1:5: parse error: unexpected end of input'),
        ),
        (
            InvalidQueryError("division by zero", (5, 8)),
            (400, "bad_data", 'invalid parameter "query": 5:8: division by zero'),
        ),
        (EvaluationError("many-to-many"), (422, "execution", "many-to-many")),
        (TooManySamplesError("too many"), (422, "execution", "too many")),
        (QueryTimeoutError("query timed out"), (503, "timeout", "query timed out")),
        (QueryCanceledError("query was canceled"), (499, "canceled", "query was canceled")),
    ],
)
async def test_failures_of_a_query_have_their_type_and_status(
    serve: Any, engine: Any, error: Any, expected: Any
) -> None:
    engine.error = error
    api = await serve(engine=engine)
    assert (await api.get("/api/v1/query?query=up")).error == expected


async def test_a_failure_nobody_foresaw_is_an_internal_error_without_details(
    serve: Any, engine: Any, caplog: Any
) -> None:
    engine.error = RuntimeError("secret detail")
    api = await serve(engine=engine)
    answer = await api.get("/api/v1/query?query=up")
    assert answer.error == (500, "internal", "internal error, see the log")
    assert "secret detail" in caplog.text


async def test_limit_cuts_and_says_so(serve: Any, engine: Any) -> None:
    engine.series = [Labels({"job": job}) for job in "abc"]
    engine.warnings = ["PromQL warning: w"]
    engine.infos = ["PromQL info: i"]
    api = await serve(engine=engine)
    answer = await api.get("/api/v1/query?query=up&limit=2")
    assert [each["metric"] for each in answer.data["result"]] == [{"job": "a"}, {"job": "b"}]
    assert answer.json["warnings"] == ["PromQL warning: w", "results truncated due to limit"]
    assert answer.json["infos"] == ["PromQL info: i"]
    for path in (
        "query?query=up&limit=3",
        "query?query=up&limit=0",
        "query_range?query=up&start=0&end=1&step=1",
    ):
        answer = await api.get(f"/api/v1/{path}")
        assert len(answer.data["result"]) == 3
        assert answer.json["warnings"] == ["PromQL warning: w"]


async def test_timeout_and_lookback_reach_the_engine(serve: Any, engine: Any) -> None:
    api = await serve(engine=engine)
    await api.get("/api/v1/query?query=up&timeout=70s&lookback_delta=90")
    (asked,) = engine.asked
    assert 30 < asked["timeout"] <= 70
    assert asked["lookback_ms"] == 90_000


async def test_stats_come_when_asked_for(serve: Any, engine: Any) -> None:
    api = await serve(engine=engine)
    data = (await api.get("/api/v1/query?query=up&stats=all")).data
    assert data["stats"]["timings"]["execTotalTime"] >= data["stats"]["timings"]["evalTotalTime"] >= 0
    assert "stats" not in (await api.get("/api/v1/query?query=up")).data
    (warning,) = (await api.get("/api/v1/query?query=up&stats=yes")).json["warnings"]
    assert warning.startswith('value "yes" for parameter "stats" is deprecated')


async def test_a_query_that_finds_no_thread_in_time_is_a_timeout(
    serve: Any, engine: Any, released: threading.Event
) -> None:
    entered = threading.Event()

    def block(_cancel: Any) -> None:
        entered.set()
        released.wait(60)

    engine.block = block
    api = await serve(engine=engine, max_concurrency=1)
    first = asyncio.create_task(api.get("/api/v1/query?query=a"))
    await asyncio.to_thread(entered.wait, 60)
    answer = await api.get("/api/v1/query?query=b&timeout=50ms")
    assert answer.error == (503, "timeout", "query timed out in query queue")
    released.set()
    assert (await first).status == 200
    assert [asked["expr"] for asked in engine.asked] == ["a"]


async def test_the_loop_answers_while_a_query_runs(
    serve: Any, engine: Any, released: threading.Event
) -> None:
    entered = threading.Event()

    def block(_cancel: Any) -> None:
        entered.set()
        released.wait(60)

    engine.block = block
    api = await serve(engine=engine)
    slow = asyncio.create_task(api.get("/api/v1/query?query=a"))
    await asyncio.to_thread(entered.wait, 60)
    assert (await api.get("/-/healthy")).status == 200
    assert (await api.get("/api/v1/labels")).data == []
    released.set()
    assert (await slow).status == 200


async def test_a_client_that_leaves_calls_its_query_off(serve: Any, engine: Any) -> None:
    entered, called_off = threading.Event(), threading.Event()

    def block(cancel: Any) -> None:
        entered.set()
        assert cancel.wait(60)
        called_off.set()

    engine.block = block
    api = await serve(engine=engine)
    leaving = asyncio.create_task(api.get("/api/v1/query?query=a"))
    assert await asyncio.to_thread(entered.wait, 60)
    leaving.cancel()
    assert await asyncio.to_thread(called_off.wait, 60)


@pytest.mark.parametrize("series", [200, 20_000])  # sent whole, and in pieces
async def test_large_answers_are_compressed_for_who_asks(serve: Any, engine: Any, series: int) -> None:
    engine.series = [Labels({"job": f"job-{number}"}) for number in range(series)]
    api = await serve(engine=engine)
    path = f"{api.url}/api/v1/query?query=up"
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        for accepted, coding in (
            ("gzip", "gzip"),
            ("deflate, gzip;q=0.5", "gzip"),
            ("gzip;q=0", None),
            ("", None),
        ):
            async with session.get(path, headers={"Accept-Encoding": accepted}) as response:
                body = await response.read()
                assert response.headers.get("Content-Encoding") == coding
                assert "Accept-Encoding" in response.headers["Vary"]
                plain = gzip.decompress(body) if coding else body
                assert len(json.loads(plain)["data"]["result"]) == series


async def test_a_body_that_is_too_large_is_refused(serve: Any, engine: Any) -> None:
    api = await serve(engine=engine)

    async def body() -> AsyncIterator[bytes]:
        yield b"query="
        for _ in range(11):
            yield b"a" * (1024 * 1024)

    answer = await api.post("/api/v1/query", data=body(), headers=FORM_TYPE)
    assert answer.error == (400, "bad_data", "error parsing form values: http: POST too large")
    assert engine.asked == []


async def test_a_long_query_in_the_url_is_taken(serve: Any, engine: Any) -> None:
    api = await serve(engine=engine)
    query = "+".join(["up"] * 10_000)
    await api.get(f"/api/v1/query?query={query.replace('+', '%2B')}")
    assert engine.asked[0]["expr"] == query
