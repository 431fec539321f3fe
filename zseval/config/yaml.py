"""YAML as a tree of nodes that know where they stand in the file.

Scalars stay text: what `on`, `012` or `12:30:45` mean is decided by the key they are given to
(`zseval.config.schema`), not by YAML 1.1. The tree is built here from the parser's events, and not
by PyYAML's composer, so that nesting is bounded (libyaml's composer recurses on the C stack),
duplicate keys are errors, and aliases cannot blow a small file up into a huge tree.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from zseval.config.problems import Problem
from zseval.errors import Position
from zseval.model.labels import quote

__all__ = ["Mapping", "Node", "Scalar", "Series", "parse_yaml"]

_log = logging.getLogger(__name__)

MAX_DEPTH = 64
"""Configuration and rule files nest less than ten levels."""

MAX_EXPANSION = 1_000_000
"""Nodes a document may have once its aliases are written out; far above any real file."""

_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"
_LIBYAML_TOO_DEEP = "exceeded maximum nesting depth"  # its scanner looks ahead, and newer ones give up first
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_TAG_NULL = "tag:yaml.org,2002:null"
_TAG_BINARY = "tag:yaml.org,2002:binary"
_ESCAPE_LENGTHS = {"x": 2, "u": 4, "U": 8}
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_BLOCK_HEADER = re.compile(r"[|>][^\n]*(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text, or null (`is_null`, with value "").

    source: the characters of the file it was read from, style: its first one (`'`, `"`, `|`, `>`) or "".
    """

    value: str
    position: Position
    is_null: bool = False
    style: str = ""
    source: str = field(default="", repr=False, compare=False)

    def position_of(self, offset: int) -> Position:
        """Where in the file the character `value[offset]` stands.

        White space is matched to what follows it, because folding changes it; escapes and quotes are
        accounted for. An offset at or past the end is just after the last character.
        """
        place = 0
        origins = _origins(self.source, self.style)
        for index, char in enumerate(self.value):
            if char.isspace():
                continue
            place = next(origins, len(self.source))
            if index >= offset:
                return self._shifted(place)
        return self._shifted(place + 1 if self.value.strip() else 0)

    def _shifted(self, place: int) -> Position:
        inside = Position.of_offset(self.source, place)
        if inside.line == 1:
            return Position(self.position.line, self.position.column + inside.column - 1)
        return Position(self.position.line + inside.line - 1, inside.column)


@dataclass(frozen=True, slots=True)
class Series:
    """A YAML sequence."""

    items: tuple[Node, ...]
    position: Position


@dataclass(frozen=True, slots=True)
class Mapping:
    """A YAML mapping with text keys, each at most once; merge keys (`<<`) are already applied.

    keys: for each key, its own node, for positions.
    """

    items: dict[str, Node]
    keys: dict[str, Scalar]
    position: Position

    def position_of(self, key: str) -> Position:
        """Where the key stands, or the mapping itself where it has no such key."""
        return self.keys[key].position if key in self.keys else self.position


Node: TypeAlias = Scalar | Series | Mapping


def parse_yaml(text: str, file: str = "") -> Node:
    """The first document of `text`; an empty one is a null scalar.

    As Prometheus does, what follows the first document is not read; the log says so, naming `file`.
    Raises Problem for what is not YAML, duplicate keys, and documents that nest or expand beyond
    the limits above.
    """
    text = text.removeprefix("\ufeff")
    try:
        composer = _Composer(text)
        node = composer.document()
        if composer.goes_on():
            _log.warning("%s: more than one YAML document, only the first is read", file or "YAML")
        return node
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
        what = error.problem or error.context
        if what == _LIBYAML_TOO_DEEP:
            raise Problem(_TOO_DEEP, position) from error
        raise Problem(f"not valid YAML: {what}", position) from error
    except yaml.reader.ReaderError as error:
        position = Position.of_offset(text, error.position)
        raise Problem(f"not valid YAML: {error.reason}", position) from error
    except UnicodeEncodeError as error:
        raise Problem("not valid UTF-8", Position.of_offset(text, error.start)) from error


class _Composer:
    """Builds nodes from parser events; one use."""

    def __init__(self, text: str) -> None:
        self._text = text
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=loader))
        self._anchors: dict[str, Node | None] = {}  # None while the anchored node is being built
        self._sizes: dict[int, int] = {}  # id of a node -> its size with aliases written out

    def document(self) -> Node:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                node = self._node(next(self._events), 0)
                next(self._events)  # its end
                return node
        return Scalar("", Position(1, 1), is_null=True)

    def goes_on(self) -> bool:
        """Whether anything follows the document, be it YAML or not."""
        try:
            return isinstance(next(self._events, None), yaml.DocumentStartEvent)
        except yaml.YAMLError:
            return True

    def _node(self, event: yaml.Event, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise Problem(_TOO_DEEP, _position(event))
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        anchor = event.anchor if isinstance(event, yaml.NodeEvent) else None
        if anchor is not None:
            self._anchors[anchor] = None
        node = self._built(event, depth)
        if anchor is not None:
            self._anchors[anchor] = node
        return node

    def _built(self, event: yaml.Event, depth: int) -> Node:
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event)
            parts: list[Node] = []
        elif isinstance(event, yaml.SequenceStartEvent):
            parts = list(self._until(yaml.SequenceEndEvent, depth))
            node = Series(tuple(parts), _position(event))
        else:
            parts = list(self._until(yaml.MappingEndEvent, depth))
            node = _mapping(parts, _position(event))
        size = 1 + sum(self._sizes[id(part)] for part in parts)
        if size > MAX_EXPANSION:
            raise Problem("document contains excessive aliasing", _position(event))
        self._sizes[id(node)] = size
        return node

    def _until(self, end: type[yaml.Event], depth: int) -> Iterator[Node]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield self._node(event, depth + 1)

    def _alias(self, event: yaml.AliasEvent) -> Node:
        anchor = event.anchor or ""
        if anchor not in self._anchors:
            raise Problem(f"unknown anchor {quote(anchor)} referenced", _position(event))
        node = self._anchors[anchor]
        if node is None:
            raise Problem(f"anchor {quote(anchor)} value contains itself", _position(event))
        return node

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        value, position = event.value, _position(event)
        style = event.style or ""
        if event.tag == _TAG_BINARY:
            value = _decoded(value, position)
        plain_null = event.tag is None and not style and value in _NULL
        if plain_null or event.tag == _TAG_NULL:
            return Scalar("", position, is_null=True)
        start, end = event.start_mark, event.end_mark
        source = self._text[start.index : end.index] if start and end else ""
        if event.anchor is not None or event.tag is not None:
            source, position = _without_properties(source, position)
        return Scalar(value, position, False, style, source)


def _position(event: yaml.Event) -> Position:
    mark = event.start_mark
    return Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)


def _without_properties(source: str, position: Position) -> tuple[str, Position]:
    """A scalar's source and place less the anchor and tag before it."""
    match = _PROPERTIES.match(source)
    length = match.end() if match else 0
    inside = Position.of_offset(source, length)
    column = inside.column + (position.column - 1 if inside.line == 1 else 0)
    return source[length:], Position(position.line + inside.line - 1, column)


def _decoded(value: str, position: Position) -> str:
    try:
        return base64.b64decode(value, validate=False).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        reason = (
            "is not valid UTF-8" if isinstance(error, UnicodeDecodeError) else "contains invalid base64 data"
        )
        raise Problem(f"!!binary value {reason}", position) from error


def _mapping(parts: Sequence[Node], position: Position) -> Mapping:
    items: dict[str, Node] = {}
    keys: dict[str, Scalar] = {}
    merged: list[Mapping] = []
    for key, value in zip(parts[::2], parts[1::2], strict=True):
        if not isinstance(key, Scalar):
            raise Problem("a mapping key must be a scalar", key.position)
        if key.value == "<<" and not key.style:
            merged.extend(_mergeable(value))
        elif key.value in items:
            first = keys[key.value].position.line
            raise Problem(f"mapping key {quote(key.value)} already defined at line {first}", key.position)
        else:
            items[key.value] = value
            keys[key.value] = key
    for other in merged:  # the mapping's own keys win, then the earliest merged mapping
        for name, value in other.items.items():
            if name not in items:
                items[name] = value
                keys[name] = other.keys[name]
    return Mapping(items, keys, position)


def _mergeable(value: Node) -> list[Mapping]:
    parts: Sequence[Node] = value.items if isinstance(value, Series) else (value,)
    mappings = [part for part in parts if isinstance(part, Mapping)]
    if len(mappings) != len(parts):
        raise Problem("map merge requires map or sequence of maps as the value", value.position)
    return mappings


def _origins(source: str, style: str) -> Iterator[int]:
    """Offsets in a scalar's source of the characters of its value that are not white space, in order."""
    if style == '"':
        yield from _double_quoted(source)
        return
    index = 0
    if style in ("|", ">"):
        header = _BLOCK_HEADER.match(source)
        index = header.end() if header else 0
    elif style == "'":
        index = 1
    while index < len(source):
        if not source[index].isspace():
            yield index
            if style == "'" and source[index] == "'":
                index += 1  # '' stands for one quote
        index += 1


def _double_quoted(source: str) -> Iterator[int]:
    index = 1
    while index < len(source):
        if source[index] != "\\":
            if not source[index].isspace():
                yield index
            index += 1
            continue
        escape = source[index + 1 : index + 2]
        digits = _ESCAPE_LENGTHS.get(escape, 0)
        if digits:
            if not chr(int(source[index + 2 : index + 2 + digits], 16)).isspace():
                yield index
        elif escape and not escape.isspace() and escape not in "nrtvfNLP_":
            yield index
        index += 2 + digits
