"""What the real senders push is what they scraped: Prometheus and vmagent, into zseval.

A page that changes with every scrape is scraped by the sender, which remote-writes it. Prometheus itself and
zseval then answer the same queries. (A -0 is sent as 0: senders leave out what equals it.)
"""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.peers import free_port, program, running
from zseval.node.options import NodeOptions
from zseval.node.threaded import ThreadedNode

_PATIENCE_S = 60.0
_SCRAPES = 6


@pytest.fixture
def target() -> Iterator[str]:
    """`host:port` of a page: 200 counters and gauges, one of which comes and goes."""
    count = 0

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal count
            count += 1
            lines = [f'c_total{{n="{number}",place="ö"}} {number * count}' for number in range(200)]
            lines += [f"g {1 / (count + 1)!r}", "zero 0", "nan NaN", "minus -1e300"]
            lines += [f"now_and_then {count}"] if count % 3 else []
            body = "\n".join([*lines, ""]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def node() -> Iterator[str]:
    """The base URL of a node that receives."""
    address = f"127.0.0.1:{free_port()}"
    with ThreadedNode(NodeOptions(listen=address, enable_remote_write=True)):
        yield f"http://{address}"


def _config(home: Path, target: str, node: str) -> Path:
    file = home / "prometheus.yml"
    file.write_text(
        json.dumps(  # which is YAML
            {
                "global": {"scrape_interval": "1s"},
                "scrape_configs": [{"job_name": "page", "static_configs": [{"targets": [target]}]}],
                **({"remote_write": [{"url": f"{node}/api/v1/write"}]} if node else {}),
            }
        )
    )
    return file


@contextlib.contextmanager
def _prometheus(home: Path, target: str, node: str) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    command = [
        program("prometheus"), f"--config.file={_config(home, target, node)}",
        f"--storage.tsdb.path={home / 'data'}", f"--web.listen-address={address}", "--log.level=warn",
    ]  # fmt: skip
    with running(command, home / "log", f"http://{address}/-/ready"):
        yield f"http://{address}"


@contextlib.contextmanager
def _vmagent(home: Path, target: str, node: str) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    command = [
        program("vmagent"), f"-promscrape.config={_config(home, target, '')}", f"-httpListenAddr={address}",
        f"-remoteWrite.url={node}/api/v1/write", f"-remoteWrite.tmpDataPath={home / 'data'}",
        "-remoteWrite.flushInterval=1s",
    ]  # fmt: skip
    with running(command, home / "log", f"http://{address}/health"):
        yield f"http://{address}"


def _get(base: str, path: str, **parameters: object) -> Any:
    with urllib.request.urlopen(f"{base}/api/v1/{path}?{urllib.parse.urlencode(parameters)}") as response:
        return json.load(response)["data"]


def _raw(base: str, selector: str, at: float) -> dict[str, list[list[Any]]]:
    """All samples of the last two minutes, by series."""
    found = _get(base, "query", query=f"{selector}[2m]", time=at)["result"]
    return {json.dumps(each["metric"], sort_keys=True): each["values"] for each in found}


def _wait_for_scrapes(base: str) -> float:
    """A moment by which the target was scraped often enough, and the first of its samples' times."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        found = _raw(base, "g", time.time())
        if any(len(samples) >= _SCRAPES for samples in found.values()):
            return float(min(samples[-1][0] for samples in found.values()))
        time.sleep(0.3)
    pytest.fail(f"{base} saw no {_SCRAPES} scrapes")


def test_prometheus_writes_what_it_scraped(target: str, node: str, tmp_path: Path) -> None:
    with _prometheus(tmp_path, target, node) as prometheus:
        at = _wait_for_scrapes(node)
        everything = '{job="page"}'
        assert _eventually_equal(prometheus, node, everything, at - 0.001)
        for query in (
            "sum by (job) (avg_over_time(c_total[4500ms]))",
            "count({job='page'})",
            "now_and_then",
            "1 / minus",
        ):
            answers = [
                _get(base, "query_range", query=query, start=at - 5, end=at, step=1)["result"]
                for base in (prometheus, node)
            ]
            assert len(answers[0]) == len(answers[1]) == 1
            (theirs,), (ours,) = answers
            assert theirs["metric"] == ours["metric"]
            for (their_time, their_value), (time_, value) in zip(
                theirs["values"], ours["values"], strict=True
            ):
                assert time_ == their_time
                assert float(value) == pytest.approx(float(their_value), rel=1e-9)


def _eventually_equal(one: str, other: str, selector: str, at: float) -> bool:
    """Whether both have the same samples up to a moment, when the last shard has delivered."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        samples = _raw(one, selector, at)
        if samples == _raw(other, selector, at) and len(samples) > 200:
            return True
        time.sleep(0.5)
    assert _raw(one, selector, at) == _raw(other, selector, at)
    return False


def test_vmagent_writes_what_it_scraped(target: str, node: str, tmp_path: Path) -> None:
    with _vmagent(tmp_path, target, node):
        at = _wait_for_scrapes(node)
        found = _raw(node, '{job="page"}', at)
    gauges = [float(value) for series, samples in found.items() if '"g"' in series for _, value in samples]
    first = round(1 / gauges[0]) - 1
    assert gauges == [1 / (first + number + 1) for number in range(len(gauges))]
    counters = {series: samples for series, samples in found.items() if "c_total" in series}
    assert len(counters) == 200
    for series, samples in counters.items():
        labels = json.loads(series)
        assert (labels["place"], labels["instance"]) == ("ö", target)
        values = [float(value) for _, value in samples]
        assert values == [int(labels["n"]) * (first + number) for number in range(len(values))]
