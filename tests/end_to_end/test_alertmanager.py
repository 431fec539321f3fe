"""The whole line into a real Alertmanager: scrape, rule, alert, delivery; through an outage in between.

What Alertmanager knows is read with amtool and from its own metrics, and what it passes on by a webhook.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.peers import free_port, program, running
from zseval.node.node import Node
from zseval.node.options import NodeOptions

_RULES = """
groups:
  - name: machine
    interval: 1s
    rules:
      - alert: TooHot
        expr: temperature_celsius > 80
        labels:
          severity: critical
        annotations:
          summary: '{{ $labels.sensor }} has {{ $value | humanize }} degrees'
      - alert: DiskFull
        expr: disk_free_bytes < 10
"""
_PATIENCE_S = 60.0


class _Webhook:
    """A receiver that keeps (alert name, status, summary) of every alert it is notified of."""

    def __init__(self) -> None:
        self.notified: list[tuple[str, str, str]] = []
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in body["alerts"]:
                    summary = alert["annotations"].get("summary", "")
                    webhook.notified.append((alert["labels"]["alertname"], alert["status"], summary))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def webhook() -> Iterator[_Webhook]:
    hook = _Webhook()
    yield hook
    hook.close()


class _Alertmanager:
    """A real one on a fixed port, which can be ended and started again with what it had on disk."""

    def __init__(self, folder: Path, webhook: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._folder = folder
        config = {
            "route": {
                "receiver": "hook",
                "group_by": ["alertname"],
                "group_wait": "0s",
                "group_interval": "1s",
                "repeat_interval": "1h",
            },
            "receivers": [{"name": "hook", "webhook_configs": [{"url": webhook, "send_resolved": True}]}],
        }
        (folder / "alertmanager.yml").write_text(json.dumps(config))

    def running(self) -> contextlib.AbstractContextManager[object]:
        command = [
            program("prometheus-alertmanager"),
            f"--config.file={self._folder}/alertmanager.yml",
            f"--storage.path={self._folder}/data",
            f"--web.listen-address={self.url.removeprefix('http://')}",
            "--cluster.listen-address=",
        ]
        return running(command, self._folder / "alertmanager.log", f"{self.url}/-/ready")

    async def active(self) -> dict[str, dict[str, str]]:
        """Labels and annotations of its active alerts by name, from amtool."""
        output = await _output(
            program("amtool"), f"--alertmanager.url={self.url}", "alert", "query", "-o", "json"
        )
        alerts = json.loads(output)
        return {alert["labels"]["alertname"]: {**alert["labels"], **alert["annotations"]} for alert in alerts}


async def _output(*command: str) -> bytes:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output


async def _until(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"never happened: {what}"
        await asyncio.sleep(0.1)


async def _until_active(alertmanager: _Alertmanager, names: set[str]) -> dict[str, dict[str, str]]:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        active = await alertmanager.active()
        if set(active) == names:
            return active
        assert time.monotonic() < deadline, f"amtool shows {sorted(active)}, not {sorted(names)}"
        await asyncio.sleep(0.2)


class _Machine:
    """What is scraped."""

    def __init__(self) -> None:
        self.temperature, self.disk = 20.0, 1000.0

    def exposition(self) -> str:
        return f'temperature_celsius{{sensor="cpu"}} {self.temperature}\ndisk_free_bytes {self.disk}\n'


@contextlib.asynccontextmanager
async def _node(folder: Path, machine: _Machine, alertmanager: str) -> AsyncIterator[Node]:
    rules = folder / "rules.yml"
    rules.write_text(_RULES)
    node = Node(NodeOptions(rule_files=(str(rules),), alertmanagers=(alertmanager,), listen=""))
    node.add_source("machine", machine.exposition, interval_ms=500)
    async with node:
        yield node


@pytest.fixture
def alertmanager(tmp_path: Path, webhook: _Webhook) -> _Alertmanager:
    program("amtool")
    program("prometheus-alertmanager")
    return _Alertmanager(tmp_path, webhook.url)


async def test_an_alert_fires_and_resolves_at_a_real_alertmanager(
    tmp_path: Path, webhook: _Webhook, alertmanager: _Alertmanager
) -> None:
    machine = _Machine()
    with alertmanager.running():
        async with _node(tmp_path, machine, alertmanager.url):
            assert await alertmanager.active() == {}
            machine.temperature = 91.5
            active = await _until_active(alertmanager, {"TooHot"})
            assert active["TooHot"] == {
                "alertname": "TooHot",
                "instance": "machine",
                "job": "machine",
                "sensor": "cpu",
                "severity": "critical",
                "summary": "cpu has 91.5 degrees",
            }
            fired = ("TooHot", "firing", "cpu has 91.5 degrees")
            await _until("the receiver is told it fires", lambda: fired in webhook.notified)
            machine.temperature = 30.0
            await _until_active(alertmanager, set())
            resolved = ("TooHot", "resolved", "cpu has 91.5 degrees")
            await _until("the receiver is told it is over", lambda: resolved in webhook.notified)


async def test_what_happens_while_alertmanager_is_down_reaches_it_afterwards(
    tmp_path: Path, webhook: _Webhook, alertmanager: _Alertmanager
) -> None:
    machine = _Machine()
    async with _node(tmp_path, machine, alertmanager.url) as node:
        errors = node.registry.counter(
            "prometheus_notifications_errors_total",
            "Total number of sent alerts affected by errors.",
            "alertmanager",
        )
        with alertmanager.running():
            machine.temperature = 91.5
            await _until_active(alertmanager, {"TooHot"})
            await _until("the receiver is told it fires", lambda: len(webhook.notified) == 1)
        machine.temperature, machine.disk = 30.0, 5.0
        await _until("deliveries fail", lambda: sum(errors.values.values()) >= 2)
        with alertmanager.running():
            await _until_active(alertmanager, {"DiskFull"})
            over = ("TooHot", "resolved", "cpu has 91.5 degrees")
            await _until("the receiver is told it is over", lambda: over in webhook.notified)
        assert [(name, status) for name, status, _ in webhook.notified if name == "TooHot"] == [
            ("TooHot", "firing"),
            ("TooHot", "resolved"),
        ]
