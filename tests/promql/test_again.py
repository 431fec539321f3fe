"""An expression evaluated again and again gives what a new engine on a store that was never asked gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from zseval.model.labels import Labels
from zseval.model.staleness import STALE_NAN
from zseval.promql.engine import Engine
from zseval.promql.errors import EvaluationError
from zseval.promql.result import Result
from zseval.tsdb.db import TSDB
from zseval.tsdb.tail import Following

PERIOD = 15_000
SOURCES = 3
EXPRESSIONS = [
    "up == 0",
    "c_total",
    "rate(c_total[1m])",
    "rate(c_total[5m]) > 0.1",
    "increase(c_total{path='a'}[2m])",
    "sum by (job) (rate(c_total{path='a'}[1m])) / sum by (job) (rate(c_total[1m]))",
    "sum by (job, source) (rate(c_total[1m])) > 0.2 and sum by (job, source) (g) > 3",
    "histogram_quantile(0.9, sum by (job, le) (rate(h_bucket[1m])))",
    "histogram_quantile(0.5, rate(h_bucket[2m])) or histogram_quantile(0.9, rate(h_bucket[2m]))",
    "avg without (path) (c_total) * on (job, source) group_left () up",
    "g / on (source) group_left (job) up",
    "c_total * on (source) group_right (path) up",
    "max_over_time(g[1m]) - min_over_time(g[1m])",
    "quantile_over_time(0.5, g[1m])",
    "deriv(g[1m]) < 0 or predict_linear(g[1m], 60) > 10",
    "changes(g[1m]) == 0",
    "irate(c_total[1m])",
    "delta(g[1m])",
    "topk(2, g)",
    "topk by (job) (1, c_total)",
    "count by (job) (g > 3)",
    "count_values('v', g)",
    "label_replace(g, 'x', '$1!', 'source', '(.*)') == bool 4",
    "label_join(g, 'source', '-', 'job', 'job') ",
    "sum(label_replace(up, 'job', '$1', 'source', '(.*)')) by (job)",
    "c_total unless on (source) (up == 0)",
    "g or 0 * up",
    "absent(g{job='none'})",
    "absent(up == 1)",
    "absent_over_time(g[30s])",
    "sum(g) > 1 == bool 3",
    "-g",
    "abs(-g) + 1",
    "time() - timestamp(g)",
    "scalar(sum(up)) * g",
    "vector(1)",
    "max_over_time(sum(rate(c_total[1m]))[2m:30s])",
    "sum(g offset 1m) - sum(g)",
    "last_over_time(g[10m])",
    "g @ end()",
    "stddev by (job) (g)",
    "group by (job) (up)",
]


class _Store:
    """Sources that are scraped a millisecond apart."""

    def __init__(self, rows: int) -> None:
        self.db = TSDB(retention=None, block_rows=rows)
        self.labels = [_labels(source) for source in range(SOURCES)]

    def scrape(self, source: int, time_ms: int, values: list[float], kept: int) -> None:
        ids = self.db.resolve(self.labels[source])[:kept]
        row = np.array(values[:kept], dtype=np.float64)
        self.db.table(str(source)).append_row(time_ms + source, ids, row, epoch=self.db.epoch)


def _labels(source: int) -> list[Labels]:
    job = {"job": f"j{source % 2}", "source": str(source)}
    return [
        Labels({"__name__": "up", **job}),
        Labels({"__name__": "g", **job}),
        *(Labels({"__name__": "c_total", "path": path, **job}) for path in "ab"),
        *(Labels({"__name__": "h_bucket", "le": le, **job}) for le in ("0.1", "1", "+Inf")),
    ]


def _of(result: Result | str) -> object:
    if isinstance(result, str):
        return result
    data = result.to_json_bytes()
    return data, sorted(result.warnings), sorted(result.infos)


def _ask(engine: Engine, expr: str, time_ms: int) -> Result | str:
    try:
        return engine.instant_at(expr, time_ms)
    except EvaluationError as error:
        return str(error)


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(data=st.data(), rows=st.sampled_from([16, 120]))
def test_asked_again_and_again(data: st.DataObject, rows: int) -> None:
    asked, never = _Store(rows), _Store(rows)
    engine = Engine(asked.db)
    expressions = data.draw(st.lists(st.sampled_from(EXPRESSIONS), min_size=3, max_size=6, unique=True))
    counters = np.zeros((SOURCES, 5))
    usual = Following.cohort

    def cohort(self: Following, *args: object) -> object:
        return None if args[-1] is never.db._tails else usual(self, *args)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Following, "cohort", cohort)
        for step in range(data.draw(st.integers(5, 30))):
            odd = data.draw(
                st.sampled_from(["", "", "", "", "", "reset", "down", "marker", "skip", "series", "nan"])
            )
            which = data.draw(st.integers(0, SOURCES - 1)) if odd else -1
            for source in range(SOURCES):
                counters[source] += data.draw(st.integers(0, 3))
                kind = odd if source == which else ""
                values, kept = [1.0, float(step * source % 7), *counters[source].tolist()], 7
                match kind:
                    case "reset":
                        counters[source] = 0.0
                        values[2:] = [0.0] * 5
                    case "down":
                        values, kept = [0.0], 1
                    case "marker":
                        values[1:] = [STALE_NAN] * 6
                    case "nan":
                        values[1] = np.nan
                    case "skip":
                        continue
                    case "series":
                        for store in (asked, never):
                            store.labels[source] = [
                                Labels({**dict(each), "new": str(step)})
                                if dict(each).get("path") == "b"
                                else each
                                for each in store.labels[source]
                            ]
                for store in (asked, never):
                    store.scrape(source, step * PERIOD, values, kept)
            now = step * PERIOD + data.draw(st.sampled_from([1, 5, 7000]))
            for expr in expressions:
                found, wanted = _ask(engine, expr, now), _ask(Engine(never.db), expr, now)
                assert _of(found) == _of(wanted), (expr, step)
