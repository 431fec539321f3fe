"""LabelMemo: label work done once per series set and kept between queries.

Grouping, matching and name dropping depend on label sets only. A rule that is evaluated every few
seconds selects the same series each time, so all of it can be looked up. Keys are identities: a
selector's label sets are one object for as long as it selects the same series, and what is derived
from a remembered object is itself remembered, which chains through the whole expression.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar, cast

import numpy as np

from zseval.model.labelsets import FEW_SETS, Grouping, LabelSets

__all__ = ["LabelMemo"]

T = TypeVar("T")

# A few hundred sets of a thousand series, or the label work of one query over 100,000.
DEFAULT_LIMIT_BYTES = 32 << 20
_RENDERED_BYTES = 300  # of a label set as JSON, which those of few keep
_ENTRY_BYTES = 500  # an entry's own tuples and dict slot


class LabelMemo:
    """Least recently used entries, bounded by the bytes of the arrays they hold. Any thread may use it."""

    __slots__ = ("_bytes", "_entries", "_limit", "_lock")

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._bytes = 0
        self._entries: OrderedDict[Hashable, tuple[tuple[object, ...], object, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size_bytes(self) -> int:
        return self._bytes

    def get(self, owners: tuple[object, ...], what: Hashable, make: Callable[[], T]) -> T:
        """The value of `make()` for these owner objects (by identity) and this question.

        The owners are kept alive with the entry, so that their ids stay theirs.
        """
        key = (tuple(map(id, owners)), what)
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
                return cast("T", entry[1])  # the key says what make() returns
        value = make()
        self._put(key, owners, value)
        return value

    def _put(self, key: Hashable, owners: tuple[object, ...], value: object) -> None:
        size = _ENTRY_BYTES + _nbytes(value)
        with self._lock:
            if key in self._entries:
                return
            self._entries[key] = (owners, value, size)
            self._bytes += size
            while self._bytes > self._limit and len(self._entries) > 1:
                self._bytes -= self._entries.popitem(last=False)[1][2]


def _nbytes(value: object) -> int:
    """Bytes of the arrays in a value."""
    match value:
        case np.ndarray():
            return int(value.nbytes)
        case LabelSets():
            rendered = _RENDERED_BYTES * len(value) if len(value) <= FEW_SETS else 0
            return int(value.codes.nbytes) + rendered
        case Grouping():
            return int(value.ids.nbytes + value.first.nbytes)
        case tuple() | list():
            return sum(map(_nbytes, value))
    parts = getattr(value, "__slots__", ())
    return sum(_nbytes(getattr(value, name)) for name in parts if isinstance(name, str))
