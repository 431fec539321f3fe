"""`--once`: scrape every target, evaluate every rule, print what is true now, and say it by exit code.

There is one moment of data, so `for` cannot be waited for: an alert whose condition holds counts as
firing whatever its `for`. Functions over a range need more history than that and return nothing.
"""

from __future__ import annotations

import sys
import traceback
from dataclasses import replace

from zseval.cli.output import ExitCode
from zseval.model.number import format_g
from zseval.node.node import Node
from zseval.node.options import NodeOptions
from zseval.node.snapshot import Snapshot

__all__ = ["run_once"]


async def run_once(options: NodeOptions) -> int:
    """0: every target answered and nothing fires; 1: something fires; 2: a target or rule failed."""
    node = Node(replace(options, listen=""))
    try:
        await node.once()
    except Exception:  # noqa: BLE001 - an error of ours must not look like an alert that fires
        traceback.print_exc()
        return ExitCode.USAGE
    snapshot = node.snapshot()
    print_snapshot(snapshot)
    if snapshot.alerts:
        return ExitCode.FAILURE
    failed = snapshot.rule_errors or any(target.health != "up" for target in snapshot.targets)
    return ExitCode.USAGE if failed else ExitCode.SUCCESS


def print_snapshot(snapshot: Snapshot) -> None:
    """Alerts on standard output, a line each; what failed on standard error."""
    for target in snapshot.targets:
        if target.health != "up":
            print(f"target {target.url} is {target.health}: {target.error}", file=sys.stderr)
    for error in snapshot.rule_errors:
        print(f"rule failed: {error}", file=sys.stderr)
    for alert in snapshot.alerts:
        what = alert.summary or str(alert.labels.without("alertname", "severity"))
        print(f"{alert.severity or 'none':<8}  {alert.name}  {format_g(alert.value)}  {what}")
    up = sum(target.health == "up" for target in snapshot.targets)
    print(
        f"{up} of {len(snapshot.targets)} targets up, {snapshot.series} series, "
        f"{snapshot.rules} rules, {len(snapshot.alerts)} alerts"
    )
