"""fetch, against real servers on loopback that behave in every bad way."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from zseval.errors import ScrapeError
from zseval.exposition.negotiate import ACCEPT
from zseval.scrape import inflate
from zseval.scrape.fetch import MAX_BODY_BYTES, BodySizeError, Fetched, fetch
from zseval.transport.client import USER_AGENT, HttpClient, TransportError
from zseval.transport.config import HttpClientConfig

Raw = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def raw_server(answer: Raw) -> AsyncIterator[str]:
    """A server that writes whatever `answer` does to the socket once a request came in."""

    handlers: list[asyncio.Task[None]] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.append(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
                await answer(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/metrics"
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


def raw(answer: bytes) -> Raw:
    async def write(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return write


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def get(url: str, *, timeout_ms: int = 5_000, **options: int | bool) -> Fetched:
    client = HttpClient(HttpClientConfig())
    try:
        return await fetch(client, url, timeout_ms=timeout_ms, **options)  # type: ignore[arg-type]  # of the tests
    finally:
        await client.close()


async def test_the_request_says_what_prometheus_says() -> None:
    seen: dict[str, str] = {}

    async def handle(request: web.Request) -> web.Response:
        seen.update(request.headers)
        return web.Response(text="a 1\n", content_type="text/plain")

    async with app_server(handle) as url:
        fetched = await get(url, timeout_ms=2_500)
    assert fetched.body == b"a 1\n"
    assert fetched.content_type.startswith("text/plain")
    assert seen["Accept"] == ACCEPT
    assert seen["Accept-Encoding"] == "gzip"
    assert seen["User-Agent"] == USER_AGENT
    assert seen["X-Prometheus-Scrape-Timeout-Seconds"] == "2.5"


@contextlib.asynccontextmanager
async def app_server(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/metrics"
    finally:
        await runner.cleanup()


async def test_gzip_is_asked_for_and_undone() -> None:
    body = b"".join(b"metric_%d 1\n" % number for number in range(10_000))
    for compressed in (gzip.compress(body), gzip.compress(body[:100]) + gzip.compress(body[100:])):
        async with raw_server(raw(response(compressed, "Content-Encoding: gzip"))) as url:
            assert (await get(url)).body == body


async def test_no_compression_is_asked_for_where_it_is_switched_off() -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.Response(text=request.headers["Accept-Encoding"])

    async with app_server(handle) as url:
        assert (await get(url, compression=False)).body == b"identity"


@pytest.mark.parametrize("size", [2_000_000, 1 << 20, (1 << 20) - 1, (1 << 20) + 1, 2 << 20])
async def test_large_compressed_bodies_arrive_whole(size: int) -> None:
    body = os.urandom(1000) * (size // 1000) + b"x" * (size % 1000)
    async with raw_server(raw(response(gzip.compress(body, 1), "Content-Encoding: gzip"))) as url:
        assert (await get(url)).body == body


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            response(b"nope", status="503 Service Unavailable"),
            "server returned HTTP status 503 Service Unavailable",
        ),
        (response(b"not gzip at all", "Content-Encoding: gzip"), "gzip: invalid data"),
        (response(gzip.compress(b"a 1\n" * 99, mtime=0)[:-9], "Content-Encoding: gzip"), "unexpected EOF"),
        (response(b"", "Content-Encoding: gzip"), "EOF"),
        (response(b"a 1\n")[:-2], "unexpected EOF"),
        (b"", "EOF"),
        (b"\x00\x01garbage\r\n\r\n", "malformed HTTP response"),
    ],
)
async def test_a_bad_answer_is_an_error_that_says_what(answer: bytes, message: str) -> None:
    async with raw_server(raw(answer)) as url:
        with pytest.raises((ScrapeError, TransportError), match=message):
            await get(url)


async def test_a_refused_connection_is_named_as_go_names_it() -> None:
    async with raw_server(raw(b"")) as url:
        pass
    with pytest.raises(TransportError, match=r'Get "http://127.*/metrics": dial tcp 127.*connection refused'):
        await get(url)


async def test_a_reset_is_an_error() -> None:
    async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with raw_server(reset) as url:
        with pytest.raises(TransportError, match='Get "http'):
            await get(url)


async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        writer.write(b"a 1\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def hang(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


@pytest.mark.parametrize("answer", [drip, hang], ids=["an endless slow body", "no answer"])
async def test_the_time_limit_is_for_the_whole_exchange(answer: Raw) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with raw_server(answer) as url:
        with pytest.raises(TransportError, match="context deadline exceeded"):
            await get(url, timeout_ms=200)
        assert loop.time() - began < 15


async def test_an_endless_fast_body_ends_at_the_size_limit() -> None:
    async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"a 1\n" * 10_000)
            await writer.drain()

    async with raw_server(flood) as url:
        with pytest.raises(BodySizeError, match="body size limit exceeded"):
            await get(url, body_size_limit=1_000_000)


async def test_a_job_without_a_limit_has_ours_and_is_told_how_to_have_more() -> None:
    body = b"a 1\n" * (MAX_BODY_BYTES // 4 + 1)
    async with raw_server(raw(response(body))) as url:
        with pytest.raises(BodySizeError, match="over 32 MiB and the job sets no body_size_limit"):
            await get(url, timeout_ms=20_000)
        assert (await get(url, timeout_ms=20_000, body_size_limit=64 << 20)).body == body


async def test_a_body_of_exactly_the_limit_is_too_large() -> None:
    async with raw_server(raw(response(b"a 1\n"))) as url:
        assert (await get(url, body_size_limit=5)).body == b"a 1\n"
        with pytest.raises(BodySizeError):
            await get(url, body_size_limit=4)


async def test_a_decompression_bomb_is_not_decompressed(monkeypatch: pytest.MonkeyPatch) -> None:
    compressor = zlib.compressobj(9, wbits=31)
    bomb = b"".join(compressor.compress(bytes(1 << 20)) for _ in range(200)) + compressor.flush()
    assert len(bomb) < 300_000
    made = 0
    original = inflate.new_decompressor

    def counting():  # type: ignore[no-untyped-def]
        inner = original()

        class Counting:
            def decompress(self, data: bytes, limit: int) -> bytes:
                nonlocal made
                piece = inner.decompress(data, limit)
                made += len(piece)
                return piece

            def __getattr__(self, name: str) -> object:
                return getattr(inner, name)

        return Counting()

    monkeypatch.setattr("zseval.scrape.inflate.new_decompressor", counting)
    async with raw_server(raw(response(bomb, "Content-Encoding: gzip"))) as url:
        with pytest.raises(BodySizeError):
            await get(url, body_size_limit=3_000_000)
    assert made < 6_000_000


async def test_a_redirect_is_followed() -> None:
    async def handle(request: web.Request) -> web.Response:
        if request.path == "/metrics":
            raise web.HTTPFound("/elsewhere?x=1")
        return web.Response(text=request.path_qs)

    async with app_server(handle) as url:
        assert (await get(url)).body == b"/elsewhere?x=1"
