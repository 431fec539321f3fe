"""A node like `zseval` makes it, for what only a program inside its process can do.

    python -m bench.peers.launch --stalls FILE ZSEVAL'S ARGUMENTS

It appends to a file how late the event loop was
each time a tick of a few milliseconds came.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from zseval.cli.logs import set_up_logging
from zseval.cli.run import add_arguments, options_of, own_process, settle
from zseval.node.node import Node

__all__ = ["main", "watch_stalls"]

_TICK_S = 0.002
_WORTH_MS = 1.0
_SCHEDSTAT = Path("/proc/thread-self/schedstat")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stalls", type=Path, metavar="FILE", required=True)
    add_arguments(parser)
    args = parser.parse_args()
    own_process()
    asyncio.run(_serve(args))


async def _serve(args: argparse.Namespace) -> None:
    set_up_logging(args.log_level, args.log_format)
    node = Node(options_of(args))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with node:
        settle()
        node.on_quit = stop.set
        watcher = asyncio.create_task(watch_stalls(args.stalls))
        await stop.wait()
        watcher.cancel()


async def watch_stalls(file: Path) -> None:
    """Until it is cancelled, for ticks that came late: the loop's time, by how many ms, and for how many of
    them the loop's thread was ready to run and had no processor.
    """
    loop = asyncio.get_running_loop()
    due, waited = loop.time() + _TICK_S, _waited_ms()
    with file.open("a", buffering=1) as lines:
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            now, waited_before = loop.time(), waited
            waited = _waited_ms()
            late = (now - due) * 1000
            if late >= _WORTH_MS:
                lines.write(f"{now:.4f} {late:.2f} {waited - waited_before:.2f}\n")
            due = now + _TICK_S


def _waited_ms() -> float:
    """How long this thread has waited for a processor so far (schedstat of Linux)."""
    return int(_SCHEDSTAT.read_text().split()[1]) / 1e6


if __name__ == "__main__":
    main()
