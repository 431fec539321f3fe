"""One protobuf page, scraped by the real Prometheus and by zseval: the same series, histograms and exemplars.

Both run as programs and are asked over their HTTP API. The installed version 2 needs a feature for native
histograms where version 3 has a setting; it negotiates the format in the same way.
"""

from __future__ import annotations

import contextlib
import json
import math
import random
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.exposition import protobuf_pages as pages
from tests.exposition.protobuf_pages import classic, counter, exemplar, family, gauge, native, page
from tests.peers import free_port, program, running
from zseval.exposition.generated import metrics_pb2 as pb

_PATIENCE_S = 60.0
_SCHEMAS = range(-4, 9)


def summary(**pairs: str) -> pb.Metric:
    quantiles = [pb.Quantile(quantile=each, value=each * 3) for each in (0, 0.5, 0.99, 1)]
    made = pb.Summary(sample_count=4, sample_sum=8.5, quantile=quantiles)
    return pb.Metric(summary=made, label=pages.labels(**pairs))


def some_histogram(chance: random.Random, number: int) -> pb.Metric:
    """Any integer histogram: its spans apart from each other, empty buckets among them.

    None is quite empty: that an empty span marks a native histogram is news of version 3.
    """
    sides = []
    for _ in range(2):
        spans = [
            (chance.randint(-9, 9) if not place else chance.randint(1, 5), chance.randint(1, 4))
            for place in range(chance.randint(0, 3))
        ]
        sides.append(
            (spans, [chance.choice([0, 1, 2, 900]) for _ in range(sum(length for _, length in spans))])
        )
    (spans, counts), negative = sides
    return native(
        spans,
        counts,
        negative=negative,
        schema=chance.choice(_SCHEMAS),
        zero=chance.randint(0, 3),
        threshold=chance.choice([0.001, 0.5, 2.0**-128]),
        total=chance.choice([1.5, -7.25, math.nan]),
        number=str(number),
    )


def everything() -> bytes:
    chance = random.Random(7)
    both = native([(0, 2)], [1, 2], zero=1, total=9.0)
    both.histogram.bucket.add(upper_bound=1.0, cumulative_count=3)
    bucketed = classic({0.1: 1, 1.0: 3, math.inf: 4}, 4, 2.5, a="b")
    bucketed.histogram.bucket[1].exemplar.CopyFrom(exemplar(0.5, time.time() - 2, trace="h"))
    traced = counter(3.0, exemplar(1.0, time.time() - 3, trace="c"))
    return page(
        family("c_total", "COUNTER", traced, counter(4.5, code="500")),
        family("g", "GAUGE", gauge(math.nan), gauge(-math.inf, a="\u00e4\"\\\n"), gauge(-0.0, b="")),
        family("u", "UNTYPED", pb.Metric(untyped=pb.Untyped(value=1e300))),
        family("s", "SUMMARY", summary(), summary(job="theirs")),
        family("nothing", "GAUGE"),
        family("k", "HISTOGRAM", bucketed, classic({0.5: 2}, 7, 9.0)),
        family("both", "HISTOGRAM", both),
        family("gh", "GAUGE_HISTOGRAM", native([(0, 2)], [5, 6])),
        family("n", "HISTOGRAM", *[some_histogram(chance, number) for number in range(60)]),
    )  # fmt: skip


@contextlib.contextmanager
def served(body: bytes) -> Iterator[int]:
    """The page, for those alone who want protobuf before all else."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wants = self.headers.get("Accept", "").startswith("application/vnd.google.protobuf;")
            self.send_response(200 if wants else 406)
            self.send_header("Content-Type", pages.CONTENT_TYPE)
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


def asked(base: str, path: str, **params: str) -> Any:
    with urllib.request.urlopen(
        f"{base}/api/v1/{path}?{urllib.parse.urlencode(params)}", timeout=30
    ) as answer:
        return json.load(answer)["data"]


def scraped(base: str) -> None:
    """Return once the target was scraped; fails with the reason where it could not be."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        targets = asked(base, "targets")["activeTargets"]
        assert [target["lastError"] for target in targets if target["lastError"]] == []
        if [target["health"] for target in targets] == ["up"]:
            return
        time.sleep(0.1)
    pytest.fail(f"{base} did not scrape in time")


def config(home: Path, port: int, *job: str) -> Path:
    lines = ["global: {scrape_interval: 1s}", "scrape_configs:", "- job_name: page"]
    lines += [f"  {line}" for line in (*job, f"static_configs: [{{targets: ['127.0.0.1:{port}']}}]")]
    file = home / "prometheus.yml"
    file.write_text("\n".join(lines) + "\n")
    return file


@contextlib.contextmanager
def real(home: Path, port: int) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    command = [
        program("prometheus"), f"--config.file={config(home, port)}", f"--storage.tsdb.path={home / 'data'}",
        f"--web.listen-address={address}", "--log.level=warn",
        "--enable-feature=native-histograms,exemplar-storage",
    ]  # fmt: skip
    with running(command, home / "log", f"http://{address}/-/ready"):
        scraped(f"http://{address}")
        yield f"http://{address}"


@contextlib.contextmanager
def ours(home: Path, port: int, *job: str) -> Iterator[str]:
    address = f"127.0.0.1:{free_port()}"
    command = [
        sys.executable, "-m", "zseval", "--config", str(config(home, port, *job)), "--listen", address,
        "--plain", "--enable-feature=exemplar-storage",
    ]  # fmt: skip
    with running(command, home / "log", f"http://{address}/-/ready"):
        scraped(f"http://{address}")
        yield f"http://{address}"


def by_series(found: Any) -> dict[str, Any]:
    """What each series is, its time left out; a histogram's buckets from the lowest up, as they come."""
    return {
        json.dumps(each["metric"], sort_keys=True): each["value"][1]
        if "value" in each
        else each["histogram"][1]
        for each in found["result"]
    }


QUERIES = [
    '{job="page",__name__!~"up|scrape_.*"}',
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "histogram_sum(n)",
    "histogram_count(n)",
]


def test_a_protobuf_page_means_the_same_to_both(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "ours").mkdir()
    with (
        served(everything()) as port,
        real(tmp_path / "real", port) as theirs,
        ours(tmp_path / "ours", port, "scrape_native_histograms: true") as own,
    ):
        for query in QUERIES:
            expected = by_series(asked(theirs, "query", query=query))
            assert expected, query
            assert by_series(asked(own, "query", query=query)) == expected, query
        window = {"query": '{__name__=~".+"}', "start": str(time.time() - 60), "end": str(time.time() + 60)}
        expected = asked(theirs, "query_exemplars", **window)
        assert [each["seriesLabels"]["__name__"] for each in expected] == ["c_total", "k_bucket"]
        assert asked(own, "query_exemplars", **window) == expected
        assert own_metadata(own) == own_metadata(theirs)


def own_metadata(base: str) -> dict[str, list[tuple[str, str]]]:
    return {
        name: [(each["type"], each["help"]) for each in found]
        for name, found in asked(base, "metadata").items()
    }


def test_without_native_histograms_only_text_is_asked_for(tmp_path: Path) -> None:
    with (
        served(everything()) as port,
        pytest.raises(AssertionError, match="HTTP status 406"),
        ours(tmp_path, port),
    ):
        pytest.fail("it was scraped")
