"""The simulator over HTTP, and as a program."""

from __future__ import annotations

import asyncio
import signal
import sys

import aiohttp
import pytest

from zseval.zerostate.simulator import Incident, Network
from zseval.zerostate.simulator.command import main
from zseval.zerostate.simulator.members import MEMBERS
from zseval.zerostate.simulator.server import CONTENT_TYPE, NetworkServer


class StillClock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def wall_ms(self) -> int:
        return round(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += max(0.0, seconds)


async def test_each_node_serves_its_page_of_the_clocks_present() -> None:
    clock, twin = StillClock(), Network(3)
    async with NetworkServer(Network(3), clock) as server, aiohttp.ClientSession() as session:
        assert list(server.urls) == [member.name for member in MEMBERS]
        clock.seconds += 77.0
        twin.advance(77.0)
        for name, url in server.urls.items():
            async with session.get(url) as response:
                assert response.headers["Content-Type"] == CONTENT_TYPE
                assert await response.read() == twin.page(name)


async def test_a_node_that_is_down_hangs_up_and_the_others_do_not_care() -> None:
    clock = StillClock()
    network = Network(3, [Incident("ServiceDown", 10.0, 20.0)])
    async with NetworkServer(network, clock) as server, aiohttp.ClientSession() as session:
        clock.seconds += 15.0
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.get(server.urls["edge-2"])
        async with session.get(server.urls["edge-1"]) as response:
            assert response.status == 200
        clock.seconds += 15.0
        async with session.get(server.urls["edge-2"]) as response:
            assert response.status == 200


async def test_faults_can_be_started_and_cleared_while_it_serves() -> None:
    clock = StillClock()
    async with NetworkServer(Network(3), clock) as server, aiohttp.ClientSession() as session:
        clock.seconds += 5.0
        server.follow()
        server.network.start("LowPeerConnections")
        async with session.get(server.urls["edge-2"]) as response:
            assert b'\np2p_connections_total{state="active"} 2\n' in await response.read()


async def test_a_taken_port_is_an_error_and_leaves_nothing_open() -> None:
    clock = StillClock()
    async with NetworkServer(Network(3), clock) as first:
        port = int(first.addresses["bootnode"].rpartition(":")[2])
        second = NetworkServer(Network(3), clock, port=port)
        with pytest.raises(OSError, match="address already in use"):
            await second.start()
        assert second.addresses == {}


async def test_as_a_program_it_prints_its_urls_serves_and_ends_on_a_signal() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "zseval.zerostate.simulator", "--fault", "LowPeerConnections"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        lines = [(await process.stdout.readline()).decode().split() for _ in MEMBERS]
        assert [name for name, _ in lines] == [member.name for member in MEMBERS]
        async with aiohttp.ClientSession() as session, session.get(dict(lines)["edge-2"]) as response:
            assert b'\np2p_connections_total{state="active"} 2\n' in await response.read()
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


def test_the_faults_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list-faults"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 25
    assert lines[0].startswith("LowPeerConnections ")


@pytest.mark.parametrize("listen", ["9090", "127.0.0.1:", "127.0.0.1:99999"])
def test_an_address_it_cannot_listen_on_is_refused(listen: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--listen", listen]) == 2
    assert "expected HOST:PORT" in capsys.readouterr().err
