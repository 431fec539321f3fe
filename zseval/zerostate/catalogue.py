"""The metrics ZeroState exposes: names, types, labels and help, read from `catalogue.tsv`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, cast

from zseval.zerostate import bundled

__all__ = ["Metric", "catalogue"]

MetricType = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family. named_by: "guide" or "code", where ZeroState names it."""

    name: str
    type: MetricType
    labels: tuple[str, ...]
    help: str
    named_by: str


@cache
def catalogue() -> dict[str, Metric]:
    """All metrics by name, in the order of the file."""
    lines = bundled("catalogue.tsv").read_text("utf-8").splitlines()
    metrics = (_metric(line.split("\t")) for line in lines[1:] if line)
    return {metric.name: metric for metric in metrics}


def _metric(columns: list[str]) -> Metric:
    name, kind, labels, help_text, named_by = columns
    if kind not in ("counter", "gauge", "histogram"):
        raise ValueError(f"catalogue.tsv: {name} has the unknown type {kind!r}")
    return Metric(name, cast(MetricType, kind), tuple(filter(None, labels.split(","))), help_text, named_by)
