"""OpenMetrics 1.0 (and 0.0.1), strictly, as Prometheus takes it.

`_created` lines are series like any other, as in Prometheus without its start-timestamp feature.
Source: prometheus model/textparse/openmetricsparse.go, openmetricslex.l.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from zseval.exposition.entries import Description, DescriptionKind, Entry, Exemplar, Sample, normalized
from zseval.exposition.lexer import Rule, State, Token, go_quote
from zseval.exposition.parser import LabelParser, unescaped_label
from zseval.model.labels import Labels
from zseval.model.number import format_f

__all__ = ["TYPES", "parse_openmetrics", "timestamp_ms"]

TYPES = frozenset(
    {"counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset", "unknown"}
)

_NAME = rb"[a-zA-Z_:][a-zA-Z0-9_:]*+"
_LABEL_NAME = rb"[a-zA-Z_][a-zA-Z0-9_]*+"
_QUOTED = rb'"(?:\\[^\n\x00]|[^\\"\x00])*+"'
_QUOTED_STEM = rb'"(?:\\[^\n\x00]|[^\\"\x00])*+\\?'
_LINE_QUOTED = rb'"(?:\\[^\n\x00]|[^\\"\n\x00])*+"'
_LINE_QUOTED_STEM = rb'"(?:\\[^\n\x00]|[^\\"\n\x00])*+\\?'
_FIELD = rb" [^ \n\x00]++"


def _word(word: str, token: Token) -> Rule:
    letters = b"".join(bytes([letter]) + rb"\x00*+" for letter in word.encode())
    return Rule.of(letters + rb" \x00*+", token, State.META_NAME, stem=_stem(word))


def _stem(word: str) -> bytes:
    out = b""
    for letter in reversed(word.encode()):
        out = rb"(?:" + bytes([letter]) + rb"\x00*+" + out + rb")?"
    return out


RULES = {
    State.INIT: (
        Rule.of(rb"# ", None, State.COMMENT, stem=rb"#"),
        Rule.of(_NAME, Token.METRIC_NAME, State.VALUE),
        Rule.of(rb"\{", Token.BRACE_OPEN, State.LABELS),
    ),
    State.COMMENT: (
        _word("HELP", Token.HELP),
        _word("TYPE", Token.TYPE),
        _word("UNIT", Token.UNIT),
        Rule.of(rb"E\x00*+O\x00*+F\x00*+(?:\n\x00*+)?", Token.EOF_WORD, State.INIT, stem=_stem("EO")),
    ),
    State.META_NAME: (
        Rule.of(_QUOTED, Token.METRIC_NAME, State.META_TEXT, stem=_QUOTED_STEM),
        Rule.of(_NAME, Token.METRIC_NAME, State.META_TEXT),
    ),
    State.META_TEXT: (Rule.of(rb" \x00*+(?:[^\n\x00]\x00*+)*+\n\x00*+", Token.TEXT, State.INIT),),
    State.LABELS: (
        Rule.of(_LABEL_NAME, Token.LABEL_NAME),
        Rule.of(_QUOTED, Token.QUOTED, stem=_QUOTED_STEM),
        Rule.of(rb"\}", Token.BRACE_CLOSE, State.VALUE),
        Rule.of(rb"=", Token.EQUAL, State.LABEL_VALUE),
        Rule.of(rb",", Token.COMMA),
    ),
    State.LABEL_VALUE: (
        Rule.of(
            rb'"\x00*+(?:\\\x00*+[^\n\x00]\x00*+|[^\\"\n\x00]\x00*+)*+"\x00*+',
            Token.LABEL_VALUE,
            State.LABELS,
            stem=rb'"\x00*+(?:\\\x00*+[^\n\x00]\x00*+|[^\\"\n\x00]\x00*+)*+(?:\\\x00*+)?',
        ),
    ),
    State.VALUE: (
        Rule.of(rb"\{", Token.BRACE_OPEN, State.LABELS),
        Rule.of(_FIELD, Token.VALUE, State.TIMESTAMP, stem=rb" "),
    ),
    State.TIMESTAMP: (
        Rule.of(_FIELD, Token.TIMESTAMP, stem=rb" (?:# ?)?"),
        Rule.of(rb"\n", Token.LINEBREAK, State.INIT),
        Rule.of(rb" # \{", Token.COMMENT, State.EXEMPLAR),
    ),
    State.EXEMPLAR: (
        Rule.of(_LABEL_NAME, Token.LABEL_NAME),
        Rule.of(_LINE_QUOTED, Token.QUOTED, stem=_LINE_QUOTED_STEM),
        Rule.of(rb"\}", Token.BRACE_CLOSE, State.EXEMPLAR_VALUE),
        Rule.of(rb"=", Token.EQUAL, State.EXEMPLAR_VALUE),
        Rule.of(rb",", Token.COMMA),
    ),
    State.EXEMPLAR_VALUE: (
        Rule.of(_LINE_QUOTED, Token.LABEL_VALUE, State.EXEMPLAR, stem=_LINE_QUOTED_STEM),
        Rule.of(_FIELD, Token.VALUE, State.EXEMPLAR_TIMESTAMP, stem=rb" "),
    ),
    State.EXEMPLAR_TIMESTAMP: (
        Rule.of(_FIELD, Token.TIMESTAMP, stem=rb" "),
        Rule.of(rb"\n", Token.LINEBREAK, State.INIT),
    ),
}

_NO_EOF = "data does not end with # EOF"


def parse_openmetrics(body: bytes) -> Iterator[Entry]:
    """The entries of a body, in order. Raises ExpositionError at the first that is wrong."""
    return _OpenMetricsParser(body).entries()


class _OpenMetricsParser(LabelParser):
    def __init__(self, body: bytes) -> None:
        super().__init__(body, RULES, comma_required=True)

    def entries(self) -> Iterator[Entry]:
        lexer = self.lexer
        line, counted = 1, 0
        while True:
            self.entry = lexer.end
            token = lexer.next()
            line += lexer.body.count(b"\n", counted, self.entry)
            counted = self.entry
            match token:
                case Token.EOF_WORD:
                    if lexer.next() is not Token.EOF:
                        raise lexer.error("unexpected data after # EOF")
                    return
                case Token.EOF:
                    raise lexer.error(_NO_EOF, len(lexer.body))
                case Token.HELP | Token.TYPE | Token.UNIT:
                    yield self._description(token, line)
                case Token.BRACE_OPEN | Token.METRIC_NAME:
                    yield self._sample(token, line)
                case _:
                    raise lexer.unexpected("expected a valid start token", token, self.entry)

    def _sample(self, first: Token, line: int) -> Sample:
        series, pairs, token = self.series(first)
        value = self._value(token, "metric")
        timestamp: int | None = None
        token = self.lexer.next()
        if token is Token.TIMESTAMP:
            timestamp = self._timestamp("timestamp")
            token = self.lexer.next()
            if token not in (Token.LINEBREAK, Token.COMMENT):
                raise self.lexer.unexpected("expected next entry after timestamp", token, self.entry)
        if token is Token.EOF:
            raise self.lexer.error(_NO_EOF, len(self.lexer.body))
        # Any other token is left for the next entry to stumble over, as Prometheus does.
        exemplar = self._exemplar() if token is Token.COMMENT else None
        return Sample(series, normalized(pairs, self.type), value, timestamp, exemplar, line)

    def _exemplar(self) -> Exemplar:
        _, pairs = self.labels(None, of_exemplar=True)
        value = self._value(self.lexer.next(), "exemplar labels")
        timestamp: int | None = None
        token = self.lexer.next()
        if token is Token.EOF:
            raise self.lexer.error(_NO_EOF, len(self.lexer.body))
        if token is Token.TIMESTAMP:
            timestamp = self._timestamp("exemplar timestamp")
            token = self.lexer.next()
            if token is not Token.LINEBREAK:
                expected = "expected next entry after exemplar timestamp"
                raise self.lexer.unexpected(expected, token, self.entry)
        elif token is not Token.LINEBREAK:
            raise self.lexer.unexpected("expected timestamp or comment", token, self.entry)
        return Exemplar(Labels(pairs), value, timestamp)

    def _value(self, token: Token, after: str) -> float:
        if token is not Token.VALUE:
            raise self.lexer.unexpected(f"expected value after {after}", token, self.entry)
        return self.number(self.lexer.text[1:])

    def _timestamp(self, name: str) -> int:
        seconds = self.number(self.lexer.text[1:])
        if not isfinite(seconds):
            raise self.lexer.error(f"invalid {name} {format_f(seconds)}")
        return timestamp_ms(seconds)

    def _description(self, first: Token, line: int) -> Description:
        lexer = self.lexer
        token = lexer.next()
        if token is not Token.METRIC_NAME:
            raise lexer.unexpected(f"expected metric name after {first.value}", token, self.entry)
        family = lexer.text[1:-1] if lexer.text[:1] == b'"' else lexer.text
        token = lexer.next()
        if token is not Token.TEXT:
            raise lexer.error(f"expected text in {first.value}")
        raw = lexer.text[1:-1]
        text = self._text(first, family, raw)
        return Description(DescriptionKind[first.name], family.decode("utf-8", "replace"), text, line)

    def _text(self, kind: Token, family: bytes, raw: bytes) -> str:
        start = self.lexer.start + 1
        if kind is Token.HELP:
            try:
                return unescaped_label(raw.decode("utf-8"))
            except UnicodeDecodeError:
                message = f"help text {go_quote(raw)} is not a valid utf8 string"
                raise self.lexer.error(message, start) from None
        text = raw.decode("utf-8", "replace")
        if kind is Token.TYPE:
            if text not in TYPES:
                raise self.lexer.error(f"invalid metric type {go_quote(raw)}", start)
            self.type = Description(DescriptionKind.TYPE, "", text, 0).type
        elif raw and not family.endswith(b"_" + raw):
            message = f"unit {go_quote(raw)} not a suffix of metric {go_quote(family)}"
            raise self.lexer.error(message, start)
        return text


def timestamp_ms(seconds: float) -> int:
    """Milliseconds of finite seconds, cut off; the lowest int64 where they do not fit, as in Go."""
    milliseconds = seconds * 1000
    return int(milliseconds) if abs(milliseconds) < 2**63 else -(2**63)
