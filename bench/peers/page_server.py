"""A target that costs next to nothing: pages made before the first request, 30 % of the values new in each.

    python -m bench.peers.page_server --port 9000 --hosts 100 --lines 1000 [--gzip]

Listens on 127.0.0.1, 127.0.0.2, …, one address a target. Every scraper goes through the same pages, forth
and back, so that a page differs from the one before in as many values at every scrape. /stats says how many
pages were sent, by the scraper's User-Agent.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
from collections import Counter
from typing import cast

import numpy as np

__all__ = ["CHANGING", "addresses", "bodies", "main"]

CHANGING = 0.3
_VERSIONS = 12
_FAMILY = 20  # series
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"


def bodies(lines: int, *, churn: float = 0.0, versions: int = _VERSIONS, seed: int = 20) -> list[bytes]:
    """Pages of so many samples: half of them counters, a quarter sizes in bytes, a quarter decimals.

    churn: the share of the series that are other ones in each page.
    """
    rng = np.random.default_rng(seed)
    kinds = np.arange(lines) // _FAMILY % 4
    values = np.where(kinds == 3, np.round(rng.random(lines) * 100, 3), rng.integers(0, 10**7, lines) * 1.0)
    made = []
    for version in range(versions):
        made.append(_page(values, kinds, round(lines * churn), version))
        changed = rng.random(lines) < CHANGING
        counted = values + rng.integers(1, 500, lines)
        sized = np.maximum(values + rng.integers(-50, 51, lines) * 4096, 0)
        fresh = np.select([kinds < 2, kinds == 2], [counted, sized], np.round(rng.random(lines) * 100, 3))
        values = np.where(changed, fresh, values)
    return made


def _page(
    values: np.ndarray[tuple[int], np.dtype[np.float64]],
    kinds: np.ndarray[tuple[int], np.dtype[np.int_]],
    passing: int,
    version: int,
) -> bytes:
    out = []
    for number, (value, kind) in enumerate(zip(values.tolist(), kinds.tolist(), strict=True)):
        family = f"app_thing{number // _FAMILY}_{('total', 'total', 'bytes', 'ratio')[kind]}"
        if number % _FAMILY == 0:
            out.append(f"# HELP {family} What the application has of it.\n")
            out.append(f"# TYPE {family} {'counter' if kind < 2 else 'gauge'}\n")
        text = f"{value:.0f}" if value == int(value) else repr(value)
        path, method = f"/v1/part{number % _FAMILY}", ("GET", "POST")[number % 2]
        pod = f',pod="p{version}"' if number < passing else ""
        out.append(f'{family}{{handler="{path}",method="{method}",shard="s{number % 7}"{pod}}} {text}\n')
    return "".join(out).encode()


class _Pages(asyncio.Protocol):
    """Answers each request of one connection."""

    def __init__(
        self, plain: list[bytes], packed: list[bytes] | None, sent: Counter[str], turns: Counter[str]
    ) -> None:
        self._plain, self._packed = plain, packed
        self._sent, self._turns = sent, turns
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._read += data
        while b"\r\n\r\n" in self._read:
            head, _, self._read = self._read.partition(b"\r\n\r\n")
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if first.startswith("GET /stats"):
            body = json.dumps(self._sent).encode()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            return
        agent = fields.get("user-agent", "?").split("/")[0]
        target = f"{agent} {fields.get('host', '')}"
        turn = self._turns[target] % (2 * len(self._plain) - 2)
        self._turns[target] += 1
        self._sent[agent] += 1
        number = min(turn, 2 * len(self._plain) - 2 - turn)
        if self._packed is not None and "gzip" in fields.get("accept-encoding", ""):
            body, coding = self._packed[number], b"Content-Encoding: gzip\r\n"
        else:
            body, coding = self._plain[number], b""
        self._transport.write(_HEAD + coding + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def addresses(count: int) -> list[str]:
    """So many addresses of loopback, from 127.0.0.1 on."""
    return [f"127.0.{number // 250}.{number % 250 + 1}" for number in range(count)]


async def _serve(args: argparse.Namespace) -> None:
    plain = bodies(args.lines, churn=args.churn)
    packed = [gzip.compress(body, 5) for body in plain] if args.gzip else None
    sent: Counter[str] = Counter()
    turns: Counter[str] = Counter()
    hosts = addresses(args.hosts)
    server = await asyncio.get_running_loop().create_server(
        lambda: _Pages(plain, packed, sent, turns), hosts, args.port, backlog=1000
    )
    async with server:
        await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--hosts", type=int, default=1)
    parser.add_argument("--lines", type=int, default=1000)
    parser.add_argument("--churn", type=float, default=0.0)
    parser.add_argument("--gzip", action="store_true")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
