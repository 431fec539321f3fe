"""`zseval demo`: a simulated ZeroState network, watched live, thirty times as fast as real time."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections import deque
from typing import TYPE_CHECKING

from zseval.cli.logs import set_up_logging
from zseval.errors import ConfigError
from zseval.node.snapshot import Snapshot, Transition

if TYPE_CHECKING:
    from zseval.zerostate.demo import Demo

__all__ = ["add_arguments", "run"]

_EPILOG = """\
Four nodes (a bootnode, two edge nodes, a relay) run into trouble by a script that takes a minute and starts
again: one crashes, tasks fail, peers are blacklisted, a link is saturated. Alerts go pending, fire, and are
resolved. While it runs, ask its API: the address is on the first line.
"""
_SETTLING_S = 3.0
"""Seconds after which every target has been scraped at the usual speed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    add = parser.add_argument
    add("--speed", type=float, default=30.0, metavar="N", help="times as fast as real time (30)")
    add("--listen", default="127.0.0.1:0", metavar="ADDR", help="serve the API there (a free port)")
    add("--seed", type=int, default=0, metavar="N", help="another seed is another network")
    add("--for", dest="seconds", type=float, metavar="SECONDS", help="end by itself after so long")
    add("--plain", action="store_true", help="lines instead of the live table, one round, then end")


def run(args: argparse.Namespace) -> int:
    if not 1 <= args.speed <= 200:
        raise ConfigError("--speed takes a number from 1 to 200")
    live = sys.stdout.isatty() and not args.plain
    set_up_logging("error", "logfmt")
    return asyncio.run(_demo(args, live=live))


async def _demo(args: argparse.Namespace, *, live: bool) -> int:
    from zseval.zerostate.demo import demo
    from zseval.zerostate.scenario import ROUND_SECONDS

    history: deque[Transition] = deque(maxlen=200)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    seconds = args.seconds or (None if live else ROUND_SECONDS / args.speed)
    if seconds is not None:
        loop.call_later(seconds, stop.set)
    tell = history.append if live else _print_transition
    async with demo(args.speed, seed=args.seed, listen=args.listen, on_transition=tell) as running:
        if live:
            from zseval.cli.run import watch

            title = f"zseval demo, {args.speed:g} times as fast   http://{running.node.address}"
            await watch(title, running.node, history, stop)
        else:
            await _in_lines(running, args.speed, stop)
    return 0


async def _in_lines(running: Demo, speed: float, stop: asyncio.Event) -> None:
    address = running.node.address
    print(f"A simulated ZeroState network, {speed:g} times as fast as real time.", flush=True)
    print(f"Its API: http://{address}  (try: zseval query up --url http://{address})", flush=True)
    try:
        await asyncio.wait_for(stop.wait(), _SETTLING_S * 30 / speed)
    except TimeoutError:
        _print_targets(running.node.snapshot())
    await stop.wait()
    _print_targets(running.node.snapshot())


def _print_targets(snapshot: Snapshot) -> None:
    print(f"\n{snapshot.rules} rules on {snapshot.series:,} series; targets:")
    for target in snapshot.targets:
        detail = f"{target.samples} samples" if target.health == "up" else target.error
        print(f"  {target.instance:<10} {target.health:<8} {detail}")
    print(flush=True)


def _print_transition(transition: Transition) -> None:
    from rich.console import Console

    from zseval.cli.live import transition_line

    Console(soft_wrap=True).print(transition_line(transition))
    sys.stdout.flush()
