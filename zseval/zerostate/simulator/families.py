"""How a metric family gets its values: the rows that `p2p`, `execution` and `economic` are written in.

A key holds a series' label values, in the catalogue's order of the label names. A share is a number, or
a function of the node's condition where faults change it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from zseval.zerostate.simulator.distributions import Mixture
from zseval.zerostate.simulator.members import Condition

__all__ = ["Counter", "Family", "Gauge", "Histogram", "Key", "Share", "Spread", "divided", "scaled", "shares"]

Key = tuple[str, ...]
Share = float | Callable[[Condition], float]
Spread = Mixture | Callable[[Condition], Mixture]

ALONE: Key = ()
"""The key of a family without labels."""


@dataclass(frozen=True, slots=True)
class Counter:
    """Each series counts its share of a signal."""

    name: str
    signal: str
    series: Mapping[Key, Share]


@dataclass(frozen=True, slots=True)
class Gauge:
    """Each series swings around its level, by at most the share `swing`.

    whole: rounded to whole numbers.  total: the key of the series that is the sum of the others.
    """

    name: str
    series: Mapping[Key, Share]
    swing: float = 0.1
    whole: bool = True
    total: Key | None = None


@dataclass(frozen=True, slots=True)
class Histogram:
    """Each series observes its share of a signal, with values spread as given."""

    name: str
    signal: str
    bounds: Sequence[float]
    series: Mapping[Key, tuple[Share, Spread]]


Family = Counter | Gauge | Histogram


def divided(values: Sequence[str], share: float = 1.0) -> dict[str, float]:
    """A share divided among label values, the first taking most, as no two peers are equally busy."""
    weights = [1.0 / (1.0 + 0.3 * rank) for rank in range(len(values))]
    return {value: share * weight / sum(weights) for value, weight in zip(values, weights, strict=True)}


def shares(values: Sequence[str], share: float = 1.0) -> dict[Key, Share]:
    """The series of a counter with one label, of which each value takes its part."""
    return {(value,): part for value, part in divided(values, share).items()}


def scaled(part: float, by: Callable[[Condition], float]) -> Share:
    """A part of what a condition gives."""
    return lambda now: part * by(now)
