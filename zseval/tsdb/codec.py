"""Codec: the values of a sealed block, S columns of R float64, without loss in one to two bytes each.

Each column is stored in the smallest form that gives back its exact bits:

    constant        one float64
    linear          integers with one difference between all rows (counters at rest, timestamps)
    offset 4 … 32   integers as distance from the column's minimum
    step 4 … 32     integers as row-to-row difference, less the smallest difference
    float32         where the conversion is exact
    tail 5, 6       float64 whose upper three or two bytes are the same in every row
    float64         the rest

"Integers" are m with value == m / 10**k bit for bit for one k a column, so that 0.25 and 12.5 qualify.
Empty cells (absent, stale) are kept apart as bit masks and bridged with a neighbour's value, so that a
gap does not spoil its column. Everything is one numpy operation for all columns of a form; decoding
touches only the columns asked for.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Mask, Rows, Values
from zseval.model.staleness import ABSENT_NAN, STALE_NAN, is_absent, is_empty, is_stale
from zseval.tsdb.masks import MaskColumns

__all__ = ["Columns", "Form", "encode"]

_CHUNK = 2048  # columns encoded at a time: bounds the temporaries of a wide table to a few MB
_LIMIT = float(2**52)  # integers below it have exact differences in float64
_POWERS = np.array([10.0**k for k in range(16)])
_PROBES = 4  # rows tried before a whole column is scaled


class Form(enum.IntEnum):
    """How a column is stored."""

    CONSTANT = 0
    LINEAR = 1
    OFFSET_4 = 2
    STEP_4 = 3
    OFFSET_8 = 4
    STEP_8 = 5
    OFFSET_16 = 6
    STEP_16 = 7
    OFFSET_32 = 8
    STEP_32 = 9
    FLOAT_32 = 10
    TAIL_5 = 11
    TAIL_6 = 12
    FLOAT_64 = 13


_OFFSET_BITS = {Form.OFFSET_4: 4, Form.OFFSET_8: 8, Form.OFFSET_16: 16, Form.OFFSET_32: 32}
_STEP_BITS = {Form.LINEAR: 0, Form.STEP_4: 4, Form.STEP_8: 8, Form.STEP_16: 16, Form.STEP_32: 32}
_TAIL_BYTES = {Form.TAIL_5: 5, Form.TAIL_6: 6}
_INTEGER_FORMS = tuple(form for form in Form if form in _OFFSET_BITS or form in _STEP_BITS)  # smallest first
_UNSIGNED = {8: np.uint8, 16: np.uint16, 32: np.uint32}


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """The columns of one form. What does not apply to a form has no rows.

    data: its cells, [n, …] of the form's own type.  base: float64[n], the first value, minimum or
    upper bytes.  step: float64[n], the smallest difference.  exponent: int8[n], k of 10**k.
    """

    data: NDArray[np.generic]
    base: Values
    step: Values
    exponent: NDArray[np.int8]

    @property
    def nbytes(self) -> int:
        return self.data.nbytes + self.base.nbytes + self.step.nbytes + self.exponent.nbytes

    @classmethod
    def concat(cls, parts: list[_Group]) -> _Group:
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.data for part in parts]),
            np.concatenate([part.base for part in parts]),
            np.concatenate([part.step for part in parts]),
            np.concatenate([part.exponent for part in parts]),
        )


_NO_DATA: NDArray[np.generic] = np.empty((0, 0), dtype=np.uint8)
_NO_FLOATS: Values = np.empty(0, dtype=np.float64)
_NO_EXPONENTS = np.empty(0, dtype=np.int8)


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """S encoded columns of R rows; immutable, so any thread may decode.

    forms: uint8[S].  slots: int32[S], each column's place among those of its form.
    absent, stale: which cells are empty.
    """

    rows: int
    forms: NDArray[np.uint8]
    slots: NDArray[np.int32]
    groups: dict[Form, _Group]
    absent: MaskColumns
    stale: MaskColumns

    def __len__(self) -> int:
        return len(self.forms)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays held."""
        arrays = self.forms.nbytes + self.slots.nbytes + self.absent.nbytes + self.stale.nbytes
        return arrays + sum(group.nbytes for group in self.groups.values())

    def decode(self, columns: Rows, lo: int, hi: int, out: Values) -> None:
        """Rows lo:hi of these columns into out, float64[len(columns), hi - lo], absent cells included."""
        forms = self.forms[columns]
        for form in np.unique(forms).tolist():
            where = np.flatnonzero(forms == form)
            group, decoder = self.groups[Form(form)], _DECODERS[Form(form)]
            if len(where) == len(columns):
                decoder(Form(form), group, self.slots[columns], lo, hi, out)
            else:
                part = np.empty((len(where), hi - lo), dtype=np.float64)
                decoder(Form(form), group, self.slots[columns[where]], lo, hi, part)
                out[where] = part
        for mask, marker in ((self.absent, ABSENT_NAN), (self.stale, STALE_NAN)):
            if len(mask):
                where, empty = mask.rows_of(columns, lo, hi)
                part = out[where]
                part[empty] = marker
                out[where] = part

    def decode_all(self) -> Values:
        """All of it: float64[S, R], fresh."""
        out = np.empty((len(self), self.rows), dtype=np.float64)
        self.decode(np.arange(len(self), dtype=np.intp), 0, self.rows, out)
        return out


def encode(values: Values) -> Columns:
    """Encode float64[S, R], R above 0. Decoding gives back every bit."""
    forms = np.empty(len(values), dtype=np.uint8)
    parts: dict[Form, list[_Group]] = {}
    for start in range(0, len(values), _CHUNK):
        chunk = np.ascontiguousarray(values[start : start + _CHUNK])
        _encode_chunk(_bridged(chunk), forms[start : start + _CHUNK], parts)
    slots = np.empty(len(values), dtype=np.int32)
    for form in parts:
        where = np.flatnonzero(forms == form)
        slots[where] = np.arange(len(where), dtype=np.int32)
    groups = {form: _Group.concat(groups) for form, groups in parts.items()}
    absent, stale = MaskColumns.of(is_absent(values)), MaskColumns.of(is_stale(values))
    return Columns(values.shape[1], forms, slots, groups, absent, stale)


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


def _encode_chunk(values: Values, forms: NDArray[np.uint8], parts: dict[Form, list[_Group]]) -> None:
    """Add float64[S, R] without empty cells to the groups; fills forms uint8[S]."""
    bits = values.view(np.int64)
    constant = (bits == bits[:, :1]).all(axis=1)
    forms[constant] = Form.CONSTANT
    if constant.any():
        _add(parts, Form.CONSTANT, base=values[constant, 0])
    varying = np.flatnonzero(~constant)
    mantissas, exponents = _mantissas(values[varying])
    whole = np.flatnonzero(exponents >= 0)
    chosen = np.full(len(varying), Form.FLOAT_64, dtype=np.uint8)
    chosen[whole] = _encode_integers(mantissas[whole], exponents[whole], parts)
    rest = np.flatnonzero(chosen == Form.FLOAT_64)
    chosen[rest] = _encode_floats(values[varying[rest]], parts)
    forms[varying] = chosen


def _add(
    parts: dict[Form, list[_Group]],
    form: Form,
    data: NDArray[np.generic] = _NO_DATA,
    base: Values = _NO_FLOATS,
    step: Values = _NO_FLOATS,
    exponent: NDArray[np.int8] = _NO_EXPONENTS,
) -> None:
    parts.setdefault(form, []).append(_Group(data, base, step, exponent))


def _mantissas(values: Values) -> tuple[Values, NDArray[np.int8]]:
    """float64[S, R] integers m and int8[S] exponents k with values == m / 10**k; k is -1 where none fits."""
    mantissas = np.empty_like(values)
    exponents = np.full(len(values), -1, dtype=np.int8)
    probes = values[:, np.linspace(0, values.shape[1] - 1, _PROBES).astype(np.intp)]
    pending = np.arange(len(values), dtype=np.intp)
    for exponent, scale in enumerate(_POWERS):
        if not len(pending):
            break
        likely = pending[_scaled(probes[pending], scale)[1]]
        scaled, exact = _scaled(values[likely], scale)
        done = likely[exact]
        mantissas[done] = scaled[exact]
        exponents[done] = exponent
        pending = pending[exponents[pending] < 0]
    return mantissas, exponents


def _scaled(values: Values, scale: np.float64) -> tuple[Values, Mask]:
    """rint(values * scale), and bool[S]: which columns come back exactly (so -0.0, NaN, Inf do not)."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.rint(values * scale) + 0.0  # -0.0 + 0.0 is +0.0: no integer stands for -0.0
        same = (scaled / scale).view(np.int64) == values.view(np.int64)
        return scaled, (same & (np.abs(scaled) <= _LIMIT)).all(axis=1)


def _encode_integers(
    mantissas: Values, exponents: NDArray[np.int8], parts: dict[Form, list[_Group]]
) -> NDArray[np.uint8]:
    """Add integer columns [S, R]; returns their forms, FLOAT_64 for those too wide for 32 bits."""
    forms = np.full(len(mantissas), Form.FLOAT_64, dtype=np.uint8)
    if not len(mantissas):
        return forms
    steps = np.diff(mantissas, axis=1)
    low, least = mantissas.min(axis=1), steps.min(axis=1)
    span, step_span = mantissas.max(axis=1) - low, steps.max(axis=1) - least
    for form in reversed(_INTEGER_FORMS):
        spans, bits = (span, _OFFSET_BITS[form]) if form in _OFFSET_BITS else (step_span, _STEP_BITS[form])
        forms[spans < 2.0**bits] = form
    for form in _INTEGER_FORMS:
        where = np.flatnonzero(forms == form)
        if not len(where):
            continue
        if form in _OFFSET_BITS:
            data = _pack(mantissas[where] - low[where, None], _OFFSET_BITS[form])
            _add(parts, form, data, low[where], exponent=exponents[where])
        else:
            data = _pack(steps[where] - least[where, None], _STEP_BITS[form])
            _add(parts, form, data, mantissas[where, 0], least[where], exponents[where])
    return forms


def _encode_floats(values: Values, parts: dict[Form, list[_Group]]) -> NDArray[np.uint8]:
    """Add columns [S, R] that are no integers; returns their forms."""
    forms = np.full(len(values), Form.FLOAT_64, dtype=np.uint8)
    bits = values.view(np.int64)
    for form, kept in reversed(_TAIL_BYTES.items()):
        forms[((bits >> (8 * kept)) == (bits[:, :1] >> (8 * kept))).all(axis=1)] = form
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        narrow = values.astype(np.float32)
        exact = (narrow.astype(np.float64).view(np.int64) == bits).all(axis=1)
    forms[exact] = Form.FLOAT_32
    for form in (Form.FLOAT_32, Form.FLOAT_64, *_TAIL_BYTES):
        where = np.flatnonzero(forms == form)
        if not len(where):
            continue
        if form in _TAIL_BYTES:
            tails = _little_bytes(values[where])[:, :, : _TAIL_BYTES[form]]
            _add(parts, form, np.ascontiguousarray(tails), values[where, 0])
        else:
            _add(parts, form, narrow[where] if form == Form.FLOAT_32 else values[where])
    return forms


def _little_bytes(values: Values) -> NDArray[np.uint8]:
    """uint8[S, R, 8], least significant byte first."""
    little = np.ascontiguousarray(values).astype("<f8", copy=False)
    return little.view(np.uint8).reshape(*values.shape, 8)


def _pack(whole: Values, bits: int) -> NDArray[np.generic]:
    """Non-negative integers [S, R] below 2**bits; two a byte where bits is 4, nothing where it is 0."""
    if bits == 0:
        return np.empty((len(whole), 0), dtype=np.uint8)
    if bits > 4:
        return whole.astype(_UNSIGNED[bits])
    narrow = whole.astype(np.uint8)
    packed = narrow[:, 0::2].copy()
    packed[:, : narrow.shape[1] // 2] |= narrow[:, 1::2] << 4
    return packed


def _unpack(data: NDArray[np.generic], slots: NDArray[np.int32], bits: int, lo: int, hi: int) -> Values:
    """float64[n, hi - lo]: what was packed, for these slots."""
    if bits > 4:
        return np.asarray(data[slots, lo:hi], dtype=np.float64)
    even = lo & ~1
    packed = data[slots, even // 2 : (hi + 1) // 2].astype(np.uint8, copy=False)
    whole = np.empty((len(slots), 2 * packed.shape[1]), dtype=np.float64)
    whole[:, 0::2] = packed & 15
    whole[:, 1::2] = packed >> 4
    return whole[:, lo - even : hi - even]


def _unscale(out: Values, exponents: NDArray[np.int8]) -> None:
    """Divide each column by its power of ten, in place."""
    if exponents.any():
        out /= _POWERS[exponents][:, None]


def _decode_constant(
    form: Form, group: _Group, slots: NDArray[np.int32], lo: int, hi: int, out: Values
) -> None:
    out[:] = group.base[slots][:, None]


def _decode_offsets(
    form: Form, group: _Group, slots: NDArray[np.int32], lo: int, hi: int, out: Values
) -> None:
    np.add(_unpack(group.data, slots, _OFFSET_BITS[form], lo, hi), group.base[slots][:, None], out=out)
    _unscale(out, group.exponent[slots])


def _decode_steps(form: Form, group: _Group, slots: NDArray[np.int32], lo: int, hi: int, out: Values) -> None:
    sums = np.empty((len(slots), hi), dtype=np.float64)
    sums[:, 0] = group.base[slots]
    if form == Form.LINEAR:
        sums[:, 1:] = group.step[slots][:, None]
    else:
        differences = _unpack(group.data, slots, _STEP_BITS[form], 0, hi - 1)
        np.add(differences, group.step[slots][:, None], out=sums[:, 1:])
    np.cumsum(sums, axis=1, out=sums)  # exact: every partial sum is one of the column's own integers
    out[:] = sums[:, lo:]
    _unscale(out, group.exponent[slots])


def _decode_plain(form: Form, group: _Group, slots: NDArray[np.int32], lo: int, hi: int, out: Values) -> None:
    out[:] = group.data[slots, lo:hi]


def _decode_tails(form: Form, group: _Group, slots: NDArray[np.int32], lo: int, hi: int, out: Values) -> None:
    kept = _TAIL_BYTES[form]
    whole = np.empty((len(slots), hi - lo, 8), dtype=np.uint8)
    whole[:, :, :kept] = group.data[slots, lo:hi]
    whole[:, :, kept:] = _little_bytes(group.base[slots][:, None])[:, :, kept:]
    out[:] = whole.view("<f8")[:, :, 0]


_Decoder = Callable[[Form, _Group, NDArray[np.int32], int, int, Values], None]
_DECODERS: dict[Form, _Decoder] = {
    Form.CONSTANT: _decode_constant,
    **dict.fromkeys(_OFFSET_BITS, _decode_offsets),
    **dict.fromkeys(_STEP_BITS, _decode_steps),
    **dict.fromkeys(_TAIL_BYTES, _decode_tails),
    Form.FLOAT_32: _decode_plain,
    Form.FLOAT_64: _decode_plain,
}
