"""SeriesTable: which series there are, as ids of (name, value) pairs in one array.

A series costs its pair ids (4 bytes each), an offset, a hash and a slot of an open-addressed table:
no Python object. A pair is a label with its value; `values_of[name][value]` gives its id, which makes
the same dictionaries the first level of the index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Ids, Mask, Rows
from zseval.model.labels import Labels
from zseval.model.labelsets import LabelSets
from zseval.model.symbols import Symbols
from zseval.tsdb.growing import Growing

__all__ = ["PairSpan", "SeriesTable"]

_LEAST_SLOTS = 64


@dataclass(frozen=True, slots=True)
class PairSpan:
    """Pairs of some series, flat. pairs: int32[N]. owners: intp[N], which of the series, increasing."""

    pairs: Ids
    owners: Rows


class SeriesTable:
    """Label sets to increasing ids and back. Guarded by the lock of its TSDB.

    symbols: the strings.  values_of: label name -> value -> pair id, in order of first appearance.
    """

    def __init__(self, symbols: Symbols | None = None) -> None:
        self.symbols = Symbols() if symbols is None else symbols
        self.values_of: dict[str, dict[str, int]] = {}
        self._pair_names = Growing(np.int32)  # [P] symbol of the label name
        self._pair_values = Growing(np.int32)  # [P] symbol of the value
        self._flat = Growing(np.int32)  # pair ids of all series, one after another
        self._ends = Growing(np.int64)  # [S] where each series' pairs end in it
        self._hashes = Growing(np.int64)  # [S]
        self._slots: Ids = np.full(_LEAST_SLOTS, -1, dtype=np.int32)

    def __len__(self) -> int:
        return len(self._ends)

    @property
    def pair_count(self) -> int:
        return len(self._pair_names)

    @property
    def pair_names(self) -> Ids:
        """int32[P], the symbol of each pair's label name."""
        return self._pair_names.view

    @property
    def pair_values(self) -> Ids:
        """int32[P], the symbol of each pair's value."""
        return self._pair_values.view

    @property
    def nbytes(self) -> int:
        parts = (self._pair_names, self._pair_values, self._flat, self._ends, self._hashes)
        return sum(part.nbytes for part in parts) + self._slots.nbytes

    def resolve(self, labels: Labels) -> int:
        """The id of one label set, new or known."""
        pairs = tuple([self._pair(name, value) for name, value in labels])
        key = hash(pairs)
        slot, series = self._probe(key, pairs)
        if series >= 0:
            return series
        series = len(self)
        self._flat.extend(np.array(pairs, dtype=np.int32))
        self._ends.append(len(self._flat))
        self._hashes.append(key)
        self._slots[slot] = series
        if 2 * len(self) > len(self._slots):
            self._rehash(2 * len(self._slots))
        return series

    def find(self, labels: Labels) -> int | None:
        """The id of one label set, None where there is no such series."""
        pairs = []
        for name, value in labels:
            pair = self.values_of.get(name, {}).get(value)
            if pair is None:
                return None
            pairs.append(pair)
        series = self._probe(hash(tuple(pairs)), tuple(pairs))[1]
        return series if series >= 0 else None

    def labels(self, series: int) -> Labels:
        """The label set of one series."""
        text, names, values = self.symbols.text, self.pair_names, self.pair_values
        pairs = self._flat.view[self._start(series) : self._ends.view[series]].tolist()
        return Labels.from_sorted(tuple((text(int(names[pair])), text(int(values[pair]))) for pair in pairs))

    def pairs_of(self, series: Ids) -> PairSpan:
        """The pairs of these series, int32[S]."""
        ends = self._ends.view[series]
        counts = ends - np.where(series > 0, self._ends.view[series - 1], 0)
        owners = np.repeat(np.arange(len(series), dtype=np.intp), counts)
        before = np.cumsum(counts) - counts
        source = np.arange(len(owners), dtype=np.intp) + np.repeat(ends - counts - before, counts)
        return PairSpan(self._flat.view[source], owners)

    def pairs_from(self, first: int) -> PairSpan:
        """The pairs of all series from `first` on; owners are series ids."""
        start = self._start(first) if first < len(self) else len(self._flat)
        counts = np.diff(self._ends.view[first:], prepend=start)
        owners = np.repeat(np.arange(first, len(self), dtype=np.intp), counts)
        return PairSpan(self._flat.view[start:], owners)

    def label_sets(self, series: Ids) -> LabelSets:
        """The label sets of int32[S] series as columns, without touching a string but the names."""
        span = self.pairs_of(series)
        name_symbols = self.pair_names[span.pairs]
        present = np.unique(name_symbols)
        texts = [self.symbols.text(int(symbol)) for symbol in present]
        order = sorted(range(len(texts)), key=texts.__getitem__)
        row_of = np.zeros(len(present), dtype=np.intp)
        row_of[order] = np.arange(len(order), dtype=np.intp)
        codes = np.zeros((len(texts), len(series)), dtype=np.int32)
        codes[row_of[np.searchsorted(present, name_symbols)], span.owners] = self.pair_values[span.pairs]
        return LabelSets(tuple(texts[row] for row in order), codes, self.symbols)

    def compacted(self, alive: Mask) -> SeriesTable:
        """A table of the series marked in bool[S], in the same order; the strings they use and no others.

        Label sets handed out earlier stay good: the old symbols stay with them.
        """
        series = np.flatnonzero(alive).astype(np.int32)
        span = self.pairs_of(series)
        used, renumbered = np.unique(span.pairs, return_inverse=True)
        names, values = self.pair_names[used], self.pair_values[used]
        made = SeriesTable(self.symbols.compacted(np.union1d(names, values).tolist()))
        text = made.symbols.text
        for pair, (name, value) in enumerate(zip(names.tolist(), values.tolist(), strict=True)):
            made.values_of.setdefault(text(name), {})[text(value)] = pair
        made._pair_names.extend(names)
        made._pair_values.extend(values)
        made._flat.extend(renumbered.astype(np.int32))
        counts = np.bincount(span.owners, minlength=len(series))
        ends = np.cumsum(counts)
        made._ends.extend(ends)
        flat = renumbered.tolist()
        starts = (ends - counts).tolist()
        hashes = [hash(tuple(flat[lo:hi])) for lo, hi in zip(starts, ends.tolist(), strict=True)]
        made._hashes.extend(np.array(hashes, dtype=np.int64))
        made._rehash(max(_LEAST_SLOTS, 1 << (2 * len(series)).bit_length()))
        return made

    def _pair(self, name: str, value: str) -> int:
        values = self.values_of.get(name)
        if values is None:
            values = self.values_of[name] = {}
        pair = values.get(value)
        if pair is None:
            pair = values[value] = len(self._pair_names)
            self._pair_names.append(self.symbols.intern(name))
            self._pair_values.append(self.symbols.intern(value))
        return pair

    def _start(self, series: int) -> int:
        return int(self._ends.view[series - 1]) if series else 0

    def _probe(self, key: int, pairs: tuple[int, ...]) -> tuple[int, int]:
        """(slot, series) of this label set; series is -1 and the slot free where it is not known."""
        slots, hashes, mask = self._slots, self._hashes.view, len(self._slots) - 1
        slot = key & mask
        while (series := int(slots[slot])) >= 0:
            if hashes[series] == key:
                own = self._flat.view[self._start(series) : self._ends.view[series]]
                if tuple(own.tolist()) == pairs:
                    return slot, series
            slot = (slot + 1) & mask
        return slot, -1

    def _rehash(self, size: int) -> None:
        """Enter all series into a table of this size: every round places those whose slot is free."""
        slots: NDArray[np.int32] = np.full(size, -1, dtype=np.int32)
        pending = np.arange(len(self), dtype=np.int32)
        wanted = self._hashes.view & (size - 1)
        while len(pending):
            free = slots[wanted] < 0
            slots[wanted[free][::-1]] = pending[free][::-1]  # the first of several wins
            lost = slots[wanted] != pending
            pending, wanted = pending[lost], (wanted[lost] + 1) & (size - 1)
        self._slots = slots


def label_list(table: SeriesTable, series: Sequence[int]) -> list[Labels]:
    """The label sets of these series, sorted as Prometheus sorts them."""
    return sorted(table.labels(each) for each in series)
