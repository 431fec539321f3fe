"""`zseval query EXPR`: one expression, evaluated by a server or here on a file of metrics.

Output is promtool's (`{labels} => value @[time]`) or the API's JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from zseval.errors import PromQLError, ScrapeError, ZsevalError
from zseval.model.duration import DurationError, parse_duration
from zseval.model.labels import METRIC_NAME, Labels

__all__ = [
    "DEFAULT_URL",
    "add_arguments",
    "load_metrics",
    "post",
    "read_metrics",
    "run",
    "step_of",
    "time_of",
]

DEFAULT_URL = "http://localhost:9090"
_EPILOG = """\
examples:
  zseval query 'sum(rate(http_requests_total[5m]))'              asks http://localhost:9090
  zseval query 'up == 0' --url http://node:9090 --start now-1h --step 1m
  curl -s localhost:8080/metrics | zseval query 'topk(3, process_open_fds)' --file -

Times are Unix seconds, RFC 3339, or relative to now: now-15m. A file has one moment only: functions over
a range, such as rate(), find a single sample there.
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """The `data` object of the HTTP API, and what came with it."""

    data: Mapping[str, Any]
    warnings: tuple[str, ...]
    infos: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("expr", metavar="EXPR", help="the PromQL expression")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--url", default=DEFAULT_URL, help=f"server to ask (default: {DEFAULT_URL})")
    source.add_argument("--file", metavar="METRICS.txt", help="evaluate on this exposition text; - is stdin")
    parser.add_argument("--time", help="evaluation time of an instant query (default: now)")
    parser.add_argument("--start", help="start of a range query")
    parser.add_argument("--end", help="end of a range query (default: now)")
    parser.add_argument("--step", help="step of a range query, 15s or seconds (default: 1/250 of the range)")
    parser.add_argument("--stats", action="store_true", help="also say what the query cost")
    parser.add_argument("-o", "--format", choices=("promql", "json"), default="promql", help="output format")


def run(args: argparse.Namespace) -> int:
    """0 with an answer (an empty one too), 1 where the query failed."""
    try:
        answer = _on_file(args) if args.file else _over_http(args)
    except PromQLError as error:
        print(f"query error: {error}", file=sys.stderr)
        return 1
    for warning in answer.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for info in answer.infos:
        print(f"info: {info}", file=sys.stderr)
    if args.stats and args.format != "json":
        print(_stats_text(answer.data.get("stats", {})), file=sys.stderr)
    print(json.dumps(answer.data) if args.format == "json" else as_text(answer.data), end="\n")
    return 0


def as_text(data: Mapping[str, Any]) -> str:
    """An API `data` object as promtool prints it."""
    result = data["result"]
    match data["resultType"]:
        case "vector":
            return "\n".join(f"{_series(each['metric'])} => {_point(each['value'])}" for each in result)
        case "matrix":
            return "\n".join(
                f"{_series(each['metric'])} =>\n" + "\n".join(_point(value) for value in each["values"])
                for each in result
            )
        case "scalar":
            return f"scalar: {_point(result)}"
        case _:
            return str(result[1])


def _stats_text(stats: Mapping[str, Any]) -> str:
    """`stats: 12 samples touched, 20 held at most, 3.1 ms`, of what the server told."""
    samples, parts = stats.get("samples", {}), []
    if "totalQueryableSamples" in samples:
        parts.append(f"{samples['totalQueryableSamples']} samples touched")
    if "peakSamples" in samples:
        parts.append(f"{samples['peakSamples']} held at most")
    parts += [f"{name} {1000 * seconds:.2f} ms" for name, seconds in stats.get("timings", {}).items()]
    return f"stats: {', '.join(parts) or 'the server gives none'}"


def _series(metric: Mapping[str, str]) -> str:
    labels = Labels(metric)
    rest = labels.without(METRIC_NAME)
    return f"{labels.name}{rest if rest or not labels.name else ''}"


def _point(value: list[Any]) -> str:
    return f"{value[1]} @[{value[0]}]"


# On a file ----------------------------------------------------------------------------------------


def _on_file(args: argparse.Namespace) -> Answer:
    from zseval.promql.engine import Engine

    if args.start or args.end or args.step:
        raise ZsevalError("a metrics file holds one moment: --start, --end and --step need a server (--url)")
    at = time_of(args.time) if args.time else time.time()
    engine = Engine(load_metrics(read_metrics(args.file), at))
    result = engine.instant_at(args.expr, round(at * 1000), stats=args.stats)
    data = result.to_json()
    if result.stats is not None:
        data["stats"] = {
            "timings": {
                "queryPreparationTime": result.stats.prepared_s,
                "innerEvalTime": result.stats.evaluated_s,
                "evalTotalTime": result.stats.prepared_s + result.stats.evaluated_s,
            },
            "samples": result.stats.to_json(),
        }
    return Answer(data, tuple(result.warnings), tuple(result.infos))


def read_metrics(file: str) -> bytes:
    """The exposition text in a file, or on standard input for `-`."""
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise ZsevalError(f"{file}: {error.strerror}") from error


def load_metrics(body: bytes, at: float) -> Any:
    """A TSDB with the samples of one page, at its own timestamps or at `at` (Unix seconds)."""
    from zseval.exposition.entries import Sample
    from zseval.exposition.openmetrics import parse_openmetrics
    from zseval.exposition.text import parse_text
    from zseval.tsdb.db import TSDB

    parse = parse_openmetrics if body.rstrip().endswith(b"# EOF") else parse_text
    db = TSDB(retention=None)
    for entry in parse(body):
        if isinstance(entry, Sample):
            when = at if entry.timestamp_ms is None else entry.timestamp_ms / 1000
            db.append(dict(entry.labels), entry.value, when)
    return db


# Over HTTP ----------------------------------------------------------------------------------------


def _over_http(args: argparse.Namespace) -> Answer:
    form = {"query": args.expr}
    if args.start:
        start, end = time_of(args.start), time_of(args.end) if args.end else time.time()
        step = step_of(args.step) if args.step else max((end - start) / 250, 1.0)
        form |= {"start": repr(start), "end": repr(end), "step": repr(step)}
    elif args.end or args.step:
        raise ZsevalError("--end and --step belong to a range query, which needs --start as well")
    elif args.time:
        form["time"] = repr(time_of(args.time))
    if args.stats:
        form["stats"] = "all"
    path = "query_range" if args.start else "query"
    answer = post(f"{args.url.rstrip('/')}/api/v1/{path}", form)
    if answer.get("status") != "success":
        raise PromQLError(str(answer.get("error", answer)))
    return Answer(answer["data"], tuple(answer.get("warnings", ())), tuple(answer.get("infos", ())))


def post(url: str, form: Mapping[str, str]) -> dict[str, Any]:
    """The JSON object a server answers with, errors of the API included. Raises ScrapeError."""
    from urllib.error import HTTPError, URLError
    from urllib.parse import urlencode
    from urllib.request import Request, urlopen

    if not url.startswith(("http://", "https://")):
        raise ZsevalError(f'"{url}" is not an http(s) URL')
    request = Request(url, urlencode(form).encode(), {"Accept": "application/json"})
    try:
        with urlopen(request, timeout=150) as response:
            body = response.read()
    except HTTPError as error:
        body = error.read()
    except (URLError, TimeoutError) as error:
        raise ScrapeError(f"cannot ask {url}: {getattr(error, 'reason', error)}") from error
    try:
        answer: dict[str, Any] = json.loads(body)
    except ValueError as error:
        raise ScrapeError(f"{url} did not answer in JSON; is it a Prometheus API?") from error
    return answer


# Times --------------------------------------------------------------------------------------------


def time_of(text: str) -> float:
    """Unix seconds of `1700000000`, RFC 3339, `now` or `now-15m`."""
    if text == "now":
        return time.time()
    if text.startswith("now-"):
        return time.time() - parse_duration(text[4:]) / 1000
    try:
        return float(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ZsevalError(f'"{text}" is no time: give Unix seconds, RFC 3339 or now-15m') from error
    return moment.timestamp() if moment.tzinfo else moment.astimezone().timestamp()


def step_of(text: str) -> float:
    """Seconds of `15` or `15s`."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return parse_duration(text) / 1000
    except DurationError as error:
        raise ZsevalError(f"--step: {error}") from error
