"""inflated gives what was compressed, or our error, whichever library does it."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zseval.errors import ScrapeError
from zseval.scrape import inflate
from zseval.scrape.inflate import inflated

LIMIT = 1 << 20


def undone(data: bytes, *, by_zlib: bool) -> bytes | type[Exception]:
    with pytest.MonkeyPatch.context() as patch:
        if by_zlib:
            patch.setattr(inflate, "library", lambda: zlib)
        try:
            return asyncio.run(inflated(data, LIMIT))
        except ScrapeError as error:
            return type(error)


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4))
def test_members_follow_each_other(members: list[bytes]) -> None:
    data = b"".join(map(gzip.compress, members))
    assert undone(data, by_zlib=False) == b"".join(members) == undone(data, by_zlib=True)


@given(st.binary(max_size=60), st.integers(0, 80), st.binary(max_size=3))
def test_what_is_broken_is_our_error(body: bytes, at: int, with_: bytes) -> None:
    whole = gzip.compress(body)
    broken = whole[:at] + with_ + whole[at + len(with_) :]
    for by_zlib in (False, True):
        assert undone(broken, by_zlib=by_zlib) in (body, ScrapeError)
