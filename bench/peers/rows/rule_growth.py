"""Growth of rules: what evaluating a pack takes over ten times as many series, in zseval alone.

CPU time does not tell: taking in 100,000 samples every 15 s varies by more than the rules take. So this is
the time that the server says its groups took, with nothing to do beside them but to take in the samples.
"""

from __future__ import annotations

import time

from bench.peers.measure import summary
from bench.peers.results import Case
from bench.peers.rows.context import Context, send
from bench.peers.rows.rules import HISTORY, PACKS, Pack, fed, give_rules, pack_of, part_of
from bench.peers.servers import ZSEVAL, Server, zseval

__all__ = ["PER_SERIES", "SCALES", "case_name", "measure_rule_growth"]

SCALES = (10_000, 100_000)
PER_SERIES = 10_000
"""The figures are for so many."""

_INTERVAL_S = 15
_WARM_S = 5 * _INTERVAL_S  # what is asked for the third time is prepared
_SETTLE_S, _QUICK_SETTLE_S = 60, 15
_LOAD_S = 300  # rows for the time that loading takes, at the most


def case_name(pack: str, scale: int) -> str:
    return f"{pack}, {scale:,} series"


def measure_rule_growth(context: Context) -> list[Case]:
    """Both packs at both scales."""
    return [_measured(context, pack, scale) for pack in PACKS for scale in SCALES]


def _measured(context: Context, name: str, scale: int) -> Case:
    settle = _QUICK_SETTLE_S if context.quick else _SETTLE_S
    spare = (_LOAD_S + settle + _WARM_S) // _INTERVAL_S + context.pairs + 2
    now_ms = int(time.time()) // _INTERVAL_S * _INTERVAL_S * 1000
    pack = pack_of(name, scale, now_ms + spare * _INTERVAL_S * 1000, HISTORY + spare)
    home = context.home / f"growth-{name}-{scale}"
    config = f"global: {{evaluation_interval: {_INTERVAL_S}s}}\nrule_files: [rules/*.yml]\n"
    with zseval(home, ["--web.enable-remote-write-receiver"], config=config) as ours:
        send([ours], [part_of(page, 0, HISTORY) for page in pack.pages])
        with fed([ours], pack.pages, now_ms):
            time.sleep(settle)
            give_rules(home, ours, pack.rules)
            time.sleep(_WARM_S)
            figures = [_round(ours, pack) for _ in range(context.pairs)]
    series = sum(len(page.labels) for page in pack.pages)
    shares = [seconds * 1000 * PER_SERIES / series for seconds in figures]
    case = Case(case_name(name, scale), "ms for 10,000 series", {ZSEVAL: shares}, detail=f"{series} series")
    context.say(summary(case))
    return case


def _round(server: Server, pack: Pack) -> float:
    """Seconds that the last evaluation of every group took, one interval later."""
    time.sleep(_INTERVAL_S)
    groups = server.client.get("/api/v1/rules").data()["groups"]
    ill = [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"]
    if ill or not groups:
        raise RuntimeError(f"{pack.name}: {len(groups)} groups, rules that are not well: {ill[:5]}")
    return float(sum(group["evaluationTime"] for group in groups))
