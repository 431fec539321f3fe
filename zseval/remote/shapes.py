"""Shapes: which series a request is about, as ids of the store, and remembered from request to request.

A sender that repeats itself, the same series in the same order, costs one look at its digest. Otherwise
every series is looked up by its name on the wire; labels are read only of series never seen before.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from zseval.model.arrays import Ids, Rows
from zseval.model.labels import Labels
from zseval.remote.known import UNKNOWN, Digest, KnownSeries, Names
from zseval.remote.message import InvalidSeriesError, Request

__all__ = ["Resolver", "Shape", "Shapes"]

_MOST_SERIES = 1 << 18  # of all remembered shapes together: 12 bytes each
_MOST_SHAPES = 256


class Resolver(Protocol):
    """What is needed of the store."""

    @property
    def epoch(self) -> int: ...
    def resolve(self, labels: list[Labels]) -> Ids: ...


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """ids: int32[S], UNKNOWN where a series is left out; `invalid` says why, by place.

    counts: intp[S], how many samples each has.  count: all of them.  has_extras: exemplars or histograms.
    invalid_samples: how many count as rejected for their labels.  epoch: of the ids.
    """

    ids: Ids
    counts: Rows
    count: int
    has_extras: bool
    invalid: dict[int, str]
    invalid_samples: int
    epoch: int

    def sample_ids(self) -> Ids:
        """int32[N]: the series of each sample; the very same array where each series has one."""
        return self.ids if (self.counts == 1).all() else np.repeat(self.ids, self.counts)


class Shapes:
    """For one thread."""

    def __init__(self, store: Resolver) -> None:
        self._store = store
        self._epoch = store.epoch
        self._known = KnownSeries()
        self._shapes: OrderedDict[Digest, Shape] = OrderedDict()
        self._series = 0  # in all of them

    def of(self, request: Request) -> Shape:
        """The shape of a request; series it names for the first time are made."""
        if self._store.epoch != self._epoch:
            self._forget()
        shape = self._shapes.get(request.digest)
        if shape is not None:
            self._shapes.move_to_end(request.digest)
            return shape
        shape = self._new(request)
        if shape.epoch == self._epoch:
            self._remember(request.digest, shape)
        return shape

    def _new(self, request: Request) -> Shape:
        outline = request.outline()
        ids = self._known.find(outline.names)
        invalid: dict[int, str] = {}
        fresh: dict[int, Labels] = {}
        for place in np.flatnonzero(ids == UNKNOWN).tolist():
            try:
                fresh[place] = request.labels(place)
            except InvalidSeriesError as error:
                invalid[place] = str(error)
        if fresh:
            places = np.array(list(fresh), dtype=np.intp)
            ids[places] = self._store.resolve(list(fresh.values()))
            self._known.add(_some(outline.names, places), ids[places])
        invalid_samples = int(outline.weights[list(invalid)].sum())
        for place, reason in outline.refused.items():
            if place not in invalid:
                invalid[place] = reason
                ids[place] = UNKNOWN
        count = int(outline.counts.sum())
        return Shape(ids, outline.counts, count, outline.has_extras, invalid, invalid_samples, self._epoch)

    def _remember(self, digest: Digest, shape: Shape) -> None:
        self._shapes[digest] = shape
        self._series += len(shape.ids)
        while len(self._shapes) > 1 and (self._series > _MOST_SERIES or len(self._shapes) > _MOST_SHAPES):
            _, oldest = self._shapes.popitem(last=False)
            self._series -= len(oldest.ids)

    def _forget(self) -> None:
        self._epoch = self._store.epoch
        self._known = KnownSeries()
        self._shapes.clear()
        self._series = 0


def _some(names: Names, places: Rows) -> Names:
    return names[0][places], names[1][places]
