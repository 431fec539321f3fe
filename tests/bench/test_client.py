"""The client: a whole body, chunked or not, over one connection that is kept."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from bench.peers.client import Client

HANG_UP: Sequence[bytes] = []
Serve = Callable[[Sequence[Sequence[bytes]]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server that answers each request with the next list of parts, and hangs up after the last."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = []

        def start(answers: Sequence[Sequence[bytes]]) -> str:
            def run() -> None:
                waiting = list(answers)
                while waiting:
                    connection, _ = listener.accept()
                    with connection:
                        while waiting and waiting[0] is not HANG_UP:
                            connection.recv(65536)
                            for part in waiting.pop(0):
                                connection.sendall(part)
                    waiting = waiting[1:] if waiting else []

            thread = threading.Thread(target=run)
            thread.start()
            threads.append(thread)
            return f"127.0.0.1:{listener.getsockname()[1]}"

        yield start
        for thread in threads:
            thread.join(10)


def test_bodies_follow_one_another_on_a_connection(serve: Serve) -> None:
    client = Client(
        serve(
            [
                [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12", b"345"],
                [b"HTTP/1.1 503 No\r\ncontent-", b"length: 0\r\n\r\n"],
                [
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                    b"2\r\nde\r\n0\r",
                    b"\n\r\n",
                ],
            ]
        )
    )
    answers = [client.get("/a", b="c d"), client.get("/"), client.post("/", b"x", {"A": "b"})]
    client.close()
    assert [(answer.status, answer.body) for answer in answers] == [
        (200, b"12345"),
        (503, b""),
        (200, b"abcde"),
    ]


def test_a_server_that_closed_an_idle_connection_is_asked_again(serve: Serve) -> None:
    answer = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]
    client = Client(serve([answer, HANG_UP, answer]))
    assert [client.get("/").body, client.get("/").body] == [b"ok", b"ok"]
    client.close()


def test_an_answer_that_ends_too_soon_is_an_error(serve: Serve) -> None:
    client = Client(serve([[b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12"]]))
    with pytest.raises(ConnectionError, match="in the middle"):
        client.get("/")
    client.close()


def test_an_error_of_the_api_is_no_data(serve: Serve) -> None:
    body = b'{"status":"error","error":"no"}'
    head = b"HTTP/1.1 422 X\r\nContent-Length: %d\r\n\r\n" % len(body)
    client = Client(serve([[head + body]]))
    with pytest.raises(ValueError, match="HTTP 422"):
        client.get("/").data()
    client.close()
