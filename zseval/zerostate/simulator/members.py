"""The members of the simulated network, and how a member is doing: the state that faults change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

__all__ = ["MEMBERS", "Answers", "Condition", "Member", "Role", "healthy", "peers_of"]


class Role(Enum):
    BOOTNODE = "bootnode"
    EDGE = "edge"
    RELAY = "relay"


class Answers(Enum):
    """Whether a node answers its scrapes. A node that was DOWN has been restarted when it is back."""

    ALWAYS = "always"
    FLAPPING = "flapping"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Member:
    """job: the scrape job that ZeroState's deployment puts the node in."""

    name: str
    role: Role
    job: str
    peer_id: str


MEMBERS = (
    Member("bootnode", Role.BOOTNODE, "bootnode", "12D3KooWBoot"),
    Member("edge-1", Role.EDGE, "edge-nodes", "12D3KooWEdge1"),
    Member("edge-2", Role.EDGE, "edge-nodes", "12D3KooWEdge2"),
    Member("relay", Role.RELAY, "relay", "12D3KooWRelay"),
)

_OUTSIDE_PEERS = ("12D3KooWAmber", "12D3KooWBirch", "12D3KooWCedar")
"""Peers of the network that nobody here scrapes."""


def peers_of(member: Member) -> tuple[str, ...]:
    """The peer ids a member has dealings with."""
    return tuple(other.peer_id for other in MEMBERS if other is not member) + _OUTSIDE_PEERS


@dataclass(frozen=True, slots=True)
class Condition:
    """What decides a node's metrics at a time; the defaults are an edge node in good health.

    A load multiplies the activity of the same name. A failure or timeout is a share of that activity.
    Durations in seconds, memory in bytes; a spread is the sigma of a lognormal distribution.
    """

    answers: Answers = Answers.ALWAYS
    connections: float = 12.0
    p2p_load: float = 1.0
    message_load: float = 1.0
    message_failure: float = 0.01
    transmit_load: float = 1.0
    health_failure: float = 0.02
    operation_seconds: float = 0.08
    task_load: float = 1.0
    task_failure: float = 0.01
    task_timeout: float = 0.004
    task_seconds: float = 2.5
    task_spread: float = 0.7
    memory_bytes: float = 24 * 2.0**20
    memory_spread: float = 0.5
    guilds: float = 3.0
    value_locked: float = 52_000.0
    channels: float = 14.0
    blacklisted: float = 2.0
    participants: float = 48.0
    payment_failure: float = 0.000_05
    settlement_failure: float = 0.005
    dispute_load: float = 1.0


_ABSTAINS = Condition(guilds=0.0, value_locked=0.0, channels=0.0)
"""A node that neither executes nor pays, only connects."""

_HEALTHY = {Role.BOOTNODE: _ABSTAINS, Role.EDGE: Condition(), Role.RELAY: _ABSTAINS}


def healthy(role: Role) -> Condition:
    """A node of this role in good health."""
    return _HEALTHY[role]
