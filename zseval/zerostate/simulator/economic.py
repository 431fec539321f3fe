"""The metrics of the economic layer: channels, payments, settlements, disputes and reputation."""

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
from zseval.zerostate.simulator.members import Member, Role, peers_of

__all__ = ["economic_families"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0)
_LIFETIME = (60.0, 300.0, 900.0, 3600.0, 7200.0, 21_600.0, 43_200.0, 86_400.0, 604_800.0)
_AMOUNT = (0.1, 0.5, 1.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1000.0)
_RATE = (1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0)

_RESOLUTIONS = {"resolved": 0.7, "pending": 0.2, "arbitrated": 0.1}


def economic_families(member: Member) -> list[Family]:
    return [*_channels(member), *_payments(member), *_settlements(), *_reputation(member)]


def _channels(member: Member) -> list[Family]:
    # A node reports the channels it opened, so that the network's sum counts each channel once.
    parties = peers_of(member)[:2] if member.role is Role.EDGE else ()
    channels = [f"ch-{member.name}-{n}" for n in (1, 2, 3)] if parties else []
    return [
        Gauge("economic_total_value_locked", {ALONE: lambda now: now.value_locked}, swing=0.03, whole=False),
        Gauge(
            "economic_channels_active",
            {(party,): lambda now: now.channels / 2 for party in parties},
            swing=0.0,
        ),
        Counter(
            "economic_channels_total",
            "settlements",
            {("opened",): 0.5, ("closed",): 0.48, ("disputed",): 0.01},
        ),
        Histogram(
            "economic_channel_duration_seconds",
            "settlements",
            _LIFETIME,
            {
                ("cooperative",): (0.45, lognormal(5400.0, 1.0)),
                ("unilateral",): (0.03, lognormal(1800.0, 1.0)),
            },
        ),
        Gauge(
            "economic_channel_balance",
            {
                (channel, party): scaled(part, lambda now: now.value_locked / 12)
                for channel, part in divided(channels).items()
                for party in ("local", "remote")
            },
            whole=False,
        ),
        Counter(
            "economic_channel_operations_total",
            "settlements",
            {
                ("open", "success"): 0.5,
                ("open", "failed"): 0.005,
                ("settle", "success"): lambda now: 1.0 - now.settlement_failure,
                ("settle", "failed"): lambda now: now.settlement_failure,
            },
        ),
        Gauge(
            "economic_payment_sequence", {(channel,): 1200.0 - 150 * n for n, channel in enumerate(channels)}
        ),
    ]


def _payments(member: Member) -> list[Family]:
    return [
        Counter(
            "economic_payments_total",
            "payments",
            {
                ("success",): lambda now: 1.0 - now.payment_failure,
                ("failed",): lambda now: now.payment_failure,
            },
        ),
        Counter(
            "economic_payment_failures_total",
            "payments",
            {
                ("insufficient_balance",): lambda now: now.payment_failure * 0.7,
                ("bad_signature",): lambda now: now.payment_failure * 0.3,
            },
        ),
        Histogram("economic_payment_amount", "payments", _AMOUNT, {ALONE: (1.0, lognormal(3.0, 1.1))}),
        Histogram(
            "economic_payment_duration_seconds", "payments", _SECONDS, {ALONE: (1.0, lognormal(0.12, 0.6))}
        ),
        Histogram(
            "economic_transaction_throughput",
            "ticks",
            _RATE,
            {ALONE: (1.0 if member.role is Role.EDGE else 0.0, lognormal(20.0, 0.2))},
        ),
    ]


def _settlements() -> list[Family]:
    return [
        Counter(
            "economic_settlements_total",
            "settlements",
            {
                ("success",): lambda now: 1.0 - now.settlement_failure,
                ("failed",): lambda now: now.settlement_failure,
            },
        ),
        Histogram("economic_settlement_amount", "settlements", _AMOUNT, {ALONE: (1.0, lognormal(60.0, 1.0))}),
        Histogram(
            "economic_settlement_duration_seconds",
            "settlements",
            _LIFETIME,
            {ALONE: (1.0, lognormal(5400.0, 1.0))},
        ),
        Counter(
            "economic_disputes_total", "disputes", {(name,): share for name, share in _RESOLUTIONS.items()}
        ),
        Histogram(
            "economic_dispute_resolution_seconds",
            "disputes",
            _LIFETIME,
            {(name,): (share, lognormal(1500.0, 0.9)) for name, share in _RESOLUTIONS.items()},
        ),
    ]


def _reputation(member: Member) -> list[Family]:
    peers = peers_of(member)
    ranked = list(enumerate(peers))

    return [
        Gauge("economic_blacklisted_peers", {ALONE: lambda now: now.blacklisted}, swing=0.0),
        Gauge("economic_active_participants", {ALONE: lambda now: now.participants}),
        Gauge(
            "economic_reputation_score",
            {(peer,): 90.0 - 4 * n for n, peer in ranked},
            swing=0.05,
            whole=False,
        ),
        Gauge(
            "economic_success_rate", {(peer,): 0.97 - 0.01 * n for n, peer in ranked}, swing=0.02, whole=False
        ),
        Counter(
            "economic_tasks_executed_total",
            "tasks",
            {
                (peer, result): part * share
                for peer, part in divided(peers).items()
                for result, share in (("success", 0.98), ("failure", 0.02))
            },
        ),
        Gauge(
            "economic_average_duration_seconds", {(peer,): 2.5 + 0.3 * n for n, peer in ranked}, whole=False
        ),
        Gauge("economic_average_cost", {(peer,): 4.0 + 0.2 * n for n, peer in ranked}, whole=False),
        Counter(
            "economic_violations_total",
            "disputes",
            {(peer, "late_result"): part for peer, part in divided(peers, 0.3).items()},
        ),
        Counter("economic_reputation_decay_total", "ticks", shares(peers, 0.1)),
    ]
