"""Server: an application on an address, with limits on what a request may send."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from zseval.errors import ConfigError

__all__ = ["Server", "make_runner", "split_address"]

_LONGEST_LINE = 64 * 1024
"""Bytes of a request line or header: queries in GET URLs are long, but not longer than this."""

_SHUTDOWN_S = 5.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `stop` ends it."""

    runner: web.AppRunner
    host: str
    port: int

    @classmethod
    async def start(cls, app: web.Application, listen: str) -> Server:
        """Serve `app` on `host:port`; port 0 takes a free one. Raises OSError where that cannot be had."""
        host, port = split_address(listen)
        runner = make_runner(app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host or None, port)
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        return cls(runner, host, runner.addresses[0][1])

    @property
    def url(self) -> str:
        """Where it can be reached, without a slash at the end."""
        host = self.host if self.host not in ("", "0.0.0.0", "::") else "localhost"
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    async def stop(self) -> None:
        await self.runner.cleanup()


def make_runner(app: web.Application) -> web.AppRunner:
    """A runner of `app` with the limits above."""
    return web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,  # a client that leaves calls its query off
        max_line_size=_LONGEST_LINE,
        max_field_size=_LONGEST_LINE,
        shutdown_timeout=_SHUTDOWN_S,
    )


def split_address(listen: str) -> tuple[str, int]:
    """Host and port of `host:port`, `[::1]:port` or `:port`. Raises ConfigError."""
    host, colon, port = listen.rpartition(":")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise ConfigError(f'listen address "{listen}" is not of the form host:port')
    return host.removeprefix("[").removesuffix("]"), int(port)
