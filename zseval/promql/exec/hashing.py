"""The hash that limit_ratio samples by: xxHash64 of a label set, as upstream computes it.

Source: model/labels/labels_stringlabels.go (the layout hashed) and the XXH64 specification.
"""

from __future__ import annotations

import struct

import numpy as np

from zseval.model.arrays import Values
from zseval.model.labels import Labels
from zseval.model.labelsets import LabelSets
from zseval.model.symbols import SymbolTable

__all__ = ["label_offsets", "labels_hash", "xxh64"]

_P1, _P2, _P3, _P4, _P5 = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)
_MASK = (1 << 64) - 1


def label_offsets(labels: LabelSets, symbols: SymbolTable) -> Values:
    """float64[S] in [0, 1]: the hash of each label set over the largest hash."""
    readable = LabelSets(labels.names, labels.codes, symbols)
    hashes = [labels_hash(each) for each in readable.to_list()]
    return np.array(hashes, dtype=np.uint64).astype(np.float64) / float(_MASK)


def labels_hash(labels: Labels) -> int:
    """The hash of one label set: names and values in order, each after its length."""
    return xxh64(b"".join(_sized(name) + _sized(value) for name, value in labels))


def _sized(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    size = len(data)
    head = bytes((size,)) if size < 255 else b"\xff" + size.to_bytes(3, "little")
    return head + data


def _rotl(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & _MASK


def _round(state: int, lane: int) -> int:
    return _rotl((state + lane * _P2) & _MASK, 31) * _P1 & _MASK


def xxh64(data: bytes) -> int:
    """XXH64 with seed 0."""
    at, length = 0, len(data)
    if length >= 32:
        state = [(_P1 + _P2) & _MASK, _P2, 0, -_P1 & _MASK]
        while length - at >= 32:
            state = [
                _round(one, lane)
                for one, lane in zip(state, struct.unpack_from("<4Q", data, at), strict=True)
            ]
            at += 32
        result = sum(_rotl(one, bits) for one, bits in zip(state, (1, 7, 12, 18), strict=True)) & _MASK
        for one in state:
            result = ((result ^ _round(0, one)) * _P1 + _P4) & _MASK
    else:
        result = _P5
    return _avalanche(_tail((result + length) & _MASK, data, at))


def _tail(result: int, data: bytes, at: int) -> int:
    while len(data) - at >= 8:
        result ^= _round(0, int.from_bytes(data[at : at + 8], "little"))
        result = (_rotl(result, 27) * _P1 + _P4) & _MASK
        at += 8
    if len(data) - at >= 4:
        result ^= int.from_bytes(data[at : at + 4], "little") * _P1 & _MASK
        result = (_rotl(result, 23) * _P2 + _P3) & _MASK
        at += 4
    for byte in data[at:]:
        result = _rotl(result ^ (byte * _P5 & _MASK), 11) * _P1 & _MASK
    return result


def _avalanche(result: int) -> int:
    result = (result ^ (result >> 33)) * _P2 & _MASK
    result = (result ^ (result >> 29)) * _P3 & _MASK
    return result ^ (result >> 32)
