"""Forms: the ways a column of a sealed block is stored, and how each is read back.

The first cells of a group may belong to any columns: `slots` says which of its rows are wanted.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Ids, Values

__all__ = [
    "DECODERS",
    "OFFSET_BITS",
    "SCALES",
    "STEP_BITS",
    "TAIL_BYTES",
    "Form",
    "Group",
    "little_bytes",
    "pack",
    "read_steps",
    "steps_of",
]

SCALES = np.array([2.0**-12, 2.0**-10, *(10.0**k for k in range(16))])
"""What integers are divided by to give values: exact numbers, the coarsest unit first."""

_UNIT = 2
"""The scale 1."""


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


OFFSET_BITS = {Form.OFFSET_4: 4, Form.OFFSET_8: 8, Form.OFFSET_16: 16, Form.OFFSET_32: 32}
STEP_BITS = {Form.LINEAR: 0, Form.STEP_4: 4, Form.STEP_8: 8, Form.STEP_16: 16, Form.STEP_32: 32}
TAIL_BYTES = {Form.TAIL_5: 5, Form.TAIL_6: 6}
_UNSIGNED = {8: np.uint8, 16: np.uint16, 32: np.uint32}


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The columns of one form. What does not apply to a form has no rows.

    data: its cells, [n, …] of the form's own type.  base: float64[n], the first value, minimum or
    upper bytes.  step: float64[n], the smallest difference.  scale: int8[n], which of SCALES.
    steepest: no step is farther from 0.  is_scaled: whether any scale is not 1.
    """

    data: NDArray[np.generic]
    base: Values
    step: Values
    scale: NDArray[np.int8]
    steepest: float = field(init=False)
    is_scaled: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steepest", float(np.abs(self.step).max(initial=0.0)))
        object.__setattr__(self, "is_scaled", bool((self.scale != _UNIT).any()))

    @property
    def nbytes(self) -> int:
        return self.data.nbytes + self.base.nbytes + self.step.nbytes + self.scale.nbytes

    @classmethod
    def concat(cls, parts: list[Group]) -> Group:
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.data for part in parts]),
            np.concatenate([part.base for part in parts]),
            np.concatenate([part.step for part in parts]),
            np.concatenate([part.scale for part in parts]),
        )


def little_bytes(values: Values) -> NDArray[np.uint8]:
    """uint8[S, R, 8], least significant byte first."""
    little = np.ascontiguousarray(values).astype("<f8", copy=False)
    return little.view(np.uint8).reshape(*values.shape, 8)


def pack(whole: Values, bits: int) -> NDArray[np.generic]:
    """Non-negative integers [S, R] below 2**bits; two a byte where bits is 4, nothing where it is 0."""
    if bits == 0:
        return np.empty((len(whole), 0), dtype=np.uint8)
    if bits > 4:
        return whole.astype(_UNSIGNED[bits])
    narrow = whole.astype(np.uint8)
    packed = narrow[:, 0::2].copy()
    packed[:, : narrow.shape[1] // 2] |= narrow[:, 1::2] << 4
    return packed


def _unpack(data: NDArray[np.generic], slots: Ids, bits: int, lo: int, hi: int) -> NDArray[np.generic]:
    """[n, hi - lo]: what was packed, for these slots, in the narrow type it is kept in."""
    if bits > 4:
        return data[slots, lo:hi]
    even = lo & ~1
    packed = data[slots, even // 2 : (hi + 1) // 2].astype(np.uint8, copy=False)
    whole = np.empty((len(slots), 2 * packed.shape[1]), dtype=np.uint8)
    np.bitwise_and(packed, 15, out=whole[:, 0::2])
    np.right_shift(packed, 4, out=whole[:, 1::2])
    return whole[:, lo - even : hi - even]


def _unpack_whole(data: NDArray[np.generic], slots: Ids, bits: int, hi: int) -> NDArray[np.generic]:
    """`_unpack` from the first cell on, contiguous where all cells are wanted."""
    if bits > 4 and hi == data.shape[1]:
        return data[slots]
    return _unpack(data, slots, bits, 0, hi)


def _unscale(out: Values, group: Group, slots: Ids) -> None:
    """Divide each column by its scale, in place."""
    if group.is_scaled:
        scales = group.scale[slots]
        if (scales != _UNIT).any():
            out /= SCALES[scales][:, None]


def _decode_constant(group: Group, slots: Ids, bits: int, lo: int, hi: int, out: Values) -> None:
    out[:] = group.base[slots][:, None]


def _decode_offsets(group: Group, slots: Ids, bits: int, lo: int, hi: int, out: Values) -> None:
    out[:] = _unpack(group.data, slots, bits, lo, hi)
    out += group.base[slots][:, None]
    _unscale(out, group, slots)


def _decode_linear(group: Group, slots: Ids, bits: int, lo: int, hi: int, out: Values) -> None:
    np.multiply(group.step[slots][:, None], np.arange(lo, hi), out=out)
    out += group.base[slots][:, None]
    _unscale(out, group, slots)


def _decode_steps(group: Group, slots: Ids, bits: int, lo: int, hi: int, out: Values) -> None:
    """Sums of integers in an integer type, which is several times faster than in float64 and as exact."""
    steps = _unpack_whole(group.data, slots, bits, max(hi - 1, 0))
    base = group.base[slots][:, np.newaxis]
    wide = np.int32 if (group.steepest + 2.0**bits) * max(hi, 1) < 2.0**31 else np.int64
    if group.steepest:
        steps = np.add(steps, group.step[slots].astype(wide)[:, np.newaxis], dtype=wide)
    if lo == 0:
        out[:, :1] = base
        np.add(np.cumsum(steps, axis=1, dtype=wide), base, out=out[:, 1:])
    else:
        before = steps[:, : lo - 1].sum(axis=1, dtype=np.int64)[:, np.newaxis]
        np.add(np.cumsum(steps[:, lo - 1 :], axis=1, dtype=wide), before + base, out=out)
    _unscale(out, group, slots)


def read_steps(group: Group, form: Form, slots: Ids, lo: int, hi: int, out: Values) -> tuple[Values, Values]:
    """The differences between rows lo:hi of columns of a step form and of scale 1, into out,
    float64[n, hi - lo - 1]; nothing is added up for them. Returns the first and the last value, float64[n].
    """
    base, least = group.base[slots], group.step[slots]
    if form == Form.LINEAR:
        out[:] = least[:, np.newaxis]
        return base + least * lo, base + least * (hi - 1)
    steps = _unpack_whole(group.data, slots, STEP_BITS[form], max(hi - 1, 0))
    first = base
    if lo:
        first = base + steps[:, :lo].sum(axis=1, dtype=np.uint64) + least * lo
        steps = steps[:, lo:]
    if group.steepest:
        np.add(steps, least[:, np.newaxis], out=out)
    else:
        out[:] = steps
    last: Values = first + out.sum(axis=1)
    return first, last


def steps_of(values: Values, out: Values) -> tuple[Values, Values]:
    """The same of float64[n, R], R above 0."""
    np.subtract(values[:, 1:], values[:, :-1], out=out)
    return values[:, 0], values[:, -1]


def _decode_plain(group: Group, slots: Ids, bits: int, lo: int, hi: int, out: Values) -> None:
    out[:] = group.data[slots, lo:hi]


def _decode_tails(group: Group, slots: Ids, bits: int, lo: int, hi: int, out: Values) -> None:
    kept = bits // 8
    whole = np.empty((len(slots), hi - lo, 8), dtype=np.uint8)
    whole[:, :, :kept] = group.data[slots, lo:hi]
    whole[:, :, kept:] = little_bytes(group.base[slots][:, None])[:, :, kept:]
    out[:] = whole.view("<f8")[:, :, 0]


_Decoder = Callable[[Group, Ids, int, int, int, Values], None]
_BY_FORM: dict[Form, tuple[_Decoder, int]] = {
    Form.CONSTANT: (_decode_constant, 0),
    **{form: (_decode_offsets, bits) for form, bits in OFFSET_BITS.items()},
    **{form: (_decode_steps, bits) for form, bits in STEP_BITS.items()},
    Form.LINEAR: (_decode_linear, 0),
    **{form: (_decode_tails, 8 * kept) for form, kept in TAIL_BYTES.items()},
    Form.FLOAT_32: (_decode_plain, 32),
    Form.FLOAT_64: (_decode_plain, 64),
}
DECODERS: tuple[tuple[_Decoder, int], ...] = tuple(_BY_FORM[form] for form in Form)
"""By form: how it is decoded, and the bits a cell takes in it."""
