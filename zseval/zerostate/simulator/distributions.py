"""Distributions of what histograms observe: mixtures of lognormal parts, some of them cut off at a limit."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Lognormal", "Mixture", "lognormal"]


@dataclass(frozen=True, slots=True)
class Lognormal:
    """Values around `median`, none above `limit`; `spread` is the sigma of their logarithm."""

    median: float
    spread: float
    limit: float = math.inf

    def __post_init__(self) -> None:
        if self.limit < self.median:
            raise ValueError(f"the limit {self.limit:g} is below the median {self.median:g}")

    def below(self, bound: float) -> float:
        """The share of values at or below a bound."""
        return min(1.0, self._unlimited(bound) / self._unlimited(self.limit))

    @property
    def mean(self) -> float:
        cut = _normal_cdf((self._score(self.limit)) - self.spread)
        return self.median * math.exp(self.spread**2 / 2) * cut / self._unlimited(self.limit)

    def _unlimited(self, bound: float) -> float:
        return _normal_cdf(self._score(bound))

    def _score(self, bound: float) -> float:
        return math.inf if bound == math.inf else math.log(bound / self.median) / self.spread


@dataclass(frozen=True, slots=True)
class Mixture:
    """Parts with their weights, which add up to 1."""

    parts: tuple[tuple[float, Lognormal], ...]

    def below(self, bound: float) -> float:
        """The share of values at or below a bound."""
        return min(1.0, sum(weight * part.below(bound) for weight, part in self.parts))

    @property
    def mean(self) -> float:
        return sum(weight * part.mean for weight, part in self.parts)


def lognormal(median: float, spread: float, limit: float = math.inf) -> Mixture:
    """A mixture of one part."""
    return Mixture(((1.0, Lognormal(median, spread, limit)),))


def _normal_cdf(score: float) -> float:
    return 0.5 * math.erfc(-score / math.sqrt(2))
