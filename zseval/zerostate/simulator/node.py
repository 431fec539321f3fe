"""SimulatedNode: the families of one member as arrays, and its page at a time.

Every number on the page is one of three kinds, each an array:

    whole    counts (counters, buckets): floor(carried + rate * integral of the signal since `since`)
    sums     histogram sums: carried + mean * observations since `since`
    gauges   level * (1 + swing * wave)

A change of condition carries the counts so far over and starts anew from there. Buckets of a histogram
share the integral and have rates that rise with the bound, so they are cumulative at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

import numpy as np

from zseval.model.arrays import Rows, Values
from zseval.zerostate.catalogue import Metric, catalogue
from zseval.zerostate.simulator.distributions import Mixture
from zseval.zerostate.simulator.economic import economic_families
from zseval.zerostate.simulator.execution import execution_families
from zseval.zerostate.simulator.families import Counter, Family, Gauge, Histogram, Key, Share, Spread
from zseval.zerostate.simulator.members import Condition, Member, healthy
from zseval.zerostate.simulator.p2p import p2p_families
from zseval.zerostate.simulator.signals import SIGNALS, Waves, base_rates, load

__all__ = ["SimulatedNode", "families_of"]

_UPTIME = (7_200.0, 18_000.0)
"""Seconds a node has been up when the simulation begins: counters do not start at 0."""


def families_of(member: Member) -> list[Family]:
    """The families of a member in the catalogue's order."""
    families = {
        family.name: family
        for family in (*p2p_families(member), *execution_families(member), *economic_families(member))
    }
    return [families[name] for name in catalogue()]


@dataclass(slots=True)
class _Layout:
    """What the page is made of: its text with a hole for each number, and what goes into the holes."""

    text: list[str] = field(default_factory=list)
    holes: list[tuple[str, int]] = field(default_factory=list)
    rates: list[tuple[int, Callable[[Condition], float]]] = field(default_factory=list)
    sums: list[tuple[int, Spread]] = field(default_factory=list)
    gauges: list[tuple[Share, Gauge, int]] = field(default_factory=list)
    totals: list[tuple[int, list[int]]] = field(default_factory=list)
    waves: int = 0

    def line(self, series: str, kind: str, index: int) -> None:
        self.text.append(series.replace("%", "%%") + " %.15g\n")
        self.holes.append((kind, index))

    def add(self, metric: Metric, family: Family) -> None:
        self.text.append(
            f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.type}\n".replace("%", "%%")
        )
        match family:
            case Counter():
                self._add_counter(metric, family)
            case Gauge():
                self._add_gauge(metric, family)
            case Histogram():
                self._add_histogram(metric, family)
            case _:
                assert_never(family)

    def _add_counter(self, metric: Metric, family: Counter) -> None:
        for key, share in family.series.items():
            self.line(_series(metric.name, _pairs(metric, key)), "whole", self._count(family.signal, share))

    def _add_gauge(self, metric: Metric, family: Gauge) -> None:
        first = len(self.gauges)
        for key, share in family.series.items():
            if key == family.total:
                others = [first + n for n, other in enumerate(family.series) if other != key]
                self.totals.append((len(self.gauges), others))
            self.line(_series(metric.name, _pairs(metric, key)), "gauges", len(self.gauges))
            self.gauges.append((share, family, self.waves))
            self.waves += 1

    def _add_histogram(self, metric: Metric, family: Histogram) -> None:
        for key, (share, spread) in family.series.items():
            pairs = _pairs(metric, key)
            for bound in family.bounds:
                index = self._count(family.signal, share, _bucket(spread, bound))
                self.line(_series(f"{metric.name}_bucket", [*pairs, ("le", f"{bound:g}")]), "whole", index)
            count = self._count(family.signal, share)
            self.line(_series(f"{metric.name}_bucket", [*pairs, ("le", "+Inf")]), "whole", count)
            self.line(_series(f"{metric.name}_sum", pairs), "sums", len(self.sums))
            self.sums.append((count, spread))
            self.line(_series(f"{metric.name}_count", pairs), "whole", count)

    def _count(self, signal: str, share: Share, part: Callable[[Condition], float] | None = None) -> int:
        def rate(now: Condition) -> float:
            return _value(share, now) * load(signal, now) * (1.0 if part is None else part(now))

        self.rates.append((SIGNALS.index(signal), rate))
        return len(self.rates) - 1


class SimulatedNode:
    """One member of the network. Time only moves forward; seconds count from the simulation's start."""

    def __init__(self, member: Member, rng: np.random.Generator) -> None:
        self.member = member
        self.condition = healthy(member.role)
        layout = _Layout()
        for metric, family in zip(catalogue().values(), families_of(member), strict=True):
            layout.add(metric, family)
        self._layout = layout
        self._template = "".join(layout.text)
        self._holes = _holes(layout)
        self._signals = np.array([signal for signal, _ in layout.rates], dtype=np.intp)
        self._sum_counts = np.array([count for count, _ in layout.sums], dtype=np.intp)
        self._base = base_rates(member.role)
        self._signal_waves = Waves(len(SIGNALS), rng)
        self._gauge_waves = Waves(layout.waves, rng)
        self._wave_of = np.array([wave for _, _, wave in layout.gauges], dtype=np.intp)
        self._swing = np.array([gauge.swing for _, gauge, _ in layout.gauges], dtype=np.float64)
        self._is_whole = np.array([gauge.whole for _, gauge, _ in layout.gauges], dtype=np.bool_)
        self._adopt(self.condition)
        self._carry_uptime(float(rng.uniform(*_UPTIME)))

    def change(self, condition: Condition, seconds: float) -> None:
        """Be in this condition from now on."""
        self._carried, self._carried_sums = self._whole(seconds), self._sums(seconds)
        self._since = self._signal_waves.integral(seconds)
        self._adopt(condition)

    def restart(self, seconds: float) -> None:
        """Start all counters at 0, as a new process does."""
        self._carried = np.zeros_like(self._carried)
        self._carried_sums = np.zeros_like(self._carried_sums)
        self._since = self._signal_waves.integral(seconds)

    def page(self, seconds: float) -> bytes:
        """The exposition text (format 0.0.4) at a time not before the last change."""
        numbers = np.concatenate([np.floor(self._whole(seconds)), self._sums(seconds), self._gauges(seconds)])
        return (self._template % tuple(numbers[self._holes].tolist())).encode()

    def _adopt(self, condition: Condition) -> None:
        layout = self._layout
        self.condition = condition
        shares = np.array([rate(condition) for _, rate in layout.rates], dtype=np.float64)
        self._rates = shares * self._base[self._signals]  # [counts], per second
        self._means = np.array([_mean(spread, condition) for _, spread in layout.sums], dtype=np.float64)
        self._levels = np.array([_value(share, condition) for share, _, _ in layout.gauges], dtype=np.float64)

    def _carry_uptime(self, uptime: float) -> None:
        self._carried = self._rates * uptime
        self._carried_sums = np.floor(self._carried[self._sum_counts]) * self._means
        self._since = self._signal_waves.integral(0.0)

    def _whole(self, seconds: float) -> Values:
        """float64[counts], with their fractions, which are carried but not shown."""
        passed = self._signal_waves.integral(seconds) - self._since
        return self._carried + self._rates * passed[self._signals]

    def _sums(self, seconds: float) -> Values:
        """float64[sums]: only whole observations count, so a histogram without any has the sum 0."""
        counts, carried = self._whole(seconds)[self._sum_counts], self._carried[self._sum_counts]
        return self._carried_sums + (np.floor(counts) - np.floor(carried)) * self._means

    def _gauges(self, seconds: float) -> Values:
        swing = (self._gauge_waves.at(seconds)[self._wave_of] - 1.0) / 0.25
        values = self._levels * (1.0 + self._swing * swing)
        values = np.where(self._is_whole, np.rint(values), np.round(values, 4))
        for total, parts in self._layout.totals:
            values[total] = values[parts].sum()
        return values


def _holes(layout: _Layout) -> Rows:
    """Rows of the concatenated whole, sums and gauges, in the order of the page."""
    start = {"whole": 0, "sums": len(layout.rates), "gauges": len(layout.rates) + len(layout.sums)}
    return np.array([start[kind] + index for kind, index in layout.holes], dtype=np.intp)


def _value(share: Share, condition: Condition) -> float:
    return share(condition) if callable(share) else share


def _mixture(spread: Spread, condition: Condition) -> Mixture:
    return spread(condition) if callable(spread) else spread


def _mean(spread: Spread, condition: Condition) -> float:
    return _mixture(spread, condition).mean


def _bucket(spread: Spread, bound: float) -> Callable[[Condition], float]:
    return lambda now: _mixture(spread, now).below(bound)


def _pairs(metric: Metric, key: Key) -> list[tuple[str, str]]:
    return list(zip(metric.labels, key, strict=True))


def _series(name: str, pairs: Sequence[tuple[str, str]]) -> str:
    """`name{label="value",...}`; the simulator's values need no escapes."""
    body = ",".join(f'{label}="{value}"' for label, value in pairs)
    return f"{name}{{{body}}}" if body else name
