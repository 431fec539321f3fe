"""Signals: the activities of a node (messages, tasks, payments, …) as rates that move over the day.

A rate is `base * (1 + sum of sine waves)`, so its integral has a closed form: a counter at a time costs
the same however far away that time is, and does not depend on the steps by which it was reached.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zseval.model.arrays import Values
from zseval.zerostate.simulator.members import Condition, Role

__all__ = ["SIGNALS", "Waves", "base_rates", "load"]

_DAY = 86_400.0
_PERIODS = np.array([_DAY, 1_260.0, 97.0])
_AMPLITUDES = np.array([0.15, 0.06, 0.04])
"""The day is the same for everyone; the shorter waves are each node's own."""

_OMEGA = 2 * np.pi / _PERIODS

SIGNALS = ("messages", "traffic", "checks", "gossip", "dht", "relaying", "tasks", "guilds", "payments",
           "settlements", "disputes", "ticks")  # fmt: skip

_PER_SECOND: dict[Role, tuple[float, ...]] = {
    # in the order of SIGNALS; traffic and relaying in bytes
    Role.BOOTNODE: (10.0, 200e3, 0.6, 4.0, 6.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.1),
    Role.EDGE: (12.0, 400e3, 0.6, 5.0, 2.0, 0.0, 2.0, 0.02, 10.0, 1.0, 0.01, 0.1),
    Role.RELAY: (12.0, 3e6, 0.6, 5.0, 1.0, 2.4e6, 0.0, 0.0, 0.0, 0.0, 0.0, 0.1),
}

_LOADS: dict[str, Callable[[Condition], float]] = {
    "messages": lambda now: now.p2p_load * now.message_load,
    "traffic": lambda now: now.p2p_load,
    "checks": lambda now: now.p2p_load,
    "gossip": lambda now: now.p2p_load,
    "dht": lambda now: now.p2p_load,
    "relaying": lambda now: now.p2p_load,
    "tasks": lambda now: now.task_load,
    "guilds": lambda now: now.task_load,
    "disputes": lambda now: now.dispute_load,
}


def base_rates(role: Role) -> Values:
    """What a healthy node of this role does in a second: float64[len(SIGNALS)]."""
    return np.array(_PER_SECOND[role], dtype=np.float64)


def load(signal: str, condition: Condition) -> float:
    """What a condition multiplies the rate of a signal with."""
    factor = _LOADS.get(signal)
    return 1.0 if factor is None else factor(condition)


class Waves:
    """`n` waves around 1, each with phases of its own but for the common day."""

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        self._phases = rng.uniform(0.0, 2 * np.pi, (n, len(_PERIODS)))
        self._phases[:, 0] = 0.0  # everyone lives in one time zone

    def at(self, seconds: float) -> Values:
        """float64[n], between 0.75 and 1.25."""
        waves: Values = 1.0 + np.sin(_OMEGA * seconds + self._phases) @ _AMPLITUDES
        return waves

    def integral(self, seconds: float) -> Values:
        """float64[n], the integral of `at` from 0 to `seconds`; increasing."""
        swung = (np.cos(self._phases) - np.cos(_OMEGA * seconds + self._phases)) @ (_AMPLITUDES / _OMEGA)
        integral: Values = seconds + swung
        return integral
