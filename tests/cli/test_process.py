"""The program as a service manager runs it: signals, exit codes, what it writes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.peers import free_port

RULES = "groups: [{name: g, interval: 1s, rules: [{alert: A, expr: vector(1)}]}]"


class Service:
    """A running `zseval`; url: of its API.  log: what it wrote so far."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, output: Path) -> None:
        self.process = process
        self.url = url
        self._output = output

    def get(self, path: str) -> Any:
        with urlopen(f"{self.url}{path}", timeout=60) as response:
            return json.loads(response.read())["data"]

    def rules(self) -> list[str]:
        groups = self.get("/api/v1/rules")["groups"]
        return [rule["name"] for group in groups for rule in group["rules"]]

    @property
    def log(self) -> str:
        return self._output.read_text()

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


def until(holds: Callable[[], bool], service: Service) -> None:
    deadline = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < deadline, service.log
        assert service.process.poll() is None, service.log
        time.sleep(0.05)


@contextmanager
def running(tmp_path: Path, *arguments: str) -> Iterator[Service]:
    address, output = f"127.0.0.1:{free_port()}", tmp_path / "output"
    command = [sys.executable, "-m", "zseval", *arguments, "--listen", address, "--plain"]
    with output.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, cwd=tmp_path)
    service = Service(process, f"http://{address}", output)
    try:
        until(lambda: "msg=ready" in service.log, service)
        yield service
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(60)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.yml"
    file.write_text(RULES)
    return file


def test_it_reloads_on_hup_keeps_the_old_when_the_new_is_bad_and_leaves_cleanly_on_term(
    tmp_path: Path, rules: Path
) -> None:
    with running(tmp_path, "rules.yml", "--target", f"127.0.0.1:{free_port()}") as service:
        assert service.rules() == ["A"]
        rules.write_text(RULES.replace("alert: A", "alert: B"))
        service.process.send_signal(signal.SIGHUP)
        until(lambda: service.rules() == ["B"], service)
        rules.write_text(RULES.replace("vector(1)", "vector("))
        service.process.send_signal(signal.SIGHUP)
        until(lambda: "reload failed" in service.log, service)
        assert service.rules() == ["B"]
        assert "rules.yml:1:" in service.log
        assert service.end(signal.SIGTERM) == 0
        assert "Traceback" not in service.log


def test_interrupting_it_is_no_error(tmp_path: Path, rules: Path) -> None:
    with running(tmp_path, "rules.yml", "--log.format", "logfmt") as service:
        until(lambda: 'msg="A inactive → firing"' in service.log, service)
        assert service.end(signal.SIGINT) == 0
        assert "Traceback" not in service.log


def test_it_can_be_told_to_quit_and_to_reload_over_http_where_that_is_allowed(
    tmp_path: Path, rules: Path
) -> None:
    with running(tmp_path, "rules.yml", "--web.enable-lifecycle") as service:
        rules.write_text(RULES.replace("alert: A", "alert: C"))
        with urlopen(Request(f"{service.url}/-/reload", method="POST"), timeout=60) as response:
            assert response.status == 200
        assert service.rules() == ["C"]
        with urlopen(Request(f"{service.url}/-/quit", method="POST"), timeout=60) as response:
            assert response.status == 200
        assert service.process.wait(60) == 0


def test_an_address_that_is_taken_ends_the_start_with_2(tmp_path: Path, rules: Path) -> None:
    with running(tmp_path, "rules.yml") as service:
        address = service.url.removeprefix("http://")
        second = subprocess.run(
            [sys.executable, "-m", "zseval", "rules.yml", "--listen", address],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
            timeout=120,
        )
    assert second.returncode == 2
    assert f"cannot listen on {address}" in second.stderr
    assert "Traceback" not in second.stderr
