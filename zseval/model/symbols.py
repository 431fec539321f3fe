"""Symbols: strings as small integers, so that label work is arithmetic on arrays.

Id 0 is the empty string, which is how Prometheus spells "no such label". A `Symbols` only grows; when
too many of its strings are no longer used, a compacted one takes its place. `ScopedSymbols` lays the
strings that one query makes up (label_replace, count_values) over it, under negative ids, and is
thrown away with the query.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from zseval.model.arrays import Ids

__all__ = ["ScopedSymbols", "SymbolTable", "Symbols"]


class SymbolTable(Protocol):
    """What label columns need of a string table."""

    def __len__(self) -> int: ...
    def intern(self, text: str) -> int: ...
    def find(self, text: str) -> int | None: ...
    def text(self, symbol: int) -> str: ...


class Symbols:
    """One id for each distinct string. Single writer; readers in other threads see whole entries.

    An id never stands for a second string, not even after compaction, so that arrays of symbols from
    before and after it can meet in one query. The superseded table still answers for all it held and
    asks its successor for the rest.
    """

    __slots__ = ("_ids", "_next", "_successor", "_texts")

    def __init__(self) -> None:
        self._texts: dict[int, str] = {0: ""}
        self._ids: dict[str, int] = {"": 0}
        self._next = 1
        self._successor: Symbols | None = None

    def __len__(self) -> int:
        return len(self._texts)

    def intern(self, text: str) -> int:
        symbol = self._ids.get(text)
        if symbol is None:
            if self._successor is not None:
                return self._successor.intern(text)
            symbol = self._next
            self._next += 1
            self._texts[symbol] = text  # before the id is published: a reader never finds an id without text
            self._ids[text] = symbol
        return symbol

    def find(self, text: str) -> int | None:
        symbol = self._ids.get(text)
        if symbol is None and self._successor is not None:
            return self._successor.find(text)
        return symbol

    def text(self, symbol: int) -> str:
        """The string of a symbol; KeyError where there is no such symbol."""
        text = self._texts.get(symbol)
        if text is None:
            if self._successor is None:
                raise KeyError(symbol)
            return self._successor.text(symbol)
        return text

    def compacted(self, used: Iterable[int]) -> Symbols:
        """The table that takes this one's place: only these strings, under the same ids."""
        made = Symbols()
        made._texts.update((symbol, self._texts[symbol]) for symbol in used)
        made._ids.update((text, symbol) for symbol, text in made._texts.items())
        made._next = self._next
        self._successor = made
        return made


class ScopedSymbols:
    """Strings of one query over a base table; its own get the ids -1, -2, …

    Select everything the query reads before interning: a string that enters the base afterwards
    would otherwise have two ids here.
    """

    __slots__ = ("_base", "_ids", "_texts")

    def __init__(self, base: SymbolTable) -> None:
        self._base = base
        self._texts: list[str] = [""]
        self._ids: dict[str, int] = {}

    def __len__(self) -> int:
        """How many strings of its own it has."""
        return len(self._ids)

    def intern(self, text: str) -> int:
        symbol = self.find(text)
        if symbol is None:
            symbol = self._ids[text] = -len(self._texts)
            self._texts.append(text)
        return symbol

    def find(self, text: str) -> int | None:
        symbol = self._ids.get(text)
        return self._base.find(text) if symbol is None else symbol

    def text(self, symbol: int) -> str:
        return self._texts[-symbol] if symbol < 0 else self._base.text(symbol)


def texts(table: SymbolTable, symbols: Ids) -> Sequence[str]:
    """The strings of int32[N] symbols."""
    unique, inverse = np.unique(symbols, return_inverse=True)
    known = [table.text(int(symbol)) for symbol in unique]
    return [known[index] for index in inverse]
