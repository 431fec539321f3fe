"""Options of `zseval RULES.yml`, and `--once` for cron."""

from __future__ import annotations

import argparse
import gc
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from zseval.cli.main import main
from zseval.cli.run import add_arguments, options_of, own_process, settle
from zseval.node.options import DEFAULT_TARGET, NodeOptions

RULES = """\
groups:
- name: g
  rules:
  - alert: Broken
    expr: broken > 0
    for: 1h
    labels: {severity: page}
    annotations: {summary: "{{ $labels.part }} is broken"}
"""


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """The command sends the log to this test's standard error; other tests have their own."""
    log = logging.getLogger("zseval")
    yield
    log.handlers.clear()
    log.propagate = True
    log.setLevel(logging.NOTSET)


def _options(*arguments: str) -> NodeOptions:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return options_of(parser.parse_args(arguments))


def test_a_rule_file_alone_scrapes_the_default_target() -> None:
    options = _options("rules.yml")
    assert options.targets == (DEFAULT_TARGET,)
    assert options.rule_files == ("rules.yml",)


def test_a_configuration_file_names_the_targets() -> None:
    assert _options("--config", "prometheus.yml").targets == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to do"),
        (["r.yml", "--interval", "5x"], "--interval: unknown unit"),
        (["r.yml", "--interval", "0"], "--interval must be above 0"),
        (["r.yml", "--retention", "soon"], "--retention: not a valid duration"),
        (["r.yml", "--query.lookback-delta", "5x"], "--query.lookback-delta: unknown unit"),
        (["r.yml", "--query.timeout", "0"], "--query.timeout must be above 0"),
        (["r.yml", "--memory", "much"], "--memory"),
        (["r.yml", "--memory", "0MB"], "--memory"),
        (["r.yml", "--web.cors.origin", "("], "--web.cors.origin: "),
    ],
)
def test_a_value_that_does_not_fit_names_its_option(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_features_that_change_a_query_are_switched_on() -> None:
    assert _options("r.yml", "--enable-feature", "promql-experimental-functions,").features == {
        "promql-experimental-functions"
    }


def test_features_that_change_no_query_are_warned_about_and_let_go(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["r.yml", "--enable-feature", "native-histograms", "--web.cors.origin", "("]
    assert main(["run", *arguments]) == 2, "the pattern ends it, after the warning"
    warning, error = capsys.readouterr().err.splitlines()
    assert 'level=warn source=zseval.cli msg="unknown option for --enable-feature"' in warning
    assert warning.endswith("option=native-histograms")
    assert "--web.cors.origin" in error


@pytest.mark.parametrize(
    ("text", "size"), [("1024", 1024), ("2KB", 2048), ("3MiB", 3 * 2**20), ("1GB", 2**30)]
)
def test_sizes_are_powers_of_two_as_prometheus_counts_them(text: str, size: int) -> None:
    assert _options("r.yml", "--memory", text).memory_bytes == size


class _Page(BaseHTTPRequestHandler):
    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(type(self).body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def target() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("value", "code"), [(0, 0), (1, 1)])
def test_once_says_by_its_exit_code_whether_something_fires(
    value: int, code: int, target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rules.yml").write_text(RULES, encoding="utf-8")
    _Page.body = f'broken{{part="disk"}} {value}\n'.encode()
    assert main([str(tmp_path / "rules.yml"), "--target", target, "--once"]) == code
    out, err = capsys.readouterr()
    assert ("disk is broken" in out) is bool(value)
    assert "1 of 1 targets up" in out
    assert err == "", "cron mails whatever is written"


def test_once_ends_with_2_where_a_target_does_not_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rules.yml").write_text(RULES, encoding="utf-8")
    assert main([str(tmp_path / "rules.yml"), "--target", "http://127.0.0.1:1/metrics", "--once"]) == 2
    assert "connection refused" in capsys.readouterr().err


def test_a_rule_file_that_cannot_be_used_ends_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rules.yml"
    file.write_text("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: sum(\n", encoding="utf-8")
    assert main([str(file), "--once"]) == 2
    assert f"{file}:5:" in capsys.readouterr().err


def _asked_to_stop(times: int) -> int:
    """The exit code of a node that is asked to stop, and cannot: as while it reads an endless page."""
    program = (
        "import asyncio, sys\n"
        "from zseval.cli.main import main\n"
        "from zseval.node.node import Node\n"
        "async def stop(self):\n"
        "    print('stopping', flush=True)\n"
        "    await asyncio.sleep(0.3 if sys.argv[1] == '1' else 60)\n"
        "Node.stop = stop\n"
        "sys.exit(main(['--target', '127.0.0.1:1', '--listen', '', '--plain']))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(times)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert "msg=ready" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopping\n"
        for _ in range(times - 1):
            process.send_signal(signal.SIGINT)
        return process.wait(timeout=90)


def test_an_interrupt_ends_a_node_cleanly_and_a_second_one_at_once() -> None:
    assert _asked_to_stop(times=1) == 0
    assert _asked_to_stop(times=2) == 130


def test_a_thread_soon_lets_the_event_loop_have_the_interpreter() -> None:
    before = sys.getswitchinterval()
    try:
        sys.setswitchinterval(0.005)  # Python's own; a test before this one may have run a command
        own_process()
        assert sys.getswitchinterval() < 0.005
    finally:
        sys.setswitchinterval(before)
        gc.enable()


def test_the_garbage_collector_works_once_a_node_runs() -> None:
    gc.disable()
    try:
        settle()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.enable()
