"""The engine's contract: queries in, results and Prometheus' errors out."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest

from zseval.model.labels import Labels
from zseval.model.staleness import STALE_NAN
from zseval.promql.engine import FEATURES, Engine
from zseval.promql.errors import (
    InvalidQueryError,
    ParseError,
    QueryCanceledError,
    QueryTimeoutError,
    TooManySamplesError,
)
from zseval.promql.syntax.ast import ValueType
from zseval.promql.syntax.parser import parse
from zseval.tsdb.db import TSDB


@pytest.fixture
def db() -> TSDB:
    """Two jobs with two instances each, a sample every 15 s for 10 minutes; `up` of one went stale."""
    db = TSDB(retention=None)
    for step in range(41):
        for job, rate in (("api", 1), ("web", 2)):
            for instance in ("a", "b"):
                labels = {"__name__": "requests_total", "job": job, "instance": instance}
                db.append(labels, float(15 * rate * step), 15.0 * step)
        db.append({"__name__": "up", "instance": "a"}, 1.0, 15.0 * step)
    db.append({"__name__": "up", "instance": "b"}, 1.0, 0.0)
    db.append({"__name__": "up", "instance": "b"}, STALE_NAN, 15.0)
    return db


def _values(engine: Engine, expr: str, time: float) -> dict[Labels, float]:
    return dict(engine.instant(expr, time).samples())


def test_rates_are_summed_by_label(db: TSDB) -> None:
    assert _values(Engine(db), "sum by (job) (rate(requests_total[5m]))", 600) == {
        Labels({"job": "api"}): pytest.approx(2),
        Labels({"job": "web"}): pytest.approx(4),
    }


def test_a_range_query_gives_a_matrix_sorted_by_labels(db: TSDB) -> None:
    result = Engine(db).range("up", 0, 30, 15)
    assert result.type is ValueType.MATRIX
    assert [(str(labels), times.tolist(), values.tolist()) for labels, times, values in result.series()] == [
        ('{__name__="up", instance="a"}', [0, 15_000, 30_000], [1, 1, 1]),
        ('{__name__="up", instance="b"}', [0], [1]),
    ]


def test_times_are_unix_seconds_with_milliseconds(db: TSDB) -> None:
    assert Engine(db).instant("time()", 12.3456).to_json()["result"] == [12.346, "12.346"]


def test_a_string_is_a_result_of_its_own(db: TSDB) -> None:
    result = Engine(db).instant('"text"', 1)
    assert (result.type, result.text) == (ValueType.STRING, "text")


def test_a_range_vector_gives_samples_with_their_own_times(db: TSDB) -> None:
    data = json.loads(Engine(db).instant('up{instance=~"a|b"}[20s]', 30.0).to_json_bytes())
    assert data == {
        "resultType": "matrix",
        "result": [{"metric": {"__name__": "up", "instance": "a"}, "values": [[15, "1"], [30, "1"]]}],
    }


def test_the_lookback_is_the_engines_or_the_querys(db: TSDB) -> None:
    engine = Engine(db, lookback="1m")
    assert len(engine.instant("up", 630)) == 1
    assert len(engine.instant("up", 660)) == 0
    assert len(engine.instant_at("up", 660_000, lookback_ms=300_000)) == 1


def test_a_bad_query_is_a_parse_error(db: TSDB) -> None:
    with pytest.raises(ParseError, match="parse error"):
        Engine(db).instant("sum(", 0)


def test_a_range_query_of_a_range_vector_is_refused(db: TSDB) -> None:
    expected = 'invalid expression type "range vector" for range query, must be Scalar or instant Vector'
    with pytest.raises(InvalidQueryError, match=expected):
        Engine(db).range("up[5m]", 0, 10, 5)


def test_a_bad_duration_says_which_bytes_of_the_query_it_is(db: TSDB) -> None:
    with pytest.raises(InvalidQueryError, match=r"^31:41: duration must be greater than 0$"):
        Engine(db).instant('{x="é"} or count_over_time(up[step() - 1])', 0)


def test_a_warning_says_where_in_bytes(db: TSDB) -> None:
    result = Engine(db).instant('up{job!="é"} or quantile(2, up)', 60)
    assert result.warnings == ["PromQL warning: quantile value should be between 0 and 1, got 2 (1:27)"]


def test_a_subquery_without_a_step_has_the_default_one(db: TSDB) -> None:
    assert Engine(db, default_step="10s").instant("count_over_time(vector(1)[1m:])", 60).samples()[0][1] == 6
    assert Engine(db).instant("count_over_time(vector(1)[1m:])", 60).samples()[0][1] == 1


def test_a_step_below_a_millisecond_is_refused(db: TSDB) -> None:
    with pytest.raises(ValueError, match="at least a millisecond"):
        Engine(db).range("up", 0, 10, 0)


@pytest.mark.parametrize("expr", ["requests_total", "rate(requests_total[5m])", "vector(1)"])
def test_too_many_samples_are_an_error(db: TSDB, expr: str) -> None:
    engine = Engine(db, max_samples=50)
    message = "query processing would load too many samples into memory in query execution"
    with pytest.raises(TooManySamplesError, match=message):
        engine.range(expr, 0, 600, 1)


def test_a_query_that_takes_too_long_is_ended(db: TSDB) -> None:
    now = iter(range(100))
    engine = Engine(db, timeout=3, clock=lambda: next(now))
    with pytest.raises(QueryTimeoutError, match="query timed out in expression evaluation"):
        engine.instant("up + up + up + up + up", 0)


def test_a_query_may_ask_for_less_time_but_not_for_more(db: TSDB) -> None:
    now = iter(range(100))
    engine = Engine(db, timeout=3, clock=lambda: next(now))
    with pytest.raises(QueryTimeoutError):
        engine.instant("up + up + up + up + up", 0, timeout=1000)


def test_a_query_can_be_called_off(db: TSDB) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(QueryCanceledError, match="query was canceled in expression evaluation"):
        Engine(db).instant_at("up", 0, cancel=cancel)


def test_annotations_name_their_place_in_the_query(db: TSDB) -> None:
    result = Engine(db).instant("\n  rate(up[1m])", 600)
    expected = (
        "PromQL info: metric might not be a counter, "
        'name does not end in _total/_sum/_count/_bucket: "up" (2:8)'
    )
    assert result.infos == [expected]
    assert result.warnings == []


def test_a_parsed_expression_is_taken_as_well_as_text(db: TSDB) -> None:
    engine = Engine(db)
    assert engine.instant(parse("sum(up)"), 600).to_json() == engine.instant("sum(up)", 600).to_json()


def test_features_are_upstreams_names_or_all(db: TSDB) -> None:
    assert Engine(db, features="all").features == FEATURES
    with pytest.raises(ValueError, match='unknown feature "time-travel"'):
        Engine(db, features={"time-travel"})


def test_names_go_at_once_or_with_the_feature_at_the_end(db: TSDB) -> None:
    expr = 'sum by (__name__) (rate(requests_total{job="api"}[5m]))'
    assert list(_values(Engine(db), expr, 600)) == [Labels()]
    late = Engine(db, features={"promql-delayed-name-removal"})
    kept = f'label_replace({expr}, "__name__", "$1", "__name__", "(.*)")'
    assert list(_values(late, kept, 600)) == [Labels({"__name__": "requests_total"})]


def test_what_arrives_between_two_queries_is_seen_by_the_second(db: TSDB) -> None:
    engine = Engine(db)
    before = _values(engine, "count(up)", 600)
    db.append({"__name__": "up", "instance": "c"}, 1.0, 600.0)
    assert before == {Labels(): 1}
    assert _values(engine, "count(up)", 600) == {Labels(): 2}


def test_a_label_made_up_by_one_query_is_found_when_it_is_stored_later(db: TSDB) -> None:
    engine = Engine(db)
    expr = 'label_replace(up{instance="a"}, "zone", "north", "", "") and on (zone) region'
    assert _values(engine, expr, 600) == {}
    db.append({"__name__": "region", "zone": "north"}, 1.0, 600.0)
    assert list(_values(engine, expr, 600)) == [Labels({"__name__": "up", "instance": "a", "zone": "north"})]


def test_queries_run_in_many_threads_at_once(db: TSDB) -> None:
    engine = Engine(db)
    expected = engine.range("sum by (job) (rate(requests_total[5m]))", 300, 600, 15).to_json_bytes()
    answers: list[bytes] = []

    def run() -> None:
        for _ in range(20):
            result = engine.range("sum by (job) (rate(requests_total[5m]))", 300, 600, 15)
            answers.append(result.to_json_bytes())

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) == {expected}
    assert len(answers) == 80


def test_the_arrays_of_a_result_fit_together(db: TSDB) -> None:
    result = Engine(db).range("requests_total > 100", 0, 600, 60)
    assert result.present is not None
    assert result.values.shape == result.present.shape == (len(result), len(result.times))
    assert result.present.any(axis=1).all()
    assert result.times.dtype == np.int64
