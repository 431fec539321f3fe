"""LabelSets: the label sets of S series as columns of symbol ids.

`codes[l, s]` is the symbol of label `names[l]` on series s, 0 where it has none. Dropping labels,
grouping and matching are then array operations that touch no string: two series have the same
labels where their columns of codes are equal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import orjson

from zseval.model.arrays import Ids, Rows
from zseval.model.labels import METADATA_LABELS, Labels
from zseval.model.symbols import Symbols, SymbolTable

__all__ = ["FEW_SETS", "Grouping", "LabelSets", "distinct", "factorize"]

_SPREAD, _SPREAD_LEAST = 8, 4096  # symbols a column may span, for counting to pay


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """Series sorted into groups.

    ids: intp[S], the group of each series; groups are numbered by first appearance.
    first: intp[G], the first series of each group.
    """

    ids: Rows
    first: Rows

    @property
    def count(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True, eq=False)
class LabelSets:
    """names: sorted label names.  codes: int32[L, S], not to be written to.  symbols: their strings."""

    names: tuple[str, ...]
    codes: Ids
    symbols: SymbolTable
    _few: list[list[bytes]] = field(default_factory=list, init=False, repr=False)  # as JSON, once asked for

    @classmethod
    def of(cls, labels: Sequence[Labels], symbols: SymbolTable | None = None) -> LabelSets:
        """Columns of a list of Labels; interns into `symbols` (a new table by default)."""
        table = Symbols() if symbols is None else symbols
        names = tuple(sorted({name for each in labels for name, _ in each}))
        rows = {name: row for row, name in enumerate(names)}
        codes = np.zeros((len(names), len(labels)), dtype=np.int32)
        for column, each in enumerate(labels):
            for name, value in each:
                codes[rows[name], column] = table.intern(value)
        return cls(names, codes, table)

    @classmethod
    def empty(cls, count: int, symbols: SymbolTable) -> LabelSets:
        """`count` series without any label."""
        return cls((), np.zeros((0, count), dtype=np.int32), symbols)

    def __len__(self) -> int:
        return int(self.codes.shape[1])

    def __getitem__(self, series: int) -> Labels:
        """The Labels of one series."""
        text = self.symbols.text
        column = self.codes[:, series].tolist()
        return Labels.from_sorted(
            tuple((name, text(code)) for name, code in zip(self.names, column, strict=True) if code)
        )

    def to_list(self) -> list[Labels]:
        """All of them as Labels, in order."""
        return [self[series] for series in range(len(self))]

    def column(self, name: str) -> Ids:
        """int32[S], the symbols of one label; zeros where no series has it. A view or fresh."""
        if name in self.names:
            column: Ids = self.codes[self.names.index(name)]
            return column
        return np.zeros(len(self), dtype=np.int32)

    def take(self, series: Rows | Sequence[int]) -> LabelSets:
        """The series at these positions, in this order."""
        return LabelSets(self.names, self.codes[:, np.asarray(series, dtype=np.intp)], self.symbols)

    def keep(self, names: Collection[str]) -> LabelSets:
        """Only the labels named."""
        return self._rows([row for row, name in enumerate(self.names) if name in names])

    def drop(self, names: Collection[str]) -> LabelSets:
        """All labels but those named."""
        rows = [row for row, name in enumerate(self.names) if name not in names]
        return self if len(rows) == len(self.names) else self._rows(rows)

    def without_name(self) -> LabelSets:
        """Less the metric name, and the type and unit that belong to it."""
        return self.drop(METADATA_LABELS)

    def with_column(self, name: str, codes: Ids | int) -> LabelSets:
        """With label `name` set from symbols int32[S] (or one for all); replaces a column it had."""
        rest = self.drop((name,))
        at = int(np.searchsorted(np.array(rest.names, dtype=object), name)) if rest.names else 0
        names = (*rest.names[:at], name, *rest.names[at:])
        column = np.broadcast_to(np.asarray(codes, dtype=np.int32), (1, len(self)))
        return LabelSets(names, np.concatenate([rest.codes[:at], column, rest.codes[at:]]), self.symbols)

    def group(self) -> Grouping:
        """Groups of series with equal labels."""
        return factorize(self.codes)

    def order(self) -> Rows:
        """intp[S], the permutation that sorts the series as Prometheus sorts label sets.

        Sets are compared pair by pair. Where one lacks a label that the other has, it is the greater if it
        has a later label, which then meets the other's name, and the lesser if it ends there.
        """
        if not self.names:
            return np.arange(len(self), dtype=np.intp)
        keys = []
        later = np.zeros(len(self), dtype=np.bool_)
        for column in self.codes[::-1]:
            found, which = distinct(column)
            texts = [self.symbols.text(code) for code in found.tolist()]
            ranks = np.empty(len(texts), dtype=np.int64)
            ranks[sorted(range(len(texts)), key=texts.__getitem__)] = np.arange(len(texts))
            rank = ranks[which]
            missing = column == 0
            rank[missing] = np.where(later[missing], len(texts), -1)
            keys.append(rank)
            later |= ~missing
        return np.lexsort(keys)

    def to_json(self) -> list[bytes]:
        """Each label set as a JSON object, made from the text of each pair once. Not to be written to."""
        if not self.names:
            return [b"{}"] * len(self)
        if len(self) <= FEW_SETS:
            if not self._few:
                self._few.append(self._few_to_json())
            return self._few[0]
        join = b"".join
        return [b"{%s}" % join(pairs)[1:] for pairs in zip(*self._json_pairs(), strict=True)]

    def to_json_columns(self) -> list[list[bytes]]:
        """`to_json` in columns of S pieces each: those of a series, put together, are its object."""
        if len(self) <= FEW_SETS or not self.codes[:1].all():  # there has to be a pair without a comma before
            return [self.to_json()]
        first, *others = self._json_pairs(brace=b"{")
        return [first, *others, [b"}"] * len(self)]

    def _json_pairs(self, brace: bytes = b",") -> list[list[bytes]]:
        """Of each label a piece a series: `,"name":"value"`, or nothing. brace: for the first's comma."""
        columns = []
        before = brace
        for name, column in zip(self.names, self.codes, strict=True):
            found, which = distinct(column)
            head = before + _json(name)
            pairs = np.empty(len(found), dtype=np.object_)
            pairs[:] = [
                b"%s:%s" % (head, _json(self.symbols.text(code))) if code else b"" for code in found.tolist()
            ]
            columns.append(pairs[which].tolist())
            before = b","
        return columns

    def _few_to_json(self) -> list[bytes]:
        """The same without arrays, whose fixed cost is most of a small answer's."""
        heads = [_json(name) for name in self.names]
        texts: dict[int, bytes] = {0: b""}
        made = []
        for codes in self.codes.T.tolist():
            parts = []
            for head, code in zip(heads, codes, strict=True):
                if not code:
                    continue
                text = texts.get(code)
                if text is None:
                    text = texts[code] = _json(self.symbols.text(code))
                parts.append(b"%s:%s" % (head, text))
            made.append(b"{%s}" % b",".join(parts))
        return made

    def aligned(self, names: Sequence[str]) -> Ids:
        """int32[len(names), S]: the columns of these labels, zeros for those not here."""
        codes = np.zeros((len(names), len(self)), dtype=np.int32)
        for row, name in enumerate(names):
            if name in self.names:
                codes[row] = self.codes[self.names.index(name)]
        return codes

    @classmethod
    def concat(cls, parts: Iterable[LabelSets]) -> LabelSets:
        """All series of the parts, in order. The parts share one symbol table (at least one part)."""
        sets = list(parts)
        names = tuple(sorted({name for part in sets for name in part.names}))
        return cls(names, np.concatenate([part.aligned(names) for part in sets], axis=1), sets[0].symbols)

    def _rows(self, rows: list[int]) -> LabelSets:
        return LabelSets(tuple(self.names[row] for row in rows), self.codes[rows], self.symbols)


FEW_SETS = 100
"""No more label sets than this are rendered without arrays, and remembered."""


def distinct(column: Ids) -> tuple[Ids, Rows]:
    """The symbols in int32[S], increasing, and which of them each is, intp[S].

    As np.unique, but by counting: a column holds few of the symbols, and they lie close together.
    """
    if not len(column):
        return column[:0], np.zeros(0, dtype=np.intp)
    low, high = int(column.min()), int(column.max())
    if high - low > _SPREAD * len(column) + _SPREAD_LEAST:
        found, which = np.unique(column, return_inverse=True)
        return found, which.astype(np.intp, copy=False)
    shifted = column - np.int32(low)
    held = np.zeros(high - low + 1, dtype=np.bool_)
    held[shifted] = True
    number = np.cumsum(held, dtype=np.intp) - 1
    return (np.flatnonzero(held) + low).astype(np.int32), number[shifted]


def factorize(codes: Ids) -> Grouping:
    """Groups of equal columns of int32[L, S]; numbered by first appearance.

    One stable sort a label: the running group number is packed with the next label's symbol into
    one int64 key, so nothing is hashed and nothing is a Python object.
    """
    count = codes.shape[1]
    ids = np.zeros(count, dtype=np.int64)
    for column in codes:
        low = int(column.min()) if count else 0
        key = (ids << 32) | (column.astype(np.int64) - low)
        ids = np.unique(key, return_inverse=True)[1].astype(np.int64, copy=False)
    _, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    rank = np.argsort(first, kind="stable")  # groups by where they first appear
    position = np.empty(len(rank), dtype=np.intp)
    position[rank] = np.arange(len(rank), dtype=np.intp)
    return Grouping(position[inverse], first[rank].astype(np.intp, copy=False))


def _json(text: str) -> bytes:
    """Raises TypeError for a lone surrogate: text that came in as bytes and is not UTF-8."""
    return orjson.dumps(text)
