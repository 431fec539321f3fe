"""Codec: the values of a sealed block, S columns of R float64, without loss in one to two bytes each.

Each column is stored in the smallest form that gives back its exact bits:

    constant        one float64
    linear          integers with one difference between all rows (counters at rest, timestamps)
    offset 4 … 32   integers as distance from the column's minimum
    step 4 … 32     integers as row-to-row difference, less the smallest difference
    float32         where the conversion is exact
    tail 5, 6       float64 whose upper three or two bytes are the same in every row
    float64         the rest

"Integers" are m with value == m / scale bit for bit, for one scale a column: a power of ten, so that
0.25 and 12.5 qualify, or the inverse of a memory page, whose multiples are what memory gauges count in.
Empty cells (absent, stale) are kept apart as bit masks and bridged with a neighbour's value, so that a
gap does not spoil its column. Everything is one numpy operation for all columns of a form; decoding
touches only the columns asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Ids, Mask, Rows, Values
from zseval.model.staleness import ABSENT_NAN, STALE_NAN, is_absent, is_empty, is_stale
from zseval.tsdb.forms import (
    DECODERS,
    OFFSET_BITS,
    SCALES,
    STEP_BITS,
    TAIL_BYTES,
    Form,
    Group,
    little_bytes,
    pack,
    read_steps,
    steps_of,
)
from zseval.tsdb.masks import MaskColumns

__all__ = ["CHUNK", "Columns", "Encoder", "encode"]

CHUNK = 2048
"""Columns encoded at a time: bounds the temporaries of a wide table to a few MB."""

_DECODED = 256  # columns decoded at a time: what is in between stays in the cache
_LIMIT = float(2**52)  # integers below it have exact differences in float64
_PROBES = 4  # rows tried before a whole column is scaled
_STEP_FORMS = frozenset(int(form) for form in STEP_BITS)
_INTEGER_FORMS = tuple(form for form in Form if form in OFFSET_BITS or form in STEP_BITS)  # smallest first
_Parts = dict[Form, list[Group]]


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """S encoded columns of R rows; immutable, so any thread may decode.

    forms: uint8[S].  slots: int32[S], each column's place among those of its form.
    groups: by form.  absent, stale: which cells are empty.
    """

    rows: int
    forms: NDArray[np.uint8]
    slots: Ids
    groups: dict[int, Group]
    absent: MaskColumns
    stale: MaskColumns

    def __len__(self) -> int:
        return len(self.forms)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays held."""
        arrays = self.forms.nbytes + self.slots.nbytes + self.absent.nbytes + self.stale.nbytes
        return arrays + sum(group.nbytes for group in self.groups.values())

    def decode(self, columns: Rows, lo: int, hi: int, out: Values, *, absent: bool = True) -> None:
        """Rows lo:hi of these columns into out, float64[len(columns), hi - lo].

        absent: whether absent cells are written as such; else they may become anything.
        """
        for start in range(0, len(columns), _DECODED):
            end = start + _DECODED
            self._decode(columns[start:end], lo, hi, out[start:end], absent)

    def _decode(self, columns: Rows, lo: int, hi: int, out: Values, absent: bool) -> None:
        forms, slots = self.forms[columns], self.slots[columns]
        kinds = np.bincount(forms, minlength=1)
        main = int(kinds.argmax())
        group, (decoder, bits) = self.groups[main], DECODERS[main]
        if kinds[main] == len(columns):
            decoder(group, slots, bits, lo, hi, out)
        else:
            # Most are of one form: as if all were, and the others are written over.
            decoder(group, np.where(forms == main, slots, 0), bits, lo, hi, out)
            kinds[main] = 0
            for form in kinds.nonzero()[0].tolist():
                where = (forms == form).nonzero()[0]
                decoder, bits = DECODERS[form]
                part = np.empty((len(where), hi - lo), dtype=np.float64)
                decoder(self.groups[form], slots[where], bits, lo, hi, part)
                out[where] = part
        for mask, marker in ((self.absent, ABSENT_NAN), (self.stale, STALE_NAN)):
            if len(mask) and (absent or mask is self.stale):
                where, empty = mask.rows_of(columns, lo, hi)
                if len(where):
                    part = out[where]
                    part[empty] = marker
                    out[where] = part

    def steps(self, columns: Rows, lo: int, hi: int, out: Values) -> tuple[Values, Values]:
        """How much the cells of rows lo:hi go up from each to the next, into out, float64[n, hi - lo - 1].

        Returns the first and the last of them, float64[n]; no cell may be empty.
        """
        forms, slots = self.forms[columns], self.slots[columns]
        kinds = np.bincount(forms, minlength=1)
        main = int(kinds.argmax())
        if not len(columns):
            return np.empty(0), np.empty(0)
        if kinds[main] == len(columns):
            return self._steps(main, slots, lo, hi, out)
        # Most are of one form: as if all were, and the others are written over.
        first, last = self._steps(main, np.where(forms == main, slots, 0), lo, hi, out)
        first, last = first.copy(), last.copy()
        kinds[main] = 0
        for form in kinds.nonzero()[0].tolist():
            where = (forms == form).nonzero()[0]
            part = np.empty((len(where), out.shape[1]))
            first[where], last[where] = self._steps(form, slots[where], lo, hi, part)
            out[where] = part
        return first, last

    def _steps(self, form: int, slots: Ids, lo: int, hi: int, out: Values) -> tuple[Values, Values]:
        """The same of columns of one form."""
        group = self.groups[form]
        if form in _STEP_FORMS and not group.is_scaled:
            return read_steps(group, Form(form), slots, lo, hi, out)
        values = np.empty(
            (len(slots), hi - lo), dtype=np.float64
        )  # the difference is that of what is rounded
        decoder, bits = DECODERS[form]
        decoder(group, slots, bits, lo, hi, values)
        return steps_of(values, out)

    def decode_all(self) -> Values:
        """All of it: float64[S, R], fresh."""
        out = np.empty((len(self), self.rows), dtype=np.float64)
        self.decode(np.arange(len(self), dtype=np.intp), 0, self.rows, out)
        return out


def encode(values: Values) -> Columns:
    """Encode float64[S, R], R above 0. Decoding gives back every bit."""
    encoder = Encoder(values.shape[1])
    for start in range(0, len(values), CHUNK):
        encoder.add(values[start : start + CHUNK])
    return encoder.columns()


class Encoder:
    """Encodes columns of R rows that come in chunks, one after another. count: how many came."""

    def __init__(self, rows: int) -> None:
        self.count = 0
        self._rows = rows
        self._parts: _Parts = {}
        self._forms: list[NDArray[np.uint8]] = [np.empty(0, dtype=np.uint8)]
        self._absent, self._stale = [MaskColumns.none(rows)], [MaskColumns.none(rows)]

    def add(self, chunk: Values) -> None:
        """The next columns, float64[…, R]."""
        values = np.ascontiguousarray(chunk)
        self._absent.append(MaskColumns.of(is_absent(values), first=self.count))
        self._stale.append(MaskColumns.of(is_stale(values), first=self.count))
        self._forms.append(_encode_chunk(_bridged(values), self._parts))
        self.count += len(values)

    def columns(self) -> Columns:
        """All that came."""
        forms = np.concatenate(self._forms)
        slots = np.empty(self.count, dtype=np.int32)
        for form in self._parts:
            where = np.flatnonzero(forms == form)
            slots[where] = np.arange(len(where), dtype=np.int32)
        groups = {int(form): Group.concat(groups) for form, groups in self._parts.items()}
        absent, stale = MaskColumns.concat(self._absent), MaskColumns.concat(self._stale)
        return Columns(self._rows, forms, slots, groups, absent, stale)


def _bridged(values: Values) -> Values:
    """Empty cells replaced by the value before them, or the first after; 0 where there is none."""
    empty = is_empty(values)
    gappy = np.flatnonzero(empty.any(axis=1))
    if not len(gappy):
        return values
    kept = ~empty[gappy]
    source = np.where(kept, np.arange(values.shape[1]), -1)
    np.maximum.accumulate(source, axis=1, out=source)
    first = kept.argmax(axis=1)[:, None]
    source = np.where(source < 0, first, source)
    filled = np.take_along_axis(values[gappy], source, axis=1)
    filled[~kept.any(axis=1)] = 0.0
    bridged = values.copy()
    bridged[gappy] = filled
    return bridged


def _encode_chunk(values: Values, parts: _Parts) -> NDArray[np.uint8]:
    """Add float64[S, R] without empty cells to the groups; returns their forms, uint8[S]."""
    forms = np.empty(len(values), dtype=np.uint8)
    bits = values.view(np.int64)
    constant = (bits == bits[:, :1]).all(axis=1)
    forms[constant] = Form.CONSTANT
    if constant.any():
        _add(parts, Form.CONSTANT, base=values[constant, 0])
    varying = np.flatnonzero(~constant)
    mantissas, scales = _mantissas(values[varying])
    whole = np.flatnonzero(scales >= 0)
    chosen = np.full(len(varying), Form.FLOAT_64, dtype=np.uint8)
    chosen[whole] = _encode_integers(mantissas[whole], scales[whole], parts)
    rest = np.flatnonzero(chosen == Form.FLOAT_64)
    chosen[rest] = _encode_floats(values[varying[rest]], parts)
    forms[varying] = chosen
    return forms


_NO_DATA: NDArray[np.generic] = np.empty((0, 0), dtype=np.uint8)
_NO_FLOATS: Values = np.empty(0, dtype=np.float64)
_NO_SCALES = np.empty(0, dtype=np.int8)


def _add(
    parts: _Parts,
    form: Form,
    data: NDArray[np.generic] = _NO_DATA,
    base: Values = _NO_FLOATS,
    step: Values = _NO_FLOATS,
    scale: NDArray[np.int8] = _NO_SCALES,
) -> None:
    parts.setdefault(form, []).append(Group(data, base, step, scale))


def _mantissas(values: Values) -> tuple[Values, NDArray[np.int8]]:
    """float64[S, R] integers m, int8[S] scales k with values == m / SCALES[k]; k is -1 where none fits."""
    mantissas = np.empty_like(values)
    scales = np.full(len(values), -1, dtype=np.int8)
    probes = values[:, np.linspace(0, values.shape[1] - 1, _PROBES).astype(np.intp)]
    pending = np.arange(len(values), dtype=np.intp)
    for number, scale in enumerate(SCALES):
        if not len(pending):
            break
        likely = pending[_scaled(probes[pending], scale)[1]]
        scaled, exact = _scaled(values[likely], scale)
        done = likely[exact]
        mantissas[done] = scaled[exact]
        scales[done] = number
        pending = pending[scales[pending] < 0]
    return mantissas, scales


def _scaled(values: Values, scale: np.float64) -> tuple[Values, Mask]:
    """rint(values * scale), and bool[S]: which columns come back exactly (so -0.0, NaN, Inf do not)."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.rint(values * scale) + 0.0  # -0.0 + 0.0 is +0.0: no integer stands for -0.0
        same = (scaled / scale).view(np.int64) == values.view(np.int64)
        return scaled, (same & (np.abs(scaled) <= _LIMIT)).all(axis=1)


def _encode_integers(mantissas: Values, scales: NDArray[np.int8], parts: _Parts) -> NDArray[np.uint8]:
    """Add integer columns [S, R]; returns their forms, FLOAT_64 for those too wide for 32 bits."""
    forms = np.full(len(mantissas), Form.FLOAT_64, dtype=np.uint8)
    if not len(mantissas):
        return forms
    steps = np.diff(mantissas, axis=1)
    low, least = mantissas.min(axis=1), steps.min(axis=1)
    span, step_span = mantissas.max(axis=1) - low, steps.max(axis=1) - least
    for form in reversed(_INTEGER_FORMS):
        spans, bits = (span, OFFSET_BITS[form]) if form in OFFSET_BITS else (step_span, STEP_BITS[form])
        forms[spans < 2.0**bits] = form
    for form in _INTEGER_FORMS:
        where = np.flatnonzero(forms == form)
        if not len(where):
            continue
        if form in OFFSET_BITS:
            data = pack(mantissas[where] - low[where, None], OFFSET_BITS[form])
            _add(parts, form, data, low[where], scale=scales[where])
        else:
            data = pack(steps[where] - least[where, None], STEP_BITS[form])
            _add(parts, form, data, mantissas[where, 0], least[where], scales[where])
    return forms


def _encode_floats(values: Values, parts: _Parts) -> NDArray[np.uint8]:
    """Add columns [S, R] that are no integers; returns their forms."""
    forms = np.full(len(values), Form.FLOAT_64, dtype=np.uint8)
    bits = values.view(np.int64)
    for form, kept in reversed(TAIL_BYTES.items()):
        forms[((bits >> (8 * kept)) == (bits[:, :1] >> (8 * kept))).all(axis=1)] = form
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        narrow = values.astype(np.float32)
        exact = (narrow.astype(np.float64).view(np.int64) == bits).all(axis=1)
    forms[exact] = Form.FLOAT_32
    for form in (Form.FLOAT_32, Form.FLOAT_64, *TAIL_BYTES):
        where = np.flatnonzero(forms == form)
        if not len(where):
            continue
        if form in TAIL_BYTES:
            tails = little_bytes(values[where])[:, :, : TAIL_BYTES[form]]
            _add(parts, form, np.ascontiguousarray(tails), values[where, 0])
        else:
            _add(parts, form, narrow[where] if form == Form.FLOAT_32 else values[where])
    return forms
