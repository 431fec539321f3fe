"""Whatever can be asked can be explained: the result is the query's, and what is empty has a reason."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from zseval.errors import PromQLError
from zseval.model.histogram import Histogram
from zseval.promql.engine import Engine
from zseval.tsdb.db import TSDB

SCRIPTS = sorted((Path(__file__).parents[2] / "fixtures" / "promqltest").glob("*.test"))
EVAL = re.compile(r"^\s*eval\w* (?:instant at \S+|range from \S+ to \S+ step \S+) (.*)$", re.MULTILINE)
AT = 585


@pytest.fixture(scope="module")
def engine() -> Engine:
    db = TSDB()
    for step in range(AT // 15 + 1):
        at = 15 * step
        for job in ("a", "b", "c"):
            value = float("nan") if job == "c" else 3.0 * step
            db.append({"__name__": "metric", "job": job, "le": job}, value, at)
            db.append({"__name__": "x", "job": job, "instance": job * 2}, value, at)
        histogram = Histogram.parse(f"{{{{schema:0 sum:{step} count:{step} buckets:[{step}]}}}}")
        db.append_histogram({"__name__": "h"}, histogram, at)
    return Engine(db, features="all")


def expressions(script: Path) -> list[str]:
    """As they stand, and with every name of a metric that this store has not replaced by one it has."""
    written = dict.fromkeys(EVAL.findall(script.read_text()))
    names = re.compile(r"\b(?!metric\b)[a-z]+(?:_[a-z]+)*(?=[{\[])")
    return [*written, *dict.fromkeys(names.sub("x", each) for each in written if names.search(each))]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_an_explanation_has_the_result_of_the_query(script: Path, engine: Engine) -> None:
    for expr in expressions(script):
        try:
            result = engine.instant(expr, AT)
        except PromQLError:
            continue
        explanation = engine.explain(expr, AT)
        assert explanation.result is not None, expr
        assert explanation.result.to_json() == result.to_json(), expr
        assert json.dumps(explanation.to_json())
        if result.type.value == "vector":
            assert explanation.root.shown == len(result), expr
            assert len(result) or explanation.reasons, expr
