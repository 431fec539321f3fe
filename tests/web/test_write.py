"""POST /api/v1/write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from zseval.remote.protocol import Answer


@dataclass
class FakeReceiver:
    answer: Answer = Answer()
    max_body_bytes: int = 1000
    received: list[tuple[bytes, str, str]] = field(default_factory=list)

    def receive(self, body: bytes, content_type: str = "", encoding: str = "") -> Answer:
        self.received.append((body, content_type, encoding))
        return self.answer


async def _post(api: Any, body: bytes = b"", **headers: str) -> tuple[int, str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with api.session.post(
        f"{api.url}/api/v1/write", data=body, headers=named, skip_auto_headers=["Content-Type"]
    ) as response:
        return response.status, await response.text(), response.headers


async def test_it_is_off_unless_switched_on(serve: Callable[..., Any]) -> None:
    status, text, _ = await _post(await serve())
    assert status == 404
    assert text == "remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n"


async def test_a_request_reaches_the_receiver_as_it_is(serve: Callable[..., Any]) -> None:
    receiver = FakeReceiver()
    api = await serve(remote_write=receiver)
    status, text, _ = await _post(api, b"\x01\x02", Content_Type="a/b;c=d", Content_Encoding="snappy")
    assert (status, text) == (204, "")
    assert (await _post(api))[0] == 204
    assert receiver.received == [(b"\x01\x02", "a/b;c=d", "snappy"), (b"", "", "")]


async def test_the_receivers_answer_is_given(serve: Callable[..., Any]) -> None:
    api = await serve(remote_write=FakeReceiver(Answer(400, "out of order sample", {"X-Some": "3"})))
    status, text, headers = await _post(api, b"x")
    assert (status, text, headers["X-Some"]) == (400, "out of order sample\n", "3")


async def test_no_more_is_read_than_may_be_sent(serve: Callable[..., Any]) -> None:
    receiver = FakeReceiver(Answer(413, "too long"))
    api = await serve(remote_write=receiver)
    assert (await _post(api, bytes(1001)))[0] == 413
    assert len(receiver.received[0][0]) == 1001


async def test_it_is_a_post(serve: Callable[..., Any]) -> None:
    api = await serve(remote_write=FakeReceiver())
    async with api.session.get(f"{api.url}/api/v1/write") as response:
        assert response.status == 405
