"""Node: everything zseval does, in one object, inside the running event loop.

    async with Node(NodeOptions(rule_files=("rules.yml",), targets=("localhost:8080",))) as node:
        ...
        result = await node.query("up == 0")

It installs no signal handler and configures no logging; the program it runs in decides that.

Time is the machine's as long as that only drifts. When its wall clock is set, the node moves all it keeps
by as much: samples, alerts and what waits to be told. History stays continuous, so that no alert fires or
resolves because of it, and a node that boots without knowing the time loses nothing when it learns it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from zseval import __version__
from zseval.clock import Clock, SteadyClock, SystemClock
from zseval.config.settings import Config
from zseval.errors import ConfigError, ZsevalError
from zseval.metrics import Registry
from zseval.model.alert import Alert
from zseval.model.duration import DurationError, format_duration, parse_duration
from zseval.node import views
from zseval.node.options import NODE_FEATURES, NodeOptions, effective_config, max_exemplars
from zseval.node.process import give_back_memory, watch_process
from zseval.node.rule_loops import RuleLoops
from zseval.node.snapshot import Snapshot, Transition
from zseval.notify.manager import NotifierManager
from zseval.promql.engine import Engine
from zseval.remote.protocol import require_packages
from zseval.rules.evaluate import GroupResult, GroupState, Surroundings
from zseval.rules.rule import AlertingRule, Group
from zseval.rules.templates import expander
from zseval.scrape.inprocess import Source
from zseval.scrape.manager import ScrapeManager
from zseval.tsdb.db import TSDB
from zseval.web.services import RuntimeInfo, Services

if TYPE_CHECKING:
    from aiohttp import web

    from zseval.promql.result import Result
    from zseval.promql.syntax.ast import Expr
    from zseval.remote.receiver import Receiver

__all__ = ["Node"]

_RETENTION = "15d"
_LOOKS_A_TRIM, _FIRST_TRIM = 60, 15  # once the first pages were read, and each minute from there on
_WARM_UP_AFTER_S = 0.1  # whoever polls for readiness is answered first
_LOOK_AT_CLOCK_S = 1.0  # a step is noticed within so much; samples until then bear the time before it

_log = logging.getLogger(__name__)


class Node:
    """Scrapes, stores, evaluates, tells and serves, from `start` to `stop`.

    on_transition: called with each alert that changes its state.  on_alerts: called with the alerts as
    they are sent out.  clock: where time comes from.
    All methods are for one event loop; `db`, `engine` and `registry` may be used from any thread. Raises
    ConfigError where the options or the files they name cannot be used.
    """

    def __init__(
        self,
        options: NodeOptions,
        *,
        clock: Clock | None = None,
        on_transition: Callable[[Transition], None] | None = None,
        on_alerts: Callable[[Sequence[Alert]], None] | None = None,
    ) -> None:
        self.options = options
        self.on_quit: Callable[[], None] = _nobody_listens
        self._lookback_ms = _duration("lookback", options.lookback)
        self._timeout_s = _duration("query timeout", options.query_timeout) / 1000
        self._config, self._groups = _load(options)
        self._config_error = ""
        self._clock = SteadyClock(clock or SystemClock())
        self._started_ms = self._config_ms = self._clock.wall_ms()
        self._on_transition = on_transition
        self._retention = options.retention or self._config.storage_retention or _RETENTION
        self.registry = Registry()
        _duration("retention", self._retention)
        self.db = TSDB(
            self._retention,
            retention_bytes=self._config.storage_retention_bytes or options.memory_bytes,
            max_exemplars=max_exemplars(options, self._config),
        )
        self.engine = Engine(
            self.db,
            options.lookback,
            features=options.features - NODE_FEATURES,
            max_samples=options.max_samples,
            timeout=self._timeout_s,
            default_step=format_duration(self._config.global_.evaluation_interval_ms),
        )
        self.scrape = ScrapeManager(self.db, self._clock, registry=self.registry)
        callbacks = [on_alerts] if on_alerts is not None else []
        self.notifier = NotifierManager(self._clock, registry=self.registry, callbacks=callbacks)
        self.rules = RuleLoops(self._clock, self._tell, self.registry)
        self._receiver = self._make_receiver() if options.enable_remote_write else None
        self._queries = ThreadPoolExecutor(2, thread_name_prefix="zseval-query")
        self._runner: web.AppRunner | None = None
        self._ready = False
        self._stopped = False
        self._changing = asyncio.Lock()  # held while what runs is replaced, moved or ended
        self._clock_watch: asyncio.Task[None] | None = None
        self._warm_up: asyncio.Task[None] | None = None
        self._clock_steps = self.registry.counter(
            "zseval_clock_steps_total", "How often the wall clock was set, and everything kept moved with it."
        )
        self._template_failures = self.registry.counter(
            "prometheus_template_text_expansion_failures_total",
            "The total number of template text expansion failures.",
        )
        self._reload_ok = self.registry.gauge(
            "prometheus_config_last_reload_successful",
            "Whether the last configuration reload attempt was successful.",
        )
        self._reload_time = self.registry.gauge(
            "prometheus_config_last_reload_success_timestamp_seconds",
            "Timestamp of the last successful configuration reload.",
        )
        self._note_reload()
        self.registry.gauge(
            "zseval_build_info", "The version of zseval; the value is always 1.", "version"
        ).set(1.0, __version__)
        views.watch_store(self.registry, self.db)
        watch_process(self.registry)

    async def __aenter__(self) -> Node:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Begin. Raises ConfigError where the address to listen on cannot be had; nothing runs then."""
        try:
            async with self._changing:
                await self._serve()
                await self._apply_notifier_and_rules()
                await self.scrape.start(self._config.scrape, self._config.global_.external_labels)
                self.rules.start()
        except BaseException:
            await self.stop()
            raise
        self._clock_watch = asyncio.create_task(self._watch_clock(), name="zseval clock")
        self._warm_up = asyncio.create_task(self._load_engine(), name="zseval warm-up")
        self._ready = True

    async def stop(self) -> None:
        """End everything, for good; alerts that still wait are sent, as far as a few seconds reach.

        Rules end before what they tell, and each part whatever becomes of the others.
        """
        self._ready = False
        background = [task for task in (self._clock_watch, self._warm_up) if task is not None]
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        async with self._changing, contextlib.AsyncExitStack() as parts:
            self._stopped = True
            parts.callback(self._queries.shutdown)
            parts.push_async_callback(self.notifier.stop)
            parts.push_async_callback(self.scrape.stop)
            parts.push_async_callback(self.rules.stop)
            if self._runner is not None:
                parts.push_async_callback(self._runner.cleanup)
                self._runner = None

    async def once(self) -> None:
        """Scrape every target and evaluate every rule exactly once, and end."""
        try:
            await self._apply_notifier_and_rules(hold=False)
            await self.scrape.prepare(self._config.scrape, self._config.global_.external_labels)
            await self.scrape.scrape_once()
            await self.rules.evaluate_all()
        finally:
            await self.stop()

    async def reload(self) -> None:
        """Read the files again and go over to what they say now.

        Raises ConfigError where they cannot be used: everything then goes on as it was.
        """
        async with self._changing:
            if self._stopped:
                return
            try:
                config, groups = await asyncio.to_thread(_load, self.options)
            except ConfigError as error:
                self._config_error = str(error)
                self._reload_ok.set(0.0)
                _log.error("reload failed, the old configuration goes on: %s", error)
                raise
            self._config, self._groups, self._config_error = config, groups, ""
            self.engine.default_step_ms = config.global_.evaluation_interval_ms
            self._note_reload()
            if self.db.exemplars is not None:
                self.db.exemplars.resize(config.max_exemplars)
            await self._apply_notifier_and_rules()
            await self.scrape.apply(config.scrape)
        _log.info("configuration loaded", extra={"fields": {"groups": len(groups)}})

    async def query(self, expr: str, time: float | None = None) -> Result:
        """An instant query in a worker thread; at this moment, or at Unix seconds. Raises PromQLError."""
        at = self._clock.wall_ms() if time is None else round(time * 1000)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._queries, partial(self.engine.instant_at, expr, at))

    async def query_range(self, expr: str, start: float, end: float, step: float) -> Result:
        """A range query in a worker thread; Unix seconds, step in seconds. Raises PromQLError."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._queries, partial(self.engine.range, expr, start, end, step))

    def add_source(
        self, name: str, source: Source, interval_ms: int = 15_000, labels: Mapping[str, str] | None = None
    ) -> None:
        """Scrape a prometheus_client registry or a callable in this program, as job and instance `name`."""
        self.scrape.add_source(name, source, interval_ms, labels)

    def now_ms(self) -> int:
        """The node's time: the wall clock's, but for a step that is not followed yet."""
        return self._clock.wall_ms()

    def snapshot(self) -> Snapshot:
        """What a person wants to know now."""
        now_ms = self._clock.wall_ms()
        return views.snapshot(
            now_ms, self.db, self.scrape, self.rules.groups, self.notifier, self._config_error
        )

    @property
    def address(self) -> str:
        """`host:port` served on, or "" where nothing is served."""
        runner = self._runner  # rules ask from their threads while the node stops
        if runner is None or not runner.addresses:
            return ""
        host, port, *_ = runner.addresses[0]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def external_url(self) -> str:
        """How others reach this node's pages."""
        return self.options.external_url or f"http://{self.address or 'localhost'}"

    async def _load_engine(self) -> None:
        """So that the first query need not; one that comes earlier waits for this import, in its thread."""
        await asyncio.sleep(_WARM_UP_AFTER_S)
        try:
            await asyncio.get_running_loop().run_in_executor(self._queries, self.engine.warm_up)
        except Exception:  # noqa: BLE001 - each query fails with it; scraping and receiving go on
            _log.exception("queries and rules cannot be evaluated")

    # The parts, joined

    async def _apply_notifier_and_rules(self, *, hold: bool = True) -> None:
        everywhere = self._config.global_
        await self.notifier.apply(self._config.alerting, everywhere.external_labels)
        surroundings = Surroundings(
            querier=_RuleQueries(self.engine, self.rules.called_off),
            store=self.db,
            expander=expander(
                self.engine, everywhere.external_labels, self.external_url, self._template_failures.inc
            ),
            generator_url=self._generator_url,
            query_offset_ms=everywhere.rule_query_offset_ms,
        )
        groups = self._groups if hold else [_without_hold(group) for group in self._groups]
        await self.rules.apply(groups, surroundings)

    def _tell(self, _group: GroupState, result: GroupResult) -> None:
        self.notifier.send(result.alerts)
        for transition in views.transitions(result):
            _log.info(
                "%s %s → %s",
                transition.name,
                transition.before,
                transition.after,
                extra={"fields": {"labels": transition.labels.without("alertname")}},
            )
            if self._on_transition is not None:
                try:
                    self._on_transition(transition)
                except Exception:  # noqa: BLE001 - somebody else's code; the other transitions are to be told
                    _log.exception("on_transition failed")

    def _generator_url(self, expression: str) -> str:
        from urllib.parse import quote_plus

        return f"{self.external_url}/graph?g0.expr={quote_plus(expression)}&g0.tab=1"

    def _note_reload(self) -> None:
        self._config_ms = self._clock.wall_ms()
        self._reload_ok.set(1.0)
        self._reload_time.set(self._config_ms / 1000)

    # The clock

    async def _watch_clock(self) -> None:
        looks = 0
        while True:
            await self._clock.sleep(_LOOK_AT_CLOCK_S)
            looks += 1
            if looks % _LOOKS_A_TRIM == _FIRST_TRIM:
                give_back_memory()
            try:
                if self._clock.step_ms():
                    await self._follow_clock()
            except Exception:  # noqa: BLE001 - it is tried again; until then, time goes on as it was
                _log.exception("the wall clock could not be followed")

    async def _follow_clock(self) -> None:
        """Go over to the wall clock, and move everything kept by as much as it was set."""
        async with self._changing, self.rules.paused():
            delta_ms = self._clock.follow()  # from here to the end of the block nothing else runs
            self.db.shift(delta_ms)
            self.rules.shift(delta_ms)
            self.scrape.shift(delta_ms)
            self.notifier.shift(delta_ms)
            self._started_ms += delta_ms
            self._config_ms += delta_ms
        self._clock_steps.inc()
        _log.warning("the wall clock was set by %+.1f s; samples and alerts moved with it", delta_ms / 1000)

    # HTTP

    async def _serve(self) -> None:
        if not self.options.listen:
            return
        from aiohttp import web

        from zseval.web.app import create_app
        from zseval.web.server import make_runner, split_address

        host, port = split_address(self.options.listen)
        runner = make_runner(create_app(self._services()))
        await runner.setup()
        self._runner = runner
        try:
            await web.TCPSite(runner, host or None, port).start()
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {self.options.listen}: {os.strerror(error.errno or 0)} "
                "(--listen takes another address)"
            ) from error

    def _make_receiver(self) -> Receiver:
        """Raises ConfigError where the packages it needs are not installed."""
        require_packages()
        from zseval.remote.receiver import Receiver

        return Receiver(
            self.db,
            self.registry,
            self._clock.wall_ms,
            max_decoded_bytes=self.options.remote_write_max_bytes,
            type_and_unit_labels="type-and-unit-labels" in self.options.features,
        )

    def _services(self) -> Services:
        options = self.options
        return Services(
            db=self.db,
            engine=self.engine,
            registry=self.registry,
            targets=lambda: views.targets(self.scrape),
            dropped_targets=lambda: views.dropped_targets(self.scrape),
            scrape_pools=self.scrape.dropped_counts,
            rule_groups=lambda: views.rule_groups(self.rules.groups),
            alertmanagers=lambda: views.alertmanagers(self.notifier),
            config_text=lambda: self._config.text,
            external_labels=lambda: self._config.global_.external_labels,
            runtime=self._runtime,
            is_ready=lambda: self._ready,
            reload=self.reload,
            quit=lambda: self.on_quit(),
            now_ms=self._clock.wall_ms,
            flags=_flags(options),
            external_url=f"{options.external_url or 'http://' + options.listen}/",
            listen_address=options.listen,
            lookback_ms=self._lookback_ms,
            timeout=self._timeout_s,
            max_concurrency=options.max_concurrency,
            features=options.features,
            exemplars=self.db.exemplars,
            remote_write=self._receiver,
            enable_lifecycle=options.enable_lifecycle,
            cors_origin=options.cors_origin,
        )

    def _runtime(self) -> RuntimeInfo:
        return RuntimeInfo(
            start_ms=self._started_ms,
            working_directory=os.getcwd(),  # noqa: PTH109 - a string is what the API shows
            hostname=socket.gethostname(),
            reload_succeeded=not self._config_error,
            last_config_ms=self._config_ms,
            series=self.db.status(0).num_series,
            storage_retention=self._retention,
            threads=threading.active_count(),
            processors=os.cpu_count() or 1,
        )


def _load(options: NodeOptions) -> tuple[Config, list[Group]]:
    """What the files say. Raises ConfigError, with every error of a file."""
    config = effective_config(options)
    interval_ms = config.global_.evaluation_interval_ms
    groups = [
        group for file in config.rule_files for group in _read_groups(file, interval_ms, options.features)
    ]
    return config, groups


def _read_groups(file: str, interval_ms: int, features: frozenset[str]) -> tuple[Group, ...]:
    from zseval.config.rule_files import read_rule_file

    try:
        return read_rule_file(file, interval_ms, features=features)
    except OSError as error:
        raise ConfigError(f"cannot read it: {error.strerror}", file=file) from error


class _RuleQueries:
    """The engine as rules use it: their queries end when the rules do."""

    def __init__(self, engine: Engine, called_off: threading.Event) -> None:
        self._engine = engine
        self._called_off = called_off

    def instant_at(self, expr: str | Expr, time_ms: int) -> Result:
        return self._engine.instant_at(expr, time_ms, cancel=self._called_off)


def _duration(what: str, text: str) -> int:
    """Milliseconds. Raises ConfigError."""
    try:
        return parse_duration(text)
    except DurationError as error:
        raise ConfigError(f"{what}: {error}") from error


def _without_hold(group: Group) -> Group:
    """The group as `once` evaluates it: what holds now is firing, since nobody waits for `for`."""
    rules = tuple(
        replace(rule, hold_ms=0) if isinstance(rule, AlertingRule) else rule for rule in group.rules
    )
    return replace(group, rules=rules)


def _flags(options: NodeOptions) -> dict[str, str]:
    values: dict[str, Any] = {
        "config.file": options.config_file,
        "web.listen-address": options.listen,
        "web.external-url": options.external_url,
        "web.enable-lifecycle": str(options.enable_lifecycle).lower(),
        "web.cors.origin": options.cors_origin,
        "web.enable-remote-write-receiver": str(options.enable_remote_write).lower(),
        "storage.tsdb.retention.time": options.retention or _RETENTION,
        "storage.tsdb.retention.size": options.memory_bytes,
        "query.lookback-delta": options.lookback,
        "query.timeout": options.query_timeout,
        "query.max-samples": options.max_samples,
        "query.max-concurrency": options.max_concurrency,
        "enable-feature": ",".join(sorted(options.features)),
    }
    return {name: str(value) for name, value in values.items()}


def _nobody_listens() -> None:
    raise ZsevalError("nobody handles /-/quit; the program has to set Node.on_quit")
