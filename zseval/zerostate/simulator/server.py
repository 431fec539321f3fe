"""The simulated network over HTTP: each node has a port of its own and a /metrics page."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from aiohttp import web

from zseval.clock import Clock
from zseval.zerostate.simulator.members import MEMBERS, Member
from zseval.zerostate.simulator.network import Network, Unreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["CONTENT_TYPE", "NetworkServer"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class NetworkServer:
    """Serves a network whose time follows a clock, from `start` to `stop`, in the running event loop.

    The network is advanced by each request; whoever starts and clears faults from the same loop calls
    `follow` before. host: the address to listen on.  port: that of the first node, the others follow; 0
    for free ports.
    """

    def __init__(self, network: Network, clock: Clock, host: str = "127.0.0.1", port: int = 0) -> None:
        self.network = network
        self._clock = clock
        self._host = host
        self._port = port
        self._began = clock.monotonic() - network.now
        self._runners: list[web.AppRunner] = []
        self._addresses: dict[str, str] = {}

    @property
    def addresses(self) -> dict[str, str]:
        """host:port by the node's name."""
        return dict(self._addresses)

    @property
    def urls(self) -> dict[str, str]:
        """The URL of the metrics page by the node's name."""
        return {name: f"http://{address}/metrics" for name, address in self._addresses.items()}

    def follow(self) -> None:
        """Bring the network to the clock's present."""
        self.network.advance(max(self.network.now, self._clock.monotonic() - self._began))

    async def start(self) -> None:
        """Listen on all ports; OSError where one is taken (none is kept then)."""
        try:
            for offset, member in enumerate(MEMBERS):
                await self._listen(member, self._port + offset if self._port else 0)
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close all ports."""
        while self._runners:
            await self._runners.pop().cleanup()
        self._addresses.clear()

    async def __aenter__(self) -> NetworkServer:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _listen(self, member: Member, port: int) -> None:
        app = web.Application()
        app.router.add_get("/metrics", self._handler(member))
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, self._host, port).start()
        host = f"[{self._host}]" if ":" in self._host else self._host
        self._addresses[member.name] = f"{host}:{runner.addresses[0][1]}"

    def _handler(self, member: Member) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def metrics(request: web.Request) -> web.Response:
            self.follow()
            try:
                body = self.network.page(member.name)
            except Unreachable:
                # The port stays ours; hanging up without a word is the next best thing to a dead host.
                if request.transport is not None:
                    request.transport.abort()
                return web.Response(status=503)
            return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})

        return metrics
