"""Rule groups on their intervals, whatever happens: slow queries, faults, reloads, clocks that are set."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from itertools import pairwise

import pytest

from tests.node.conftest import START_MS, FakeClock, settle
from zseval.clock import SteadyClock
from zseval.config.rule_files import parse_rule_file
from zseval.metrics import Registry
from zseval.model.labels import Labels
from zseval.node.rule_loops import RuleLoops
from zseval.promql.engine import Engine
from zseval.promql.errors import QueryCanceledError
from zseval.promql.result import Result
from zseval.promql.syntax.ast import Expr
from zseval.rules.evaluate import GroupResult, GroupState, Surroundings
from zseval.rules.rule import Group
from zseval.rules.texts import Expanded
from zseval.tsdb.db import TSDB


class World:
    """Loops over a store; `before` runs ahead of every query."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = SteadyClock(clock)
        self.db = TSDB()
        self.engine = Engine(self.db)
        self.registry = Registry()
        self.told: list[tuple[str, GroupResult]] = []
        self.tell: Callable[[GroupState, GroupResult], None] = self._note
        self.loops = RuleLoops(self.clock, lambda state, result: self.tell(state, result), self.registry)
        self.before: Callable[[str], None] = lambda _text: None

    def _note(self, state: GroupState, result: GroupResult) -> None:
        self.told.append((state.group.name, result))

    def instant_at(self, expr: str | Expr, time_ms: int) -> Result:
        self.before(str(expr))
        return self.engine.instant_at(expr, time_ms)

    async def apply(self, text: str) -> None:
        groups: tuple[Group, ...] = parse_rule_file(text, "r.yml", 10_000)
        surroundings = Surroundings(
            querier=self,
            store=self.db,
            expander=lambda _time_ms, _rule: lambda template, _labels, _value: Expanded(template),
            generator_url=lambda _expr: "",
        )
        await self.loops.apply(groups, surroundings)

    def times(self, group: str = "g") -> list[int]:
        return [result.time_ms for name, result in self.told if name == group]

    def count(self, name: str, group: str = "g") -> float:
        readings = {reading.name: reading for reading in self.registry.collect()}
        samples = {dict(labels)["rule_group"]: value for labels, value in readings[name].samples}
        return samples[f"r.yml;{group}"]


@pytest.fixture
def world(clock: FakeClock, inline: None) -> World:
    return World(clock)


ONE = "groups: [{name: g, interval: 10s, rules: [{record: r, expr: vector(1)}]}]"
ALERT = "groups: [{name: g, interval: 10s, rules: [{alert: A, expr: vector(1)}]}]"
TWO = """
groups:
- {name: g, interval: 10s, rules: [{record: r, expr: vector(1)}]}
- {name: h, interval: 10s, rules: [{record: s, expr: vector(2)}]}
"""


async def test_a_group_is_evaluated_once_an_interval_at_even_times(world: World, clock: FakeClock) -> None:
    await world.apply(ONE)
    world.loops.start()
    await clock.advance(100)
    times = world.times()
    assert len(times) == 10
    assert {after - before for before, after in pairwise(times)} == {10_000}
    assert START_MS < times[0] <= START_MS + 10_000
    assert world.count("prometheus_rule_group_iterations_total") == 10
    assert world.count("prometheus_rule_evaluations_total") == 10
    assert world.count("prometheus_rule_group_interval_seconds") == 10
    await world.loops.stop()


@pytest.mark.parametrize("step_ms", [3_600_000, -3_600_000, 56 * 365 * 86_400_000])
async def test_a_step_of_the_wall_clock_neither_skips_nor_repeats(
    world: World, clock: FakeClock, step_ms: int
) -> None:
    await world.apply(ONE)
    world.loops.start()
    await clock.advance(50)
    clock.step_ms = step_ms
    await clock.advance(50)
    times = world.times()
    assert {after - before for before, after in pairwise(times)} == {10_000}
    assert len(times) == 10
    await world.loops.stop()


async def test_whoever_is_told_and_fails_ends_no_loop(
    world: World, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(state: GroupState, result: GroupResult) -> None:
        world._note(state, result)
        raise RuntimeError("not listening")

    world.tell = broken
    await world.apply(ONE)
    world.loops.start()
    await clock.advance(30)
    assert len(world.times()) == 3
    assert "telling of group g failed" in caplog.text
    await world.loops.stop()


async def test_an_evaluation_that_fails_as_a_whole_is_counted_and_the_next_comes(
    world: World, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await world.apply(ONE)
    failures = [MemoryError("too much"), ValueError("odd")]
    evaluate = GroupState.evaluate

    def sometimes(state: GroupState, now_ms: int) -> GroupResult:
        if failures:
            raise failures.pop()
        return evaluate(state, now_ms)

    monkeypatch.setattr(GroupState, "evaluate", sometimes)
    world.loops.start()
    await clock.advance(40)
    assert len(world.times()) == 2
    assert world.count("prometheus_rule_evaluation_failures_total") == 2
    assert "evaluation of group g failed unexpectedly" in caplog.text
    await world.loops.stop()


async def test_a_rule_that_fails_is_counted_and_logged_and_costs_the_others_nothing(
    world: World, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(text: str) -> None:
        if "bad" in text:
            raise RuntimeError("bad luck")

    world.before = fail
    await world.apply(
        "groups: [{name: g, interval: 10s, rules: [{record: x, expr: bad}, {record: r, expr: vector(1)}]}]"
    )
    world.loops.start()
    await clock.advance(20)
    assert world.count("prometheus_rule_evaluation_failures_total") == 2
    assert world.count("prometheus_rule_group_last_evaluation_samples") == 1
    assert "rule x of group g failed: internal error: RuntimeError('bad luck')" in caplog.text
    assert [rule.health for rule in world.loops.groups[0].rules] == ["err", "ok"]
    await world.loops.stop()


async def test_evaluations_that_take_too_long_are_missed_and_counted(world: World, clock: FakeClock) -> None:
    def slow(_text: str) -> None:
        clock.now += 25

    world.before = slow
    await world.apply(ONE)
    world.loops.start()
    await clock.advance(60)
    assert world.count("prometheus_rule_group_iterations_missed_total") == 4
    times = world.times()
    assert {after - before for before, after in pairwise(times)} == {30_000}
    await world.loops.stop()


async def test_a_reload_keeps_alerts_and_tells_of_those_whose_rules_are_gone(
    world: World, clock: FakeClock
) -> None:
    await world.apply(ALERT)
    world.loops.start()
    await clock.advance(20)
    before = world.loops.groups[0].rules[0].book
    assert before is not None
    await world.apply(ALERT.replace("10s", "20s"))
    after = world.loops.groups[0].rules[0].book
    assert after is not None
    assert after.known() == before.known()
    world.told.clear()
    await world.apply("groups: []")
    ((_, result),) = world.told
    (notice,) = result.alerts
    (change,) = result.changes
    assert notice.labels == Labels({"alertname": "A"})
    assert notice.is_resolved_at(world.clock.wall_ms())
    assert (change.before.value, change.after.value) == ("firing", "inactive")
    await world.loops.stop()


async def test_series_of_a_group_that_is_gone_end_and_what_it_counted_is_forgotten(
    world: World, clock: FakeClock
) -> None:
    await world.apply(TWO)
    world.loops.start()
    await clock.advance(30)
    await world.apply(ONE)
    await clock.advance(30)
    assert len(world.engine.instant_at("r", world.clock.wall_ms()).samples()) == 1
    assert world.engine.instant_at("s", world.clock.wall_ms()).samples() == []
    with pytest.raises(KeyError):
        world.count("prometheus_rule_evaluations_total", "h")
    await world.loops.stop()


async def test_series_that_moved_to_another_group_go_on(world: World, clock: FakeClock) -> None:
    await world.apply(ONE)
    world.loops.start()
    await clock.advance(30)
    await world.apply(ONE.replace("name: g", "name: other"))
    await clock.advance(40)
    times = [
        world.engine.instant_at("r", START_MS + second * 1000).samples() != [] for second in range(30, 70)
    ]
    assert all(times)
    await world.loops.stop()


async def test_inside_a_pause_nothing_is_evaluated_and_afterwards_it_goes_on(
    world: World, clock: FakeClock
) -> None:
    await world.apply(ONE)
    world.loops.start()
    await clock.advance(20)
    async with world.loops.paused():
        await clock.advance(60)
        assert len(world.times()) == 2
    await clock.advance(20)
    assert len(world.times()) == 4
    await world.loops.stop()


class Gate:
    """A query that waits in its thread until it is let go on."""

    def __init__(self) -> None:
        self.entered, self.open = threading.Event(), threading.Event()

    def __call__(self, _text: str) -> None:
        self.entered.set()
        assert self.open.wait(20)


async def entered(gate: Gate) -> None:
    assert await asyncio.to_thread(gate.entered.wait, 20)


async def test_stopping_waits_for_an_evaluation_and_tells_what_it_gave(clock: FakeClock) -> None:
    world = World(clock)
    world.before = gate = Gate()
    await world.apply(ALERT)
    world.loops.start()
    await clock.advance(10)
    await entered(gate)
    stopping = asyncio.create_task(world.loops.stop())
    await settle()
    assert not stopping.done()
    gate.open.set()
    await stopping
    ((_, result),) = world.told
    assert [alert.name for alert in result.alerts] == ["A"]


async def test_stopping_calls_off_queries_that_take_long(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zseval.node.rule_loops._PATIENCE_S", 0.05)
    world = World(clock)
    begun = threading.Event()

    def endless(_text: str) -> None:
        begun.set()
        assert world.loops.called_off.wait(20)
        raise QueryCanceledError("query was canceled in expression evaluation")

    world.before = endless
    await world.apply(ONE)
    world.loops.start()
    await clock.advance(10)
    assert await asyncio.to_thread(begun.wait, 20)
    await world.loops.stop()
    assert world.loops.groups[0].rules[0].health == "err"


async def test_a_slow_group_holds_up_no_other(clock: FakeClock) -> None:
    world = World(clock)
    gate = Gate()
    world.before = lambda text: gate(text) if "slow" in text else None
    await world.apply(
        "groups: [{name: g, interval: 10s, rules: [{record: r, expr: slow}]},"
        " {name: h, interval: 10s, rules: [{record: s, expr: vector(1)}]}]"
    )
    world.loops.start()
    async with asyncio.timeout(60):
        while len(world.times("h")) < 3:
            await clock.advance(1)
            await asyncio.sleep(0.002)
    assert world.times("g") == []
    gate.open.set()
    await world.loops.stop()
    assert len(world.times("g")) == 1
