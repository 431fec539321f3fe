"""What the strict parsers of both text formats share: the state of a run, and label sets in braces."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from zseval.exposition.entries import Pairs
from zseval.exposition.floats import FLOAT, parse_float
from zseval.exposition.lexer import Lexer, Rule, State, Token, go_quote
from zseval.model.labels import METRIC_NAME
from zseval.model.metadata import MetricType

__all__ = ["LabelParser", "unescaped_label"]

_FLOAT = re.compile(FLOAT)
_LABEL_ESCAPE = re.compile(r'\\(["\\n])')
_LABEL_ESCAPES = {'"': '"', "\\": "\\", "n": "\n"}


def unescaped_label(text: str) -> str:
    """A label value or quoted name with `\\\\`, `\\"` and `\\n` replaced; other escapes stay as they are."""
    if "\\" not in text:
        return text
    return _LABEL_ESCAPE.sub(lambda match: _LABEL_ESCAPES[match.group(1)], text)


class LabelParser:
    """Reads labels token by token.

    comma_required: labels need a comma between them (OpenMetrics; the older format lets it be).
    """

    __slots__ = ("_comma_required", "entry", "lexer", "type")

    def __init__(self, body: bytes, rules: Mapping[State, Sequence[Rule]], *, comma_required: bool) -> None:
        self.lexer = Lexer(body, rules)
        self.type = MetricType.UNKNOWN  # of the latest TYPE line, whichever family that was
        self.entry = 0  # where the entry being read starts
        self._comma_required = comma_required

    def token(self) -> Token:
        """The next token that is not white space."""
        while (token := self.lexer.next()) is Token.WHITESPACE:
            pass
        return token

    def labels(
        self, name: str | None, *, of_exemplar: bool = False
    ) -> tuple[str | None, list[tuple[str, str]]]:
        """The metric name (given before the brace or found in it) and the pairs up to the closing brace."""
        pairs: list[tuple[str, str]] = []
        token = self.token()
        while token is not Token.BRACE_CLOSE:
            if token not in (Token.LABEL_NAME, Token.QUOTED):
                raise self.lexer.unexpected("expected label name", token, self.entry)
            label, quoted = self.lexer.text, token is Token.QUOTED
            label_start = self.lexer.start
            token = self.token()
            if quoted and token in (Token.COMMA, Token.BRACE_CLOSE):
                if of_exemplar:
                    raise self.lexer.unexpected("expected label name", token, self.entry)
                if name is not None:
                    reading = go_quote(self.lexer.body[self.entry : self.lexer.end])
                    raise self.lexer.error(f"metric name already set while parsing: {reading}", label_start)
                name = self._name(label[1:-1], label_start)
                token = self.token() if token is Token.COMMA else token
                continue
            text = self._name(label[1:-1] if quoted else label, label_start)
            pairs.append((text, self._label_value(token)))
            token = self._after_label()
        return name, pairs

    def _label_value(self, token: Token) -> str:
        if token is not Token.EQUAL:
            raise self.lexer.unexpected("expected equal", token, self.entry)
        token = self.token()
        if token is not Token.LABEL_VALUE:
            raise self.lexer.unexpected("expected label value", token, self.entry)
        raw = self.lexer.text
        try:
            return unescaped_label(raw[1:-1].decode("utf-8"))
        except UnicodeDecodeError:
            raise self.lexer.error(f"invalid UTF-8 label value: {go_quote(raw)}") from None

    def _after_label(self) -> Token:
        token = self.token()
        if token is Token.COMMA:
            return self.token()
        if self._comma_required and token is not Token.BRACE_CLOSE:
            raise self.lexer.unexpected("expected comma or brace close", token, self.entry)
        return token

    def _name(self, raw: bytes, offset: int) -> str:
        try:
            return unescaped_label(raw.decode("utf-8"))
        except UnicodeDecodeError:
            raise self.lexer.error(f"invalid metric name or label names: {go_quote(raw)}", offset) from None

    def series(self, token: Token) -> tuple[bytes, Pairs, Token]:
        """The bytes and the labels of a series that starts with `token`, and the token after it."""
        name: str | None = None
        pairs: list[tuple[str, str]] = []
        end = self.lexer.end
        if token is Token.METRIC_NAME:
            # White space before it is part of the name, as in Prometheus, where any text is a name.
            name = self.lexer.body[self.entry : end].decode("ascii")
            token = self.token()
        if token is Token.BRACE_OPEN:
            name, pairs = self.labels(name)
            end = self.lexer.end
            token = self.token()
        if name is None:
            reading = go_quote(self.lexer.body[self.entry : self.lexer.end])
            raise self.lexer.error(f"metric name not set while parsing: {reading}", self.entry)
        return self.lexer.body[self.entry : end], ((METRIC_NAME, name), *pairs), token

    def number(self, raw: bytes) -> float:
        """The float that the latest token is."""
        value = parse_float(raw)
        if value is None:
            reading = go_quote(self.lexer.body[self.entry : self.lexer.end])
            raise self.lexer.error(f"{_float_error(raw)} while parsing: {reading}")
        return value


def _float_error(raw: bytes) -> str:
    if re.search(rb"[pP_]", raw):
        return "unsupported character in float"
    reason = "invalid syntax" if _FLOAT.fullmatch(raw) is None else "value out of range"
    return f"strconv.ParseFloat: parsing {go_quote(raw)}: {reason}"
