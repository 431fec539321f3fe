"""The hash of limit_ratio is upstream's."""

from __future__ import annotations

import pytest

from zseval.model.labels import Labels
from zseval.model.labelsets import LabelSets
from zseval.promql.exec.hashing import label_offsets, labels_hash, xxh64


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0xEF46DB3751D8E999),
        (b"a", 0xD24EC4F1A98C6E5B),
        (b"abc", 0x44BC2CF5AD770999),
        (b"Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1),
    ],
)
def test_xxh64_gives_the_published_values(data: bytes, expected: int) -> None:
    assert xxh64(data) == expected


def test_names_and_values_are_hashed_after_their_lengths() -> None:
    assert labels_hash(Labels({"a": "b"})) == xxh64(b"\x01a\x01b")


def test_a_long_value_has_its_length_in_four_bytes() -> None:
    assert labels_hash(Labels({"a": "x" * 300})) == xxh64(b"\x01a\xff\x2c\x01\x00" + b"x" * 300)


def test_offsets_lie_between_zero_and_one_and_differ() -> None:
    labels = LabelSets.of([Labels({"n": str(number)}) for number in range(50)])
    offsets = label_offsets(labels, labels.symbols)
    assert ((offsets >= 0) & (offsets <= 1)).all()
    assert len(set(offsets.tolist())) == 50
