"""Log lines: logfmt and JSON, one line an event, on standard error."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime

import pytest

from zseval.cli.logs import set_up_logging

LOG = logging.getLogger("zseval.some.part")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    log = logging.getLogger("zseval")
    before = (list(log.handlers), log.propagate, log.level)
    yield
    log.handlers[:], log.propagate = before[0], before[1]
    log.setLevel(before[2])


def written(capsys: pytest.CaptureFixture[str]) -> str:
    output = capsys.readouterr()
    assert output.out == ""
    return output.err


def test_logfmt_quotes_what_needs_it(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "logfmt")
    LOG.warning('a "quoted" thing', extra={"fields": {"listen": "127.0.0.1:9090", "why": "it = so"}})
    line = written(capsys)
    assert line.count("\n") == 1
    assert line.startswith("time=20")
    assert line.endswith(
        'level=warn source=zseval.some.part msg="a \\"quoted\\" thing" listen=127.0.0.1:9090 why="it = so"\n'
    )


def test_json_has_the_same_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("debug", "json")
    LOG.debug("grüße, %d", 5, extra={"fields": {"groups": 3}})
    pairs = json.loads(written(capsys))
    assert datetime.fromisoformat(pairs.pop("time")).utcoffset() is not None
    assert pairs == {"level": "debug", "source": "zseval.some.part", "msg": "grüße, 5", "groups": "3"}


@pytest.mark.parametrize("layout", ["logfmt", "json"])
def test_an_event_is_one_line_even_with_a_traceback(layout: str, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", layout)
    try:
        raise ValueError("two\nlines")
    except ValueError:
        LOG.exception("went\nwrong")
    line = written(capsys)
    assert line.count("\n") == 1
    assert "ValueError" in line


@pytest.mark.parametrize(("level", "shown"), [("debug", 4), ("info", 3), ("warn", 2), ("error", 1)])
def test_what_is_below_the_level_is_not_written(
    level: str, shown: int, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging(level, "logfmt")
    for write in (LOG.debug, LOG.info, LOG.warning, LOG.error):
        write("x")
    assert len(written(capsys).splitlines()) == shown


def test_setting_it_up_again_does_not_write_twice(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("info", "logfmt")
    set_up_logging("info", "logfmt")
    LOG.info("once")
    assert written(capsys).count("once") == 1
