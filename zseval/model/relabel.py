"""Relabelling: rules that rewrite or drop a label set. Source: prometheus model/relabel/relabel.go."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RelabelRule"]


@dataclass(frozen=True, slots=True)
class RelabelRule:
    """One entry of a relabel_configs list; action is one of upstream's eleven, lower case."""

    source_labels: tuple[str, ...] = ()
    separator: str = ";"
    regex: str = "(.*)"
    modulus: int = 0
    target_label: str = ""
    replacement: str = "$1"
    action: str = "replace"
