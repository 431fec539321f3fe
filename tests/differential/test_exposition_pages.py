"""Odd pages, given to the real Prometheus and to zseval: the same verdict and the same samples.

One page is one target. What version 3 takes and the installed version 2 does not (names in quotes) is left
to the unit tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from zseval.clock import SystemClock
from zseval.model.labels import Labels
from zseval.model.matcher import Matcher, MatchType
from zseval.scrape.config import ScrapeConfig, StaticDiscovery, TargetGroup
from zseval.scrape.ingest import REPORT
from zseval.scrape.manager import ScrapeManager
from zseval.tsdb.db import TSDB

PROMETHEUS = shutil.which("prometheus")

pytestmark = pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed")

LINES = [
    'up2{a="b"} 1',
    "a 1",
    "a\t1",
    "a  1",
    "a1",
    "a+1",
    "a{}1",
    'a{b="c",}1',
    'a{b="c",,}1',
    "a{,}1",
    'a{b="c" d="e"} 1',
    'a { b = "c" } 1',
    'a{b ="c\\"d\\\\e\\nf\\x"} 1',
    'a{b="x\ny"} 1',
    "a{b='c'} 1",
    'a{b="c} 1',
    'a{b="c"} ',
    "a",
    "a{",
    "a{b",
    "a{b=",
    'a{b="',
    '{a="b"} 1',
    "{} 1",
    "a NaN",
    "a nan",
    "a +Inf",
    "a -inf",
    "a Infinity",
    "a +NaN",
    "a 0x1",
    "a 0x1p2",
    "a 1_000",
    "a 1e400",
    "a 1e-400",
    "a .5",
    "a 5.",
    "a .",
    "a 1e",
    "a 1e+5",
    "a --1",
    "a 1,0",
    "a \u0661",
    "a 1\r",
    "a 1 x",
    "a 1 2 3",
    "a 1\v",
    'a{b="c"} 1 # {d="e"} 2',
    'a{b="c",b="d"} 1',
    'a{b=""} 1',
    'a{b="c"} 1\na{b="c"} 2',
    'a{b="\x00"} 1',
    "a\x00 1",
    "a 1\n\x00b 2",
    "a 1 # x",
    "# x\na 1",
    "#\na 1",
    "#x\x00y\na 1",
    "# x\x00y\na 1",
    "# HELP a\na 1",
    "# HELP a \na 1",
    "# HELP\na 1",
    "# HELP a b\\n\na 1",
    "# TYPE a\na 1",
    "# TYPE a counter\na 1",
    "# TYPE a counter \na 1",
    "# TYPE a  counter\na 1",
    "# TYPE a bogus\na 1",
    "# TYPE a untyped\na 1",
    "# TYPE a unknown\na 1",
    "#TYPE a bogus\na 1",
    "# TYPES a bogus\na 1",
    "#\tTYPE a gauge\na 1",
    "# UNIT a seconds\na 1",
    "# UNIT a_seconds seconds\na_seconds 1",
    " a 1",
    "\ta 1",
    "\n\na 1\n\n",
    "a 1\n b 2",
    "\u00e4 1",
    'a{\u00e4="b"} 1',
    'a{b="\u00e4"} 1',
    "1a 1",
    "a:b:c 1",
    ":a 1",
    'a{b:c="d"} 1',
    "a-b 1",
    "a.b 1",
    "<html>",
    "",
    "# EOF",
    "# EOF\na 1",
    "a 1\n# EOF\n# EOF",
    'a{b="c"}  1',
    'a {b="c"} 1',
    "a_total 1 # {} 1",
    'a_total 1 # {a="b"} 1 2',
    'a_total 1 # {a="b"} 1 2 3',
    'a_total 1 # {a="b"} x',
    "a_total 1 # {a=b} 1",
    'a_total 1 # {a="b",} 1',
    'a_total 1  # {a="b"} 1',
    "a 1 1e3",
    "a 1 -5",
    "a 1 1.5",
    "a 1 NaN",
    "a 1 Inf",
    "a 1 99999999999999999999",
    'a{__name__="b"} 1',
]


def pages() -> dict[str, tuple[bytes, str]]:
    """Every body in both formats, well ended and not, by name."""
    made = {}
    for number, text in enumerate(LINES):
        body = text.encode()
        made[f"t{number}"] = (body + b"\n", "text/plain; version=0.0.4")
        made[f"o{number}"] = (body + b"\n# EOF\n", "application/openmetrics-text; version=1.0.0")
    made["t-cut"] = (b"a 1", "text/plain")
    made["t-latin1"] = (b'a{b="\xff"} 1\n', "text/plain")
    made["t-help-latin1"] = (b"# HELP a \xff\na 1\n", "text/plain")
    made["o-cut"] = (b"a 1\n", "application/openmetrics-text")
    made["o-no-newline"] = (b"a 1\n# EOF", "application/openmetrics-text")
    return made


PAGES = pages()
VERSION_3_TAKES = {
    ("t", " a 1"): "white space is part of the name, and any name is valid",
    ("t", "\ta 1"): "the same",
    ("t", "a 1\n b 2"): "the same",
    ("o", 'a{b="c"} 1 # {d="e"} 2'): "exemplars are taken on any sample",
    ("o", 'a_total 1 # {a="b",} 1'): "a comma may follow the last label of an exemplar",
}
"""Pages that version 2 refuses and version 3 takes, by format, and why."""


@contextlib.contextmanager
def served() -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body, content_type = PAGES[self.path.removeprefix("/")]
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 1024  # every page is asked for at once
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


Verdict = tuple[float, frozenset[tuple[Labels, str]]]
"""`up`, and the samples of the page."""


def by_prometheus(port: int, folder: Path) -> dict[str, Verdict]:
    config = folder / "prometheus.yml"
    targets = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"__metrics_path__": f"/{name}", "page": name}}
        for name in PAGES
    ]
    (folder / "targets.json").write_text(json.dumps(targets))
    config.write_text(
        "scrape_configs: [{job_name: j, scrape_interval: 10s, scrape_timeout: 10s, honor_timestamps: false,"
        f" file_sd_configs: [{{files: ['{folder / 'targets.json'}']}}]}}]\n"
    )
    assert PROMETHEUS is not None
    api = f"127.0.0.1:{free_port()}"
    running = subprocess.Popen(
        [
            PROMETHEUS,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={api}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 120
        while time.monotonic() < end:
            with contextlib.suppress(urllib.error.URLError, OSError):
                if len(query(api, 'up{job="j"}')) == len(PAGES):
                    return verdicts(query(api, '{job="j"}'))
            time.sleep(0.3)
    finally:
        running.terminate()
        running.wait(20)
    raise AssertionError("Prometheus did not scrape every page")


def query(api: str, expression: str) -> dict[Labels, float]:
    parameters = urllib.parse.urlencode({"query": expression})
    with urllib.request.urlopen(f"http://{api}/api/v1/query?{parameters}", timeout=60) as response:
        answer = json.load(response)
    return {Labels(entry["metric"]): float(entry["value"][1]) for entry in answer["data"]["result"]}


def by_zseval(port: int) -> dict[str, Verdict]:
    db = TSDB()
    groups = tuple(
        TargetGroup(
            (Labels({"__address__": f"127.0.0.1:{port}"}),),
            Labels({"__metrics_path__": f"/{name}", "page": name}),
        )
        for name in PAGES
    )
    config = ScrapeConfig("j", honor_timestamps=False, discovery=(StaticDiscovery(groups),))

    async def scrape() -> None:
        manager = ScrapeManager(db, SystemClock())
        await manager.prepare([config])
        await manager.scrape_once()
        await manager.stop()

    asyncio.run(scrape())
    selection = db.select([Matcher(MatchType.EQUAL, "job", "j")], 0, 10**15)
    found = {}
    for frame in selection.frames:
        for row, values in zip(frame.rows.tolist(), frame.values.tolist(), strict=True):
            found[selection.labels[row]] = values[0]
    return verdicts(found)


def verdicts(series: dict[Labels, float]) -> dict[str, Verdict]:
    found: dict[str, Verdict] = {}
    for name in PAGES:
        own = {labels: value for labels, value in series.items() if labels["page"] == name}
        up = next(value for labels, value in own.items() if labels.name == "up")
        samples = frozenset(
            (labels.without("page", "job", "instance"), "NaN" if math.isnan(value) else repr(value))
            for labels, value in own.items()
            if labels.name not in REPORT
        )
        found[name] = (up, samples)
    return found


def test_prometheus_and_zseval_agree_on_every_page(tmp_path: Path) -> None:
    with served() as port:
        expected = by_prometheus(port, tmp_path)
        found = by_zseval(port)
    differing = {name for name in PAGES if found[name] != expected[name]}
    assert differing == {f"{kind}{LINES.index(line)}" for kind, line in VERSION_3_TAKES}
    assert all(found[name][0] == 1 and expected[name][0] == 0 for name in differing)
    assert 40 < sum(up for up, _ in found.values()) < len(PAGES) - 40
