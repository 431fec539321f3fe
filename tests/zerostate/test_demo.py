"""The demo runs everything for real, at a speed of its own."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import aiohttp
import pytest

from zseval.node.snapshot import Transition
from zseval.zerostate.demo import configuration, demo
from zseval.zerostate.simulator import Incident
from zseval.zerostate.simulator.members import MEMBERS

ADDRESSES = {member.name: f"127.0.0.1:{9100 + number}" for number, member in enumerate(MEMBERS)}


async def test_a_fault_goes_through_all_states_on_the_running_node() -> None:
    seen: list[Transition] = []
    done = asyncio.Event()

    def note(transition: Transition) -> None:
        if transition.name == "ServiceDown":
            seen.append(transition)
            if transition.before == "firing":
                done.set()

    # 12 s for a fault that has to last a minute of 3: enough on a machine that is busy with other things
    incidents = [Incident("ServiceDown", 30.0, 240.0)]
    async with demo(20.0, incidents=incidents, on_transition=note) as running:
        async with asyncio.timeout(120):
            await done.wait()
        targets = running.node.snapshot().targets
        async with aiohttp.ClientSession() as session:
            query = {"query": "count(up)"}
            async with session.get(f"http://{running.node.address}/api/v1/query", params=query) as response:
                answer = await response.json()
    assert [transition.after for transition in seen] == ["pending", "firing", "resolved"]
    assert {transition.labels.get("instance") for transition in seen} == {"edge-2"}
    assert seen[1].at_ms - seen[0].at_ms >= 60_000
    assert {(target.job, target.instance) for target in targets} == {(m.job, m.name) for m in MEMBERS}
    assert answer["data"]["result"][0]["value"][1] == "4"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_its_configuration_is_one_that_prometheus_takes(tmp_path: Path) -> None:
    file = tmp_path / "prometheus.yml"
    file.write_text(configuration(ADDRESSES))
    run = subprocess.run(
        ["promtool", "check", "config", str(file)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "25 rules found" in run.stdout


def test_its_configuration_names_every_node_once() -> None:
    text = configuration(ADDRESSES)
    assert all(text.count(f'"{address}"') == 1 for address in ADDRESSES.values())
    assert text.count("job_name") == 3
