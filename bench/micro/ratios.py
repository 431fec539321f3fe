"""Ratios of benchmarks to the calibrated loop: read from a run, saved, compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["ALLOWED", "Change", "best_of", "changes", "read", "ratios_of", "write"]

ALLOWED = 1.2

Ratios = dict[str, float]


@dataclass(frozen=True, slots=True)
class Change:
    """One benchmark's ratio before and now."""

    name: str
    before: float
    now: float

    @property
    def factor(self) -> float:
        return self.now / self.before

    @property
    def is_regression(self) -> bool:
        return self.factor > ALLOWED


def ratios_of(report: Mapping[str, Any]) -> Ratios:
    """From pytest-benchmark's JSON: the fastest round of each, divided by the loop's time beside it."""
    return {
        each["fullname"].removeprefix("bench/micro/"): each["stats"]["min"]
        / each["extra_info"]["calibration_s"]
        for each in report["benchmarks"]
    }


def best_of(*runs: Ratios) -> Ratios:
    """The least ratio of each: what was measured in a quiet moment."""
    best: Ratios = {}
    for run in runs:
        for name, ratio in run.items():
            best[name] = min(ratio, best.get(name, ratio))
    return best


def changes(before: Ratios, now: Ratios) -> list[Change]:
    """Of the benchmarks in both, the largest regression first."""
    found = [Change(name, before[name], now[name]) for name in before.keys() & now.keys()]
    return sorted(found, key=lambda change: -change.factor)


def read(file: Path, processor: str) -> Ratios:
    """What was saved on such a processor; empty for nothing."""
    return _every(file).get(processor, {})


def write(file: Path, processor: str, ratios: Ratios) -> None:
    """Keep them beside those of other processors."""
    rounded = {name: float(f"{ratio:.4g}") for name, ratio in sorted(ratios.items())}
    every = _every(file) | {processor: rounded}
    file.write_text(json.dumps(dict(sorted(every.items())), indent=1) + "\n")


def _every(file: Path) -> dict[str, Ratios]:
    every: dict[str, Ratios] = json.loads(file.read_text()) if file.exists() else {}
    return every
