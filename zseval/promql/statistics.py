"""Statistics: how many samples a query touched and held, and where its time went."""

from __future__ import annotations

from dataclasses import dataclass

from zseval.model.arrays import Times

__all__ = ["Statistics"]


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """times: int64[K], the steps in ms.  loaded, read: int64[K], samples at each of them.

    loaded counts all of a window at every step; read counts a sample of overlapping windows once.
    peak: the most cells that were held at a time, absent ones included.
    prepared_s: planning and selecting.  evaluated_s: the rest.
    """

    times: Times
    loaded: Times
    read: Times
    peak: int
    prepared_s: float
    evaluated_s: float

    @property
    def total(self) -> int:
        """Samples loaded at all steps: totalQueryableSamples."""
        return int(self.loaded.sum())

    @property
    def total_read(self) -> int:
        """Samples read at all steps: samplesRead."""
        return int(self.read.sum())

    def to_json(self, *, per_step: bool = False) -> dict[str, object]:
        """The `samples` object of the HTTP API; per_step: with the counts of every step."""
        made: dict[str, object] = {
            "totalQueryableSamples": self.total,
            "samplesRead": self.total_read,
            "peakSamples": self.peak,
        }
        if per_step:
            made["totalQueryableSamplesPerStep"] = self._by_step(self.loaded)
            made["samplesReadPerStep"] = self._by_step(self.read)
        return made

    def _by_step(self, counts: Times) -> list[list[float]]:
        return [
            [time / 1000, count] for time, count in zip(self.times.tolist(), counts.tolist(), strict=True)
        ]
