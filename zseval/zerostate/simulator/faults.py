"""The faults: for each alert of the guide, what goes wrong in the network so that it fires.

`implies` names the other alerts that this same state of the network must fire: a node without any
connection also has fewer than three. `pends` names those that wait for their hold time and never reach it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from zseval.zerostate.simulator.members import MEMBERS, Answers, Condition, Role

__all__ = ["FAULTS", "Change", "Fault", "afflicted"]

_ALL = tuple(member.name for member in MEMBERS)
_EDGES = tuple(member.name for member in MEMBERS if member.role is Role.EDGE)

Change = Mapping[str, float | Answers]
"""Fields of a `Condition` and the values they take."""


@dataclass(frozen=True, slots=True)
class Fault:
    """effects: which nodes are changed, and how."""

    alert: str
    story: str
    effects: tuple[tuple[tuple[str, ...], Change], ...]
    implies: tuple[str, ...] = ()
    pends: tuple[str, ...] = ()


def _fault(
    alert: str,
    story: str,
    nodes: tuple[str, ...],
    change: Change,
    *,
    others: Change | None = None,
    implies: tuple[str, ...] = (),
    pends: tuple[str, ...] = (),
) -> Fault:
    effects = [(nodes, change)]
    if others is not None:
        effects.append((tuple(name for name in _ALL if name not in nodes), others))
    return Fault(alert, story, tuple(effects), implies, pends)


_TABLE = (
    # network
    _fault("LowPeerConnections", "edge-2 keeps two of its connections", ("edge-2",), {"connections": 2.0}),
    _fault(
        "CriticalPeerConnections",
        "edge-2 is cut off: no connections, no traffic",
        ("edge-2",),
        {"connections": 0.0, "p2p_load": 0.0},
        implies=("LowPeerConnections",),
    ),
    _fault(
        "HighMessageFailureRate",
        "edge-1 loses a third of its messages",
        ("edge-1",),
        {"message_failure": 0.35},
    ),
    _fault("HighBandwidthUsage", "the relay sends ten times as much", ("relay",), {"transmit_load": 10.0}),
    _fault("HealthCheckFailures", "edge-1 reaches half of its peers", ("edge-1",), {"health_failure": 0.5}),
    # execution
    _fault("HighTaskFailureRate", "one task in six fails on edge-1", ("edge-1",), {"task_failure": 0.17}),
    _fault(
        "CriticalTaskFailureRate",
        "two tasks in three fail on edge-1",
        ("edge-1",),
        {"task_failure": 0.66},
        implies=("HighTaskFailureRate", "ComponentHealthDegraded"),
    ),
    _fault(
        "HighTaskDuration",
        "edge-2 is overloaded: tasks end just before their limit",
        ("edge-2",),
        {"task_seconds": 18.0, "task_spread": 0.25},
    ),
    _fault(
        "HighMemoryUsage",
        "a module leaks memory on edge-2",
        ("edge-2",),
        {"memory_bytes": 96 * 2.0**20, "memory_spread": 0.1},
    ),
    _fault(
        "TaskTimeoutRate",
        "7 % of the tasks on edge-1 are stopped at 30 s, so its p95 is 30 s as well",
        ("edge-1",),
        {"task_timeout": 0.07},
        implies=("HighTaskDuration",),
    ),
    _fault(
        "NoActiveGuilds", "no guild is formed, no task arrives", _EDGES, {"guilds": 0.0, "task_load": 0.0}
    ),
    # economic
    _fault("TVLDrop", "participants withdraw 70 % of what they locked", _EDGES, {"value_locked": 15_600.0}),
    _fault("HighBlacklistRate", "one participant in six is blacklisted", _ALL, {"blacklisted": 8.0}),
    _fault(
        "CriticalBlacklistRate",
        "two participants in five are blacklisted",
        _ALL,
        {"blacklisted": 19.0},
        implies=("HighBlacklistRate",),
    ),
    _fault(
        "PaymentFailureRate",
        "9 % of the payments of edge-1 fail",
        ("edge-1",),
        {"payment_failure": 0.09},
        implies=("SLAViolation_PaymentSuccess",),
    ),
    _fault("LowActiveChannels", "all but four channels close", _EDGES, {"channels": 2.0}),
    _fault("HighDisputeRate", "results are disputed sixty times as often", _EDGES, {"dispute_load": 60.0}),
    _fault(
        "SettlementFailures",
        "a quarter of the settlements of edge-2 fail",
        ("edge-2",),
        {"settlement_failure": 0.25},
    ),
    # system
    _fault(
        "ServiceDown",
        "edge-2 crashes; its peers miss it; it comes back with its counters at 0",
        ("edge-2",),
        {"answers": Answers.DOWN},
        others={"connections": 11.0, "health_failure": 0.18},
        implies=("SLAViolation_Availability",),
    ),
    _fault("HighSystemLatency", "operations take 6 s everywhere", _ALL, {"operation_seconds": 6.0}),
    _fault(
        "ComponentHealthDegraded",
        "three tasks in ten fail on both edge nodes",
        _EDGES,
        {"task_failure": 0.3},
        implies=("HighTaskFailureRate",),
    ),
    _fault(
        "HighErrorRate",
        "a storm of messages, of which one in seven fails",
        _ALL,
        {"message_load": 4.0, "message_failure": 0.14},
    ),
    # SLA
    _fault(
        "SLAViolation_TaskExecution",
        "7.5 % of the tasks of both edge nodes are stopped at 30 s",
        _EDGES,
        {"task_timeout": 0.075},
        implies=("TaskTimeoutRate", "HighTaskDuration"),
    ),
    _fault(
        "SLAViolation_Availability",
        "edge-2 comes and goes every half minute, never away for long",
        ("edge-2",),
        {"answers": Answers.FLAPPING},
        pends=("ServiceDown",),
    ),
    _fault("SLAViolation_PaymentSuccess", "1 % of all payments fail", _EDGES, {"payment_failure": 0.01}),
)

FAULTS: dict[str, Fault] = {fault.alert: fault for fault in _TABLE}
"""The faults by the alert they are for, in the order of the guide."""


def afflicted(condition: Condition, node: str, faults: tuple[Fault, ...]) -> Condition:
    """A node's condition under these faults; where two change one thing, the later one counts."""
    for fault in faults:
        for nodes, change in fault.effects:
            if node in nodes:
                condition = replace(condition, **change)  # type: ignore[arg-type]  # the table's keys are fields
    return condition
