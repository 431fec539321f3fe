"""Lockstep: large bodies and small ones are compared alike, and as line by line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.exposition.delta import DeltaParser
from zseval.exposition.lockstep import Changes, lockstep
from zseval.exposition.negotiate import Format

PADDING = "# " + "x" * (16 << 10)  # makes a body a large one
VALUES = ["0", "7", "8", "10", "1234.5", "NaN", "-1e+06", "1 5", "x", "", " 1"]
HEADS = ["a ", 'b{c="d"} ', "bb ", "ccc  "]
LINES = st.tuples(st.sampled_from(HEADS), st.sampled_from(VALUES)) | st.just(("", "# a comment"))


@st.composite
def bodies(draw: st.DrawFn) -> list[list[tuple[str, str]]]:
    """A body, and some that come of it by other values and, seldom, other lines. Lines: (head, value)."""
    made = [draw(st.lists(LINES, min_size=1, max_size=8))]
    for _ in range(draw(st.integers(1, 4))):
        lines = list(made[-1])
        for place in draw(st.lists(st.integers(0, len(lines) - 1), max_size=4)):
            head = lines[place][0]
            lines[place] = (head, draw(st.sampled_from(VALUES))) if head else lines[place]
        if draw(st.integers(0, 9)) == 0:
            lines[draw(st.integers(0, len(lines) - 1))] = draw(LINES)
        made.append(lines)
    return made


def written(lines: list[tuple[str, str]], *, is_large: bool, is_ended: bool = True) -> bytes:
    text = "\n".join([*([PADDING] if is_large else []), *(head + value for head, value in lines)])
    return (text + "\n" * is_ended).encode()


def by_lines(old: bytes, new: bytes, heads: list[bytes]) -> list[tuple[int, bytes]] | None:
    """What `compare` is to say: the slow way."""
    before, after = old.split(b"\n"), new.split(b"\n")
    if len(before) != len(after):
        return None
    changed = [row for row in range(len(after)) if before[row] != after[row]]
    if not all(heads[row] and after[row].startswith(heads[row]) for row in changed):
        return None
    return [(row, after[row].removeprefix(heads[row])) for row in changed]


def pairs(changes: Changes | None) -> list[tuple[int, bytes]] | None:
    return None if changes is None else list(zip(changes.rows.tolist(), changes.texts(), strict=True))


@pytest.mark.parametrize("is_large", [False, True])
def test_the_changes_are_those_of_the_lines(*, is_large: bool) -> None:
    @given(bodies(), st.booleans())
    @settings(max_examples=300)
    def check(made: list[list[tuple[str, str]]], is_ended: bool) -> None:
        first = [*([("", PADDING)] if is_large else []), *made[0]]
        heads = [head.encode() for head, _ in first] + [b""] * is_ended
        old = written(made[0], is_large=is_large, is_ended=is_ended)
        latest = lockstep(old, heads)
        for lines in made[1:]:
            new = written(lines, is_large=is_large, is_ended=is_ended)
            changes = latest.compare(new)
            wanted = by_lines(old, new, heads)
            if changes is None and wanted is not None:  # allowed where it is not sure
                assert is_large
                assert any(text == b"" for _, text in wanted) or not is_ended
            else:
                assert pairs(changes) == wanted
            if changes is not None:
                latest.accept(changes)
                old = new

    check()


@pytest.mark.parametrize("padding", ["", PADDING + "\n"])
def test_a_body_that_was_not_accepted_changes_nothing(padding: str) -> None:
    heads = [b""] * bool(padding) + [b"a ", b"b ", b""]
    latest = lockstep(f"{padding}a 1\nb 1\n".encode(), heads)
    assert latest.compare(f"{padding}a 22\nb 1\n".encode()) is not None
    changes = latest.compare(f"{padding}a 1\nb 2\n".encode())
    assert changes is not None
    assert changes.texts() == [b"2"]
    values = changes.floats()
    assert values is not None
    assert values.tolist() == [2.0]


@pytest.mark.parametrize("body", [b"", b"x" * (20 << 10)])
def test_bodies_without_a_line_break(body: bytes) -> None:
    latest = lockstep(body, [b""])
    assert latest.compare(body + b"y") is None


def test_a_large_page_is_read_as_a_small_one() -> None:
    """Thousands of values at once, of which some are read by themselves, and one page with another."""
    rng = np.random.default_rng(6)
    odd = ["NaN", "+Inf", "1e-300", "0.1234567890123456789", "12345678901234567890", "1.5e+06", "-0"]
    parser = DeltaParser(Format.TEXT)
    for number in range(6):
        texts = [f"{value:.{value % 5}f}" for value in rng.integers(0, 10**6, 2_000).tolist()]
        for place in rng.integers(0, 2_000, 50).tolist() if number % 2 else []:
            texts[place] = odd[place % len(odd)]
        page = parser.parse("".join(f'a{{n="{n}"}} {text}\n' for n, text in enumerate(texts)).encode())
        assert (page.new == {}) == (number > 0)
        np.testing.assert_array_equal(page.values, [float(text) for text in texts])
        assert np.signbit(page.values).tolist() == [text.startswith("-") for text in texts]
