"""The live table of targets and alerts, for a terminal. A function of a snapshot; it keeps nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from zseval.model.duration import format_duration
from zseval.node.snapshot import AlertRow, Snapshot, TargetRow, Transition

__all__ = ["render", "transition_line"]

_HEALTH = {"up": "green", "down": "bold red", "unknown": "yellow"}
_STATE = {"firing": "bold red", "pending": "yellow", "resolved": "green", "inactive": "dim"}
_SEVERITY = {"critical": "bold red", "warning": "yellow", "info": "cyan"}


def render(title: str, snapshot: Snapshot, history: Sequence[Transition], *, height: int) -> RenderableType:
    """Everything on one screen of `height` lines; long lists are cut and say so."""
    room = max(4, (height - 14) // 2)
    parts: list[RenderableType] = [
        _headline(title, snapshot),
        Text(),
        _targets(snapshot, room),
        Text(),
        _alerts(snapshot, room),
    ]
    if snapshot.config_error:
        parts.append(Text(f"configuration not reloaded: {snapshot.config_error}", style="bold red"))
    parts += [Text(f"rule failed: {error}", style="red") for error in snapshot.rule_errors[:3]]
    if history:
        parts.append(Text())
        parts += [transition_line(transition) for transition in history[-room:]]
    return Group(*parts)


def transition_line(transition: Transition) -> Text:
    """`12:00:15  HighTaskFailureRate  pending → firing  {instance="…"}  summary`."""
    after = transition.after
    return Text.assemble(
        (_clock(transition.at_ms), "dim"),
        "  ",
        (f"{transition.name:<28}", _SEVERITY.get(transition.severity, "")),
        f" {transition.before:>8} → ",
        (f"{after:<8}", _STATE.get(after, "")),
        "  ",
        (transition.summary or str(transition.labels.without("alertname")), ""),
        no_wrap=True,
        overflow="ellipsis",
    )


def _headline(title: str, snapshot: Snapshot) -> Text:
    """What matters most comes first: a narrow terminal cuts the end."""
    firing = sum(alert.state == "firing" for alert in snapshot.alerts)
    pending = len(snapshot.alerts) - firing
    return Text.assemble(
        (title, "bold"),
        "   ",
        (f"{firing} firing", _STATE["firing"] if firing else "green"),
        ", ",
        (f"{pending} pending", _STATE["pending"] if pending else "dim"),
        f"   {_clock(snapshot.now_ms)} UTC   {snapshot.rules} rules in {snapshot.groups} groups"
        f"   {snapshot.series:,} series, {_bytes(snapshot.store_bytes)}",
        no_wrap=True,
        overflow="ellipsis",
    )


def _targets(snapshot: Snapshot, room: int) -> Table:
    table = _table("target", "health", "samples", "took", "last scrape", "")
    for target in _worst_first(snapshot.targets)[:room]:
        ago = "never" if not target.last_scrape_ms else _ago(snapshot.now_ms - target.last_scrape_ms)
        table.add_row(
            f"{target.job}/{target.instance}",
            Text(target.health, style=_HEALTH.get(target.health, "")),
            f"{target.samples:,}",
            f"{target.duration_s * 1000:.0f} ms",
            ago,
            Text(target.error, style="red"),
        )
    return _with_rest(table, len(snapshot.targets) - room, "targets")


def _alerts(snapshot: Snapshot, room: int) -> Table:
    table = _table("alert", "state", "severity", "since", "value", "")
    for alert in _firing_first(snapshot.alerts)[:room]:
        table.add_row(
            Text(alert.name, style="bold"),
            Text(alert.state, style=_STATE.get(alert.state, "")),
            Text(alert.severity, style=_SEVERITY.get(alert.severity, "")),
            _ago(snapshot.now_ms - alert.active_at_ms),
            f"{alert.value:.4g}",
            alert.summary or str(alert.labels.without("alertname", "severity")),
        )
    if not snapshot.alerts:
        table.add_row(Text("no alert is pending or firing", style="green"), "", "", "", "", "")
    return _with_rest(table, len(snapshot.alerts) - room, "alerts")


def _table(*headings: str) -> Table:
    table = Table(box=None, expand=True, header_style="dim", padding=(0, 2, 0, 0))
    for heading in headings[:-1]:
        table.add_column(heading, no_wrap=True)
    table.add_column(headings[-1], ratio=1, no_wrap=True, overflow="ellipsis")
    return table


def _with_rest(table: Table, rest: int, what: str) -> Table:
    if rest > 0:
        table.add_row(Text(f"… {rest} more {what}", style="dim"))
    return table


def _worst_first(targets: Sequence[TargetRow]) -> list[TargetRow]:
    order = {"down": 0, "unknown": 1, "up": 2}
    return sorted(targets, key=lambda target: (order.get(target.health, 0), target.job, target.instance))


def _firing_first(alerts: Sequence[AlertRow]) -> list[AlertRow]:
    order = {"critical": 0, "warning": 1, "info": 2}
    return sorted(
        alerts, key=lambda alert: (alert.state != "firing", order.get(alert.severity, 3), alert.name)
    )


def _clock(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%H:%M:%S")


def _ago(milliseconds: int) -> str:
    seconds = max(0, milliseconds) // 1000
    return format_duration(seconds * 1000)


def _bytes(count: int) -> str:
    return f"{count / 1_048_576:.1f} MiB" if count >= 1_048_576 else f"{count / 1024:.0f} KiB"
