"""Slots: small numbers for what a target exposes, given again once their owner is gone."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

import numpy as np

from zseval.model.arrays import Rows

__all__ = ["Slots"]

Key = TypeVar("Key", bound=Hashable)


class Slots(Generic[Key]):
    """A slot keeps its key until two pages in a row lacked it."""

    def __init__(self) -> None:
        self._slot_of: dict[Key, int] = {}
        self._key_of: list[Key | None] = []
        self._free: list[int] = []

    def get(self, key: Key) -> int | None:
        return self._slot_of.get(key)

    def key(self, slot: int) -> Key:
        """Raises KeyError for a slot that is free."""
        key = self._key_of[slot]
        if key is None:
            raise KeyError(slot)
        return key

    def add(self, key: Key) -> int:
        """A slot for a key that has none."""
        if self._free:
            slot = self._free.pop()
            self._key_of[slot] = key
        else:
            slot = len(self._key_of)
            self._key_of.append(key)
        self._slot_of[key] = slot
        return slot

    def drop(self, slots: Iterable[int]) -> None:
        """These are free again."""
        for slot in slots:
            key = self._key_of[slot]
            if key is not None:
                del self._slot_of[key]
                self._key_of[slot] = None
                self._free.append(slot)

    def keep(self, *pages: Rows) -> list[int]:
        """Free all slots but those of the pages; returns the freed."""
        kept = np.zeros(len(self._key_of), dtype=np.bool_)
        for slots in pages:
            kept[slots] = True
        gone = [slot for slot in np.flatnonzero(~kept).tolist() if self._key_of[slot] is not None]
        self.drop(gone)
        return gone
