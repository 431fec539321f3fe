"""ResponseReader: however the bytes of a response are cut, the answer is the same, or the error."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.transport.http1 import Answer, BodyTooLargeError, ProtocolError, ResponseReader

SIZED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\na 1\n"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\na 1\r\n1\r\n\n\r\n0\r\nDigest: z\r\n\r\n"
)
INTERIM = b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" + SIZED
UNTIL_END = b"HTTP/1.0 200 OK\nX-A: 1\n and more\nx-a:2\n\na 1\n"


def read(response: bytes, cuts: list[int] | None = None, max_bytes: int = 1000) -> Answer:
    reader = ResponseReader(max_bytes)
    places = sorted({0, len(response), *(cut % (len(response) + 1) for cut in cuts or ())})
    for start, end in pairwise(places):
        answer = reader.feed(response[start:end])
        if answer is not None:
            assert end == len(response)
            return answer
    return reader.end()


@given(st.sampled_from([SIZED, CHUNKED, INTERIM, UNTIL_END]), st.lists(st.integers(0, 10_000), max_size=20))
def test_it_does_not_matter_how_a_response_is_cut(response: bytes, cuts: list[int]) -> None:
    assert read(response, cuts) == read(response)
    assert read(response, cuts).body == b"a 1\n"


@given(st.binary(max_size=80), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", CHUNKED[:48]]))
def test_any_bytes_give_an_answer_or_our_error(tail: bytes, head: bytes) -> None:
    reader = ResponseReader(50)
    try:
        answer = reader.feed(head + tail) or reader.end()
    except (ProtocolError, BodyTooLargeError):
        return
    assert len(answer.body) <= 50


def test_headers_are_by_name_in_lower_case() -> None:
    assert read(UNTIL_END).headers == {"x-a": "1 and more, 2"}


@pytest.mark.parametrize(
    ("response", "reusable"),
    [
        (SIZED, True),
        (CHUNKED, True),
        (UNTIL_END, False),
        (SIZED.replace(b"Content-Type: text/plain", b"Connection: close"), False),
        (SIZED.replace(b"1.1", b"1.0"), False),
        (SIZED.replace(b"1.1", b"1.0").replace(b"Content-Type: text/plain", b"Connection: Keep-Alive"), True),
        (SIZED + b"more", False),
        (CHUNKED.replace(b"chunked", b"chunked\r\nContent-Length: 4"), False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", True),
    ],
)
def test_a_connection_is_used_again_where_it_is_clear_what_comes_next(
    response: bytes, reusable: bool
) -> None:
    assert read(response).is_reusable is reusable


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (b"", "^EOF"),
        (SIZED[:10], "unexpected EOF"),
        (SIZED[:-1], "unexpected EOF"),
        (CHUNKED[:-2], "unexpected EOF"),
        (b"SSH-2.0-x\r\n\r\n", 'malformed HTTP response "SSH-2.0-x"'),
        (b"HTTP/1.1 99 No\r\n\r\n", "malformed HTTP response"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "malformed MIME header line"),
        (b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", "malformed MIME header line"),
        (b"HTTP/1.1 200 OK\r\n folded: first\r\n\r\n", "malformed MIME header line"),
        (SIZED.replace(b"4", b"4, 5"), "bad Content-Length"),
        (SIZED.replace(b" 4", b" -4"), "bad Content-Length"),
        (CHUNKED.replace(b"chunked", b"gzip, chunked"), "unsupported transfer encoding"),
        (CHUNKED.replace(b"3;x", b"x;3"), "malformed chunked encoding"),
        (CHUNKED.replace(b"a 1\r\n", b"a 1!\r\n"), "malformed chunked encoding"),
        (b"HTTP/1.1 101 Switching\r\n\r\n", "unexpected status 101"),
        (b"HTTP/1.1 102 Wait\r\n\r\n" * 20, "unexpected status 102"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000, "headers exceeded"),
    ],
)
def test_what_is_no_response_is_an_error_that_says_so(response: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        read(response)


@pytest.mark.parametrize("response", [SIZED, CHUNKED, UNTIL_END])
def test_a_body_is_not_larger_than_wanted(response: bytes) -> None:
    assert read(response, max_bytes=4).body == b"a 1\n"
    with pytest.raises(BodyTooLargeError):
        read(response, max_bytes=3)
