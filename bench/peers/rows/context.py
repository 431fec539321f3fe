"""Context: what a row is given to run with."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.peers.data import Page, pages, roughened
from bench.peers.servers import Server, prometheus, victoria, zseval
from bench.peers.wire import HEADERS, requests

__all__ = ["Context", "send"]

_SETTLE_S = 3.0


@dataclass(frozen=True, slots=True)
class Context:
    """home: a folder for the servers' files.  pairs: rounds.  quick: shorter where time is what it takes."""

    home: Path
    scales: tuple[int, ...]
    pairs: int
    quick: bool

    def say(self, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    @contextlib.contextmanager
    def filled(self, scale: int, *, rough: bool = False) -> Iterator[tuple[list[Server], float]]:
        """The three servers with an hour of so many series in each, and the time it ends at, Unix seconds."""
        end_ms = (int(time.time()) // 60 * 60 - 120) * 1000
        home = self.home / f"{scale}{'-rough' if rough else ''}"
        with (
            prometheus(home) as peer,
            victoria(home) as other,
            zseval(home, ["--web.enable-remote-write-receiver"]) as ours,
        ):
            servers = [ours, peer, other]
            send(servers, [roughened(page) if rough else page for page in pages(scale, end_ms)])
            self.say(f"{scale} series are in all servers")
            time.sleep(_SETTLE_S)
            yield servers, end_ms / 1000


def send(servers: Sequence[Server], every: Sequence[Page]) -> None:
    """The pages by remote write, some rows of each after the other: no sample comes an hour late."""
    streams = [requests(page) for page in every]
    while streams:
        alive = []
        for stream in streams:
            body = next(stream, None)
            if body is None:
                continue
            alive.append(stream)
            for server in servers:
                answer = server.client.post("/api/v1/write", body, HEADERS)
                if answer.status not in (200, 204):
                    raise RuntimeError(
                        f"{server.name} refused a write: {answer.status} {answer.body[:300]!r}"
                    )
        streams = alive
