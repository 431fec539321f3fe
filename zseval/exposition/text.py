"""The Prometheus text format 0.0.4 (and 1.0.0, the same with quoted names), strictly.

Takes and refuses what Prometheus does. Source: prometheus model/textparse/promparse.go, promlex.l.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from zseval.exposition.entries import Description, DescriptionKind, Entry, Sample, normalized
from zseval.exposition.lexer import Rule, State, Token, go_quote
from zseval.exposition.parser import LabelParser

__all__ = ["TYPES", "parse_text", "unescaped_help"]

TYPES = frozenset({"counter", "gauge", "histogram", "summary", "untyped"})

_NAME = rb"[a-zA-Z_:][a-zA-Z0-9_:]*+"
_QUOTED = rb'"(?:\\[^\n\x00]|[^\\"\x00])*+"'
_QUOTED_STEM = rb'"(?:\\[^\n\x00]|[^\\"\x00])*+\\?'
_SPACE = Rule.of(rb"[ \t]++", Token.WHITESPACE)
_SPACE_AND_NULS = Rule.of(rb"(?:[ \t]\x00*+)++", Token.WHITESPACE)


def _word(word: str, token: Token) -> Rule:
    letters = b"".join(bytes([letter]) + rb"\x00*+" for letter in word.encode())
    return Rule.of(letters + rb"(?:[\t ]\x00*+)++", token, State.META_NAME)


RULES = {
    State.INIT: (
        Rule.of(rb"\x00", Token.EOF),
        Rule.of(rb"\n", Token.LINEBREAK),
        _SPACE,
        Rule.of(rb"#[ \t]++", None, State.COMMENT),
        Rule.of(rb"#(?=[^ \t])[^\n\x00]*+(?=\n)", Token.COMMENT),
        Rule.of(rb"#(?=[^ \t])[^\n\x00]*+(?=\x00)", Token.EOF),
        Rule.of(_NAME, Token.METRIC_NAME, State.VALUE),
        Rule.of(rb"\{", Token.BRACE_OPEN, State.LABELS),
    ),
    State.COMMENT: (
        _word("HELP", Token.HELP),
        _word("TYPE", Token.TYPE),
        Rule.of(rb"\x00", Token.EOF),
        Rule.of(
            rb"(?!\x00|(?:H\x00*E\x00*L\x00*P|T\x00*Y\x00*P\x00*E)\x00*[ \t])[^\n]*+(?=\n)",
            Token.COMMENT,
            State.INIT,
        ),
    ),
    State.META_NAME: (
        _SPACE,
        Rule.of(_QUOTED, Token.METRIC_NAME, State.META_TEXT, stem=_QUOTED_STEM),
        Rule.of(_NAME, Token.METRIC_NAME, State.META_TEXT),
    ),
    State.META_TEXT: (
        _SPACE_AND_NULS,
        Rule.of(rb"(?:[^\n\x00]\x00*+)*+", Token.TEXT, State.INIT),
    ),
    State.LABELS: (
        _SPACE,
        Rule.of(rb"[a-zA-Z_][a-zA-Z0-9_]*+", Token.LABEL_NAME),
        Rule.of(_QUOTED, Token.QUOTED, stem=_QUOTED_STEM),
        Rule.of(rb"\}", Token.BRACE_CLOSE, State.VALUE),
        Rule.of(rb"=", Token.EQUAL, State.LABEL_VALUE),
        Rule.of(rb",", Token.COMMA),
    ),
    State.LABEL_VALUE: (
        _SPACE_AND_NULS,
        Rule.of(
            rb'"\x00*+(?:\\\x00*+[^\n\x00]\x00*+|[^\\"\x00]\x00*+)*+"\x00*+',
            Token.LABEL_VALUE,
            State.LABELS,
            stem=rb'"\x00*+(?:\\\x00*+[^\n\x00]\x00*+|[^\\"\x00]\x00*+)*+(?:\\\x00*+)?',
        ),
    ),
    State.VALUE: (
        _SPACE,
        Rule.of(rb"\{", Token.BRACE_OPEN, State.LABELS),
        Rule.of(rb"[^{ \t\n\x00]++", Token.VALUE, State.TIMESTAMP),
    ),
    State.TIMESTAMP: (
        _SPACE,
        Rule.of(rb"[0-9]++", Token.TIMESTAMP),
        Rule.of(rb"\n", Token.LINEBREAK, State.INIT),
    ),
}

_HELP_ESCAPE = re.compile(r"\\([\\n])")
_LARGEST_INT64 = 2**63 - 1


def unescaped_help(text: str) -> str:
    """A help text with `\\\\` and `\\n` replaced; other escapes stay as they are."""
    return _HELP_ESCAPE.sub(lambda match: "\n" if match.group(1) == "n" else "\\", text)


def parse_text(body: bytes) -> Iterator[Entry]:
    """The entries of a body, in order. Raises ExpositionError at the first that is wrong."""
    return _TextParser(body).entries()


class _TextParser(LabelParser):
    def __init__(self, body: bytes) -> None:
        super().__init__(body + b"\n", RULES, comma_required=False)

    def entries(self) -> Iterator[Entry]:
        lexer = self.lexer
        line, counted = 1, 0
        while True:
            self.entry = lexer.end
            match token := self.token():
                case Token.EOF:
                    return
                case Token.LINEBREAK:
                    continue
                case Token.COMMENT:
                    self._linebreak("linebreak expected after comment")
                    continue
            line += lexer.body.count(b"\n", counted, lexer.start)
            counted = lexer.start
            match token:
                case Token.HELP | Token.TYPE:
                    yield self._description(token, line)
                case Token.BRACE_OPEN | Token.METRIC_NAME:
                    yield self._sample(token, line)
                case _:
                    raise lexer.unexpected("expected a valid start token", token, self.entry)

    def _sample(self, first: Token, line: int) -> Sample:
        series, pairs, token = self.series(first)
        if token is not Token.VALUE:
            raise self.lexer.unexpected("expected value after metric", token, self.entry)
        value = self.number(self.lexer.text)
        timestamp: int | None = None
        token = self.token()
        if token is Token.TIMESTAMP:
            timestamp = self._timestamp()
            self._linebreak("expected next entry after timestamp")
        elif token is not Token.LINEBREAK:
            raise self.lexer.unexpected("expected timestamp or new record", token, self.entry)
        return Sample(series, normalized(pairs, self.type), value, timestamp, None, line)

    def _timestamp(self) -> int:
        raw = self.lexer.text
        if len(raw) > 4000 or int(raw) > _LARGEST_INT64:
            reading = go_quote(self.lexer.body[self.entry : self.lexer.end])
            message = (
                f"strconv.ParseInt: parsing {go_quote(raw)}: value out of range while parsing: {reading}"
            )
            raise self.lexer.error(message)
        return int(raw)

    def _description(self, first: Token, line: int) -> Description:
        token = self.token()
        if token is not Token.METRIC_NAME:
            raise self.lexer.unexpected(f"expected metric name after {first.value}", token, self.entry)
        family = self.lexer.text[1:-1] if self.lexer.text[:1] == b'"' else self.lexer.text
        token = self.token()
        if token is not Token.TEXT:
            raise self.lexer.error(f"expected text in {first.value}, got {token.value}")
        raw, start = self.lexer.text[1:], self.lexer.start + 1
        text = self._help(raw, start) if first is Token.HELP else self._type(raw, start)
        self._linebreak("linebreak expected after metadata")
        return Description(DescriptionKind[first.name], family.decode("utf-8", "replace"), text, line)

    def _help(self, raw: bytes, start: int) -> str:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError:
            message = f"help text {go_quote(raw)} is not a valid utf8 string"
            raise self.lexer.error(message, start) from None
        return unescaped_help(text)

    def _type(self, raw: bytes, start: int) -> str:
        text = raw.decode("utf-8", "replace")
        if text not in TYPES:
            raise self.lexer.error(f"invalid metric type {go_quote(raw)}", start)
        description = Description(DescriptionKind.TYPE, "", text, 0)
        self.type = description.type
        return text

    def _linebreak(self, expected: str) -> None:
        token = self.token()
        if token is not Token.LINEBREAK:
            raise self.lexer.unexpected(expected, token, self.entry)
