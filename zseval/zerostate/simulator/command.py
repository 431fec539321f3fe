"""The simulator as a program: serves the simulated network until it is stopped."""

from __future__ import annotations

import argparse
import asyncio
import math
import signal
import sys
from collections.abc import Sequence

from zseval.zerostate.clock import AcceleratedClock
from zseval.zerostate.simulator.faults import FAULTS
from zseval.zerostate.simulator.network import Incident, Network

__all__ = ["add_arguments", "main", "run"]

_DESCRIPTION = "A simulated ZeroState network (bootnode, two edge nodes, relay) to point a scraper at."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the simulator with these arguments (default: the process's); the exit code is that of `run`."""
    parser = argparse.ArgumentParser(prog="python -m zseval.zerostate.simulator", description=_DESCRIPTION)
    add_arguments(parser)
    return run(parser.parse_args(argv))


def run(options: argparse.Namespace) -> int:
    """Serve until a signal comes. The exit code is 0 when stopped by one, 2 where it could not start."""
    if options.list_faults:
        _say(*(f"{fault.alert:28} {fault.story}" for fault in FAULTS.values()))
        return 0
    try:
        asyncio.run(_serve(options))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"simulate: {error}\n")
        return 2
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the simulator."""
    parser.add_argument(
        "--fault", action="append", default=[], metavar="ALERT", choices=list(FAULTS), help="may be repeated"
    )
    parser.add_argument("--after", type=float, default=0.0, metavar="SECONDS", help="when the faults begin")
    parser.add_argument(
        "--lasting", type=float, default=None, metavar="SECONDS", help="how long they last; default: for good"
    )
    parser.add_argument("--list-faults", action="store_true", help="print the faults and end")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another network")
    parser.add_argument("--speed", type=float, default=1.0, help="how many times as fast as real time")
    parser.add_argument(
        "--listen",
        default="127.0.0.1:0",
        metavar="HOST:PORT",
        help="address of the first node, the others follow; port 0 (default) means free ports",
    )


async def _serve(options: argparse.Namespace) -> None:
    from zseval.zerostate.simulator.server import NetworkServer

    host, port = _address(options.listen)
    network = Network(options.seed, _incidents(options))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with NetworkServer(network, AcceleratedClock(options.speed), host, port) as server:
        _say(*(f"{name:10} {url}" for name, url in server.urls.items()))
        await stop.wait()


def _incidents(options: argparse.Namespace) -> list[Incident]:
    end = math.inf if options.lasting is None else options.after + options.lasting
    return [Incident(fault, options.after, end) for fault in dict.fromkeys(options.fault)]


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"--listen {text}: expected HOST:PORT")
    return host.strip("[]"), int(port)


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
