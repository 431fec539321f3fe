"""Views: the parts of a node as the HTTP API and the terminal show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zseval.metrics import Registry
from zseval.model.labels import Labels
from zseval.node.snapshot import AlertRow, Snapshot, TargetRow, Transition
from zseval.notify.manager import NotifierManager
from zseval.rules.evaluate import GroupResult, GroupState, RuleState
from zseval.rules.rule import AlertingRule
from zseval.rules.state import ActiveAlert, AlertState
from zseval.scrape.manager import ScrapeManager
from zseval.tsdb.db import TSDB
from zseval.web.services import (
    AlertmanagersView,
    AlertView,
    DroppedTargetView,
    RuleGroupView,
    RuleView,
    TargetView,
)

__all__ = [
    "alertmanagers",
    "dropped_targets",
    "rule_groups",
    "snapshot",
    "targets",
    "transitions",
    "watch_store",
]


def targets(scrape: ScrapeManager) -> list[TargetView]:
    return [
        TargetView(
            scrape_pool=target.job,
            scrape_url=target.url,
            labels=target.labels,
            discovered_labels=target.discovered,
            health=target.status.health.value,
            last_error=target.status.last_error,
            last_scrape_ms=target.status.last_scrape_ms,
            last_scrape_duration_s=target.status.last_duration_s,
            scrape_interval_ms=target.interval_ms,
            scrape_timeout_ms=target.timeout_ms,
            metadata=metadata,
        )
        for target, metadata in scrape.metadata()
    ]


def dropped_targets(scrape: ScrapeManager) -> list[DroppedTargetView]:
    return [DroppedTargetView(dropped.job, dropped.discovered) for dropped in scrape.dropped_targets()]


def alertmanagers(notifier: NotifierManager) -> AlertmanagersView:
    return AlertmanagersView(notifier.active, notifier.dropped)


def rule_groups(groups: Sequence[GroupState]) -> list[RuleGroupView]:
    return [
        RuleGroupView(
            name=state.group.name,
            file=state.group.file,
            interval_s=state.group.interval_ms / 1000,
            rules=[_rule(rule, state.group.labels) for rule in state.rules],
            limit=state.group.limit,
            evaluation_time_s=state.evaluation_s,
            last_evaluation_ms=state.last_evaluation_ms,
        )
        for state in groups
    ]


def _rule(state: RuleState, group_labels: Labels) -> RuleView:
    rule = state.rule
    view = RuleView(
        name=rule.name,
        query=rule.text,
        is_alerting=state.book is not None,
        labels=group_labels.merged(rule.labels),
        health=state.health,
        last_error=state.last_error,
        evaluation_time_s=state.evaluation_s,
        last_evaluation_ms=state.last_evaluation_ms,
    )
    if not isinstance(rule, AlertingRule) or state.book is None:
        return view
    return replace(
        view,
        annotations=rule.annotations,
        state=state.book.state.value if state.last_evaluation_ms else "unknown",  # as upstream
        hold_s=rule.hold_ms / 1000,
        keep_firing_s=rule.keep_firing_ms / 1000,
        alerts=[_alert(alert) for alert in state.book.active],
    )


def _alert(alert: ActiveAlert) -> AlertView:
    return AlertView(
        labels=alert.labels,
        annotations=alert.annotations,
        state=alert.state.value,
        active_at_ms=alert.active_at_ms,
        value=alert.value,
        keep_firing_since_ms=alert.keep_firing_since_ms,
    )


def transitions(result: GroupResult) -> list[Transition]:
    """What changed at an evaluation, in the words a person uses: an alert that was firing is resolved."""
    return [
        Transition(
            at_ms=result.time_ms,
            name=change.labels.get("alertname"),
            labels=change.labels,
            before=change.before.value,
            after=_ended(change.before) if change.after is AlertState.INACTIVE else change.after.value,
            value=change.value,
            summary=change.annotations.get("summary"),
        )
        for change in result.changes
    ]


def _ended(before: AlertState) -> str:
    return "resolved" if before is AlertState.FIRING else AlertState.INACTIVE.value


def snapshot(
    now_ms: int,
    db: TSDB,
    scrape: ScrapeManager,
    groups: Sequence[GroupState],
    notifier: NotifierManager,
    config_error: str,
) -> Snapshot:
    status = db.status(0)
    rules = [rule for group in groups for rule in group.rules]
    return Snapshot(
        now_ms=now_ms,
        series=status.num_series,
        store_bytes=status.sealed_bytes + status.open_bytes + status.index_bytes,
        targets=tuple(
            TargetRow(
                job=target.job,
                instance=target.labels.get("instance"),
                url=target.url,
                health=target.status.health.value,
                error=target.status.last_error,
                last_scrape_ms=target.status.last_scrape_ms,
                duration_s=target.status.last_duration_s,
                samples=target.status.last_samples,
            )
            for target in scrape.active_targets()
        ),
        groups=len(groups),
        rules=len(rules),
        rule_errors=tuple(f"{rule.rule.name}: {rule.last_error}" for rule in rules if rule.health == "err"),
        alerts=tuple(
            AlertRow(
                name=alert.labels.get("alertname"),
                state=alert.state.value,
                severity=alert.labels.get("severity"),
                labels=alert.labels,
                value=alert.value,
                active_at_ms=alert.active_at_ms,
                summary=alert.annotations.get("summary"),
            )
            for rule in rules
            if rule.book is not None
            for alert in rule.book.active
        ),
        alertmanagers=notifier.active,
        config_error=config_error,
    )


def watch_store(registry: Registry, db: TSDB) -> None:
    """Gauges of the store, read when somebody asks."""

    def watch(name: str, help_text: str, field: str) -> None:
        registry.watch(name, help_text, lambda: float(getattr(db.status(0), field)))

    watch("prometheus_tsdb_head_series", "Total number of series in the head block.", "num_series")
    watch("prometheus_tsdb_head_chunks", "Total number of chunks in the head block.", "chunk_count")
    watch("zseval_store_samples", "Samples held in memory.", "samples")
    watch("zseval_store_sealed_bytes", "Bytes of sealed blocks.", "sealed_bytes")
    watch("zseval_store_open_bytes", "Bytes of open blocks.", "open_bytes")
    watch("zseval_store_index_bytes", "Bytes of the label index.", "index_bytes")
