"""The simulated network's pages in the real Prometheus: every alert's expression gives what it gives here."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
from collections import defaultdict
from pathlib import Path

import aiohttp
import pytest

from zseval import Labels
from zseval.config.rule_files import parse_rule_file
from zseval.rules.rule import AlertingRule
from zseval.zerostate import RULES, bundled
from zseval.zerostate.rehearsal import Rehearsal
from zseval.zerostate.simulator import Incident, Network, Unreachable
from zseval.zerostate.simulator.members import MEMBERS

pytestmark = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="prometheus and promtool are not installed",
)

STEP = 30
END = 1_500
INSTANTS = (307, 607, 907, 1_207, 1_447)
"""Off the samples' times: Prometheus 2 still counts a sample on the left edge of a window."""

INCIDENTS = (
    Incident("CriticalTaskFailureRate", 400.0, 1_000.0),
    Incident("HighMemoryUsage", 350.0, 950.0),
    Incident("HighSystemLatency", 500.0),
    Incident("ComponentHealthDegraded", 700.0),
    Incident("PaymentFailureRate", 800.0),
    Incident("HealthCheckFailures", 850.0),
    Incident("CriticalBlacklistRate", 900.0),
    Incident("LowActiveChannels", 600.0),
    Incident("HighErrorRate", 1_100.0),
    Incident("SLAViolation_Availability", 1_150.0),
    Incident("SLAViolation_TaskExecution", 1_010.0),
    Incident("LowPeerConnections", 870.0, 1_150.0),
)
ALERTS = [
    rule
    for group in parse_rule_file(bundled(RULES).read_text(), RULES, 15_000)
    for rule in group.rules
    if isinstance(rule, AlertingRule)
]
READ = {name for rule in ALERTS for name in re.findall(r"\b(?:p2p|execution|economic)_\w+", rule.text)}
Answer = dict[Labels, float]


def openmetrics() -> str:
    """All samples that the rules read, as promtool's backfilling takes them: by family, then in time."""
    network = Network(31, INCIDENTS)
    rows: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for seconds in range(0, END + 1, STEP):
        network.advance(float(seconds))
        for member in MEMBERS:
            own = f'job="{member.job}",instance="{member.name}"'
            try:
                page = network.page(member.name).decode()
            except Unreachable:
                page = ""
            for line in [f"up {int(bool(page))}", *page.splitlines()]:
                series, _, value = line.rpartition(" ")
                name, _, labels = series.partition("{")
                if name in READ | {"up"}:
                    full = f"{name}{{{labels.removesuffix('}') + ',' if labels else ''}{own}}}"
                    rows[name][full].append(f"{full} {value} {Rehearsal.START_S + seconds:.0f}\n")
    families = (
        f"# TYPE {name} unknown\n" + "".join("".join(lines) for lines in series.values())
        for name, series in rows.items()
    )
    return "".join(families) + "# EOF\n"


async def run_to_end(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def answers_of_prometheus(folder: Path) -> dict[tuple[str, int], Answer]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    process = await asyncio.create_subprocess_exec(
        *("prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"),
        *("--storage.tsdb.retention.time=100y", f"--web.listen-address={address}", "--log.level=error"),
    )
    try:
        async with aiohttp.ClientSession(f"http://{address}") as session:
            await until_ready(session)
            return {
                (rule.name, seconds): await answer(session, rule.text, seconds)
                for rule in ALERTS
                for seconds in INSTANTS
            }
    finally:
        process.terminate()
        await process.wait()


async def until_ready(session: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(120):
        while True:
            try:
                async with session.get("/-/ready") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)


async def answer(session: aiohttp.ClientSession, expression: str, seconds: int) -> Answer:
    params = {"query": expression, "time": str(Rehearsal.START_S + seconds)}
    async with session.get("/api/v1/query", params=params) as response:
        body = await response.json()
    return {Labels(sample["metric"]): float(sample["value"][1]) for sample in body["data"]["result"]}


async def test_every_expression_gives_the_same_in_both(tmp_path: Path) -> None:
    data = tmp_path / "network.om"
    data.write_text(openmetrics())
    (tmp_path / "prometheus.yml").write_text("global: {scrape_interval: 1h}\n")
    await run_to_end(
        "promtool", "tsdb", "create-blocks-from", "openmetrics", str(data), str(tmp_path / "data"), "-q"
    )
    theirs = await answers_of_prometheus(tmp_path)

    rehearsal = Rehearsal(Network(31, INCIDENTS), (), float(STEP))
    rehearsal.run(END)
    ours = {
        (rule.name, seconds): dict(rehearsal.engine.instant(rule.expr, Rehearsal.START_S + seconds).samples())
        for rule in ALERTS
        for seconds in INSTANTS
    }
    assert ours == {key: pytest.approx(expected, rel=1e-9) for key, expected in theirs.items()}
    assert len({name for (name, _), found in ours.items() if found}) >= 15, (
        "most of them have something to say"
    )
