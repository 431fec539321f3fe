"""Texts: float64 arrays as decimal text, with no Python object a value.

orjson writes the digits, in two ways:

- Values that all have few decimals, integers among them, are written as integers of one width, whose leading
  and trailing zeros are then left out. That is exact: a decimal of at most fifteen digits which reads back
  as the value is the shortest text that does.
- All others are written as they are, and each text is found by the commas around it.

Texts are moved as cells of one width, which is what numpy copies fast; what a cell holds beside its text is
overwritten by what is written between texts afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

from zseval.model.arrays import Mask, Rows, Values
from zseval.model.number import format_sample

__all__ = ["Bytes", "Cells", "Stroke", "Texts", "even_cells", "texts_of"]

Bytes: TypeAlias = NDArray[np.uint8]
Cells: TypeAlias = NDArray[np.void]

_MOST_DECIMALS = 6  # beyond, finding the zeros to leave out takes longer than writing shortest digits
_DIGITS_BELOW = 1e15
_TABLED, _TABLED_DECIMALS = 1 << 14, 3  # percentages with two decimals, and small counts
_SAMPLED = 16  # values looked at to guess how many decimals all of them have

# Between these orjson writes plain decimals as Go does; outside it uses exponents of its own.
_PLAIN_FROM, _PLAIN_BELOW = 1e-5, 1e16

_SHORT, _LONGEST = 16, 32  # bytes; `-1.2345678901234567e-300` and `-0.0000012345678901234567` have fewer
_COMMA, _POINT, _ZERO = b",.0"
_SPECIAL = b"NaN+Inf-Inf"


@dataclass(frozen=True, slots=True)
class Stroke:
    """Some of the texts in cells of one width.

    which: intp[N'], which values, or None for all.  cells: void[N'].
    skip: intp[N'], bytes of the cell before the text, or None where there are none.
    """

    which: Rows | None
    cells: Cells
    skip: Rows | None = None


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of N values.

    lengths: intp[N], bytes, the sign included.  strokes: their cells, without signs where `negative`, which
    is intp[N'], the values that need one, is given.
    """

    lengths: Rows
    strokes: tuple[Stroke, ...]
    negative: Rows | None = None


def texts_of(values: Values, room: int) -> Texts | None:
    """The texts of float64[N], N above 0, contiguous, as Prometheus writes samples.

    room: how far beside its text a cell may reach on both sides together, bytes. None where it is too little.
    """
    magnitude = np.abs(values)
    scaled = _scaled(magnitude) if magnitude.max() < _DIGITS_BELOW else None  # not so where there is a NaN
    if scaled is not None:
        found = _even_texts(*scaled)
        if found.strokes[0].cells.itemsize <= room:
            return _with_signs(found, np.signbit(values))
    return _found_texts(values, magnitude, room)


def _scaled(magnitude: Values) -> tuple[Values, int] | None:
    """(integers, decimals) where every value is an integer divided by 10**decimals; None otherwise."""
    decimals = max(map(_decimals, magnitude[:: max(1, len(magnitude) // _SAMPLED)].tolist()))
    if decimals > _MOST_DECIMALS:
        return None
    if not decimals:
        whole = np.rint(magnitude)
        return (whole, 0) if np.array_equal(whole, magnitude) else None
    power = 10.0**decimals
    whole = np.rint(magnitude * power)
    if whole.max() >= _DIGITS_BELOW or not np.array_equal(whole / power, magnitude):
        return None
    return whole, decimals


def _decimals(value: float) -> int:
    text = repr(value)
    if "e" in text:
        return _MOST_DECIMALS + 1
    return len(text.partition(".")[2].rstrip("0"))


def _even_texts(whole: Values, decimals: int) -> Texts:
    """Texts of whole / 10**decimals, from a table where that has them all."""
    if decimals <= _TABLED_DECIMALS and whole.max() < _TABLED:
        table = _table(decimals)
        index = whole.astype(np.intp)
        return Texts(table.lengths[index], (Stroke(None, table.strokes[0].cells[index]),))
    return _written(whole, decimals)


@lru_cache
def _table(decimals: int) -> Texts:
    """Of 0 to _TABLED - 1, each from the start of its cell."""
    made = _written(np.arange(_TABLED, dtype=np.float64), decimals)
    (stroke,) = made.strokes
    if stroke.skip is None:
        return made
    width = stroke.cells.itemsize
    text = stroke.cells.tobytes() + bytes(width)
    starts = np.arange(_TABLED) * width + stroke.skip
    return Texts(made.lengths, (_cut(np.frombuffer(text, dtype=np.uint8), starts, None, width),))


def even_cells(values: Values, end: bytes) -> Cells | None:
    """The texts of float64[N], N above 0, each with `end` after it and spaces up to one width; void[N].

    Of small numbers of few decimals and no sign; None for others. Half the work of `texts_of`.
    """
    if not values.max() < _TABLED or np.signbit(values).any():  # not so where there is a NaN
        return None
    scaled = _scaled(values)
    if scaled is None:
        return None
    whole, decimals = scaled
    largest = int(whole.max())
    if decimals > _TABLED_DECIMALS or largest >= _TABLED:
        return None
    table = _ended_table(decimals, end)
    longest = len(str(largest // 10**decimals)) + (decimals + 1 if decimals else 0) + len(end)
    cells: Cells = np.ndarray((_TABLED,), f"V{longest}", table.data, 0, (table.itemsize,))
    return cells[whole.astype(np.intp)]


@lru_cache
def _ended_table(decimals: int, end: bytes) -> Cells:
    """void[_TABLED]: the texts of the table, each with an end and as many spaces as the longest leaves."""
    made = _table(decimals)
    cells, width = made.strokes[0].cells, int(made.lengths.max()) + len(end)
    texts = [cell.tobytes()[:length] for cell, length in zip(cells, made.lengths.tolist(), strict=True)]
    return np.frombuffer(b"".join([(text + end).ljust(width) for text in texts]), dtype=f"V{width}")


def _with_signs(texts: Texts, negative: Mask) -> Texts:
    if not negative.any():
        return texts
    return Texts(texts.lengths + negative, texts.strokes, np.flatnonzero(negative))


def _written(whole: Values, decimals: int) -> Texts:
    """Texts of whole / 10**decimals: digits of one width, of which each text is a part."""
    digits = max(len(str(int(whole.max()))), decimals + 1)
    leading = digits - decimals - 1  # that are left out where they are zeros
    dumped = orjson.dumps(
        (whole + 10.0**digits).astype(np.int64), option=orjson.OPT_SERIALIZE_NUMPY
    )  # `[1…,1…]`: a one, the digits and a comma for each
    grid: Bytes = np.frombuffer(dumped, dtype=np.uint8, offset=1).reshape(len(whole), digits + 2)
    lengths = np.full(len(whole), digits, dtype=np.intp)
    if decimals:
        lengths += 1 - _trailing_zeros(grid[:, digits - decimals + 1 : digits + 1])
        moved = grid.copy()  # the whole part a byte to the left, to have room for the point
        _cells(moved, 0, digits - decimals)[...] = _cells(grid, 1, digits - decimals)
        moved[:, digits - decimals] = _POINT
        cells = _cells(moved, 0, digits + 1)
    else:
        cells = _cells(grid, 1, digits)
    skip: Rows | None = None
    if leading:
        shown = np.zeros(len(whole), dtype=np.int8)
        for place in range(decimals + 1, digits):
            shown += whole >= 10.0**place
        skip = (leading - shown).astype(np.intp)
        lengths -= skip
    return Texts(lengths, (Stroke(None, cells, skip),))


def _trailing_zeros(fractions: Bytes) -> NDArray[np.int8]:
    """int8[N], how many bytes of `.ddd` are left out at the end; the point with the last digit."""
    run = fractions[:, -1] == _ZERO
    left_out: NDArray[np.int8] = run.astype(np.int8)
    for place in range(fractions.shape[1] - 2, -1, -1):
        run &= fractions[:, place] == _ZERO
        left_out += run
    left_out += run
    return left_out


def _cells(grid: Bytes, first: int, width: int) -> Cells:
    """void[N], `width` bytes of each row from column `first` on; a view."""
    rows = grid.shape[0]
    return np.ndarray((rows,), f"V{width}", grid.data, first, (grid.strides[0],))


def _found_texts(values: Values, magnitude: Values, room: int) -> Texts | None:
    """Texts as orjson writes float64, found by the commas; others replaced where Go's differ."""
    dumped = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)
    commas = np.flatnonzero(np.frombuffer(dumped, dtype=np.uint8) == _COMMA)
    starts = np.concatenate([[1], commas + 1], dtype=np.intp)
    lengths = np.concatenate([commas, [len(dumped) - 1]], dtype=np.intp) - starts
    is_plain = magnitude < _PLAIN_BELOW
    lengths -= 2 * ((np.trunc(values) == values) & is_plain)  # the `.0` of an integer
    is_odd: Mask = ~is_plain | ((magnitude < _PLAIN_FROM) & (magnitude != 0))
    source = [dumped]
    if is_odd.any():
        source += _replace(values, np.flatnonzero(is_odd), len(dumped), starts, lengths)
    found: Bytes = np.frombuffer(b"".join([*source, bytes(_LONGEST)]), dtype=np.uint8)
    shortest, longest = int(lengths.min()), int(lengths.max())
    if longest - shortest <= room:
        return Texts(lengths, (_cut(found, starts, None, longest),))
    if max(_SHORT - shortest, longest - _SHORT - 1) > room:
        return None
    short, long = np.flatnonzero(lengths <= _SHORT), np.flatnonzero(lengths > _SHORT)
    return Texts(lengths, (_cut(found, starts, short, _SHORT), _cut(found, starts, long, longest)))


def _replace(values: Values, odd: Rows, end: int, starts: Rows, lengths: Rows) -> list[bytes]:
    """Texts of our own, from place `end` of the source on; starts and lengths are set to them."""
    lengths[odd] = 3
    special = values[odd]
    starts[odd] = end + np.select([np.isnan(special), special > 0], [0, 3], _SPECIAL.index(b"-Inf"))
    lengths[odd[special == -np.inf]] = lengths[odd[special == np.inf]] = 4
    made = [_SPECIAL]
    end += len(_SPECIAL)
    starts[odd[special == -np.inf]] = end - 4
    for index in odd[np.isfinite(special)].tolist():
        text = format_sample(float(values[index])).encode()
        starts[index], lengths[index] = end, len(text)
        end += len(text)
        made.append(text)
    return made


def _cut(source: Bytes, starts: Rows, which: Rows | None, width: int) -> Stroke:
    """Cells of `width` bytes from where the texts start."""
    windows: Cells = np.ndarray((len(source) - width + 1,), f"V{width}", source.data, 0, (1,))
    return Stroke(which, windows[starts if which is None else starts[which]])
