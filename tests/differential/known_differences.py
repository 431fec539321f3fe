"""Every difference between Prometheus 2.42 and 3.x that the comparisons allow, each with its reason.

A difference is looked at where it begins: at the smallest part of an expression whose answers differ. Rows
without `explains` never come up, because the generator keeps away from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.differential.compare import Answer
from zseval.promql.syntax.ast import Expr

__all__ = ["KNOWN_DIFFERENCES", "Case", "KnownDifference", "explanation"]


@dataclass(frozen=True, slots=True)
class Case:
    """The smallest part of an expression whose answers differ, and the answers."""

    expr: Expr
    text: str
    theirs: Answer
    ours: Answer


@dataclass(frozen=True, slots=True)
class KnownDifference:
    """What 2.42 does, what 3.x does, and the test whether that explains a case."""

    what: str
    before: str
    now: str
    explains: Callable[[Case], bool] | None = None

    @property
    def row(self) -> str:
        return f"| {self.what} | {self.before} | {self.now} |"


KNOWN_DIFFERENCES: tuple[KnownDifference, ...] = (
    KnownDifference(
        "left edge of a range and of the lookback",
        "a sample exactly on it counts",
        "it does not: windows are left-open",
    ),
)


def explanation(case: Case) -> KnownDifference | None:
    """The row that explains a case."""
    return next(
        (each for each in KNOWN_DIFFERENCES if each.explains is not None and each.explains(case)), None
    )
