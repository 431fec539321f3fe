"""`python -m bench.peers`: zseval beside Prometheus and VictoriaMetrics, and the table of what came out.

Starts the servers on loopback, fills them with the same data, asks the same questions in turn, checks that
the answers agree, and writes docs/performance.md. Rows that are not run keep what an earlier run found.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.peers.report import overview, read_reasons, render
from bench.peers.results import Case, Measurement, Store
from bench.peers.rows.context import Context
from bench.peers.rows.queries import measure_hostile, measure_queries
from bench.peers.rows.rule_growth import measure_rule_growth
from bench.peers.rows.rules import SMALLEST, measure_rules
from bench.peers.rows.scrape import measure_scrape
from bench.peers.rows.stall import measure_stall
from bench.peers.rows.start import measure_start
from bench.peers.rows.storage import measure_bytes, measure_memory
from bench.peers.servers import versions
from bench.processor import processor

__all__ = ["main", "write_page"]

_RESULTS = Path(__file__).with_name("results")
_REASONS = Path(__file__).with_name("reasons.toml")
_DOCS = Path(__file__).resolve().parents[2] / "docs"
_ROWS = (
    "start",
    "range",
    "instant",
    "tiny",
    "hostile",
    "scrape",
    "memory",
    "bytes",
    "stall",
    "rules",
    "rule-growth",
)
_QUERIES = frozenset({"range", "instant", "tiny"})
_PAIRS, _QUICK_PAIRS = 7, 3


def main(argv: Sequence[str] | None = None) -> None:
    args = _arguments(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are ended as well
    store = Store(args.results)
    if args.rows:
        found = versions()
        started = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
        with tempfile.TemporaryDirectory(prefix="peers") as home:
            context = Context(Path(home), args.scale, args.pairs, args.quick)
            for row, scale, variant, cases in _run(context, frozenset(args.rows)):
                store.put(
                    Measurement(
                        row, scale, variant, started, _command(), machine(), found, cases, _load()
                    )
                )  # fmt: skip
    print(overview(store))
    if args.write:
        write_page(store, _DOCS)


def write_page(store: Store, docs: Path) -> None:
    """docs/performance.md and its pictures."""
    from bench.peers.plots import draw

    (docs / "performance.md").write_text(render(store, read_reasons(_REASONS), draw(store, docs)))


def _run(context: Context, rows: frozenset[str]) -> Iterator[tuple[str, int, str, list[Case]]]:
    """(row, scale, variant, cases), as they are measured."""
    once = {
        "start": measure_start,
        "bytes": measure_bytes,
        "scrape": measure_scrape,
        "stall": measure_stall,
        "rule-growth": measure_rule_growth,
    }
    for row, measure in once.items():
        if row in rows:
            yield row, 0, "", measure(context)
    for scale in context.scales:
        if rows & _QUERIES:
            for row, cases in measure_queries(context, scale, rows):
                yield row, scale, "", cases
        if "hostile" in rows:
            yield "hostile", scale, "", measure_hostile(context, scale)
        if "rules" in rows and scale >= SMALLEST:
            yield "rules", scale, "", measure_rules(context, scale // SMALLEST * SMALLEST)
        if "memory" in rows:
            yield "memory", scale, "", measure_memory(context, scale)


def machine() -> str:
    """Processor, how many, memory, kernel."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{os.cpu_count()} x {processor()}, {memory:.0f} GiB, Linux {platform.release()}"


def _load() -> str:
    """The machine's load, which says how much else there was to do."""
    return f"{os.getloadavg()[0]:.1f}"


def _command() -> str:
    """As somebody else would repeat it: where the figures are kept is no part of it."""
    words = re.sub(r"--(no-)?write ?|--results[= ]\S+ ?", "", " ".join(sys.argv[1:]))
    return f"python -m bench.peers {words}".strip()


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    add = parser.add_argument
    add("--rows", type=_names, default=_ROWS, help=f"of {','.join(_ROWS)} (all); '' runs none")
    add("--scale", type=_numbers, default=(10_000, 100_000), metavar="N,…", help="series held")
    add("--pairs", type=int, default=0, metavar="N", help=f"rounds ({_PAIRS}; {_QUICK_PAIRS} with --quick)")
    add("--quick", action="store_true", help="fewer rounds, shorter waits: for a look, not for the record")
    add("--write", action=argparse.BooleanOptionalAction, default=True, help="write docs/performance.md")
    add("--results", type=Path, default=_RESULTS, metavar="DIR", help="where the figures are kept")
    args = parser.parse_args(argv)
    args.pairs = args.pairs or (_QUICK_PAIRS if args.quick else _PAIRS)
    return args


def _names(text: str) -> tuple[str, ...]:
    names = tuple(part for part in text.split(",") if part)
    unknown = [name for name in names if name not in _ROWS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no row {unknown[0]!r}; there are {', '.join(_ROWS)}")
    return names


def _numbers(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part.replace("_", "")) for part in text.split(","))
    if any(number < 1000 or number % 1000 for number in numbers):
        raise argparse.ArgumentTypeError("scales are multiples of 1000")
    return numbers


if __name__ == "__main__":
    main()
