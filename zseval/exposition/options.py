"""PageOptions: what a job wants of the pages of its targets.

Source: prometheus model/textparse/interface.go (ParserOptions), scrape/scrape.go (pickSchema).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["COARSEST_SCHEMA", "FINEST_SCHEMA", "HistogramLimits", "PageOptions", "finest_schema"]

COARSEST_SCHEMA, FINEST_SCHEMA = -4, 8


def finest_schema(factor: float) -> int:
    """The finest schema whose buckets grow by at least `factor`; 0 (or up to 1) means no such limit."""
    if not factor > 1:
        return FINEST_SCHEMA
    if math.isinf(factor):
        return COARSEST_SCHEMA
    level = math.log2(factor)
    if not level:  # so close to 1 that the logarithm rounds to nothing
        return FINEST_SCHEMA
    return min(max(math.floor(-math.log2(level)), COARSEST_SCHEMA), FINEST_SCHEMA)


@dataclass(frozen=True, slots=True)
class HistogramLimits:
    """max_buckets: 0 for none.  max_schema: of exponential buckets; finer ones are made coarser."""

    max_buckets: int = 0
    max_schema: int = FINEST_SCHEMA


@dataclass(frozen=True, slots=True)
class PageOptions:
    """native_histograms: without it they are read as if they were not there.

    classic_histograms: the buckets as well of histograms that have a native form, or get one.
    nhcb: histograms that are classic alone become native ones with custom buckets.
    starts: start times are wanted, and `_created` lines are nothing else.
    describe: series get the labels `__type__` and `__unit__`.
    """

    native_histograms: bool = False
    classic_histograms: bool = False
    nhcb: bool = False
    starts: bool = False
    describe: bool = False
    limits: HistogramLimits = HistogramLimits()
