"""Measurement: what one run found for one row, kept as a JSON file, so that rows may be run on their own.

There is a file for each row, scale and variant; a newer run takes the place of the older one.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

__all__ = ["Case", "Measurement", "Ratio", "Spread", "Store", "geometric_mean", "ratio_of", "spread_of"]


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some figures, and the quartiles around it."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Case:
    """One thing measured on several servers.

    samples: for each server a figure a round, in `unit`. Those of one round were taken right after one
    another, so that ratios are taken within a round.  cpu: likewise the CPU time, in the same unit.
    note: what the check of the answers found.
    """

    name: str
    unit: str
    samples: dict[str, list[float]]
    cpu: dict[str, list[float]] = field(default_factory=dict)
    detail: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Measurement:
    """scale: series held, 0 where that means nothing.  variant: "" or "rough" and the like."""

    row: str
    scale: int
    variant: str
    when: str
    command: str
    machine: str
    versions: dict[str, str]
    cases: list[Case]
    load: str = ""

    @property
    def file_name(self) -> str:
        return "-".join(part for part in (self.row, str(self.scale or ""), self.variant) if part) + ".json"

    def case(self, name: str) -> Case | None:
        return next((case for case in self.cases if case.name == name), None)


@dataclass(frozen=True, slots=True)
class Ratio:
    """One case's ratio: the median over the rounds, with its quartiles."""

    case: str
    spread: Spread


class Store:
    """The measurements in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[str, Measurement] = {}
        for file in sorted(folder.glob("*.json")):
            found = _measurement(json.loads(file.read_text()))
            self._kept[found.file_name] = found

    def put(self, measurement: Measurement) -> None:
        """Keep it, in place of an older one of the same row, scale and variant."""
        self._kept[measurement.file_name] = measurement
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / measurement.file_name).write_text(_text(measurement))

    def get(self, row: str, scale: int = 0, variant: str = "") -> Measurement | None:
        wanted = "-".join(part for part in (row, str(scale or ""), variant) if part) + ".json"
        return self._kept.get(wanted)

    def of(self, row: str, variant: str = "") -> list[Measurement]:
        """Those of a row, by scale."""
        found = [each for each in self._kept.values() if (each.row, each.variant) == (row, variant)]
        return sorted(found, key=lambda each: each.scale)

    def everything(self) -> list[Measurement]:
        """By row and scale."""
        return sorted(self._kept.values(), key=lambda each: (each.row, each.scale, each.variant))


def spread_of(figures: Sequence[float]) -> Spread:
    """Raises ValueError where there is none."""
    if not figures:
        raise ValueError("no figures")
    ordered = sorted(figures)
    return Spread(statistics.median(ordered), _at(ordered, 0.25), _at(ordered, 0.75))


def ratio_of(case: Case, server: str, peer: str, *, cpu: bool = False) -> Ratio | None:
    """server / peer, round by round; None where one of them was not measured."""
    samples = case.cpu if cpu else case.samples
    ours, theirs = samples.get(server, []), samples.get(peer, [])
    pairs = [ours / theirs for ours, theirs in zip(ours, theirs, strict=False) if theirs > 0]
    return Ratio(case.name, spread_of(pairs)) if pairs else None


def geometric_mean(figures: Iterable[float]) -> float:
    """Raises ValueError where there is none, or one that is not above 0."""
    logs = [math.log(figure) for figure in figures]
    if not logs:
        raise ValueError("no figures")
    return math.exp(sum(logs) / len(logs))


def _at(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _measurement(data: dict[str, Any]) -> Measurement:
    return Measurement(**{**data, "cases": [Case(**case) for case in data["cases"]]})


def _text(measurement: Measurement) -> str:
    """JSON with a line a case, so that a change of one shows as one."""
    cases = ",\n".join(f"  {json.dumps(asdict(_rounded(case)))}" for case in measurement.cases)
    head = {name: value for name, value in asdict(measurement).items() if name != "cases"}
    fields = "".join(f" {json.dumps(name)}: {json.dumps(value)},\n" for name, value in head.items())
    return f'{{\n{fields} "cases": [\n{cases}\n ]\n}}\n'


def _rounded(case: Case) -> Case:
    """With as many digits as mean something."""

    def rounded(samples: dict[str, list[float]]) -> dict[str, list[float]]:
        return {name: [float(f"{figure:.5g}") for figure in figures] for name, figures in samples.items()}

    return replace(case, samples=rounded(case.samples), cpu=rounded(case.cpu))
