"""RuleLoops: each rule group on its interval, evaluated in a worker thread.

Due times are worked out once from the wall clock and then counted on the monotonic one, so a wall
clock that steps neither skips nor repeats an evaluation. Whatever goes wrong in an evaluation is logged
and counted; it ends no loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from zseval.clock import Clock, Moment
from zseval.metrics import Metric, Registry
from zseval.rules.evaluate import GroupResult, GroupState, Surroundings
from zseval.rules.rule import Group
from zseval.rules.schedule import last_due_ms, next_due_ms, offset_ms

__all__ = ["RuleLoops"]

_WORKERS = 4  # groups evaluated at once: one slow query must not make the other groups late
_PATIENCE_S = 5.0  # how long a stop waits for queries before it calls them off
_RETIRE_INTERVALS = 2  # a group that moved to another file has written its series again by then
_SLACK_MS = 100  # sleeping ends a little early or late; the evaluation's time is its due time all the same

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Loop:
    state: GroupState
    task: asyncio.Task[None] | None = None
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)


class RuleLoops:
    """All methods are for one event loop. tell: called there with the result of every evaluation.

    called_off: set when queries under way are to end; for whoever runs them.
    """

    def __init__(
        self, clock: Clock, tell: Callable[[GroupState, GroupResult], None], registry: Registry
    ) -> None:
        self.called_off = threading.Event()
        self._clock = clock
        self._tell = tell
        self._loops: dict[tuple[str, str], _Loop] = {}
        self._running = False
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="zseval-rules")
        self._retiring: set[asyncio.Task[None]] = set()
        self._counters = _Counters(registry)

    @property
    def groups(self) -> list[GroupState]:
        """By file and name."""
        return [loop.state for _, loop in sorted(self._loops.items())]

    async def apply(self, groups: Sequence[Group], surroundings: Surroundings) -> None:
        """Go over to these groups. Groups and rules that stay keep their alerts and series.

        Alerts of rules that are gone are told as resolved.
        """
        before, self._loops = self._loops, {}
        for group in groups:
            key = (group.file, group.name)
            loop = _Loop(GroupState(group, surroundings))
            older = before.pop(key, None)
            if older is not None:
                await self._halt(older)
                loop.state.take_over(older.state)
                self._report(older.state, older.state.resolve(self._clock.wall_ms()))
            self._loops[key] = loop
            self._counters.describe(group)
        for loop in before.values():
            await self._halt(loop)
            self._report(loop.state, loop.state.resolve(self._clock.wall_ms()))
            self._counters.forget(loop.state.group)
            task = asyncio.create_task(self._retire(loop.state), name=f"retire {loop.state.group.name}")
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
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
        """End after the evaluations that are under way; queries that take long are called off."""
        for task in self._retiring:
            task.cancel()
        off = asyncio.get_running_loop().call_later(_PATIENCE_S, self.called_off.set)
        try:
            await self._halt_all()
            await asyncio.gather(*self._retiring, return_exceptions=True)
        finally:
            off.cancel()
        self._workers.shutdown()

    async def evaluate_all(self) -> None:
        """Evaluate every group once, now."""
        for loop in self._loops.values():
            await self._evaluate(loop, aligned=False)

    @contextlib.asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """No evaluation is under way inside the block; afterwards, groups look for their due times anew."""
        was_running = self._running
        await self._halt_all()
        try:
            yield
        finally:
            if was_running:
                self.start()

    def shift(self, delta_ms: int) -> None:
        """Move what the groups remember of times, as when the clock was set; only while paused."""
        for loop in self._loops.values():
            loop.state.shift(delta_ms)

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
            try:
                await self._evaluate(loop, aligned=True)
            except Exception:  # noqa: BLE001 - whatever it is, the next evaluation may do better
                _log.exception("evaluation of group %s failed unexpectedly", group.name)
                self._counters.failures.inc(_key(group))
            late = max(0, int((self._clock.monotonic() - due) * 1000 // interval_ms))
            self._counters.ticks(group, late)
            if late:
                _log.warning("group %s takes longer than its interval, %d missed", group.name, late)
            tick += 1 + late

    async def _evaluate(self, loop: _Loop, *, aligned: bool) -> None:
        """aligned: at the latest due time, instead of now."""
        state = loop.state
        async with loop.busy:
            now_ms = self._clock.wall_ms()
            if aligned:
                interval_ms = state.group.interval_ms
                offset = offset_ms(state.group.file, state.group.name, interval_ms)
                now_ms = last_due_ms(now_ms + _SLACK_MS, interval_ms, offset)
            if now_ms <= state.last_evaluation_ms:
                return  # evaluated already: samples of that time exist
            evaluation = asyncio.get_running_loop().run_in_executor(self._workers, state.evaluate, now_ms)
            try:
                result = await asyncio.shield(evaluation)
            except asyncio.CancelledError:
                self._report(state, await evaluation)  # it runs to its end, and what it says is to be told
                raise
            self._report(state, result)

    def _report(self, state: GroupState, result: GroupResult) -> None:
        self._counters.note(state, result)
        for name, error in (*result.errors, *result.refused):
            _log.warning("rule %s of group %s failed: %s", name, state.group.name, error)
        try:
            self._tell(state, result)
        except Exception:  # noqa: BLE001 - who is told must not decide whether rules are evaluated
            _log.exception("telling of group %s failed", state.group.name)

    async def _halt_all(self) -> None:
        self._running = False
        await asyncio.gather(*(self._halt(loop) for loop in self._loops.values()))

    async def _halt(self, loop: _Loop) -> None:
        if loop.task is not None:
            loop.task.cancel()
            await asyncio.gather(loop.task, return_exceptions=True)
            loop.task = None

    async def _retire(self, state: GroupState) -> None:
        """End the series of a group that is gone, in a while: another group may write them by then.

        The markers bear the time of now, so that the store refuses those of series that go on.
        """
        removed = Moment.of(self._clock)
        if self._running:
            await self._clock.sleep(_RETIRE_INTERVALS * state.group.interval_ms / 1000)
        time_ms = removed.wall_ms + removed.moved_ms()
        await asyncio.get_running_loop().run_in_executor(self._workers, state.end, time_ms)


def _key(group: Group) -> str:
    return f"{group.file};{group.name}"


class _Counters:
    """What rule evaluation counts, under Prometheus' names."""

    def __init__(self, registry: Registry) -> None:
        def counter(name: str, help_text: str) -> Metric:
            return registry.counter(f"prometheus_rule_{name}_total", help_text, "rule_group")

        def gauge(name: str, help_text: str) -> Metric:
            return registry.gauge(f"prometheus_rule_group_{name}", help_text, "rule_group")

        self.evaluations = counter("evaluations", "The total number of rule evaluations.")
        self.failures = counter("evaluation_failures", "The total number of rule evaluation failures.")
        self.missed = counter(
            "group_iterations_missed",
            "The total number of rule group evaluations missed due to slow rule group evaluation.",
        )
        self.iterations = counter(
            "group_iterations",
            "The total number of scheduled rule group evaluations, whether executed or missed.",
        )
        self.interval = gauge("interval_seconds", "The interval of a rule group.")
        self.rules = gauge("rules", "The number of rules.")
        self.samples = gauge(
            "last_evaluation_samples", "The number of samples returned during the last rule group evaluation."
        )
        self.duration = gauge("last_duration_seconds", "The duration of the last rule group evaluation.")
        self.evaluated = gauge(
            "last_evaluation_timestamp_seconds",
            "The timestamp of the last rule group evaluation in seconds.",
        )

    def describe(self, group: Group) -> None:
        """A group that is there from now on."""
        key = _key(group)
        for metric in (self.evaluations, self.failures, self.missed, self.iterations):
            metric.inc(key, by=0)
        self.interval.set(group.interval_ms / 1000, key)
        self.rules.set(float(len(group.rules)), key)

    def forget(self, group: Group) -> None:
        """A group that is gone."""
        for metric in vars(self).values():
            metric.forget(_key(group))

    def ticks(self, group: Group, missed: int) -> None:
        self.iterations.inc(_key(group), by=1 + missed)
        self.missed.inc(_key(group), by=missed)

    def note(self, state: GroupState, result: GroupResult) -> None:
        key = _key(state.group)
        self.evaluations.inc(key, by=len(state.rules))
        self.failures.inc(key, by=len(result.errors))
        self.samples.set(float(result.samples), key)
        self.duration.set(state.evaluation_s, key)
        self.evaluated.set(result.time_ms / 1000, key)
