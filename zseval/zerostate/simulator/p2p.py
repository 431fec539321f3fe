"""The metrics of the P2P layer: what they count and how they relate."""

from __future__ import annotations

from zseval.zerostate.simulator.distributions import lognormal
from zseval.zerostate.simulator.families import (
    ALONE,
    Counter,
    Family,
    Gauge,
    Histogram,
    divided,
    scaled,
    shares,
)
from zseval.zerostate.simulator.members import Condition, Member, Role, peers_of

__all__ = ["p2p_families"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0)
_QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_BYTES = (64.0, 256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0)
_PROTOCOLS = ("/zerostate/guild/1.0.0", "/zerostate/task/1.0.0")
_OPERATIONS = ("connect", "request", "stream_open")
_KINDS = ("task", "payment", "control")
_PRIORITIES = ("high", "normal", "low")


def p2p_families(member: Member) -> list[Family]:
    return [*_connections(member), *_messages(member), *_peers(member), *_relay(member), *_queues()]


def _connections(member: Member) -> list[Family]:
    peers = peers_of(member)
    return [
        Gauge(
            "p2p_connections_total",
            {("active",): lambda now: now.connections, ("idle",): 4.0, ("total",): 0.0},
            total=("total",),
        ),
        Gauge(
            "p2p_connections_active",
            {
                ("connected",): lambda now: now.connections * 0.75,
                ("negotiating",): lambda now: now.connections * 0.25,
            },
        ),
        Counter("p2p_connections_failed", "checks", {("timeout",): 0.01, ("refused",): 0.005}),
        Gauge("p2p_connections_idle", {(_PROTOCOLS[0], peer): 1.0 for peer in peers}),
        Gauge("p2p_connection_pool_size", {ALONE: lambda now: now.connections + 8.0}),
        Gauge("p2p_streams_active", {(name,): lambda now: now.connections * 2.0 for name in _PROTOCOLS}),
        Gauge(
            "p2p_peers_connected",
            {
                ("bootnode",): lambda now: min(1.0, now.connections),
                ("edge",): lambda now: now.connections * 0.8,
                ("relay",): lambda now: now.connections * 0.1,
            },
        ),
    ]


def _messages(member: Member) -> list[Family]:
    return [
        Counter(
            "p2p_messages_total",
            "messages",
            {
                ("success",): lambda now: 1.0 - now.message_failure,
                ("failed",): lambda now: now.message_failure,
                ("sent",): 1.0,
                ("received",): 0.95,
            },
        ),
        Counter(
            "p2p_messages_sent_total",
            "messages",
            {(kind, _PROTOCOLS[1]): part for kind, part in divided(_KINDS).items()},
        ),
        Counter(
            "p2p_messages_received_total",
            "messages",
            {(kind, _PROTOCOLS[1]): part for kind, part in divided(_KINDS, 0.95).items()},
        ),
        Counter(
            "p2p_messages_failed_total",
            "messages",
            {
                ("task", "timeout"): lambda now: now.message_failure * 0.6,
                ("control", "stream_reset"): lambda now: now.message_failure * 0.4,
            },
        ),
        Histogram(
            "p2p_message_size_bytes",
            "messages",
            _BYTES,
            {(kind,): (part, lognormal(4000.0 * part, 1.2)) for kind, part in divided(_KINDS).items()},
        ),
        Counter(
            "p2p_bandwidth_bytes_total",
            "traffic",
            {("tx",): lambda now: now.transmit_load * 0.55, ("rx",): 0.45},
        ),
        Counter(
            "p2p_bandwidth_bytes_received",
            "traffic",
            {(_PROTOCOLS[0], peer): part for peer, part in divided(peers_of(member), 0.45).items()},
        ),
        Counter("p2p_gossip_messages_total", "gossip", {("propagated",): 0.98, ("dropped",): 0.02}),
        Histogram(
            "p2p_gossip_propagation_seconds", "gossip", _SECONDS, {ALONE: (0.98, lognormal(0.15, 0.6))}
        ),
    ]


def _peers(member: Member) -> list[Family]:
    peers = peers_of(member)
    parts = divided(peers).items()
    return [
        Histogram(
            "p2p_health_check_latency_seconds",
            "checks",
            _SECONDS,
            {(peer,): (scaled(part, _answered), lognormal(0.03 + part / 4, 0.7)) for peer, part in parts},
        ),
        Counter(
            "p2p_health_check_failures_total",
            "checks",
            {(peer,): scaled(part, _unanswered) for peer, part in parts},
        ),
        Gauge("p2p_peers_discovered", {ALONE: 64.0}),
        Counter(
            "p2p_peers_discovered_total", "dht", {("dht",): 0.03, ("bootstrap",): 0.002, ("mdns",): 0.001}
        ),
        Counter("p2p_peers_failed_total", "checks", {("timeout",): 0.01, ("protocol",): 0.002}),
        Counter(
            "p2p_dht_operations_total",
            "dht",
            {("put",): 0.15, ("get",): 0.4, ("find_peer",): 0.3, ("find_providers",): 0.15},
        ),
        Histogram(
            "p2p_operation_duration_seconds",
            "dht",
            _SECONDS,
            {
                (name,): (part, lambda now: lognormal(now.operation_seconds, 0.6))
                for name, part in divided(_OPERATIONS).items()
            },
        ),
        Counter("p2p_heartbeats_sent_total", "checks", shares(peers)),
        Counter(
            "p2p_heartbeats_received_total",
            "checks",
            {(peer,): scaled(part, _answered) for peer, part in parts},
        ),
        Counter(
            "p2p_failure_detections_total",
            "checks",
            {(peer, "missed_heartbeats"): scaled(0.2 * part, _unanswered) for peer, part in parts},
        ),
    ]


def _answered(now: Condition) -> float:
    return 1.0 - now.health_failure


def _unanswered(now: Condition) -> float:
    return now.health_failure


def _relay(member: Member) -> list[Family]:
    circuits = 6.0 if member.role is Role.RELAY else 1.0
    return [
        Gauge("p2p_relay_connections_total", {("active",): circuits * 2, ("closed",): circuits * 5}),
        Gauge("p2p_relay_circuits", {("inbound",): circuits, ("outbound",): circuits}),
        Counter(
            "p2p_relay_bytes_total", "relaying", {("in",): 0.5, ("out",): lambda now: 0.5 * now.transmit_load}
        ),
    ]


def _queues() -> list[Family]:
    return [
        Gauge("p2p_queue_depth", {("high",): 1.0, ("normal",): 5.0, ("low",): 9.0}, swing=0.6),
        Histogram(
            "p2p_queue_latency_seconds",
            "messages",
            _QUICK,
            {(name,): (part, lognormal(0.0012 / part, 0.9)) for name, part in divided(_PRIORITIES).items()},
        ),
        Counter("p2p_packets_dropped_total", "messages", {("queue_full",): 0.0005, ("malformed",): 0.0002}),
    ]
