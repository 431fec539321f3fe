"""The real node_exporter's page, scraped by the real Prometheus and by zseval: the same series and values.

The page is fetched once and then served frozen, so that both see the same bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from zseval.clock import SystemClock
from zseval.exposition.floats import normal_label_float
from zseval.model.labels import Labels
from zseval.model.relabel import RelabelRule
from zseval.scrape.config import ScrapeConfig, StaticDiscovery, TargetGroup
from zseval.scrape.ingest import REPORT
from zseval.scrape.manager import ScrapeManager
from zseval.tsdb.db import TSDB

NODE_EXPORTER = shutil.which("prometheus-node-exporter") or shutil.which("node_exporter")
PROMETHEUS = shutil.which("prometheus")

pytestmark = [
    pytest.mark.skipif(NODE_EXPORTER is None, reason="node_exporter is not installed"),
    pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed"),
]

Series = dict[Labels, float]


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@contextlib.contextmanager
def process(*command: str) -> Iterator[None]:
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def get(url: str) -> tuple[bytes, str]:
    with urllib.request.urlopen(url, timeout=60) as response:
        return response.read(), response.headers.get("Content-Type", "")


def wait_for(url: str, seconds: float = 90) -> tuple[bytes, str]:
    end = time.monotonic() + seconds
    while True:
        try:
            return get(url)
        except (urllib.error.URLError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


@pytest.fixture(scope="module")
def page() -> tuple[bytes, str]:
    """What node_exporter exposes on this machine, once."""
    assert NODE_EXPORTER is not None
    port = free_port()
    with process(NODE_EXPORTER, f"--web.listen-address=127.0.0.1:{port}"):
        return wait_for(f"http://127.0.0.1:{port}/metrics")


@contextlib.contextmanager
def frozen(body: bytes, content_type: str) -> Iterator[int]:
    """The page on a port, served from another thread."""
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def seen_by_prometheus(port: int, folder: Path, relabel: str) -> Series:
    assert PROMETHEUS is not None
    config = folder / "prometheus.yml"
    config.write_text(
        "scrape_configs:\n"
        "  - job_name: node\n"
        "    scrape_interval: 1s\n"
        "    scrape_timeout: 1s\n"
        f"    static_configs: [{{targets: ['127.0.0.1:{port}'], labels: {{env: test}}}}]\n{relabel}"
    )
    api = f"127.0.0.1:{free_port()}"
    with process(
        PROMETHEUS,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={api}",
    ):
        wait_for(f"http://{api}/-/ready")
        end = time.monotonic() + 90
        while time.monotonic() < end:
            found = query(api, '{job="node"}')
            up = Labels({"__name__": "up", **BASE, "instance": f"127.0.0.1:{port}"})
            if len(found) > len(REPORT) and found[up] == 1:
                return found
            time.sleep(0.2)
    raise AssertionError("Prometheus did not scrape")


BASE = {"job": "node", "env": "test"}


def query(api: str, expression: str) -> Series:
    parameters = urllib.parse.urlencode({"query": expression})
    answer = json.loads(get(f"http://{api}/api/v1/query?{parameters}")[0])
    return {Labels(entry["metric"]): float(entry["value"][1]) for entry in answer["data"]["result"]}


def seen_by_zseval(port: int, rules: tuple[RelabelRule, ...]) -> Series:
    db = TSDB()
    group = TargetGroup((Labels({"__address__": f"127.0.0.1:{port}"}),), Labels({"env": "test"}))
    config = ScrapeConfig("node", discovery=(StaticDiscovery((group,)),), metric_relabel=rules)

    async def scrape() -> None:
        manager = ScrapeManager(db, SystemClock())
        await manager.prepare([config])
        await manager.scrape_once()
        await manager.stop()

    asyncio.run(scrape())
    selection = db.select([], 0, 10**15)
    found: Series = {}
    for frame in selection.frames:
        last = frame.values.shape[1] - 1 if frame.counts is None else frame.counts - 1
        values = frame.values[np.arange(len(frame.rows)), last]
        found.update(
            {
                selection.labels[row]: value
                for row, value in zip(frame.rows.tolist(), values.tolist(), strict=True)
            }
        )
    return found


def as_version_3(series: Series, body: bytes) -> Series:
    """Prometheus 2 keeps `le` and `quantile` as exposed; version 3 writes them as OpenMetrics does."""
    kinds = {
        line.split()[2].decode(): line.split()[3].decode()
        for line in body.split(b"\n")
        if line.startswith(b"# TYPE ")
    }
    return {_normal(labels, kinds): value for labels, value in series.items()}


def _normal(labels: Labels, kinds: dict[str, str]) -> Labels:
    family = labels.name.removesuffix("_bucket")
    label = {"summary": "quantile", "histogram": "le"}.get(kinds.get(family, ""), "")
    value = labels.get(label)
    return labels.merged({label: normal_label_float(float(value))}) if value else labels


RULES = """    metric_relabel_configs:
      - {source_labels: [__name__], regex: node_cpu_.*, action: drop}
      - {source_labels: [__name__], regex: node_(.+), target_label: __name__, replacement: n_$1}
      - {regex: device, action: labeldrop}
"""


@pytest.mark.parametrize("relabelled", [False, True])
def test_node_exporter_gives_the_same_series_and_values(
    page: tuple[bytes, str], tmp_path: Path, relabelled: bool
) -> None:
    body, content_type = page
    rules = (
        RelabelRule(("__name__",), regex="node_cpu_.*", action="drop"),
        RelabelRule(("__name__",), regex="node_(.+)", target_label="__name__", replacement="n_$1"),
        RelabelRule(regex="device", action="labeldrop"),
    )
    with frozen(body, content_type) as port:
        expected = as_version_3(seen_by_prometheus(port, tmp_path, RULES if relabelled else ""), body)
        found = seen_by_zseval(port, rules if relabelled else ())
    assert len(found) > 300
    assert found.keys() == expected.keys()
    changing = {"scrape_duration_seconds", "scrape_series_added"}  # of the scrape and not of the page
    compared = [labels for labels in found if labels.name not in changing]
    np.testing.assert_array_equal(
        [found[labels] for labels in compared], [expected[labels] for labels in compared]
    )


def test_every_line_of_the_page_is_a_series(page: tuple[bytes, str]) -> None:
    body, content_type = page
    lines = [line for line in body.split(b"\n") if line and not line.startswith(b"#")]
    with frozen(body, content_type) as port:
        assert len(seen_by_zseval(port, ())) == len(lines) + len(REPORT)
