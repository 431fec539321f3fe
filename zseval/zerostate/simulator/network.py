"""Network: the members and their faults on one simulated clock.

A pure model. The same seed and the same incidents give the same page at the same time, whatever the
steps in which that time was reached.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from zseval.zerostate.simulator.faults import FAULTS, afflicted
from zseval.zerostate.simulator.members import MEMBERS, Answers, healthy
from zseval.zerostate.simulator.node import SimulatedNode

__all__ = ["Incident", "Network", "Unreachable"]

_FLAP_SECONDS = 60.0
"""A flapping node answers during the first half of each period."""


class Unreachable(Exception):  # noqa: N818 (a state of the simulated node, not an error of the simulator)
    """The node does not answer."""


@dataclass(frozen=True, slots=True)
class Incident:
    """A fault from one time to another, in seconds of the simulation."""

    fault: str
    start: float
    end: float = math.inf

    def __post_init__(self) -> None:
        if self.fault not in FAULTS:
            raise ValueError(f"no fault {self.fault!r}; there are: {', '.join(FAULTS)}")
        if not 0 <= self.start < self.end:
            raise ValueError(f"{self.fault} cannot last from {self.start:g} to {self.end:g} s")


class Network:
    """The simulated network at a time that `advance` moves forward. Not for several threads at once."""

    def __init__(self, seed: int = 0, incidents: Iterable[Incident] = ()) -> None:
        streams = np.random.default_rng(seed).spawn(len(MEMBERS))
        self._nodes = {
            member.name: SimulatedNode(member, rng) for member, rng in zip(MEMBERS, streams, strict=True)
        }
        self._incidents = list(incidents)
        self._now = 0.0
        self._apply()

    @property
    def now(self) -> float:
        """Seconds since the simulation's start."""
        return self._now

    @property
    def active_faults(self) -> tuple[str, ...]:
        """The faults in effect, in the order in which they began."""
        active = [incident for incident in self._incidents if incident.start <= self._now < incident.end]
        return tuple(incident.fault for incident in sorted(active, key=lambda incident: incident.start))

    def advance(self, to_seconds: float) -> None:
        """Move to a time through all incidents on the way; ValueError where it has passed."""
        if to_seconds < self._now:
            raise ValueError(f"the simulation is at {self._now:g} s and cannot go back to {to_seconds:g} s")
        edges = {edge for incident in self._incidents for edge in (incident.start, incident.end)}
        for edge in sorted(edge for edge in edges if self._now < edge <= to_seconds):
            self._now = edge
            self._apply()
        self._now = to_seconds

    def start(self, fault: str) -> None:
        """Begin a fault now, until it is cleared. ValueError where it is unknown or in effect already."""
        if fault in self.active_faults:
            raise ValueError(f"{fault} is in effect already")
        self._incidents.append(Incident(fault, self._now))
        self._apply()

    def clear(self, fault: str) -> None:
        """End a fault now. ValueError where it is not in effect."""
        if fault not in self.active_faults:
            raise ValueError(f"{fault} is not in effect")
        self._incidents = [
            incident
            for incident in (
                _ended(incident, self._now) if incident.fault == fault else incident
                for incident in self._incidents
            )
            if incident is not None
        ]
        self._apply()

    def answers(self, name: str) -> bool:
        """True while the node answers scrapes."""
        match self._nodes[name].condition.answers:
            case Answers.ALWAYS:
                return True
            case Answers.DOWN:
                return False
            case Answers.FLAPPING:
                return self._now % _FLAP_SECONDS < _FLAP_SECONDS / 2

    def page(self, name: str) -> bytes:
        """What the node's /metrics shows now; Unreachable while it does not answer."""
        if not self.answers(name):
            raise Unreachable(name)
        return self._nodes[name].page(self._now)

    def _apply(self) -> None:
        faults = tuple(FAULTS[name] for name in self.active_faults)
        for name, node in self._nodes.items():
            condition = afflicted(healthy(node.member.role), name, faults)
            if condition == node.condition:
                continue
            returns = node.condition.answers is Answers.DOWN and condition.answers is not Answers.DOWN
            node.change(condition, self._now)
            if returns:
                node.restart(self._now)


def _ended(incident: Incident, now: float) -> Incident | None:
    """The incident with an end, where it is in effect; None where it ends the moment it began."""
    if not incident.start <= now < incident.end:
        return incident
    return Incident(incident.fault, incident.start, now) if incident.start < now else None
