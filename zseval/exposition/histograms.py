"""Native histograms as scraped: within a job's limits, and made of classic ones (NHCB).

Source: prometheus scrape/target.go (bucketLimitAppender, maxSchemaAppender),
util/convertnhcb, model/histogram (Validate, Compact).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from zseval.exposition.entries import Exemplar
from zseval.exposition.options import COARSEST_SCHEMA, FINEST_SCHEMA, HistogramLimits
from zseval.exposition.page import HistogramSample
from zseval.model.arrays import Mask, Values
from zseval.model.histogram import CUSTOM_SCHEMA, CounterReset, Histogram, InvalidHistogramError
from zseval.model.histogram.buckets import Buckets

__all__ = ["custom_histograms", "limited"]

_RESERVED_SCHEMAS = range(-9, 53)  # exponential, most of them for the future
_LONGEST_GAP = 2  # empty buckets in a row that are kept, of integer histograms


def limited(
    histogram: Histogram, limits: HistogramLimits, exemplars: tuple[Exemplar, ...] = (), flaw: str = ""
) -> HistogramSample:
    """The histogram as it is to be stored, or why it cannot be. flaw: what is known to be wrong."""
    made = histogram
    is_too_fine = made.schema in _RESERVED_SCHEMAS and made.schema > limits.max_schema
    if is_too_fine and limits.max_schema < FINEST_SCHEMA:
        made = made.reduced(limits.max_schema)
    while 0 < limits.max_buckets < len(made.positive) + len(made.negative):
        if not COARSEST_SCHEMA < made.schema <= FINEST_SCHEMA:
            return HistogramSample(made, exemplars, is_too_large=True)
        made = made.reduced(made.schema - 1)
    try:
        made.validate()
    except InvalidHistogramError as error:
        flaw = str(error)
    return HistogramSample(made, exemplars, flaw)


def custom_histograms(
    bounds: Sequence[float],
    cumulative: Values,
    counts: Values | None,
    sums: Values,
    *,
    is_gauge: bool = False,
) -> list[Histogram | None]:
    """Classic histograms that have their buckets in common, as native ones; None for one that is none.

    bounds: B of them, increasing, with or without +Inf.  cumulative: float64[H, B].  counts: float64[H], or
    None where there is no count but for that of the last bucket.  sums: float64[H].
    Counts that are not cumulative, are negative or do not match have no native form.
    """
    if counts is None:
        counts = cumulative[:, -1] if len(bounds) else np.zeros(len(sums))
    if not len(bounds) or bounds[-1] != math.inf:
        cumulative = np.concatenate([cumulative, counts[:, np.newaxis]], axis=1)
        bounds = [*bounds, math.inf]
    with np.errstate(invalid="ignore"):
        single = np.diff(cumulative, axis=1, prepend=0.0)  # [H, B]
        valid = ~(single < 0).any(axis=1) & ~(cumulative < 0).any(axis=1) & (counts == cumulative[:, -1])
        whole = (np.trunc(cumulative) == cumulative).all(axis=1) & np.isfinite(cumulative).all(axis=1)
    indices = np.arange(len(bounds), dtype=np.int32)
    custom = tuple(bounds[:-1])
    hint = CounterReset.GAUGE if is_gauge else CounterReset.UNKNOWN
    found: list[Histogram | None] = []
    for row, is_valid in enumerate(valid.tolist()):
        if not is_valid:
            found.append(None)
            continue
        keep = _kept(single[row], _LONGEST_GAP if whole[row] else 0)
        found.append(
            Histogram(
                schema=CUSTOM_SCHEMA,
                count=float(counts[row]),
                sum=float(sums[row]),
                positive=Buckets(indices[keep], single[row][keep]),
                custom_values=custom,
                counter_reset=hint,
            )
        )
    return found


def _kept(counts: Values, longest_gap: int) -> Mask:
    """bool[B]: the buckets that are not empty, and gaps between them up to a length."""
    keep: Mask = counts != 0
    if longest_gap and not keep.all():
        populated = np.flatnonzero(keep)
        gaps = np.diff(populated) - 1
        for place in np.flatnonzero((gaps > 0) & (gaps <= longest_gap)).tolist():
            keep[populated[place] : populated[place + 1]] = True
    return keep
