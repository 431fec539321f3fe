"""ResponseReader: the bytes of one HTTP/1 response in, as they come, the answer out. No I/O.

Strict where a lenient reading could mistake where a body ends, lenient where Go's client is (bare line feeds,
header lines that go on, no reason phrase). Source: RFC 9112; Go's net/http for the words of errors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Answer", "BodyTooLargeError", "ProtocolError", "ResponseReader"]

_MOST_HEAD_BYTES = 64 << 10
_MOST_INTERIM = 8  # 1xx responses before the one that counts
_HEAD_END = re.compile(rb"\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01])[ \t]+([1-9]\d\d)(?:[ \t]+([^\r\n]*?))?[ \t]*\Z")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_MOST_SIZE_LINE = 1024


class ProtocolError(Exception):
    """What came is no HTTP response, or not all of one."""


class BodyTooLargeError(Exception):
    """The body is larger than wanted."""


@dataclass(frozen=True, slots=True)
class Answer:
    """headers: by name in lower case, those that came several times joined.  body: as it was sent.

    is_reusable: another request may follow on the same connection.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    is_reusable: bool = False


class ResponseReader:
    """Reads the response to one GET. max_bytes: of the body."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._parts: list[bytes | memoryview] = []  # of the head, later of the body
        self._size = 0
        self._interim = 0
        self._head: Answer | None = None
        self._missing: int | None = None  # bytes of the body; None where its end is not known
        self._chunks: _Chunks | None = None

    @property
    def has_begun(self) -> bool:
        """Whether anything came at all."""
        return self._head is not None or bool(self._parts)

    def feed(self, data: bytes) -> Answer | None:
        """The answer once it is whole. Raises ProtocolError or BodyTooLargeError."""
        at = 0
        while self._head is None:
            data, at = self._read_head(data[at:] if at else data)
            if not at:
                return None
        if self._chunks is not None:
            body = self._chunks.feed(data[at:])
            self._take(body)
            return self._answer(is_clean=not self._chunks.rest) if self._chunks.is_done else None
        part = memoryview(data)[at:] if at else data  # the first part is large too: it is copied only once
        if self._missing is not None:
            extra = len(part) - self._missing
            self._take(part[: self._missing] if extra > 0 else part)
            self._missing -= len(part)
            return self._answer(is_clean=extra == 0) if self._missing <= 0 else None
        self._take(part)
        return None

    def end(self) -> Answer:
        """The answer where the connection's end is the body's. Raises ProtocolError where it is not."""
        if self._head is None:
            raise ProtocolError("unexpected EOF" if self._parts else "EOF")
        if self._chunks is not None or self._missing is not None:
            raise ProtocolError("unexpected EOF")
        return self._answer(is_clean=False)

    def _take(self, data: bytes | memoryview) -> None:
        if len(data):
            self._size += len(data)
            if self._size > self._max_bytes:
                raise BodyTooLargeError
            self._parts.append(data)

    def _answer(self, *, is_clean: bool) -> Answer:
        head = self._head
        assert head is not None
        body = bytes(self._parts[0]) if len(self._parts) == 1 else b"".join(self._parts)
        return Answer(head.status, head.reason, head.headers, body, head.is_reusable and is_clean)

    def _read_head(self, data: bytes) -> tuple[bytes, int]:
        """All that came, and where in it the head ends, 0 where it is not whole. An interim response is
        passed over.
        """
        if self._parts:
            data = bytes(self._parts.pop()) + data
        end = _HEAD_END.search(data, 0, _MOST_HEAD_BYTES)
        if end is None:
            if len(data) > _MOST_HEAD_BYTES:
                raise ProtocolError("server response headers exceeded 65536 bytes; aborted")
            if data:
                self._parts.append(data)
            return b"", 0
        lines = data[: end.start()].split(b"\n")
        status_line = lines[0].removesuffix(b"\r")
        match = _STATUS_LINE.match(status_line)
        if match is None:
            raise ProtocolError(f"malformed HTTP response {_quoted(status_line)}")
        minor, status, reason = match[1], int(match[2]), match[3] or b""
        if status < 200:
            self._interim += 1
            if status == 101 or self._interim > _MOST_INTERIM:
                raise ProtocolError(f"unexpected status {status}")
            return data, end.end()
        headers = _headers(lines)
        self._frame(status, headers)
        connection = headers.get("connection", "").lower()
        keeps = "close" not in connection if minor == b"1" else "keep-alive" in connection
        # A response with both says where it ends twice; it is read, and nothing is after it.
        keeps = keeps and not ("transfer-encoding" in headers and "content-length" in headers)
        self._head = Answer(status, reason.decode("latin-1"), headers, b"", keeps)
        return data, end.end()

    def _frame(self, status: int, headers: Mapping[str, str]) -> None:
        """Find out where the body ends."""
        coding, length = headers.get("transfer-encoding"), headers.get("content-length")
        if status in (204, 304):
            self._missing = 0
        elif coding is not None:
            if coding.lower() != "chunked":
                raise ProtocolError(f"unsupported transfer encoding: {_quoted(coding.encode())}")
            self._chunks = _Chunks()
        elif length is not None:
            sizes = {size.strip() for size in length.split(",")}  # the same one twice is one
            size = sizes.pop()
            if sizes or not (size.isascii() and size.isdigit()):
                raise ProtocolError(f"bad Content-Length {_quoted(length.encode())}")
            self._missing = int(size)
            if self._missing > self._max_bytes:
                raise BodyTooLargeError


class _Chunks:
    """The chunked coding undone. rest: what is not read yet."""

    def __init__(self) -> None:
        self.rest = b""
        self.is_done = False
        self._missing = 0  # of the current chunk
        self._is_after_data = False  # a line's end is due
        self._is_trailer = False

    def feed(self, data: bytes) -> bytes:
        """The part of the body that became readable. Raises ProtocolError."""
        if self.rest:
            data = self.rest + data
        parts: list[bytes] = []
        at = 0
        while not self.is_done:
            if self._missing:
                part = data[at : at + self._missing]
                parts.append(part)
                at += len(part)
                self._missing -= len(part)
                self._is_after_data = True
                if self._missing:
                    break
            step = self._step(data, at)
            if step < 0:
                break
            at = step
        self.rest = data[at:]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _step(self, data: bytes, at: int) -> int:
        """Where reading goes on after the line at this place; -1 where it is not whole yet."""
        if self._is_after_data:
            end = data[at : at + 2]
            if end in (b"", b"\r"):
                return -1
            if end != b"\r\n" and end[:1] != b"\n":
                raise ProtocolError("malformed chunked encoding")
            self._is_after_data = False
            return at + (2 if end == b"\r\n" else 1)
        if self._is_trailer:
            return self._trailer_line(data, at)
        match = _CHUNK_SIZE.match(data, at)
        if match is None:
            if b"\n" in data[at : at + _MOST_SIZE_LINE] or len(data) - at > _MOST_SIZE_LINE:
                raise ProtocolError("malformed chunked encoding")
            return -1
        self._missing = int(match[1], 16)
        self._is_trailer = not self._missing
        return match.end()

    def _trailer_line(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at)
        if end < 0:
            if len(data) - at > _MOST_HEAD_BYTES:
                raise ProtocolError("http: suspiciously long trailer after chunked body")
            return -1
        self.is_done = data[at:end] in (b"", b"\r")
        return end + 1


def _headers(lines: list[bytes]) -> dict[str, str]:
    """Of a head's lines, the first being the status line."""
    headers: dict[str, str] = {}
    last = ""
    for line in lines[1:]:
        if line[:1] in (b" ", b"\t") and last:
            headers[last] += " " + line.strip().decode("latin-1")
            continue
        name, colon, value = line.partition(b":")
        if not colon or _NAME.match(name) is None:
            raise ProtocolError(f"malformed MIME header line: {_quoted(line)}")
        last = name.decode("latin-1").lower()
        text = value.strip().decode("latin-1")
        headers[last] = f"{headers[last]}, {text}" if last in headers else text
    return headers


def _quoted(text: bytes) -> str:
    return '"' + text[:100].decode("latin-1").encode("unicode_escape").decode("ascii") + '"'
