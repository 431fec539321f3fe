"""A simulated ZeroState network: a bootnode, two edge nodes and a relay, with faults to switch on.

`Network` is a pure model, a seed and a time in, exposition pages out. `server` puts it on HTTP.
"""

from __future__ import annotations

from zseval.zerostate.simulator.faults import FAULTS, Fault
from zseval.zerostate.simulator.network import Incident, Network, Unreachable

__all__ = ["FAULTS", "Fault", "Incident", "Network", "Unreachable"]
