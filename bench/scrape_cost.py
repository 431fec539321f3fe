"""What scraping costs, beside the real Prometheus: processor time a million samples, and resident memory.

    python -m bench.scrape_cost [--targets 10] [--series 1000] [--interval 1s] [--seconds 30] [--gzip]

Serves generated pages of which 30 % of the values change from scrape to scrape, has zseval (the one beside
the Python that runs this) and Prometheus (where there is one on PATH) scrape them one after the other, and
prints the processor time their processes took for a million samples and their resident memory afterwards.
Linux only.
`--seconds 245` at an interval of one second keeps as many samples as an hour at 15 s.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import Process, Queue
from pathlib import Path
from typing import TYPE_CHECKING

from bench.processes import cpu_seconds, free_port, rss_mib, running, wait_ready

if TYPE_CHECKING:
    Ports = Queue[int]

_CHANGING = 0.3
_SEED = 6


class Pages:
    """The page of each moment. Some 90 bytes a line: counters, gauges with decimals, buckets."""

    def __init__(self, series: int, tick_s: float) -> None:
        self._random = random.Random(_SEED)
        self._tick_s = tick_s
        self._tick = -1
        self._heads = [_head(number) for number in range(series)]
        self._values = [float(self._random.randrange(10_000)) for _ in range(series)]
        self._page = b""
        self._zipped = b""

    def now(self, *, zipped: bool) -> bytes:
        """The page of this tick: the same for everyone who asks within it."""
        tick = int(time.time() / self._tick_s)
        if tick != self._tick:
            self._tick = tick
            self._advance()
            self._page = "".join(
                [f"{head}{value:.15g}\n" for head, value in zip(self._heads, self._values, strict=True)]
            ).encode()
            self._zipped = b""
        if zipped and not self._zipped:
            self._zipped = gzip.compress(self._page, 6)
        return self._zipped if zipped else self._page

    def _advance(self) -> None:
        count = len(self._values)
        for number in self._random.sample(range(count), round(count * _CHANGING)):
            if number % 4 == 3:
                self._values[number] = self._random.randrange(100_000) / 100
            else:
                self._values[number] += self._random.randrange(1, 200)


def _head(number: int) -> str:
    which, kind = divmod(number, 4)
    labels = f'handler="/api/v1/resource/{which % 50}",code="{200 + which % 5}",shard="{which // 50}"'
    if kind == 3:
        return f"process_queue_fill_ratio{{{labels}}} "
    if kind == 2:
        return f'http_request_duration_seconds_bucket{{{labels},le="0.5"}} '
    return f'http_{"requests" if kind else "responses"}_total{{{labels},method="GET"}} '


def serve(series: int, tick_s: float, zipped: bool, ports: Ports) -> None:
    """Serve pages on a free port, in a process of its own, until that is ended."""
    pages = Pages(series, tick_s)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            body = pages.now(zipped=zipped)
            encoding = b"Content-Encoding: gzip\r\n" if zipped else b""
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n%s"
                b"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: %d\r\n\r\n%s"
                % (encoding, len(body), body)
            )
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@dataclass(frozen=True)
class Cost:
    """cpu_s: for a million samples.  rss_mib: at the end."""

    cpu_s: float
    rss_mib: float
    samples: int


def measure(command: Sequence[str], address: str, folder: Path, rate: float, seconds: float) -> Cost:
    """Run a server until it has scraped for some seconds at so many samples a second."""
    with running(command, folder) as process:
        wait_ready(address)
        time.sleep(5)  # the first pages, whose series are new
        began, before = time.monotonic(), cpu_seconds(process.pid)
        time.sleep(seconds)
        samples = rate * (time.monotonic() - began)
        cpu = cpu_seconds(process.pid) - before
        return Cost(cpu / samples * 1e6, rss_mib(process.pid), round(samples))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--targets", type=int, default=10)
    parser.add_argument("--series", type=int, default=1000, help="of each target")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--gzip", action="store_true")
    parser.add_argument("--only", choices=("zseval", "prometheus"))
    args = parser.parse_args()
    ports: Ports = Queue()
    pages = Process(target=serve, args=(args.series, args.interval, args.gzip, ports), daemon=True)
    pages.start()
    with ExitStack() as stack:
        stack.callback(pages.terminate)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        targets = [f"127.0.0.1:{ports.get()}"]
        # One page server: the targets differ in a parameter that it does not look at.
        jobs = "".join(
            f"  - {{job_name: job{number}, params: {{n: ['{number}']}}, "
            f"static_configs: [{{targets: {targets}}}]}}\n"
            for number in range(args.targets)
        )
        config = folder / "prometheus.yml"
        every = f"{round(args.interval * 1000)}ms"
        config.write_text(
            f"global: {{scrape_interval: {every}, scrape_timeout: {every}}}\nscrape_configs:\n{jobs}"
        )
        rate = args.targets * args.series / args.interval
        costs: dict[str, Cost] = {}
        for name, command in _commands(config, folder).items():
            if args.only in (None, name):
                address = f"127.0.0.1:{free_port()}"
                full = [word.replace("ADDRESS", address) for word in command]
                costs[name] = cost = measure(full, address, folder, rate, args.seconds)
                print(
                    f"{name:<12}{args.targets:>5} x {args.series:<7}{'gzip' if args.gzip else 'plain':<6}"
                    f"{cost.cpu_s:7.3f} s a million samples{cost.rss_mib:8.1f} MiB",
                    flush=True,
                )
        if len(costs) == 2:
            ours, theirs = costs["zseval"], costs["prometheus"]
            cpu, rss = ours.cpu_s / theirs.cpu_s, ours.rss_mib / theirs.rss_mib
            print(f"ratio: {cpu:.2f} of the processor time, {rss:.2f} of the memory")


def _commands(config: Path, folder: Path) -> dict[str, list[str]]:
    zseval = [sys.executable, "-m", "zseval", "--config", str(config), "--listen", "ADDRESS"]
    commands = {"zseval": [*zseval, "--plain", "--log.level=error"]}
    prometheus = shutil.which("prometheus")
    if prometheus:
        commands["prometheus"] = [
            prometheus,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--web.listen-address=ADDRESS",
            "--log.level=error",
        ]
    return commands


if __name__ == "__main__":
    main()
