"""A whole node in the test's own loop: in-process sources, alerts, reloads, the clock, the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import aiohttp
import prometheus_client
import pytest
from aiohttp import web

from tests.node.conftest import START_MS, FakeClock, settle
from zseval.errors import ConfigError
from zseval.model.alert import Alert
from zseval.model.labels import Labels
from zseval.node.node import Node
from zseval.node.options import NodeOptions
from zseval.node.snapshot import Transition

HOUR_MS = 3_600_000
RULES = """
groups:
- name: g
  interval: 15s
  rules:
  - {alert: Low, expr: m < 5, for: 5m, labels: {severity: page}, annotations: {summary: 'is {{ $value }}'}}
  - {alert: Steady, expr: 'abs(irate(steps_total[5m]) * 15 - 3) > 0.1'}
"""


class World:
    """A node with one source, `m` of which the test sets; `steps` is a counter that goes up evenly."""

    def __init__(self, clock: FakeClock, rules: Path) -> None:
        self.clock = clock
        self.m = 9.0
        self.scrapes = 0
        self.transitions: list[Transition] = []
        self.alerts: list[Alert] = []
        self.node = Node(
            NodeOptions(rule_files=(str(rules),), listen=""),
            clock=clock,
            on_transition=self.transitions.append,
            on_alerts=self.alerts.extend,
        )
        self.node.add_source("app", self._page, 15_000, {"zone": "z"})

    def _page(self) -> str:
        self.scrapes += 1
        return f"m {self.m}\n# TYPE steps_total counter\nsteps_total {3 * self.scrapes}\n"

    @property
    def states(self) -> list[tuple[str, str]]:
        return [(each.name, each.after) for each in self.transitions]


def write(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return write(tmp_path / "rules.yml", RULES)


@pytest.fixture
def world(clock: FakeClock, rules: Path, inline: None) -> World:
    return World(clock, rules)


async def test_an_alert_goes_from_a_source_to_a_callback(world: World, clock: FakeClock) -> None:
    async with world.node:
        await clock.advance(300)
        assert world.states == []
        world.m = 3.0
        await clock.advance(60)
        assert world.states == [("Low", "pending")]
        (row,) = world.node.snapshot().alerts
        assert (row.name, row.state, row.severity, row.summary) == ("Low", "pending", "page", "is 3")
        await clock.advance(300)
        world.m = 9.0
        await clock.advance(60)
        assert world.states == [("Low", "pending"), ("Low", "firing"), ("Low", "resolved")]
    expected = Labels({"alertname": "Low", "job": "app", "instance": "app", "zone": "z", "severity": "page"})
    assert {alert.labels for alert in world.alerts} == {expected}
    assert world.alerts[-1].is_resolved_at(clock.wall_ms())
    assert not world.alerts[0].is_resolved_at(clock.wall_ms())


async def test_a_callback_that_fails_stops_nothing(
    clock: FakeClock, rules: Path, inline: None, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_what: object) -> None:
        raise RuntimeError("not listening")

    node = Node(
        NodeOptions(rule_files=(str(rules),), listen=""),
        clock=clock,
        on_transition=broken,
        on_alerts=broken,
    )
    node.add_source("app", lambda: "m 1\n", 15_000)
    async with node:
        await clock.advance(700)
        assert [row.state for row in node.snapshot().alerts] == ["firing"]
    assert "on_transition failed" in caplog.text
    assert "an alert callback failed" in caplog.text


# The wall clock is set --------------------------------------------------------------------------------


STEPS = [HOUR_MS, -HOUR_MS, 56 * 365 * 24 * HOUR_MS, 61_234]


@pytest.mark.parametrize("step_ms", STEPS)
async def test_a_pending_alert_neither_fires_nor_resolves_because_the_clock_is_set(
    world: World, clock: FakeClock, step_ms: int
) -> None:
    world.m = 3.0
    async with world.node:
        await clock.advance(120)
        assert world.states == [("Low", "pending")]
        clock.step_ms = step_ms
        await clock.advance(150)
        assert world.states == [("Low", "pending")]
        await clock.advance(90)
        assert world.states == [("Low", "pending"), ("Low", "firing")]
        (row,) = world.node.snapshot().alerts
        assert 300_000 <= clock.wall_ms() - row.active_at_ms <= 375_000
    assert {alert.starts_at_ms > START_MS + step_ms for alert in world.alerts} == {True}


@pytest.mark.parametrize("step_ms", STEPS)
async def test_a_firing_alert_goes_on_and_ends_when_its_condition_does(
    world: World, clock: FakeClock, step_ms: int
) -> None:
    world.m = 3.0
    async with world.node:
        await clock.advance(420)
        clock.step_ms = step_ms
        await clock.advance(120)
        assert world.states == [("Low", "pending"), ("Low", "firing")]
        world.m = 9.0
        await clock.advance(60)
        assert world.states[2:] == [("Low", "resolved")]


@pytest.mark.parametrize("step_ms", STEPS)
async def test_history_is_continuous_through_a_step(world: World, clock: FakeClock, step_ms: int) -> None:
    async with world.node:
        await clock.advance(300)
        clock.step_ms = step_ms
        await clock.advance(300)
        now = clock.wall_ms() / 1000
        counted = (await world.node.query("count_over_time(m[10m])", now)).samples()[0][1]
        rates = (await world.node.query_range("rate(steps_total[2m]) * 15", now - 420, now, 15)).values
        assert counted == world.scrapes
        assert rates.min() == pytest.approx(3.0, rel=0.02)
        assert rates.max() == pytest.approx(3.0, rel=0.02)
        assert world.node.db.max_time_ms <= clock.wall_ms()
        steps = [each for each in world.node.registry.collect() if each.name == "zseval_clock_steps_total"]
        assert steps[0].samples[0][1] == 1


async def test_a_clock_that_drifts_is_followed_without_moving_anything(
    world: World, clock: FakeClock
) -> None:
    async with world.node:
        for _ in range(10):
            await clock.advance(30)
            clock.step_ms += 40
        counted = (await world.node.query("count_over_time(m[10m])")).samples()[0][1]
        assert counted == world.scrapes
        assert world.states == []


async def test_a_scrape_that_is_under_way_when_the_clock_is_set_is_stamped_by_the_new_time(
    clock: FakeClock, rules: Path
) -> None:
    """The source answers only after the step was followed."""
    answer = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow() -> str:
        asyncio.run_coroutine_threadsafe(answer.wait(), loop).result(20)
        return "m 1\n"

    node = Node(NodeOptions(rule_files=(), listen=""), clock=clock)
    node.add_source("app", slow, 15_000)
    async with node:
        await clock.advance(15)
        clock.step_ms = -HOUR_MS
        await clock.advance(2)
        answer.set()
        await until(lambda: node.db.status(0).num_series > 0)
        assert node.db.max_time_ms <= clock.wall_ms()
        assert node.db.max_time_ms >= clock.wall_ms() - 17_000


# Configuration ----------------------------------------------------------------------------------------


async def test_a_good_reload_goes_over_and_keeps_alerts(world: World, clock: FakeClock, rules: Path) -> None:
    world.m = 3.0
    async with world.node:
        await clock.advance(120)
        write(rules, RULES + "  - {record: twice, expr: m * 2}\n")
        await world.node.reload()
        await clock.advance(60)
        assert world.states == [("Low", "pending")]
        assert (await world.node.query("twice")).samples()[0][1] == 6.0
        assert world.node.snapshot().rules == 3


async def test_a_bad_reload_says_why_and_the_old_rules_go_on(
    world: World, clock: FakeClock, rules: Path
) -> None:
    world.m = 3.0
    async with world.node:
        await clock.advance(120)
        write(rules, RULES.replace("m < 5", "m <"))
        with pytest.raises(ConfigError, match=r"rules\.yml"):
            await world.node.reload()
        assert "rules.yml" in world.node.snapshot().config_error
        await clock.advance(360)
        assert world.states == [("Low", "pending"), ("Low", "firing")]
        write(rules, RULES)
        await world.node.reload()
        assert world.node.snapshot().config_error == ""


async def test_rules_that_are_gone_resolve(world: World, clock: FakeClock, rules: Path) -> None:
    world.m = 3.0
    async with world.node:
        await clock.advance(420)
        write(rules, "groups: []")
        await world.node.reload()
        assert world.states[-1] == ("Low", "resolved")
        assert world.alerts[-1].is_resolved_at(clock.wall_ms())


async def test_a_reload_after_the_end_does_nothing(world: World) -> None:
    async with world.node:
        await settle()
    await world.node.reload()
    await world.node.stop()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (NodeOptions(rule_files=("none.yml",)), "none.yml"),
        (NodeOptions(config_file="none.yml"), "none.yml"),
        (NodeOptions(lookback="soon"), "lookback"),
        (NodeOptions(retention="long"), "retention"),
        (NodeOptions(query_timeout="x"), "query timeout"),
        (NodeOptions(targets=("ftp://x",)), "not an http"),
    ],
)
def test_options_that_cannot_be_used_are_refused_before_anything_runs(
    options: NodeOptions, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Node(options)


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:x", "127.0.0.1:99999"])
async def test_an_address_that_is_none_is_refused(listen: str) -> None:
    with pytest.raises(ConfigError):
        await Node(NodeOptions(listen=listen)).start()


async def test_an_address_that_is_taken_is_refused_and_nothing_runs() -> None:
    async with Node(NodeOptions(listen="127.0.0.1:0")) as node:
        second = Node(NodeOptions(listen=node.address))
        with pytest.raises(ConfigError, match="cannot listen on"):
            await second.start()


# As part of a program ---------------------------------------------------------------------------------


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in the program under test
            await asyncio.sleep(0.02)


def test_a_node_that_stops_while_it_is_asked_for_its_address_still_answers() -> None:
    node = Node(NodeOptions())

    class Runner:
        @property
        def addresses(self) -> list[tuple[str, int]]:
            node._runner = None  # as another thread does it, at the worst moment
            return [("127.0.0.1", 9090)]

    node._runner = cast(web.AppRunner, Runner())
    assert node.address == "127.0.0.1:9090"


async def test_a_prometheus_client_registry_is_a_target(tmp_path: Path) -> None:
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.Gauge("pressure", "Of the boiler.", ["side"], registry=registry).labels("left").set(2.5)
    rules = tmp_path / "rules.yml"
    write(rules, "groups: [{name: g, interval: 100ms, rules: [{alert: Pressure, expr: pressure > 1}]}]")
    heard: list[Alert] = []

    def hear(alerts: Sequence[Alert]) -> None:
        heard.extend(alerts)

    node = Node(NodeOptions(rule_files=(str(rules),), listen="127.0.0.1:0"), on_alerts=hear)
    node.add_source("boiler", registry, 100)
    async with node:
        await until(lambda: bool(heard))
        address = node.address
        (sample,) = (await node.query("pressure")).samples()
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://{address}/api/v1/alerts") as response,
        ):
            answer = await response.json()
    assert sample[0].to_dict() == {
        "__name__": "pressure",
        "side": "left",
        "job": "boiler",
        "instance": "boiler",
    }
    assert answer["data"]["alerts"][0]["labels"]["alertname"] == "Pressure"
    assert heard[0].generator_url == f"http://{address}/graph?g0.expr=pressure+%3E+1&g0.tab=1"


async def test_once_scrapes_and_evaluates_with_nobody_waiting_for_for(
    clock: FakeClock, rules: Path, inline: None
) -> None:
    world = World(clock, rules)
    world.m = 3.0
    await world.node.once()
    assert world.scrapes == 1
    assert [(row.name, row.state) for row in world.node.snapshot().alerts] == [("Low", "firing")]
    assert [alert.name for alert in world.alerts] == ["Low"]


async def test_a_subquery_without_a_step_takes_the_evaluation_interval_of_the_file(
    tmp_path: Path, clock: FakeClock
) -> None:
    file = write(tmp_path / "prometheus.yml", "global: {evaluation_interval: 10s}\n")
    node = Node(NodeOptions(config_file=str(file), listen=""), clock=clock)
    await node.start()
    try:
        assert node.engine.default_step_ms == 10_000
        write(file, "global: {evaluation_interval: 20s}\n")
        await node.reload()
        assert node.engine.default_step_ms == 20_000
    finally:
        await node.stop()
