"""The event loop beside large queries: how long it stood still at most, and whether a scrape was missed."""

from __future__ import annotations

import time
from pathlib import Path

from bench.peers.data import pages
from bench.peers.measure import summary
from bench.peers.questions import RANGE
from bench.peers.results import Case
from bench.peers.rows.context import Context, send
from bench.peers.rows.scrape import Shape, page_server, scrape_config
from bench.peers.servers import ZSEVAL, zseval

__all__ = ["longest", "measure_stall"]

_SERIES, _QUICK_SERIES = 100_000, 10_000
_SHAPE = Shape(50, 1_000, is_packed=False)
_WARM_S, _LEAST_S = 15.0, 10.0


def measure_stall(context: Context) -> list[Case]:
    """Rounds in which every range question is asked, one after the other, while 50 targets are scraped.

    A stall is how late the loop comes to a timer. What of it was waiting for a processor, which other
    processes had, the kernel says; what is left is the loop's own doing or another thread's of the process.
    """
    home, scale = context.home / "stall", _QUICK_SERIES if context.quick else _SERIES
    end_ms = (int(time.time()) // 60 * 60 - 120) * 1000
    file = home / "stalls"
    launcher = ["bench.peers.launch", "--stalls", str(file)]
    late: list[float] = []
    own: list[float] = []
    missed: list[float] = []
    home.mkdir(parents=True, exist_ok=True)
    with (
        page_server(home, _SHAPE) as address,
        zseval(
            home,
            ["--web.enable-remote-write-receiver"],
            config=scrape_config(_SHAPE, address),
            launcher=launcher,
        ) as server,
    ):
        send([server], list(pages(scale, end_ms)))
        time.sleep(_WARM_S)
        for number in range(context.pairs):
            before, began = file.stat().st_size, time.time()
            while time.time() < began + _LEAST_S:
                for question in RANGE:
                    question.ask(server.client, end_ms / 1000 - number).data()
            seconds = int(time.time() - began)
            stalls = longest(file, before)
            late.append(stalls[0])
            own.append(stalls[1])
            query = f'min(count_over_time(up{{job="pages"}}[{seconds}s]))'
            (row,) = server.client.get("/api/v1/query", query=query).data()["result"]
            missed.append(max(0.0, seconds - 1 - float(row["value"][1])))  # one may lie on the edge
    cases = [
        Case("longest stall", "ms", {ZSEVAL: late}),
        Case("of that not waiting for a processor", "ms", {ZSEVAL: own}),
        Case("missed scrapes", "scrapes", {ZSEVAL: missed}, note="of the target that missed most"),
    ]
    for case in cases:
        context.say(summary(case))
    return cases


def longest(file: Path, offset: int) -> tuple[float, float]:
    """The longest of the stalls written from a place of the file on: ms in all, and without the wait."""
    with file.open() as lines:
        lines.seek(offset)
        stalls = [(float(late), float(waited)) for _, late, waited in map(str.split, lines)]
    return (
        max((late for late, _ in stalls), default=0.0),
        max((max(0.0, late - waited) for late, waited in stalls), default=0.0),
    )
