"""What rules and scraping keep, as the API shows it. Called on the event loop; takes no locks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zseval.model.labels import Labels
from zseval.model.metadata import Metadata
from zseval.rules.alerts import AlertBook
from zseval.rules.evaluate import GroupState, RuleState
from zseval.rules.rule import AlertingRule, Group
from zseval.scrape.target import DroppedTarget, Target
from zseval.web.services import AlertView, DroppedTargetView, RuleGroupView, RuleView, TargetView

__all__ = ["dropped_target_views", "rule_group_views", "target_views"]


_NO_LABELS = Labels()


def rule_group_views(states: Iterable[GroupState]) -> tuple[RuleGroupView, ...]:
    """The groups in the order given, which should be that of files and names."""
    return tuple(_group(state) for state in states)


def _group(state: GroupState) -> RuleGroupView:
    group = state.group
    return RuleGroupView(
        name=group.name,
        file=group.file,
        interval_s=group.interval_ms / 1000,
        rules=tuple(_rule(group, rule) for rule in state.rules),
        limit=group.limit,
        evaluation_time_s=state.evaluation_s,
        last_evaluation_ms=state.last_evaluation_ms,
    )


def _rule(group: Group, state: RuleState) -> RuleView:
    rule = state.rule
    is_alerting = isinstance(rule, AlertingRule)
    return RuleView(
        name=rule.name,
        query=rule.text,
        is_alerting=is_alerting,
        labels=group.labels.merged(rule.labels),
        health=state.health,
        last_error=state.last_error,
        evaluation_time_s=state.evaluation_s,
        last_evaluation_ms=state.last_evaluation_ms,
        annotations=rule.annotations if isinstance(rule, AlertingRule) else _NO_LABELS,
        state=_state(state),
        hold_s=rule.hold_ms / 1000 if isinstance(rule, AlertingRule) else 0.0,
        keep_firing_s=rule.keep_firing_ms / 1000 if isinstance(rule, AlertingRule) else 0.0,
        alerts=_alerts(state.book) if state.book else (),
    )


def _state(state: RuleState) -> str:
    """Unknown until the first evaluation, as upstream."""
    if state.book is None or state.last_evaluation_ms == 0:
        return "unknown"
    return state.book.state.value


def _alerts(book: AlertBook) -> tuple[AlertView, ...]:
    return tuple(
        AlertView(
            labels=alert.labels,
            annotations=alert.annotations,
            state=alert.state.value,
            active_at_ms=alert.active_at_ms,
            value=alert.value,
            keep_firing_since_ms=alert.keep_firing_since_ms,
        )
        for alert in book.active
    )


def target_views(targets: Iterable[tuple[Target, Mapping[str, Metadata]]]) -> tuple[TargetView, ...]:
    """Active targets with what each says of its metric families, by job and URL."""
    ordered = sorted(targets, key=lambda pair: (pair[0].job, pair[0].url))
    return tuple(_target(target, metadata) for target, metadata in ordered)


def _target(target: Target, metadata: Mapping[str, Metadata]) -> TargetView:
    status = target.status
    return TargetView(
        scrape_pool=target.job,
        scrape_url=target.url,
        labels=target.labels,
        discovered_labels=target.discovered,
        health=status.health.value,
        last_error=status.last_error,
        last_scrape_ms=status.last_scrape_ms,
        last_scrape_duration_s=status.last_duration_s,
        scrape_interval_ms=target.interval_ms,
        scrape_timeout_ms=target.timeout_ms,
        metadata=metadata,
    )


def dropped_target_views(targets: Iterable[DroppedTarget]) -> tuple[DroppedTargetView, ...]:
    return tuple(DroppedTargetView(target.job, target.discovered) for target in targets)
