"""Where the time goes, in this process: a question or a pack of rules under cProfile.

    python -m bench.peers.profile "sum by rate" [--scale 10000] [--instant] [--times 5]
    python -m bench.peers.profile rules:zerostate | rules:kubernetes

The store is filled as scraping would; before each evaluation of a pack a row arrives. Prints CPU time first,
without the profiler, then the functions that most of it is spent in.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import yaml

from bench.peers.data import INTERVAL_MS, Page, pages
from bench.peers.questions import INSTANT, RANGE, TINY
from bench.peers.rows.rules import pack_of, part_of
from bench.peers.rows.storage import fill
from zseval.model.labels import Labels
from zseval.promql.engine import Engine
from zseval.tsdb.db import TSDB

__all__ = ["main"]

_END_MS = 1_700_000_100_000
_HISTORY = 241
_SHOWN = 25


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers.profile", description=__doc__)
    parser.add_argument("what", help="the name of a question, or rules:zerostate, rules:kubernetes")
    parser.add_argument("--scale", type=int, default=10_000)
    parser.add_argument("--instant", action="store_true")
    parser.add_argument("--times", type=int, default=5)
    args = parser.parse_args(argv)
    kind, _, pack = args.what.partition(":")
    work = _rules(pack, args.scale, args.times + 2) if kind == "rules" else _question(args)
    work()
    spent = []
    for _ in range(args.times):
        began = time.thread_time()
        work()
        spent.append((time.thread_time() - began) * 1000)
    print(f"{args.what}: {statistics.median(spent):.1f} ms of CPU, {min(spent):.1f} at best")
    profile = cProfile.Profile()
    profile.runcall(work)
    pstats.Stats(profile).sort_stats("tottime").print_stats(_SHOWN)


def _question(args: argparse.Namespace) -> Callable[[], object]:
    questions = INSTANT if args.instant else (*RANGE, *TINY)
    found = [each for each in questions if each.name == args.what]
    if not found:
        raise SystemExit(
            f"no question {args.what!r}; there are: {', '.join(each.name for each in questions)}"
        )
    engine = Engine(_filled(list(pages(args.scale, _END_MS))))
    question = found[0]
    if not question.steps:
        return lambda: engine.instant_at(question.expr, _END_MS).to_json_bytes()
    start_ms = _END_MS - question.steps * INTERVAL_MS
    return lambda: engine.range_at(question.expr, start_ms, _END_MS, INTERVAL_MS).to_json_bytes()


def _rules(name: str, scale: int, evaluations: int) -> Callable[[], object]:
    """Each call appends a row to every table and evaluates the expressions of the pack."""
    pack = pack_of(name, scale, _END_MS, _HISTORY + evaluations)
    db = _filled([part_of(page, 0, _HISTORY) for page in pack.pages])
    engine = Engine(db)
    expressions = [rule["expr"] for group in yaml.safe_load(pack.rules)["groups"] for rule in group["rules"]]
    tables = [
        (page, db.table(page.name), db.resolve([Labels(dict(pairs)) for pairs in page.labels]))
        for page in pack.pages
    ]
    rows = iter(range(_HISTORY, _HISTORY + evaluations))

    def evaluate() -> None:
        row = next(rows)
        for page, table, ids in tables:
            values = np.ascontiguousarray(page.values[:, row])
            table.append_row(int(page.times[row]), ids, values, epoch=db.epoch)
        at_ms = max(int(page.times[row]) for page in pack.pages)
        for expression in expressions:
            engine.instant_at(expression, at_ms)

    return evaluate


def _filled(every: Sequence[Page]) -> TSDB:
    db = TSDB(None)
    for page in every:
        fill(db, page)
    return db


if __name__ == "__main__":
    main()
