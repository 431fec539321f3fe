"""Sums of what counters gain, from the sums of their steps.

rate and increase of series that share their times multiply what was gained by one factor a window, as long as
extrapolation does not reach to where a counter would have been zero. That is so for counters that are worth a
few of their largest steps, as nearly all are. Those that begin near zero are so after a while: until then
they go the usual way, as do those that were reset.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from zseval.model.arrays import Mask, Rows, Values
from zseval.model.segments import reduce_segments
from zseval.promql.exec.context import Context
from zseval.promql.exec.pieces import Alike, Places, Steps, starts_of
from zseval.promql.exec.totals import Total, each_alone
from zseval.promql.kernels import counters
from zseval.tsdb.frame import Frame

__all__ = ["Gains"]

_BEGINNING = 32
"""This part of the rows is left out where counters begin near zero."""


@dataclass(slots=True, eq=False)
class _Taken:
    """Series that are taken together: their steps summed by group, and which they are."""

    steps: list[Values] = field(default_factory=list)
    places: Places = field(default_factory=Places)
    rows: list[Rows] = field(default_factory=list)
    ids: list[Rows] = field(default_factory=list)

    def add(self, piece: Steps, which: Mask) -> None:
        """which: bool[n], the series to take."""
        ids, rows, steps = piece.ids, piece.rows, piece.steps
        if not which.all():
            ids, rows, steps = ids[which], rows[which], steps[which]
        if len(ids):
            starts = starts_of(ids)
            self.steps.append(reduce_segments(np.add, steps, starts, np.float64))
            self.places.add(ids[starts], piece.frame)
            self.rows.append(rows)
            self.ids.append(ids)


class Gains:
    """What counters of frames that are alike gain is added to a total."""

    def __init__(self, kind: Alike, total: Total) -> None:
        self._kind, self._total = kind, total

    def add(self, groups: Rows, ctx: Context) -> list[Frame]:
        """Returns the series that have to go the usual way."""
        kind = self._kind
        first_row, early = self._beginning()
        clear_of = counters.clear_of_zero(kind.windows(np.empty((0, kind.rows)), np.zeros(0, dtype=np.intp)))
        clear, later = _Taken(), _Taken()
        odd: dict[int, list[Rows]] = {}
        late: dict[int, list[Rows]] = {}
        with np.errstate(invalid="ignore", over="ignore"):
            for piece in kind.steps(groups, ctx):
                largest = piece.steps.max(axis=1, initial=0.0)
                rises = (piece.steps.min(axis=1, initial=0.0) >= 0) & (largest < np.inf)  # a NaN is neither
                least = clear_of * largest
                is_clear = rises & (piece.first >= least)
                clear.add(piece, is_clear)
                rest = ~is_clear
                if first_row and rest.any():
                    reached = piece.first + piece.steps[:, :first_row].sum(axis=1)
                    is_later = rest & rises & (reached >= least)
                    later.add(piece, is_later)
                    if is_later.any():
                        late.setdefault(piece.frame, []).append(piece.series[is_later])
                        rest &= ~is_later
                if rest.any():
                    odd.setdefault(piece.frame, []).append(piece.series[rest])
        self._add(clear, slice(None), self._total)
        self._add(later, slice(early, None), self._total.part(slice(early, None)))
        if late and early:
            beginning, frames = slice(0, early), [kind.pick(*each) for each in late.items()]
            alone = each_alone(frames, kind.source.part(beginning), ctx)
            self._total.part(beginning).add_alone(*alone, groups)
        return [kind.pick(*each) for each in odd.items()]

    def _beginning(self) -> tuple[int, int]:
        """A row from which on counters may be clear of zero, and how many steps look at those before it."""
        first_row = self._kind.rows // _BEGINNING
        early = int(np.count_nonzero(self._kind.lo < first_row))
        if early > len(self._kind.lo) // 2 or (self._kind.lo[:early] >= first_row).any():
            return 0, 0
        return first_row, early

    def _add(self, taken: _Taken, steps: slice, total: Total) -> None:
        if not taken.steps:
            return
        kind, groups = self._kind, taken.places.groups
        held = kind.held[steps]
        total.count_held(np.concatenate(taken.rows), np.concatenate(taken.ids), held)
        gained = np.zeros((len(groups), kind.rows))
        np.cumsum(np.concatenate(taken.steps), axis=1, out=gained[:, 1:])
        function = kind.source.function
        assert function is not None, "selectors gain nothing"
        windows = kind.windows(gained, taken.places.frames, steps)
        applied = counters.of_sums(windows, per_second=function.name == "rate")
        order = np.argsort(groups, kind="stable")
        starts = starts_of(groups[order])
        # Nothing is below zero: what rounding loses does not show.
        sums = reduce_segments(np.add, np.where(held, applied, 0.0)[order], starts, np.float64)
        total.sums[groups[order[starts]]] += sums
