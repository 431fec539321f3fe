"""Naming: the series that a rule's results are, which mostly are those of its last evaluation.

The engine gives labels as columns of symbols. Whether those are the same as before is a comparison of two
arrays; making Labels of them, and those of what is written, costs many times as much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zseval.model.labels import Labels
from zseval.model.labelsets import LabelSets
from zseval.rules.alerts import RuleError

__all__ = ["Naming"]


class Naming:
    """extra: labels that go over those of a result in what is written for it; an empty one takes it off."""

    __slots__ = ("_before", "_extra", "_results", "_written")

    def __init__(self, extra: Mapping[str, str]) -> None:
        self._extra = extra
        self._before: LabelSets | None = None
        self._results: tuple[Labels, ...] = ()
        self._written: tuple[Labels, ...] | None = None  # for these results; None until they are asked for

    def results(self, found: LabelSets) -> tuple[Labels, ...]:
        """The labels of each result; the same tuple as before where they are the same in the same order."""
        if not _is_same(self._before, found):
            results = tuple(found.to_list())
            if results != self._results:
                self._results, self._written = results, None
        self._before = found
        return self._results

    def written(self, found: LabelSets) -> tuple[Labels, ...]:
        """The labels of what is written for each result; the same tuple for the same ones.

        Raises RuleError where two become one.
        """
        results = self.results(found)
        if self._written is None:
            self._written = self.named(results)
        return self._written

    def named(self, results: Sequence[Labels]) -> tuple[Labels, ...]:
        """What these become, without a look at what was before. Raises RuleError where two become one."""
        named = tuple(each.merged(self._extra) for each in results)
        if len(set(named)) != len(named):
            raise RuleError("vector contains metrics with the same labelset after applying rule labels")
        return named


def _is_same(before: LabelSets | None, found: LabelSets) -> bool:
    """Whether the labels are the same, as far as symbols tell: a query may have some of its own."""
    if before is found:
        return True
    return (
        before is not None
        and before.names == found.names
        and before.symbols is found.symbols
        and before.codes.shape == found.codes.shape
        and bool((before.codes == found.codes).all())
    )
