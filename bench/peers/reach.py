"""The table of what zseval is to reach beside its peers, and which measured cases each row is about.

A row passes where the geometric mean of its cases' ratios is within `limit` and no case is above `each`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.peers.results import Measurement, Ratio, Store, geometric_mean, ratio_of, spread_of
from bench.peers.rows.rule_growth import SCALES, case_name
from bench.peers.rows.rules import PACKS
from bench.peers.servers import PROMETHEUS, VICTORIA, ZSEVAL

__all__ = ["IMPORTS", "ITSELF", "REACHES", "Outcome", "Reach", "outcome_of"]

ITSELF = "itself"
IMPORTS = "imports"
"""The peer of the row on starting: the same interpreter that only imports."""

_ROUNDING = 1 + 1e-9
_GROWTH = 10  # from a tenth of the largest scale


@dataclass(frozen=True, slots=True)
class Reach:
    """One row and peer of the table.

    row, scale: which measurement.  cases: which of its cases, all by default.  limit: of the geometric
    mean.  each: of the largest ratio.  exceptions: another `each`, by case.  smaller: compare with the
    measurement of the same row at a tenth of the scale, not with a peer.  baseline: compare with that row's
    figures for zseval.  against: compare each case, of figures per unit, with one of a tenth of the work.
    """

    key: str
    work: str
    peer: str
    row: str
    limit: float
    scale: int = 0
    cases: tuple[str, ...] = ()
    each: float = 0.0
    exceptions: dict[str, float] = field(default_factory=dict)
    unit: str = ""
    is_growth: bool = False
    against: dict[str, str] = field(default_factory=dict)
    baseline: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """ratios: one a case; for a row about an absolute figure, the figures.  mean: their geometric mean.

    cpu: that of the ratios of CPU time, None where the row is not about queries or is CPU time anyway.
    """

    reach: Reach
    ratios: list[Ratio]
    mean: float
    worst: Ratio
    when: str
    cpu: float | None = None

    @property
    def is_within(self) -> bool:
        return self.mean <= self.reach.limit * _ROUNDING and not self.beyond

    @property
    def beyond(self) -> list[Ratio]:
        """The cases above their own limit, the worst first."""
        each = self.reach.each
        found = [
            ratio
            for ratio in self.ratios
            if (limit := self.reach.exceptions.get(ratio.case, each)) and ratio.spread.median > limit
        ]
        return sorted(found, key=lambda ratio: -ratio.spread.median)


def outcome_of(reach: Reach, store: Store) -> Outcome | None:
    """What was measured for a row of the table; None where nothing was."""
    found = store.get(reach.row, reach.scale)
    if found is None:
        return None
    ratios = list(_ratios(reach, found, store))
    if not ratios:
        return None
    medians = [ratio.spread.median for ratio in ratios]
    mean = geometric_mean(medians) if min(medians) > 0 else 0.0
    return Outcome(
        reach, ratios, mean, max(ratios, key=lambda each: each.spread.median), found.when, _cpu(reach, found)
    )


def _cpu(reach: Reach, found: Measurement) -> float | None:
    ratios = [ratio_of(case, ZSEVAL, reach.peer, cpu=True) for case in found.cases]
    known = [ratio.spread.median for ratio in ratios if ratio is not None]
    return geometric_mean(known) if known else None


def _ratios(reach: Reach, found: Measurement, store: Store) -> Iterator[Ratio]:
    for case in found.cases:
        if reach.cases and case.name not in reach.cases:
            continue
        if reach.against:
            smaller = found.case(reach.against.get(case.name, ""))
            if smaller is not None:
                shares = [
                    _GROWTH * ours / theirs
                    for ours, theirs in zip(case.samples[ZSEVAL], smaller.samples[ZSEVAL], strict=False)
                ]
                yield Ratio(case.name, spread_of(shares))
        elif reach.unit:
            yield Ratio(case.name, spread_of(case.samples[ZSEVAL]))
        elif reach.is_growth or reach.baseline:
            base = store.get(
                reach.baseline or reach.row, reach.scale // _GROWTH if reach.is_growth else reach.scale
            )
            other = None if base is None else base.case(case.name)
            if other is not None:
                ours, theirs = spread_of(case.samples[ZSEVAL]), spread_of(other.samples[ZSEVAL])
                if theirs.median > 0:
                    yield Ratio(
                        case.name,
                        type(ours)(
                            ours.median / theirs.median, ours.low / theirs.median, ours.high / theirs.median
                        ),
                    )
        else:
            ratio = ratio_of(case, ZSEVAL, reach.peer)
            if ratio is not None:
                yield ratio


_K10, _K100 = 10_000, 100_000
_THOUSANDS = (
    "1 x 1,000, plain",
    "1 x 1,000, gzip",
    "10 x 1,000, plain",
    "10 x 1,000, gzip",
    "100 x 1,000, plain",
    "100 x 1,000, gzip",
)
_TEN_THOUSAND = ("1 x 10,000, plain", "1 x 10,000, gzip")
_WHOLE = {"whole series": 0.5}

REACHES = (
    Reach(
        "range-10k-prometheus", "range queries, 10,000 series held", PROMETHEUS, "range", 0.1, _K10, each=0.3
    ),
    Reach("range-10k-victoria", "the same", VICTORIA, "range", 0.5, _K10, each=0.8),
    Reach(
        "range-100k-prometheus",
        "range queries, 100,000 series held",
        PROMETHEUS,
        "range",
        0.05,
        _K100,
        each=0.15,
        exceptions=_WHOLE,
    ),
    Reach("range-100k-victoria", "the same", VICTORIA, "range", 0.25, _K100, each=0.6),
    Reach("instant-10k-prometheus", "instant queries, 10,000 series held", PROMETHEUS, "instant", 0.2, _K10),
    Reach("instant-10k-victoria", "the same", VICTORIA, "instant", 0.25, _K10),
    Reach(
        "instant-100k-prometheus", "instant queries, 100,000 series held", PROMETHEUS, "instant", 0.2, _K100
    ),
    Reach("instant-100k-victoria", "the same", VICTORIA, "instant", 0.25, _K100),
    Reach("tiny", "tiny queries (20 series) over HTTP, p50 and p99", PROMETHEUS, "tiny", 1.5, _K10, each=1.5),
    Reach(
        "rules-zerostate-prometheus",
        "ZeroState's 25 rules, CPU per evaluation",
        PROMETHEUS,
        "rules",
        0.08,
        _K10,
        cases=("zerostate",),
    ),
    Reach(
        "rules-zerostate-victoria",
        "the same, vmalert and storage",
        VICTORIA,
        "rules",
        0.08,
        _K10,
        cases=("zerostate",),
    ),
    Reach(
        "rules-kubernetes-prometheus",
        "200 rules in kubernetes' style, CPU per evaluation",
        PROMETHEUS,
        "rules",
        0.08,
        _K10,
        cases=("kubernetes",),
    ),
    Reach(
        "rules-kubernetes-victoria",
        "the same, vmalert and storage",
        VICTORIA,
        "rules",
        0.08,
        _K10,
        cases=("kubernetes",),
    ),
    Reach(
        "scrape-1k-prometheus",
        "CPU per million scraped samples, targets of 1,000 series",
        PROMETHEUS,
        "scrape",
        0.4,
        cases=_THOUSANDS,
    ),
    Reach("scrape-1k-victoria", "the same, vmagent and storage", VICTORIA, "scrape", 0.25, cases=_THOUSANDS),
    Reach(
        "scrape-10k-prometheus",
        "CPU per million scraped samples, targets of 10,000 series",
        PROMETHEUS,
        "scrape",
        0.25,
        cases=_TEN_THOUSAND,
    ),
    Reach(
        "scrape-10k-victoria", "the same, vmagent and storage", VICTORIA, "scrape", 0.15, cases=_TEN_THOUSAND
    ),
    Reach(
        "memory-1k",
        "resident memory, 1 h at 15 s of 1,000 series",
        PROMETHEUS,
        "memory",
        1.3,
        1_000,
        each=1.3,
    ),
    Reach("memory-10k", "of 10,000 series", PROMETHEUS, "memory", 0.65, _K10, each=0.65),
    Reach("memory-100k", "of 100,000 series", PROMETHEUS, "memory", 0.3, _K100, each=0.3),
    Reach("memory-100k-victoria", "of 100,000 series", VICTORIA, "memory", 0.75, _K100, each=0.75),
    Reach("bytes", "bytes a sample in sealed blocks", PROMETHEUS, "bytes", 0.8),
    Reach("start", "start to /-/ready, empty", IMPORTS, "start", 1.3),
    Reach(
        "growth-range",
        "growth of range queries, 10,000 to 100,000 series",
        ITSELF,
        "range",
        11,
        _K100,
        is_growth=True,
    ),
    Reach("growth-instant", "growth of instant queries", ITSELF, "instant", 11, _K100, is_growth=True),
    Reach("growth-tiny", "growth of tiny queries", ITSELF, "tiny", 11, _K100, is_growth=True),
    Reach(
        "growth-scrape",
        "growth of scraping, 10 to 100 targets",
        ITSELF,
        "scrape",
        11,
        against={f"100 x 1,000, {form}": f"10 x 1,000, {form}" for form in ("plain", "gzip")},
    ),
    Reach(
        "growth-rules",
        "growth of rules, 10,000 to 100,000 series",
        ITSELF,
        "rule-growth",
        11,
        against={case_name(pack, SCALES[1]): case_name(pack, SCALES[0]) for pack in PACKS},
    ),
    Reach("growth-memory", "growth of memory", ITSELF, "memory", 11, _K100, is_growth=True),
    Reach(
        "stall",
        "longest stall of the event loop while 100,000 series are queried and 50 targets scraped, ms",
        ITSELF,
        "stall",
        50,
        cases=("longest stall",),
        unit="ms",
    ),
    Reach(
        "stall-missed",
        "scrapes missed meanwhile",
        ITSELF,
        "stall",
        0,
        cases=("missed scrapes",),
        unit="scrapes",
    ),
    Reach(
        "hostile-itself",
        "range queries with gaps, resets and churn, 10,000 series",
        ITSELF,
        "hostile",
        4,
        _K10,
        baseline="range",
    ),
    Reach("hostile-prometheus", "the same", PROMETHEUS, "hostile", 0.3, _K10),
)
