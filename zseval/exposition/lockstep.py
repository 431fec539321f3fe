"""Lockstep: a body beside the one before it, to find the values that changed while the lines stayed.

A large body is not taken apart into lines: where most values stay, to make lines of it would cost more than
all the rest. The two are compared as bytes, once the earlier one has got the values of another length, so
that both have the same lines at the same places. A small body is quicker to split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from operator import ne
from typing import Protocol

import numpy as np

from zseval.exposition.floats import plain_floats
from zseval.model.arrays import Rows, Values

__all__ = ["Changes", "Lockstep", "lockstep"]

_LARGE = 16 << 10  # bytes
_NO_VALUE = 1 << 30  # in place of the length of a head: more than a line is long, and no overflow in 32 bits
_LINE_BREAK = ord("\n")


class Changes(Protocol):
    """What is new in a body. rows: intp[N], increasing, the lines whose values are not what they were."""

    @property
    def rows(self) -> Rows: ...
    def texts(self) -> list[bytes]:
        """What stands after the heads of these lines."""
        ...

    def floats(self) -> Values | None:
        """float64[N] of it, where it is numbers and nothing else; otherwise None."""
        ...


class Lockstep(Protocol):
    """The latest of several bodies that differ in what follows the heads of their lines only."""

    def compare(self, body: bytes) -> Changes | None:
        """What changed from the latest body to this one; None where more did, or perhaps did."""
        ...

    def accept(self, changes: Changes) -> None:
        """The body of these changes, of the latest `compare`, is the latest now."""
        ...


def lockstep(body: bytes, heads: Sequence[bytes]) -> Lockstep:
    """heads: of each line what stands before its value, b"" for a line without one."""
    return _ByBytes(body, heads) if len(body) >= _LARGE else _ByLines(body, heads)


@dataclass(slots=True, eq=False)
class _LineChanges:
    rows: Rows
    lines: list[bytes]
    tails: list[bytes]

    def texts(self) -> list[bytes]:
        return self.tails

    def floats(self) -> Values | None:
        return plain_floats(b"\n".join([*self.tails, b""]), len(self.tails))


class _ByLines:
    __slots__ = ("_has_value", "_heads", "_lines")

    def __init__(self, body: bytes, heads: Sequence[bytes]) -> None:
        self._lines = body.split(b"\n")
        self._heads = list(heads)

    def compare(self, body: bytes) -> Changes | None:
        lines = body.split(b"\n")
        if len(lines) != len(self._lines):
            return None
        changed = list(map(ne, lines, self._lines))
        whole, heads = list(compress(lines, changed)), list(compress(self._heads, changed))
        tails = list(map(bytes.removeprefix, whole, heads))
        # A line with another head was left whole, which may well look like a number.
        if not all(heads) or sum(map(len, tails)) + sum(map(len, heads)) != sum(map(len, whole)):
            return None
        rows = np.flatnonzero(np.frombuffer(bytes(changed), dtype=np.bool_))
        return _LineChanges(rows, lines, tails)

    def accept(self, changes: Changes) -> None:
        assert isinstance(changes, _LineChanges)
        self._lines = changes.lines


@dataclass(slots=True, eq=False)
class _ByteChanges:
    """line_ends: intp[L].  starts, ends: intp[N], where the values stand."""

    rows: Rows
    body: bytes
    line_ends: Rows
    starts: Rows
    ends: Rows

    def texts(self) -> list[bytes]:
        body = self.body
        return [body[start:end] for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True)]

    def floats(self) -> Values | None:
        sizes = self.ends - self.starts + 1  # with the line breaks
        lasts = np.cumsum(sizes)
        places = np.arange(int(lasts[-1])) + np.repeat(self.starts - lasts + sizes, sizes)
        lines = np.frombuffer(self.body, dtype=np.uint8)[places].tobytes()
        return plain_floats(lines, len(sizes))


class _ByBytes:
    __slots__ = ("_body", "_ends", "_offsets")

    def __init__(self, body: bytes, heads: Sequence[bytes]) -> None:
        self._body = body
        self._ends = _line_ends(body)
        sizes = np.fromiter(map(len, heads), dtype=np.intp, count=len(heads))[: len(self._ends)]
        # Of a value from the start of the first line, and from the line break before any other.
        self._offsets = np.where(sizes > 0, sizes, _NO_VALUE)
        self._offsets[1:] += 1

    def compare(self, body: bytes) -> Changes | None:
        ends = _line_ends(body)
        if len(ends) != len(self._ends) or not len(ends):
            return None
        values_at = self._offsets.copy()
        values_at[1:] += ends[:-1]
        resized, shifts = self._resized(ends)
        starts = values_at[resized]
        if (starts >= ends[resized]).any() or body[ends[-1] :] != self._body[self._ends[-1] :]:
            return None
        places = _differences(body, self._aligned(body, starts, ends[resized], shifts))
        rows = np.searchsorted(ends, places)
        if (places < values_at[rows]).any():
            return None
        changed = np.zeros(len(ends), dtype=np.bool_)
        changed[rows] = True
        changed[resized] = True
        rows = changed.nonzero()[0]
        return _ByteChanges(rows, body, ends, values_at[rows], ends[rows])

    def accept(self, changes: Changes) -> None:
        assert isinstance(changes, _ByteChanges)
        self._body, self._ends = changes.body, changes.line_ends

    def _resized(self, ends: Rows) -> tuple[Rows, Rows]:
        """Lines that are longer or shorter than before, and by how much what follows each has moved."""
        shifts = ends - self._ends
        moved = np.empty(len(ends), dtype=np.bool_)
        moved[0] = shifts[0] != 0
        np.not_equal(shifts[1:], shifts[:-1], out=moved[1:])
        resized = moved.nonzero()[0]
        return resized, shifts[resized]

    def _aligned(self, body: bytes, starts: Rows, ends: Rows, shifts: Rows) -> bytes:
        """The latest body with the values that stand at starts:ends in this one, each of which moved what
        follows it so far."""
        if not len(starts):
            return self._body
        latest, now = memoryview(self._body), memoryview(body)
        parts: list[memoryview] = []
        at, shift = 0, 0
        for start, end, moved in zip(starts.tolist(), ends.tolist(), shifts.tolist(), strict=True):
            parts += (latest[at - shift : start - shift], now[start:end])
            at, shift = end, moved
        parts.append(latest[at - shift :])
        return b"".join(parts)


def _line_ends(body: bytes) -> Rows:
    ends: Rows = (np.frombuffer(body, dtype=np.uint8) == _LINE_BREAK).nonzero()[0]
    return ends


def _differences(body: bytes, other: bytes) -> Rows:
    """Where each stretch of bytes begins that differ; the bodies are equally long."""
    differs = np.frombuffer(body, dtype=np.uint8) != np.frombuffer(other, dtype=np.uint8)
    begins = differs.copy()
    np.greater(differs[1:], differs[:-1], out=begins[1:])
    places: Rows = begins.nonzero()[0]
    return places
