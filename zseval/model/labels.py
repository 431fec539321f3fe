"""Labels: the immutable, sorted label set that names one series.

This is the form for the edges: the API, templates, alerts, relabelling. Storage and engine hold
many label sets at once in columns (`zseval.model.labelsets`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

__all__ = [
    "METADATA_LABELS",
    "METRIC_NAME",
    "TYPE_LABEL",
    "UNIT_LABEL",
    "Labels",
    "is_legacy_label_name",
    "is_legacy_metric_name",
    "is_valid_name",
    "quote",
]

METRIC_NAME: Final = "__name__"
TYPE_LABEL: Final = "__type__"
UNIT_LABEL: Final = "__unit__"
METADATA_LABELS: Final = (METRIC_NAME, TYPE_LABEL, UNIT_LABEL)
"""What says what a metric is; an operation that changes what it means drops them together."""

_LEGACY_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
_LEGACY_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
_ESCAPES = {
    "\\": "\\\\",
    '"': '\\"',
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\v": "\\v",
}


def is_legacy_metric_name(name: str) -> bool:
    """True for a name that needs no quotes: `[a-zA-Z_:][a-zA-Z0-9_:]*`."""
    return _LEGACY_METRIC.match(name) is not None


def is_legacy_label_name(name: str) -> bool:
    """True for a label name that needs no quotes: `[a-zA-Z_][a-zA-Z0-9_]*`."""
    return _LEGACY_LABEL.match(name) is not None


def is_valid_name(name: str) -> bool:
    """True for any non-empty name that is valid UTF-8 (Prometheus 3 metric and label names)."""
    if not name:
        return False
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def quote(text: str) -> str:
    r"""`text` as a double-quoted Go string literal, as `strconv.Quote` writes it.

    What Go does not print (controls, format characters, separators but the space) becomes an escape;
    `str.isprintable` draws that line where Go's `unicode.IsPrint` does. A byte that is no UTF-8, which Python
    carries as a surrogate (U+DC80 to U+DCFF), is written `\xff` as Go writes it.
    """
    if text.isprintable():  # nearly always
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class Labels:
    """A sorted set of (name, value) pairs without empty values; hashable and ordered.

    An empty value means the label is not there, as everywhere in Prometheus.
    """

    __slots__ = ("_hash", "pairs")

    pairs: tuple[tuple[str, str], ...]

    def __init__(self, labels: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        given: dict[str, str] = dict(labels)  # of either; the last of two values of a name counts
        self.pairs = tuple(sorted(pair for pair in given.items() if pair[1]))
        self._hash = hash(self.pairs)

    @classmethod
    def from_sorted(cls, pairs: tuple[tuple[str, str], ...]) -> Labels:
        """Labels of pairs already sorted by name, unique, and without empty values (not checked)."""
        made = cls.__new__(cls)
        made.pairs = pairs
        made._hash = hash(pairs)
        return made

    @property
    def name(self) -> str:
        """The metric name, or "" where there is none."""
        return self.get(METRIC_NAME)

    def get(self, name: str, default: str = "") -> str:
        for key, value in self.pairs:
            if key == name:
                return value
        return default

    def __getitem__(self, name: str) -> str:
        for key, value in self.pairs:
            if key == name:
                return value
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(key == name for key, _ in self.pairs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Labels) and self.pairs == other.pairs

    def __lt__(self, other: Labels) -> bool:
        return self.pairs < other.pairs

    def without(self, *names: str) -> Labels:
        """These labels less the named ones."""
        return Labels.from_sorted(tuple(pair for pair in self.pairs if pair[0] not in names))

    def only(self, *names: str) -> Labels:
        """The named ones of these labels."""
        return Labels.from_sorted(tuple(pair for pair in self.pairs if pair[0] in names))

    def merged(self, other: Mapping[str, str] | Labels) -> Labels:
        """These labels overridden by `other`; an empty value there removes the label."""
        merged = dict(self.pairs)
        merged.update(other.pairs if isinstance(other, Labels) else other)
        return Labels(merged)

    def to_dict(self) -> dict[str, str]:
        return dict(self.pairs)

    def __str__(self) -> str:
        """`{__name__="up", job="a"}`, as Prometheus prints label sets (quoted names where needed)."""
        body = ", ".join(
            f"{name if is_legacy_label_name(name) else quote(name)}={quote(value)}"
            for name, value in self.pairs
        )
        return "{" + body + "}"

    def __repr__(self) -> str:
        return f"Labels({dict(self.pairs)!r})"
