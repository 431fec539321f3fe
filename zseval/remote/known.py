"""KnownSeries: the ids of series by what a sender calls them, at 16 bytes a series.

The name of a series is bytes of the request. Not they are kept but two independent hashes of them: 64 bits
of Python's keyed one, and 32 bits more. Two of a million series share both with a probability of 1e-17.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Ids, Times

__all__ = ["UNKNOWN", "Digest", "KnownSeries", "Names", "digest_of", "names_of"]

UNKNOWN = -1
_RECENT_LEAST = 4096
_RECENT_SHARE = 4  # when the dictionary of recent ones has this part of all, the arrays are made anew

Names = tuple[Times, NDArray[np.uint32]]
"""int64[S] and uint32[S]: the two hashes of each series' name."""


Digest = tuple[int, int, int]


def digest_of(content: bytes) -> Digest:
    """Stands for bytes that are too many to keep: their length and the same two hashes."""
    return len(content), hash(content), zlib.crc32(content)


def names_of(keys: Sequence[bytes]) -> Names:
    """Of names as bytes."""
    return (
        np.fromiter(map(hash, keys), dtype=np.int64, count=len(keys)),
        np.fromiter(map(zlib.crc32, keys), dtype=np.uint32, count=len(keys)),
    )


class KnownSeries:
    """For one thread."""

    def __init__(self) -> None:
        self._hashes: Times = np.zeros(0, dtype=np.int64)  # increasing
        self._checks: NDArray[np.uint32] = np.zeros(0, dtype=np.uint32)
        self._ids: Ids = np.zeros(0, dtype=np.int32)
        self._recent: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self._ids) + len(self._recent)

    def find(self, names: Names) -> Ids:
        """int32[S], UNKNOWN where there is none."""
        hashes, checks = names
        found: Ids = np.full(len(hashes), UNKNOWN, dtype=np.int32)
        if len(self._hashes):
            at = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
            same = (self._hashes[at] == hashes) & (self._checks[at] == checks)
            found[same] = self._ids[at[same]]
        if self._recent:
            left = np.flatnonzero(found == UNKNOWN)
            keys = zip(hashes[left].tolist(), checks[left].tolist(), strict=True)
            found[left] = [self._recent.get(key, UNKNOWN) for key in keys]
        return found

    def add(self, names: Names, ids: Ids) -> None:
        """Series that `find` did not know."""
        self._recent.update(
            zip(zip(names[0].tolist(), names[1].tolist(), strict=True), ids.tolist(), strict=True)
        )
        if len(self._recent) > max(_RECENT_LEAST, len(self._ids) // _RECENT_SHARE):
            self._settle()

    def _settle(self) -> None:
        pairs = np.array(list(self._recent), dtype=np.int64)
        hashes = np.concatenate([self._hashes, pairs[:, 0]])
        order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[order]
        self._checks = np.concatenate([self._checks, pairs[:, 1].astype(np.uint32)])[order]
        recent = np.fromiter(self._recent.values(), dtype=np.int32, count=len(self._recent))
        self._ids = np.concatenate([self._ids, recent])[order]
        self._recent = {}
