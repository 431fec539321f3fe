"""Weave: the points of many series as JSON text, times and values interleaved by numpy.

The text is laid out first, from the lengths of its pieces. Values are then written as cells that may reach a
little beyond their text, to where heads are, and heads afterwards, each exactly as long as it is: no cell
ever lies on another value's text, so that the order in which numpy writes cells does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zseval.model.arrays import Mask, Rows, Values
from zseval.promql.kernels.texts import Bytes, Cells, Texts, even_cells, texts_of

__all__ = ["Heads", "weave", "weave_even"]

_MARGIN = 32  # bytes that a cell may reach beyond the first and last text
_MINUS = ord("-")
_SPACE = ord(" ")
_MOST_SPACES = 128  # after the lead of a row


@dataclass(frozen=True, slots=True)
class Heads:
    """What stands before each of K values.

    widths: intp[K], bytes.  cells: uint8[K, W], W the greatest width.  kinds: the different widths, with the
    columns that have them.
    """

    widths: Rows
    cells: Bytes
    kinds: tuple[tuple[int, Rows], ...]

    @classmethod
    def of(cls, heads: Sequence[bytes]) -> Heads:
        """Of K texts, K above 0."""
        widths = np.fromiter(map(len, heads), dtype=np.intp, count=len(heads))
        width = int(widths.max())
        text = b"".join([head.ljust(width) for head in heads])
        cells = np.frombuffer(text, dtype=np.uint8).reshape(len(heads), width)
        kinds = tuple((kind, np.flatnonzero(widths == kind)) for kind in np.unique(widths).tolist())
        return cls(widths, cells, kinds)

    def of_width(self, width: int) -> Cells:
        """void[K], of use where a head is as wide as that; a view."""
        return np.ndarray((len(self.cells),), f"V{width}", self.cells.data, 0, (self.cells.strides[0],))


def weave(
    values: Values, present: Mask | None, heads: Heads, leads: Sequence[bytes], over: int
) -> memoryview | None:
    """Each value present after the head of its column, row by row.

    values: float64[S, K].  present: bool[S, K], or None where all are; at least one of each row is.
    leads: S texts, each written before a row, over the first `over` bytes of its first head.
    None where heads are too short for this way, or lengths of values too different.
    """
    series, steps = values.shape
    flat = np.ascontiguousarray(values).reshape(-1) if present is None else values[present]
    texts = texts_of(flat, int(heads.widths.min()))
    if texts is None:
        return None
    if present is None:
        columns = None
        firsts = np.arange(0, series * steps, steps)
    else:
        columns = np.nonzero(present)[1]
        firsts = np.concatenate([[0], np.cumsum(np.count_nonzero(present[:-1], axis=1))])
    widths = _widths(heads, columns, series)
    places = texts.lengths + widths
    places[firsts] += np.fromiter(map(len, leads), dtype=np.intp, count=series) - over
    np.cumsum(places, out=places)
    out = np.empty(2 * _MARGIN + int(places[-1]), dtype=np.uint8)
    places -= texts.lengths - _MARGIN
    _put_texts(out, places, texts)
    places -= widths
    if columns is None:
        _put_all_heads(out, places.reshape(series, steps), heads)
    else:
        _put_heads(out, places, columns, heads)
    text = out.data[_MARGIN : len(out) - _MARGIN]
    for lead, first in zip(leads, (places[firsts] + (over - _MARGIN)).tolist(), strict=True):
        text[first - len(lead) : first] = lead
    return text


def weave_even(values: Values, heads: Heads, leads: Sequence[bytes], over: int) -> memoryview | None:
    """Each value of float64[S, K] after the head of its column, closed, and with spaces after it up to one
    width: where each goes needs no looking then, and it takes half the time. To JSON spaces mean nothing.

    leads: S texts, each written before a row; spaces follow those that are shorter than others.
    over: bytes that close a value, which heads begin with, and one after them.
    None where values are not as `even_cells` wants them, or widths too different.
    """
    widths = np.fromiter(map(len, leads), dtype=np.intp, count=len(leads))
    lead = int(widths.max())
    if len(heads.kinds) != 1 or lead - int(widths.min()) > _MOST_SPACES:
        return None
    series, steps = values.shape
    end = heads.cells[0, : over - 1].tobytes()
    cells = even_cells(np.ascontiguousarray(values).reshape(-1), end)
    if cells is None:
        return None
    head = heads.kinds[0][0] - len(end)
    each = head + cells.itemsize
    row = lead + steps * each
    out = np.empty(series * row, dtype=np.uint8)
    own: Cells = np.ndarray((steps,), f"V{head}", heads.cells.data, len(end), (heads.cells.strides[0],))
    _grid(out, (series, steps), head, lead, (row, each))[...] = own
    _grid(out, (series, steps), cells.itemsize, lead + head, (row, each))[...] = cells.reshape(series, steps)
    before = np.frombuffer(b"".join([text.ljust(lead) for text in leads]), dtype=np.uint8)
    out.reshape(series, row)[:, :lead] = before.reshape(series, lead)
    out.reshape(series, row)[:, lead] = _SPACE  # for the comma of the first value
    return out.data


def _grid(out: Bytes, shape: tuple[int, int], width: int, offset: int, strides: tuple[int, int]) -> Cells:
    """void[shape]: cells of out; a view."""
    return np.ndarray(shape, f"V{width}", out.data, offset, strides)


def _widths(heads: Heads, columns: Rows | None, series: int) -> Rows | int:
    """Of the head of each value; one number where all are of one width."""
    if len(heads.kinds) == 1:
        return heads.kinds[0][0]
    return np.tile(heads.widths, series) if columns is None else heads.widths[columns]


def _put_texts(out: Bytes, places: Rows, texts: Texts) -> None:
    after = places
    if texts.negative is not None:
        after = places.copy()
        after[texts.negative] += 1
    for stroke in texts.strokes:
        at = after if stroke.which is None else after[stroke.which]
        _windows(out, stroke.cells.itemsize)[at if stroke.skip is None else at - stroke.skip] = stroke.cells
    if texts.negative is not None:
        out[places[texts.negative]] = _MINUS


def _put_all_heads(out: Bytes, places: Rows, heads: Heads) -> None:
    """places: intp[S, K]."""
    for width, columns in heads.kinds:
        cells = heads.of_width(width)
        if len(heads.kinds) == 1:
            _windows(out, width)[places] = cells
        else:
            _windows(out, width)[places[:, columns]] = cells[columns]


def _put_heads(out: Bytes, places: Rows, columns: Rows, heads: Heads) -> None:
    """places, columns: intp[N]."""
    for width, _ in heads.kinds:
        at, which = places, columns
        if len(heads.kinds) > 1:
            chosen = heads.widths[columns] == width
            at, which = places[chosen], columns[chosen]
        _windows(out, width)[at] = heads.of_width(width)[which]


def _windows(out: Bytes, width: int) -> Cells:
    """The `width` bytes from each place on; a view."""
    return np.ndarray((len(out) - width + 1,), f"V{width}", out.data, 0, (1,))
