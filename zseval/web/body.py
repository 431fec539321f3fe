"""Bodies: what is sent in one piece, and what is so large that it is sent a piece at a time.

A large answer is neither put together nor handed to the socket as a whole: both would hold up everything
else for tens of milliseconds, and take its size in memory once more each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TypeAlias

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

__all__ = ["Part", "Pieces", "body_of", "size_of"]

Part: TypeAlias = bytes | memoryview

_WHOLE_BYTES = 256 * 1024
_LEAST_PIECE = 64 * 1024  # what aiohttp sends before it waits for the client
_MOST_PIECE = 1024 * 1024


class Pieces(Payload):
    """A body in pieces, each forgotten once it is written; so it can be sent only once."""

    def __init__(self, pieces: Sequence[Part]) -> None:
        super().__init__(deque(pieces), content_type="application/json")
        self._size = sum(map(len, pieces))

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return b"".join(self._value).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        while self._value:
            await writer.write(self._value.popleft())


def body_of(parts: Sequence[Part]) -> bytes | Pieces:
    """The parts as one body: bytes, or pieces where they are many. From any thread."""
    if sum(map(len, parts)) < _WHOLE_BYTES:
        return b"".join(parts)
    pieces: list[Part] = []
    small: list[Part] = []
    for part in parts:
        if len(part) < _LEAST_PIECE:
            small.append(part)
        else:
            pieces.append(b"".join(small))
            pieces += [memoryview(part)[at : at + _MOST_PIECE] for at in range(0, len(part), _MOST_PIECE)]
            small = []
        if sum(map(len, small)) >= _LEAST_PIECE:
            pieces.append(b"".join(small))
            small = []
    return Pieces([piece for piece in [*pieces, b"".join(small)] if piece])


def size_of(body: object) -> int:
    """Bytes of a body that `body_of` made; 0 of anything else."""
    if isinstance(body, Pieces):
        return body.size or 0
    return len(body) if isinstance(body, bytes) else 0
