"""Queries run in threads, short ones where they are asked for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from zseval.web.workers import Workers


class _Connected(asyncio.Transport):
    def is_closing(self) -> bool:
        return False


def _request() -> web.Request:
    return make_mocked_request("GET", "/", transport=_Connected())


def _spin(seconds: float) -> str:
    """Takes CPU time; the thread's name."""
    started = time.thread_time()
    while time.thread_time() - started < seconds:
        pass
    return threading.current_thread().name


def _work(seconds: float) -> Callable[[float, threading.Event], str]:
    return lambda _left, _cancel: _spin(seconds)


async def test_a_query_known_to_be_short_needs_no_thread() -> None:
    workers, request = Workers(2), _request()
    here = threading.current_thread().name
    try:
        assert await workers.query(request, 60.0, _work(0.0), "a") != here
        assert await workers.query(request, 60.0, _work(0.0), "a") == here
        assert await workers.query(request, 60.0, _work(0.0), "b") != here
        assert await workers.query(request, 60.0, _work(0.0)) != here
        # It has become long: once more here, then never again.
        assert await workers.query(request, 60.0, _work(0.02), "a") == here
        for _ in range(2):
            assert await workers.query(request, 60.0, _work(0.02), "a") != here
    finally:
        workers.close()


async def test_an_error_says_nothing_of_how_long_a_query_takes() -> None:
    workers, request = Workers(1), _request()
    here = threading.current_thread().name

    def fail(_left: float, _cancel: threading.Event) -> str:
        raise RuntimeError(threading.current_thread().name)

    try:
        for _ in range(2):
            with pytest.raises(RuntimeError) as caught:
                await workers.query(request, 60.0, fail, "a")
            assert str(caught.value) != here
    finally:
        workers.close()
