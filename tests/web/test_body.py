"""A body in pieces says what its parts say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.web.body import Part, Pieces, body_of, size_of


class _Writer:
    def __init__(self) -> None:
        self.written: list[bytes] = []

    async def write(self, part: Part) -> None:
        self.written.append(bytes(part))


@given(st.lists(st.integers(0, 200_000) | st.just(1_100_000), max_size=12))
def test_nothing_is_lost_or_moved(sizes: list[int]) -> None:
    parts: list[Part] = [memoryview(bytes([index]) * size) for index, size in enumerate(sizes)]
    body = body_of(parts)
    whole = b"".join(parts)
    assert size_of(body) == len(whole)
    assert (body.decode("latin-1").encode("latin-1") if isinstance(body, Pieces) else body) == whole


async def test_pieces_are_forgotten_as_they_are_written() -> None:
    body = body_of([b"head", *(bytes([letter]) * 100_000 for letter in b"abc"), *([b"xy"] * 50_000), b"end"])
    assert isinstance(body, Pieces)
    writer = _Writer()
    await body.write(writer)  # type: ignore[arg-type]  # as much of a writer as a payload uses
    assert [len(piece) for piece in writer.written] == [4, 100_000, 100_000, 100_000, 65_536, 34_467]
    assert body.decode() == ""


@pytest.mark.parametrize("size", [0, 1000])
def test_a_small_body_is_bytes(size: int) -> None:
    assert body_of([b"a" * size, b"}"]) == b"a" * size + b"}"
    assert size_of(None) == 0
