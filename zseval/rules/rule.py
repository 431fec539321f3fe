"""Rules and groups as data, as a rule file gives them. Durations are ms.

Source: prometheus model/rulefmt/rulefmt.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zseval.model.labels import Labels

if TYPE_CHECKING:
    from zseval.promql.syntax.ast import Expr

__all__ = ["AlertingRule", "Group", "RecordingRule", "Rule"]


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """expr: the parsed expression; text: as Prometheus prints it (the printer's form).

    emptied: labels that the rule or its group sets to nothing, which takes them off the results.
    """

    name: str
    expr: Expr
    text: str
    labels: Labels = Labels()
    emptied: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertingRule:
    """labels and annotations hold Go templates; annotations keep empty values out. emptied: as above."""

    name: str
    expr: Expr
    text: str
    hold_ms: int = 0
    keep_firing_ms: int = 0
    labels: Labels = Labels()
    annotations: Labels = Labels()
    emptied: tuple[str, ...] = ()


Rule = RecordingRule | AlertingRule


@dataclass(frozen=True, slots=True)
class Group:
    """file and name together identify a group across reloads.

    interval_ms: already the global evaluation interval where the file gives none.
    limit: series or alerts a rule may produce, 0 for no limit.
    query_offset_ms: None where the file gives none (the global one counts).
    labels: of all its rules; a rule's own come before them.
    """

    file: str
    name: str
    interval_ms: int
    rules: tuple[Rule, ...]
    limit: int = 0
    query_offset_ms: int | None = None
    labels: Labels = Labels()

    def labels_of(self, rule: Rule) -> dict[str, str]:
        """What is set on every result of the rule, templates and all; an empty text takes a label off."""
        return {**dict(self.labels), **dict(rule.labels), **dict.fromkeys(rule.emptied, "")}
