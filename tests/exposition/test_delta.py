"""DeltaParser: whatever came before, a page reads as the strict parser reads it."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.errors import ExpositionError
from zseval.exposition.delta import NO_TIMESTAMP, BrokenBodyError, DeltaParser, Page
from zseval.exposition.entries import Exemplar, Sample
from zseval.exposition.negotiate import Format
from zseval.exposition.openmetrics import parse_openmetrics
from zseval.exposition.text import parse_text
from zseval.model.labels import Labels
from zseval.model.metadata import Metadata, MetricType

PARSE = {Format.TEXT: parse_text, Format.OPENMETRICS: parse_openmetrics}
Row = tuple[dict[str, str], bytes, int | None, Exemplar | None]


def bits(value: float) -> bytes:
    return struct.pack("<d", math.nan if math.isnan(value) else value)


def strict_rows(format: Format, body: bytes) -> list[Row]:  # noqa: A002
    return [
        (dict(entry.labels), bits(entry.value), entry.timestamp_ms, entry.exemplar)
        for entry in PARSE[format](body)
        if isinstance(entry, Sample)
    ]


def page_rows(parser: DeltaParser, page: Page) -> list[Row]:
    times = page.timestamps if page.timestamps is not None else np.full(len(page.slots), NO_TIMESTAMP)
    return [
        (
            parser.labels(int(slot)),
            bits(float(value)),
            None if time == NO_TIMESTAMP else int(time),
            page.exemplars.get(place),
        )
        for place, (slot, value, time) in enumerate(zip(page.slots, page.values, times, strict=True))
    ]


LINES = [
    "a 1",
    "a 2",
    "a  3",
    "a 1 5",
    "a 2 6",
    "ab 1",
    "a5",
    "a+1",
    "b\t4",
    'b{x="1"} 1',
    'b{x="1"} 1_0',
    'b{x="1"} 1e999',
    'b{x="1"} NaN',
    'b{x="1"} -Inf',
    'b{x="2"} 7',
    'b{x="2"}7',
    'b{ x="2" } 7',
    'b{x="q\\"\\n"} 1',
    'b{x="line',
    'break"} 3',
    'b{x="1",x="2"} 1',
    'c_bucket{le="1"} 4',
    'c_bucket{le="1"} 5',
    'c_bucket{le="1"} 4 # {t="u"} 0.5',
    'c_bucket{le="1"} 4 # {t="u"} 0.7 3.5',
    'c_bucket{le="1"} 4 8 # {t="v"} 0.5',
    '{"my.name",x="1"} 2',
    "# TYPE c histogram",
    "# TYPE c gauge",
    "# HELP c Of c.",
    "# HELP c Of\\nc.",
    "# a comment",
    "# TYPE c x",
    "# EOF",
    "",
    "\x00",
    'b{x="\x00"} 1',
]
USUAL = [
    line for line in LINES if line[:1] not in ("\x00", "#") and "line" not in line and "break" not in line
]


def pages(format: Format) -> st.SearchStrategy[list[bytes]]:  # noqa: A002
    """A few bodies, mostly valid, each much like the one before."""
    lines = st.lists(st.sampled_from(USUAL) | st.sampled_from(LINES), max_size=6)

    def body(chosen: list[str]) -> bytes:
        end = "# EOF\n" if format is Format.OPENMETRICS else ""
        return ("".join(f"{line}\n" for line in chosen) + end).encode()

    return st.lists(lines.map(body), min_size=1, max_size=5).map(lambda made: [*made, made[0], made[-1]])


@pytest.mark.parametrize("format", list(PARSE))
def test_any_pages_in_a_row_read_as_the_strict_parser_reads_them(format: Format) -> None:  # noqa: A002
    @given(pages(format))
    @settings(max_examples=200)
    def check(bodies: list[bytes]) -> None:
        parser = DeltaParser(format)
        for body in bodies:
            assert_same(parser, format, body)

    check()


def strict_outcome(format: Format, body: bytes) -> list[Row] | str:  # noqa: A002
    """The rows, or the first error: of the grammar, or a label name that repeats."""
    try:
        for entry in PARSE[format](body):
            if isinstance(entry, Sample) and len(dict(entry.labels)) != len(entry.labels):
                return f"{entry.line}:1: label name"
        return strict_rows(format, body)
    except ExpositionError as error:
        return str(error)


def assert_same(parser: DeltaParser, format: Format, body: bytes) -> None:  # noqa: A002
    expected = strict_outcome(format, body)
    if isinstance(expected, str):
        with pytest.raises(BrokenBodyError) as caught:
            parser.parse(body)
        assert str(caught.value).startswith(expected)
        return
    # Which TYPE line was in force is remembered for a series as long as it is exposed, as in Prometheus.
    found = page_rows(parser, parser.parse(body))
    assert [row[1:] for row in found] == [row[1:] for row in expected]
    assert [unbound(row[0]) for row in found] == [unbound(row[0]) for row in expected]


def unbound(labels: dict[str, str]) -> dict[str, str]:
    return {**labels, "le": labels.get("le", "").removesuffix(".0")}


@given(st.lists(st.binary(max_size=100), min_size=1, max_size=4), st.sampled_from(list(PARSE)))
@settings(max_examples=200)
def test_any_bytes_give_a_page_or_an_exposition_error(bodies: list[bytes], format: Format) -> None:  # noqa: A002
    parser = DeltaParser(format)
    for body in bodies:
        assert_same(parser, format, body)


def text(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def test_the_layout_is_the_same_object_while_only_values_change() -> None:
    parser = DeltaParser(Format.TEXT)
    first = parser.parse(text("# TYPE a counter", "a 1", "b 2"))
    second = parser.parse(text("# TYPE a counter", "a 5", "b 2"))
    assert second.slots is first.slots
    assert second.metadata is first.metadata
    assert first.values.tolist() == [1, 2]
    assert second.values.tolist() == [5, 2]
    assert set(first.new) == set(first.slots.tolist())
    assert second.new == {}


def test_a_changed_comment_leaves_the_layout() -> None:
    parser = DeltaParser(Format.TEXT)
    first = parser.parse(text("# HELP a Old.", "a 1"))
    second = parser.parse(text("# HELP a New.", "a 2"))
    assert second.slots is first.slots
    assert second.metadata == {"a": Metadata(MetricType.UNKNOWN, "New.", "")}


def test_a_series_keeps_its_slot_where_others_come_and_go() -> None:
    parser = DeltaParser(Format.TEXT)
    first = parser.parse(text("a 1", "b 2"))
    second = parser.parse(text("c 3", "b 2", "a 1"))
    assert second.slots[[2, 1]].tolist() == first.slots.tolist()
    assert list(second.new.values()) == [{"__name__": "c"}]
    third = parser.parse(text("b 2"))
    assert third.slots.tolist() == [first.slots[1]]
    assert parser.labels(int(second.slots[0])) == {"__name__": "c"}  # the page before can still be asked for


def test_slots_of_series_long_gone_are_used_again() -> None:
    parser = DeltaParser(Format.TEXT)
    for number in range(100):
        page = parser.parse(text(f'a{{n="{number}"}} 1'))
        assert list(page.new.values()) == [{"__name__": "a", "n": str(number)}]
    assert int(page.slots.max()) < 4


def test_after_a_broken_body_the_last_good_one_is_compared_with() -> None:
    parser = DeltaParser(Format.TEXT)
    first = parser.parse(text("a 1", "b 2"))
    with pytest.raises(BrokenBodyError) as caught:
        parser.parse(text("a 1", "new 1", "b x"))
    assert [dict(sample.labels)["__name__"] for sample in caught.value.before] == ["a", "new"]
    third = parser.parse(text("a 1", "b 3"))
    assert third.slots is first.slots
    assert third.values.tolist() == [1, 3]


@pytest.mark.parametrize("line", [b"3", b"NaN", b"1e3"])
def test_a_line_that_lost_its_series_is_broken(line: bytes) -> None:
    parser = DeltaParser(Format.TEXT)
    parser.parse(b"a 1\nb 2\n")
    with pytest.raises(BrokenBodyError):
        parser.parse(b"a 1\n" + line + b"\n")


def test_a_series_keeps_its_slot_after_many_pages_alike() -> None:
    parser = DeltaParser(Format.TEXT)
    first = parser.parse(text("a 1", "b 1"))
    with pytest.raises(BrokenBodyError):
        parser.parse(text("a 1", "b 1", "c 1", "d x"))
    for value in range(10):
        assert parser.parse(text("a 1", f"b {value}")).slots is first.slots
    page = parser.parse(text("c 1", "b 1", "a 1"))
    assert page.slots.tolist()[1:] == first.slots.tolist()[::-1]
    assert page.new == {int(page.slots[0]): {"__name__": "c"}}
    for value in range(10):
        last = parser.parse(text("c 1", f"b {value}", "a 1"))
    assert last.slots is page.slots
    with pytest.raises(BrokenBodyError):
        parser.parse(text("c 1", "b x", "a 1"))
    assert parser.parse(text("b 1", "c 1")).slots.tolist() == page.slots.tolist()[1::-1]


def test_bounds_follow_the_type_a_series_was_first_seen_under() -> None:
    parser = DeltaParser(Format.TEXT)
    page = parser.parse(text("# TYPE a histogram", 'a_bucket{le="1"} 1'))
    assert page.new[0]["le"] == "1.0"
    assert parser.labels(0)["le"] == "1.0"


def test_timestamps_appear_and_disappear_line_by_line() -> None:
    parser = DeltaParser(Format.TEXT)
    assert parser.parse(text("a 1", "b 1")).timestamps is None
    times = parser.parse(text("a 1 5", "b 1")).timestamps
    assert times is not None
    assert times.tolist() == [5, NO_TIMESTAMP]
    again = parser.parse(text("a 1", "b 1"))
    assert again.timestamps is None or again.timestamps.tolist() == [NO_TIMESTAMP] * 2


def test_an_exemplar_goes_with_its_line() -> None:
    parser = DeltaParser(Format.OPENMETRICS)
    first = parser.parse(text('a_total 1 # {t="u"} 0.5', "# EOF"))
    second = parser.parse(text("a_total 2", "# EOF"))
    assert first.exemplars == {0: Exemplar(Labels({"t": "u"}), 0.5, None)}
    assert second.exemplars == {}


@pytest.mark.parametrize("change", [lambda body: body, lambda body: body.replace(b" 1\n", b" 2\n")])
def test_an_unchanged_page_is_not_parsed_again(
    change: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    parser = DeltaParser(Format.TEXT)
    body = text(*[f'a{{n="{number}"}} {number}' for number in range(50)])
    parser.parse(body)
    monkeypatch.setattr("zseval.exposition.delta.head_end", lambda _line: pytest.fail("a line was parsed"))
    assert len(parser.parse(change(body)).values) == 50


def test_protobuf_is_no_text_format() -> None:
    with pytest.raises(ExpositionError, match="is no text format"):
        DeltaParser(Format.PROTOBUF)
