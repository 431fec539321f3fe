"""Each pass does what its docstring shows, and none changes a result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conformance.runner import run_file
from zseval.promql.plan import cache
from zseval.promql.plan.build import build, build_unoptimised
from zseval.promql.plan.explain import explain
from zseval.promql.plan.nodes import Binary, Node, Number, Plan, StepInvariant, children
from zseval.promql.plan.passes import PASSES
from zseval.promql.plan.passes.fold_constants import fold_constants
from zseval.promql.plan.passes.share_selectors import share_selectors
from zseval.promql.plan.passes.step_invariant import step_invariant
from zseval.promql.plan.request import Evaluation, Settings
from zseval.promql.syntax.ast import Expr
from zseval.promql.syntax.parser import parse

SETTINGS = Settings(lookback_ms=300_000, default_step_ms=60_000)
RANGE = Evaluation(600_000, 1_200_000, 60_000)
SCRIPTS = Path(__file__).parents[2] / "fixtures" / "promqltest"


def _plan(expr: str) -> Plan:
    return build_unoptimised(parse(expr), RANGE, SETTINGS)


def _walk(node: Node) -> list[Node]:
    return [node, *(below for child in children(node) for below in _walk(child))]


def _wrapped(expr: str) -> list[str]:
    """The kinds of what step_invariant wraps."""
    nodes = _walk(step_invariant(_plan(expr)).root)
    return [type(node.expr).__name__ for node in nodes if isinstance(node, StepInvariant)]


@pytest.mark.parametrize(
    ("expr", "value"), [("1 + 2 * 3", 7), ("-(2 ^ 3)", -8), ("2 > bool 1", 1), ("(7 % 4) / 2", 1.5)]
)
def test_arithmetic_on_numbers_is_folded(expr: str, value: float) -> None:
    assert fold_constants(_plan(expr)).root == Number(value)


def test_numbers_are_folded_below_vectors() -> None:
    root = fold_constants(_plan("x > (1 + 1) * 60")).root
    assert isinstance(root, Binary)
    assert root.rhs == Number(120)


@pytest.mark.parametrize(
    ("expr", "wrapped"),
    [
        ("x", []),
        ("x @ 10", ["Select"]),
        ("x / sum(x @ end())", ["Aggregate"]),
        ("rate(x[5m] @ 10) + 1", ["Binary"]),
        ("sum(x @ 10) + sum(y)", ["Aggregate"]),
        ("predict_linear(x[5m] @ 10, 60)", []),
        ("timestamp(x @ 10)", ["SampleTimes"]),
        ("timestamp(abs(x @ 10))", ["Call"]),
        ("max_over_time(sum(x @ 10)[10m:1m])", ["Aggregate"]),
        ("max_over_time(x[10m:1m] @ 10)", ["Call"]),
        ("topk(scalar(y), x @ 10)", ["Select"]),
        ("time() + 1", []),
    ],
)
def test_the_largest_invariant_expressions_are_wrapped(expr: str, wrapped: list[str]) -> None:
    assert _wrapped(expr) == wrapped


@pytest.mark.parametrize(
    ("expr", "reads"),
    [
        ("x + x", [(300_000, 1_200_000)]),
        ("x + rate(x[1m])", [(300_000, 1_200_000)]),
        ("x + x offset 10m", [(-300_000, 1_200_000)]),
        ("x - x offset 1d", [(-86_100_000, -85_200_000), (300_000, 1_200_000)]),
        ("x + y", [(300_000, 1_200_000), (300_000, 1_200_000)]),
        ('x{a="b"} + x', [(300_000, 1_200_000), (300_000, 1_200_000)]),
    ],
)
def test_overlapping_reads_of_the_same_series_become_one(expr: str, reads: list[tuple[int, int]]) -> None:
    plan = share_selectors(_plan(expr))
    assert sorted((read.start_ms, read.end_ms) for read in plan.reads) == reads


def test_selectors_read_what_they_need_and_no_more() -> None:
    plan = _plan("x offset 1m + rate(y[2m]) + z @ 100 + sum_over_time(u[3m:1m])")
    assert [(read.start_ms, read.end_ms) for read in plan.reads] == [
        (240_000, 1_140_000),
        (480_000, 1_200_000),
        (-200_000, 100_000),
        (180_000, 1_200_000),
    ]


def test_a_plan_prints() -> None:
    text = explain(build(parse("sum by (job) (rate(x_total[5m])) / sum(y @ 60)"), RANGE, SETTINGS))
    assert text == "\n".join(
        [
            "instant vector 600000..1200000 every 60000",
            'read 0: {__name__="x_total"} from 300000 to 1200000 (15m)',
            'read 1: {__name__="y"} from -240000 to 60000 (5m)',
            "Binary op=/ matching=one-to-one ignoring()",
            "  Aggregate op=sum grouping={job}",
            "    Call function=rate",
            '      Window read=0 matchers={__name__="x_total"} range_ms=300000',
            "  StepInvariant",
            "    Aggregate op=sum",
            '      Select read=1 matchers={__name__="y"} at_ms=60000',
        ]
    )


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.test")), ids=lambda path: path.stem)
@pytest.mark.parametrize("apply", [None, *PASSES], ids=lambda apply: getattr(apply, "__name__", "none"))
def test_no_pass_changes_a_result(
    path: Path, apply: Callable[[Plan], Plan] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every script passes with no pass at all, and with each pass alone."""

    def build_with_one(expr: Expr, evaluation: Evaluation, settings: Settings) -> Plan:
        plan = build_unoptimised(expr, evaluation, settings)
        return plan if apply is None else apply(plan)

    monkeypatch.setattr(cache, "build", build_with_one)
    assert [outcome for outcome in run_file(path) if outcome.problem] == []


def test_nodes_compare_without_their_place_in_the_text() -> None:
    assert _plan("x + y").root == _plan("x  +  y").root
    assert replace(_plan("x"), root=Number(1)) != _plan("x")
