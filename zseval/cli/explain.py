"""`zseval explain EXPR`: what each part of a query gives, in a node that runs or on a file of metrics."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from zseval.cli.query import DEFAULT_URL, load_metrics, post, read_metrics, step_of, time_of
from zseval.errors import PromQLError, ScrapeError, ZsevalError

__all__ = ["add_arguments", "run"]

_EPILOG = """\
examples:
  zseval explain 'rate(requests_total{status="failed"}[5m]) > 0'    asks http://localhost:9090
  curl -s localhost:8080/metrics | zseval explain 'up == 0' --file -
  zseval explain HighLatency --rules rules.yml                      the expression of that rule

Each line is a part of the query with the series it gave, the samples it touched and its own time, and below
it the values at one step. `◀ empty` marks the first part that has none, and says why where that can be told.

exit codes: 0 explained, 1 the query failed, 2 it could not be asked
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("expr", metavar="EXPR", help="a PromQL expression; with --rules the name of a rule")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--url", default=DEFAULT_URL, help=f"the node to ask (default: {DEFAULT_URL})")
    source.add_argument("--file", metavar="METRICS.txt", help="evaluate on this exposition text; - is stdin")
    parser.add_argument("--rules", metavar="RULES.yml", help="EXPR names an alert or recording rule in here")
    parser.add_argument("--time", help="the moment whose values are shown (default: now)")
    parser.add_argument("--start", help="explain a range query from here")
    parser.add_argument("--end", help="end of the range query (default: now)")
    parser.add_argument(
        "--step", help="step of the range query, 15s or seconds (default: 1/250 of the range)"
    )
    parser.add_argument("-o", "--format", choices=("text", "json"), default="text", help="output format")


def run(args: argparse.Namespace) -> int:
    """0 with an explanation, 1 where the query failed."""
    expr = _expression_of_rule(args.rules, args.expr) if args.rules else args.expr
    try:
        data = _on_file(expr, args) if args.file else _over_http(expr, args)
    except PromQLError as error:
        print(f"query error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(data) if args.format == "json" else data["text"])
    return int("error" in data)


def _expression_of_rule(file: str, name: str) -> str:
    from zseval.config.rule_files import read_rule_file
    from zseval.promql.engine import FEATURES

    try:
        groups = read_rule_file(file, 60_000, features=FEATURES)
    except OSError as error:
        raise ZsevalError(f"{file}: {error.strerror}") from error
    rules = [rule for group in groups for rule in group.rules]
    for rule in rules:
        if rule.name == name:
            return rule.text
    known = ", ".join(dict.fromkeys(rule.name for rule in rules))
    raise ZsevalError(f'{file} has no rule "{name}"; it has {known or "none"}')


def _on_file(expr: str, args: argparse.Namespace) -> Mapping[str, Any]:
    from zseval.promql.engine import Engine

    if args.start or args.end or args.step:
        raise ZsevalError("a metrics file holds one moment: --start, --end and --step need a node (--url)")
    at = time_of(args.time) if args.time else time.time()
    return Engine(load_metrics(read_metrics(args.file), at), features="all").explain(expr, at).to_json()


def _over_http(expr: str, args: argparse.Namespace) -> Mapping[str, Any]:
    form = {"query": expr}
    if args.start:
        start, end = time_of(args.start), time_of(args.end) if args.end else time.time()
        step = step_of(args.step) if args.step else max((end - start) / 250, 1.0)
        form |= {"start": repr(start), "end": repr(end), "step": repr(step)}
    elif args.end or args.step:
        raise ZsevalError("--end and --step belong to a range query, which needs --start as well")
    if args.time:
        form["time"] = repr(time_of(args.time))
    try:
        answer = post(f"{args.url.rstrip('/')}/api/v1/zseval/explain", form)
    except ScrapeError as error:
        if "did not answer in JSON" in str(error):
            raise ScrapeError(f"{args.url} explains nothing; only a zseval node does") from error
        raise
    if answer.get("status") != "success":
        raise PromQLError(str(answer.get("error", answer)))
    data: Mapping[str, Any] = answer["data"]
    return data
