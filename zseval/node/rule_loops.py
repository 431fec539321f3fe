"""RuleLoops: each rule group on its interval, evaluated in a worker thread.

Due times are worked out once from the wall clock and then counted on the monotonic one, so a wall
clock that steps neither skips nor repeats an evaluation.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from zseval.clock import Clock
from zseval.metrics import Registry
from zseval.rules.evaluate import GroupResult, GroupState, Surroundings
from zseval.rules.rule import Group
from zseval.rules.schedule import last_due_ms, next_due_ms, offset_ms

__all__ = ["RuleLoops"]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Loop:
    state: GroupState
    task: asyncio.Task[None] | None = None
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)


class RuleLoops:
    """All methods are for one event loop. tell: called there with the result of every evaluation."""

    def __init__(
        self, clock: Clock, tell: Callable[[GroupState, GroupResult], None], registry: Registry
    ) -> None:
        self._clock = clock
        self._tell = tell
        self._loops: dict[tuple[str, str], _Loop] = {}
        self._running = False
        self._workers = ThreadPoolExecutor(1, thread_name_prefix="zseval-rules")
        self._counters = _Counters(registry)

    @property
    def groups(self) -> list[GroupState]:
        """By file and name."""
        return [loop.state for _, loop in sorted(self._loops.items())]

    async def apply(self, groups: Sequence[Group], surroundings: Surroundings) -> None:
        """Go over to these groups. Groups and rules that stay keep their alerts and series."""
        before, self._loops = self._loops, {}
        for group in groups:
            key = (group.file, group.name)
            loop = _Loop(GroupState(group, surroundings))
            older = before.get(key)
            if older is not None:
                await self._halt(older)
                loop.state.take_over(older.state)
            self._loops[key] = loop
        for loop in before.values():
            await self._halt(loop)
            await self._end(loop)
        if self._running:
            self.start()

    def start(self) -> None:
        """Run every group on its interval from now on."""
        self._running = True
        for loop in self._loops.values():
            if loop.task is None:
                name = f"rules {loop.state.group.name}"
                loop.task = asyncio.create_task(self._run(loop), name=name)

    async def stop(self) -> None:
        """End after the evaluations that are under way."""
        self._running = False
        for loop in self._loops.values():
            await self._halt(loop)
        self._workers.shutdown()

    async def evaluate_all(self) -> None:
        """Evaluate every group once, now."""
        for loop in self._loops.values():
            await self._evaluate(loop, self._clock.wall_ms())

    async def _run(self, loop: _Loop) -> None:
        group = loop.state.group
        interval_ms = group.interval_ms
        offset = offset_ms(group.file, group.name, interval_ms)
        now_ms, started = self._clock.wall_ms(), self._clock.monotonic()
        first = next_due_ms(now_ms, interval_ms, offset) - now_ms  # ms from `started`
        tick = 0
        while True:
            due = started + (first + tick * interval_ms) / 1000
            await self._clock.sleep(due - self._clock.monotonic())
            await self._evaluate(loop, last_due_ms(self._clock.wall_ms() + _SLACK_MS, interval_ms, offset))
            late = int((self._clock.monotonic() - due) * 1000 // interval_ms)
            if late > 0:
                _log.warning("group %s takes longer than its interval, %d missed", group.name, late)
                self._counters.missed.inc(_key(loop.state), by=late)
            tick += 1 + late

    async def _evaluate(self, loop: _Loop, now_ms: int) -> None:
        async with loop.busy:
            if now_ms <= loop.state.last_evaluation_ms:
                return  # the wall clock was held back; samples of that time exist already
            evaluation = asyncio.get_running_loop().run_in_executor(
                self._workers, loop.state.evaluate, now_ms
            )
            try:
                result = await asyncio.shield(evaluation)
            except asyncio.CancelledError:
                await evaluation  # it cannot be interrupted, and its samples are half written
                raise
        self._counters.note(loop.state, result)
        for name, error in result.errors:
            _log.warning("rule %s of group %s failed: %s", name, loop.state.group.name, error)
        self._tell(loop.state, result)

    async def _halt(self, loop: _Loop) -> None:
        if loop.task is not None:
            loop.task.cancel()
            await asyncio.gather(loop.task, return_exceptions=True)
            loop.task = None

    async def _end(self, loop: _Loop) -> None:
        now_ms = self._clock.wall_ms()
        alerts = await asyncio.get_running_loop().run_in_executor(self._workers, loop.state.end, now_ms)
        self._tell(loop.state, GroupResult(now_ms, alerts))


_SLACK_MS = 100  # sleeping ends a little early or late; the evaluation's time is its due time all the same


def _key(state: GroupState) -> str:
    return f"{state.group.file};{state.group.name}"


class _Counters:
    """What rule evaluation counts, under Prometheus' names."""

    def __init__(self, registry: Registry) -> None:
        self.evaluations = registry.counter(
            "prometheus_rule_evaluations_total", "The total number of rule evaluations.", "rule_group"
        )
        self.failures = registry.counter(
            "prometheus_rule_evaluation_failures_total",
            "The total number of rule evaluation failures.",
            "rule_group",
        )
        self.missed = registry.counter(
            "prometheus_rule_group_iterations_missed_total",
            "The total number of rule group evaluations missed due to slow rule group evaluation.",
            "rule_group",
        )
        self.samples = registry.gauge(
            "prometheus_rule_group_last_evaluation_samples",
            "The number of samples returned during the last rule group evaluation.",
            "rule_group",
        )
        self.duration = registry.gauge(
            "prometheus_rule_group_last_duration_seconds",
            "The duration of the last rule group evaluation.",
            "rule_group",
        )

    def note(self, state: GroupState, result: GroupResult) -> None:
        key = _key(state)
        self.evaluations.inc(key, by=len(state.rules))
        self.failures.inc(key, by=len(result.errors))
        self.missed.inc(key, by=0)
        self.samples.set(float(result.samples), key)
        self.duration.set(state.evaluation_s, key)
