"""Services: what the HTTP API needs of the rest, and the views it shows.

The API knows nothing of scrape loops, rule groups or notifiers; whoever composes a node fills this
in. Views are plain values, made when asked for. Times are int64 ms, 0 for "never".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from zseval.model.labels import Labels

if TYPE_CHECKING:
    from zseval.metrics import Registry
    from zseval.model.matcher import Matcher
    from zseval.model.metadata import Metadata
    from zseval.promql.exec.limits import CancelToken
    from zseval.promql.explain.explanation import Explanation
    from zseval.promql.plan.request import Evaluation
    from zseval.promql.result import Result
    from zseval.remote.protocol import Answer
    from zseval.tsdb.exemplars import ExemplarRing
    from zseval.tsdb.frame import Selection
    from zseval.tsdb.status import HeadStatus

__all__ = [
    "AlertView",
    "AlertmanagersView",
    "BuildInfo",
    "Database",
    "DroppedTargetView",
    "QueryEngine",
    "RemoteWriteReceiver",
    "RuleGroupView",
    "RuleView",
    "RuntimeInfo",
    "Services",
    "TargetView",
]


@dataclass(frozen=True, slots=True)
class TargetView:
    """One active target. health: up, down or unknown.  metadata: by metric family, as last scraped."""

    scrape_pool: str
    scrape_url: str
    labels: Labels
    discovered_labels: Labels
    health: str = "unknown"
    last_error: str = ""
    last_scrape_ms: int = 0
    last_scrape_duration_s: float = 0.0
    scrape_interval_ms: int = 60_000
    scrape_timeout_ms: int = 10_000
    metadata: Mapping[str, Metadata] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DroppedTargetView:
    """A target that relabelling dropped."""

    scrape_pool: str
    discovered_labels: Labels


@dataclass(frozen=True, slots=True)
class AlertView:
    """state: pending or firing.  keep_firing_since_ms: since when only keep_firing_for holds it up."""

    labels: Labels
    annotations: Labels
    state: str
    active_at_ms: int
    value: float
    keep_firing_since_ms: int = 0


@dataclass(frozen=True, slots=True)
class RuleView:
    """One rule. is_alerting tells which kind; the alerting fields are empty for a recording rule.

    state: inactive, pending, firing or unknown.  health: ok, err or unknown.
    """

    name: str
    query: str
    is_alerting: bool
    labels: Labels = Labels()
    health: str = "unknown"
    last_error: str = ""
    evaluation_time_s: float = 0.0
    last_evaluation_ms: int = 0
    annotations: Labels = Labels()
    state: str = "unknown"
    hold_s: float = 0.0
    keep_firing_s: float = 0.0
    alerts: Sequence[AlertView] = ()


@dataclass(frozen=True, slots=True)
class RuleGroupView:
    name: str
    file: str
    interval_s: float
    rules: Sequence[RuleView]
    limit: int = 0
    evaluation_time_s: float = 0.0
    last_evaluation_ms: int = 0


@dataclass(frozen=True, slots=True)
class AlertmanagersView:
    """URLs alerts are posted to, and of those that relabelling dropped."""

    active: Sequence[str] = ()
    dropped: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """version is that of the Prometheus whose API this is, because clients decide by it.

    No `features`: Grafana takes a server that names any for Mimir.
    """

    version: str = "3.14.0"
    revision: str = ""
    branch: str = ""
    build_user: str = ""
    build_date: str = ""
    go_version: str = ""


@dataclass(frozen=True, slots=True)
class RuntimeInfo:
    start_ms: int
    working_directory: str
    hostname: str
    reload_succeeded: bool
    last_config_ms: int
    series: int
    storage_retention: str
    threads: int
    processors: int


class Database(Protocol):
    """What the API reads of the store, from worker threads.

    Ranges are `start <= t <= end`, but for select, which is left-open.
    """

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Selection: ...
    def series(
        self, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[Labels]: ...
    def label_names(
        self, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]: ...
    def label_values(
        self, name: str, matcher_sets: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int
    ) -> list[str]: ...
    def status(self, limit: int = 10) -> HeadStatus: ...


class QueryEngine(Protocol):
    """The engine; called from worker threads."""

    def instant_at(
        self,
        expr: str,
        time_ms: int,
        *,
        lookback_ms: int | None = None,
        timeout: float | None = None,
        cancel: CancelToken | None = None,
        stats: bool = False,
    ) -> Result: ...
    def range_at(
        self,
        expr: str,
        start_ms: int,
        end_ms: int,
        step_ms: int,
        *,
        lookback_ms: int | None = None,
        timeout: float | None = None,
        cancel: CancelToken | None = None,
        stats: bool = False,
    ) -> Result: ...
    def explain_at(
        self,
        expr: str,
        evaluation: Evaluation,
        time_ms: int,
        *,
        lookback_ms: int | None = None,
        timeout: float | None = None,
        cancel: CancelToken | None = None,
    ) -> Explanation: ...


class RemoteWriteReceiver(Protocol):
    """What takes remote writes; called from one thread."""

    @property
    def max_body_bytes(self) -> int: ...
    def receive(self, body: bytes, content_type: str = "", encoding: str = "") -> Answer: ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything behind the API. Callables are called on the event loop and must not block it.

    scrape_pools: every pool, and how many targets relabelling dropped from it (more than are listed, where
    keep_dropped_targets says so).
    reload raises ConfigError where the new configuration cannot be used; the old one then goes on.
    features: PromQL features switched on, for parsing.  timeout: seconds a query may take.
    exemplars: where they are kept, None where that is off.  remote_write: likewise.
    listen_address: `host:port`, to tell our own target from others in globalUrl.
    """

    db: Database
    engine: QueryEngine
    registry: Registry
    targets: Callable[[], Sequence[TargetView]]
    dropped_targets: Callable[[], Sequence[DroppedTargetView]]
    scrape_pools: Callable[[], Mapping[str, int]]
    rule_groups: Callable[[], Sequence[RuleGroupView]]
    alertmanagers: Callable[[], AlertmanagersView]
    config_text: Callable[[], str]
    external_labels: Callable[[], Labels]
    runtime: Callable[[], RuntimeInfo]
    is_ready: Callable[[], bool]
    reload: Callable[[], Awaitable[None]]
    quit: Callable[[], None]
    now_ms: Callable[[], int]
    flags: Mapping[str, str] = field(default_factory=dict)
    build: BuildInfo = BuildInfo()
    external_url: str = "http://localhost:9090/"
    listen_address: str = "127.0.0.1:9090"
    lookback_ms: int = 5 * 60_000
    timeout: float = 120.0
    max_concurrency: int = 20
    features: frozenset[str] = frozenset()
    exemplars: ExemplarRing | None = None
    remote_write: RemoteWriteReceiver | None = None
    enable_lifecycle: bool = False
    cors_origin: str = ".*"
