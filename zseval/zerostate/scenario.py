"""The demo's scenario: what goes wrong in the simulated network, and when.

Times are model seconds. At the demo's usual speed of 30 a round of 30 minutes is a minute: enough for
alerts of every severity to become pending, fire, and be resolved.
"""

from __future__ import annotations

from zseval.zerostate.simulator.network import Incident

__all__ = ["ROUND_SECONDS", "scenario"]

ROUND_SECONDS = 1_800.0

_ROUND = (
    # edge-2 crashes at once: the quickest alert there is, for: 1m. Back after six minutes.
    Incident("ServiceDown", 60.0, 420.0),
    # Tasks on edge-1 start to fail; the rate takes its time to show in a window of five minutes.
    Incident("CriticalTaskFailureRate", 120.0, 600.0),
    # Peers misbehave: a warning at 16 %, then the critical alert.
    Incident("HighBlacklistRate", 300.0, 720.0),
    Incident("CriticalBlacklistRate", 720.0, 1_020.0),
    # edge-2, just repaired, loses its peers.
    Incident("CriticalPeerConnections", 780.0, 1_200.0),
    # A busy quarter of an hour for the relay.
    Incident("HighBandwidthUsage", 660.0, 1_260.0),
    # All is well again for the rest of the round.
)


def scenario(rounds: int = 48) -> list[Incident]:
    """The incidents of so many rounds; 48 of them are a day of the model."""
    return [
        Incident(each.fault, each.start + start, each.end + start)
        for start in (ROUND_SECONDS * number for number in range(rounds))
        for each in _ROUND
    ]
