"""`zseval RULES.yml`: run a node until it is told to stop, or scrape and evaluate `--once`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import re
import signal
import sys
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from zseval.cli.logs import set_up_logging
from zseval.errors import ConfigError
from zseval.model.duration import DurationError, parse_duration
from zseval.node.options import DEFAULT_TARGET, NODE_FEATURES, NodeOptions
from zseval.node.process import keep_freed_memory
from zseval.node.snapshot import Transition

if TYPE_CHECKING:
    from zseval.node.node import Node

__all__ = ["add_arguments", "own_process", "run", "settle", "watch"]

_EPILOG = f"""\
examples:
  zseval rules.yml                                        scrapes {DEFAULT_TARGET}
  zseval rules.yml --target http://a:9100/metrics --target http://b:9100/metrics
  zseval --config prometheus.yml --alertmanager http://localhost:9093
  zseval rules.yml --once                                 exit 0: nothing fires, 1: something does, 2: error

signals: INT and TERM stop cleanly, a second one at once; HUP reloads configuration and rules (a bad one
keeps the old).
"""
_FRAMES_PER_SECOND = 4
_INTERRUPTED = 130  # what a shell reports of a program that Ctrl-C ended
_SWITCH_S = 0.001
"""After so long a thread is asked to let go of the interpreter (Python: 5 ms).

The event loop lets go at each call of the system, and beside a query it waits that long to have it back, some
dozens of times while many targets are scraped.
"""

_UNITS = {"": 1, "B": 1, "KB": 2**10, "KIB": 2**10, "MB": 2**20, "MIB": 2**20, "GB": 2**30, "GIB": 2**30}

log = logging.getLogger("zseval.cli")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("rules", nargs="*", metavar="RULES.yml", help="rule files")
    add("--target", action="append", metavar="URL", help=f"scrape this (default {DEFAULT_TARGET})")
    add("--config", "--config.file", metavar="FILE", help="a prometheus.yml")
    add("--alertmanager", action="append", metavar="URL", help="send alerts there")
    add("--interval", default="15s", help="scrape and evaluation interval without a --config (15s)")
    add(
        "--listen",
        "--web.listen-address",
        default="127.0.0.1:9090",
        metavar="ADDR",
        help='serve the API on host:port (127.0.0.1:9090); "" serves nothing',
    )
    add("--retention", "--storage.tsdb.retention.time", default="", help="how long samples are kept (15d)")
    add(
        "--memory",
        "--storage.tsdb.retention.size",
        default="256MB",
        metavar="SIZE",
        help="bytes the samples may take; the oldest leave first (256MB)",
    )
    add(
        "--web.external-url",
        dest="external_url",
        default="",
        metavar="URL",
        help="how others reach this node",
    )
    add("--web.enable-lifecycle", dest="lifecycle", action="store_true", help="allow /-/reload and /-/quit")
    add(
        "--web.enable-remote-write-receiver",
        dest="remote_write",
        action="store_true",
        help="take samples that others push, at /api/v1/write",
    )
    add(
        "--web.remote-write-receiver.max-size",
        dest="remote_write_size",
        default="32MB",
        metavar="SIZE",
        help="how large such a request may be, decoded (32MB)",
    )
    add("--web.cors.origin", dest="cors_origin", default=".*", metavar="REGEX", help="allowed CORS origins")
    add(
        "--query.lookback-delta",
        dest="lookback",
        default="5m",
        metavar="5m",
        help="how far back a sample counts",
    )
    add("--query.timeout", dest="query_timeout", default="2m", metavar="2m", help="time a query may take")
    add(
        "--query.max-samples", dest="max_samples", type=int, default=50_000_000, metavar="N", help="per query"
    )
    add(
        "--query.max-concurrency",
        dest="max_concurrency",
        type=int,
        default=20,
        metavar="N",
        help="queries at once",
    )
    add(
        "--enable-feature",
        dest="features",
        action="append",
        metavar="NAME,…",
        help="upstream's feature names",
    )
    add("--once", action="store_true", help="scrape, evaluate, print, and exit")
    add("--plain", action="store_true", help="log lines instead of the live table")
    add(
        "--log.level",
        dest="log_level",
        choices=("debug", "info", "warn", "error"),
        help="info; below the live table error, with --once warn",
    )
    add("--log.format", dest="log_format", choices=("logfmt", "json"), default="logfmt")


def run(args: argparse.Namespace) -> int:
    live = sys.stdout.isatty() and not args.plain and not args.once
    set_up_logging(_log_level(args, live=live), args.log_format)
    options = options_of(args)
    if args.once:
        from zseval.cli.once import run_once

        return asyncio.run(run_once(options))
    own_process()
    return asyncio.run(_serve(options, live=live))


def own_process() -> None:
    """For a process that only serves; before anything is started. `settle` follows, once it is ready."""
    gc.disable()  # hundreds of modules are about to be imported, and nothing of that is garbage
    sys.setswitchinterval(_SWITCH_S)
    keep_freed_memory()


def settle() -> None:
    """What start-up made stays to the end: the garbage collector need not look at it again."""
    gc.freeze()
    gc.enable()


def _log_level(args: argparse.Namespace, *, live: bool) -> str:
    """What was asked for; else as much as does not disturb what is printed."""
    level: str = args.log_level or ("error" if live else "warn" if args.once else "info")
    return level


def options_of(args: argparse.Namespace) -> NodeOptions:
    """Raises ConfigError for a value that does not fit its option."""
    if not (args.rules or args.config or args.target or args.remote_write):
        raise ConfigError("nothing to do: name a rule file, a --config or a --target (see zseval --help)")
    for option, text in (("--query.lookback-delta", args.lookback), ("--query.timeout", args.query_timeout)):
        _duration(option, text)
    if args.retention:
        _duration("--retention", args.retention)
    has_source = args.config or (args.remote_write and not args.rules)
    targets = tuple(args.target or (() if has_source else (DEFAULT_TARGET,)))
    return NodeOptions(
        rule_files=tuple(args.rules),
        config_file=args.config or "",
        targets=targets,
        alertmanagers=tuple(args.alertmanager or ()),
        interval_ms=_duration("--interval", args.interval),
        listen="" if args.once else args.listen,
        external_url=args.external_url,
        retention=args.retention,
        memory_bytes=_size("--memory", args.memory),
        lookback=args.lookback,
        query_timeout=args.query_timeout,
        max_samples=args.max_samples,
        max_concurrency=args.max_concurrency,
        features=_features(args.features or ()),
        enable_lifecycle=args.lifecycle,
        cors_origin=_pattern("--web.cors.origin", args.cors_origin),
        enable_remote_write=args.remote_write,
        remote_write_max_bytes=_size("--web.remote-write-receiver.max-size", args.remote_write_size),
    )


async def _serve(options: NodeOptions, *, live: bool) -> int:
    from zseval.node.node import Node

    history: deque[Transition] = deque(maxlen=200)
    node = Node(options, on_transition=history.append)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        if stop.is_set():  # asked twice: do not wait for a page that is still being read in a thread
            os._exit(_INTERRUPTED)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = loop.create_task(_reload(node))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    async with node:
        settle()
        node.on_quit = stop.set
        if live:
            await watch(f"zseval {node.address}".strip(), node, history, stop)
        else:
            log.info("ready", extra={"fields": {"listen": node.address}})
            await stop.wait()
    return 0


async def _reload(node: Node) -> None:
    with contextlib.suppress(ConfigError):  # the node has logged it, and goes on as before
        await node.reload()


async def watch(title: str, node: Node, history: deque[Transition], stop: asyncio.Event) -> None:
    """Redraw the live table until `stop` is set."""
    from rich.console import Console
    from rich.live import Live

    from zseval.cli.live import render

    console = Console()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while not stop.is_set():
            live.update(render(title, node.snapshot(), list(history), height=console.height), refresh=True)
            try:
                await asyncio.wait_for(stop.wait(), 1 / _FRAMES_PER_SECOND)
            except TimeoutError:
                continue


def _duration(option: str, text: str) -> int:
    try:
        milliseconds = parse_duration(text)
    except DurationError as error:
        raise ConfigError(f"{option}: {error}") from error
    if milliseconds <= 0:
        raise ConfigError(f"{option} must be above 0")
    return milliseconds


def _features(given: Sequence[str]) -> frozenset[str]:
    """Those named that change what a query means. Others are warned about, as Prometheus does it.

    So a command line written for Prometheus goes on working (`--enable-feature=native-histograms`).
    """
    from zseval.promql.engine import FEATURES

    known = FEATURES | NODE_FEATURES
    names = {name for each in given for name in each.split(",") if name}
    for name in sorted(names - known):
        log.warning("unknown option for --enable-feature", extra={"fields": {"option": name}})
    return frozenset(names & known)


def _pattern(option: str, text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ConfigError(f'{option}: "{text}" is no regular expression: {error}') from error
    return text


def _size(option: str, text: str) -> int:
    digits = text.rstrip("BbKkMmGgIi")
    scale = _UNITS.get(text[len(digits) :].upper())
    if scale is None or not digits.isdigit() or digits == "0":
        raise ConfigError(f'{option}: "{text}" is no size such as 256MB')
    return int(digits) * scale
