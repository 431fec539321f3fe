"""The demo: the simulated network and a node that watches it, in one event loop, faster than real time.

Everything is real (HTTP, scrapes, rules, API) but the network behind it and the speed of the clock.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from zseval.node.node import Node
from zseval.node.options import NodeOptions
from zseval.node.snapshot import Transition
from zseval.zerostate import RULES, bundled
from zseval.zerostate.clock import AcceleratedClock
from zseval.zerostate.scenario import scenario
from zseval.zerostate.simulator.members import MEMBERS, Member
from zseval.zerostate.simulator.network import Incident, Network
from zseval.zerostate.simulator.server import NetworkServer

__all__ = ["SPEED", "Demo", "configuration", "demo"]

SPEED = 30.0
"""A round of the scenario, half an hour, passes in a minute."""


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo; faults may be started and cleared on `server.network` after `server.follow()`.

    config: the node's configuration file, as a user would write it.
    """

    node: Node
    server: NetworkServer
    config: str


@asynccontextmanager
async def demo(
    speed: float = SPEED,
    *,
    seed: int = 0,
    listen: str = "127.0.0.1:0",
    incidents: Iterable[Incident] | None = None,
    on_transition: Callable[[Transition], None] | None = None,
) -> AsyncIterator[Demo]:
    """Run network and node until the block is left.

    listen: where the node's API is served; port 0 for a free one.  incidents: in place of the scenario.
    Raises ConfigError where that address cannot be had.
    """
    clock = AcceleratedClock(speed)
    network = Network(seed, scenario() if incidents is None else incidents)
    async with NetworkServer(network, clock) as server:
        config = configuration(server.addresses)
        with _file_of(config) as file:
            options = NodeOptions(config_file=str(file), listen=listen)
            async with Node(options, clock=clock, on_transition=on_transition) as node:
                yield Demo(node, server, config)


@contextmanager
def _file_of(config: str) -> Iterator[Path]:
    with TemporaryDirectory(prefix="zseval-demo-") as folder:
        file = Path(folder, "prometheus.yml")
        file.write_text(config, "utf-8")
        yield file


def configuration(addresses: dict[str, str]) -> str:
    """A prometheus.yml that scrapes these nodes (host:port by name), in ZeroState's own jobs."""
    jobs = groupby((member for member in MEMBERS if member.name in addresses), key=lambda member: member.job)
    return f"""\
global:
  scrape_interval: 15s
  evaluation_interval: 15s
rule_files:
  - {json.dumps(str(bundled(RULES)))}
scrape_configs:
{"".join(_job(job, list(members), addresses) for job, members in jobs)}"""


def _job(job: str, members: list[Member], addresses: dict[str, str]) -> str:
    targets = "".join(
        f"      - targets: [{json.dumps(addresses[member.name])}]\n"
        f"        labels: {{instance: {json.dumps(member.name)}}}\n"
        for member in members
    )
    return f"  - job_name: {json.dumps(job)}\n    static_configs:\n{targets}"
