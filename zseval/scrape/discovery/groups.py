"""Target groups as files and HTTP answers have them: `[{"targets": ["host:port"], "labels": {…}}]`.

Source: prometheus discovery/targetgroup/targetgroup.go; unknown keys are errors.
"""

from __future__ import annotations

from typing import Any

from zseval.errors import ScrapeError
from zseval.model.labels import Labels, is_valid_name, quote
from zseval.scrape.config import TargetGroup

__all__ = ["groups_of"]


def groups_of(document: Any, source: str, extra: dict[str, str]) -> tuple[TargetGroup, ...]:
    """The groups of a decoded document; `extra` labels go over those of each group. Raises ScrapeError."""
    if document is None:
        return ()
    if not isinstance(document, list):
        raise ScrapeError(f"expected a list of target groups, got {type(document).__name__}")
    return tuple(_group(entry, f"{source}:{number}", extra) for number, entry in enumerate(document))


def _group(entry: Any, source: str, extra: dict[str, str]) -> TargetGroup:
    if entry is None:
        raise ScrapeError("nil target group item found")
    if not isinstance(entry, dict):
        raise ScrapeError(f"target group {source}: expected a mapping, got {type(entry).__name__}")
    unknown = sorted(str(key) for key in entry if key not in ("targets", "labels"))
    if unknown:
        raise ScrapeError(f"target group {source}: unknown key {quote(unknown[0])}")
    targets = entry.get("targets") or []
    labels = entry.get("labels") or {}
    if not isinstance(targets, list) or not all(isinstance(target, str) for target in targets):
        raise ScrapeError(f"target group {source}: targets must be a list of strings")
    if not isinstance(labels, dict):
        raise ScrapeError(f"target group {source}: labels must be a mapping")
    for name, value in labels.items():
        if not isinstance(name, str) or not is_valid_name(name):
            raise ScrapeError(f"target group {source}: {name!r} is not a valid label name")
        if not isinstance(value, str):
            raise ScrapeError(f"target group {source}: the value of label {quote(name)} must be a string")
    return TargetGroup(
        tuple(Labels({"__address__": target}) for target in targets), Labels({**labels, **extra}), source
    )
