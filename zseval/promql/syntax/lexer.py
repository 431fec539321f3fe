"""Lexer: the text of a query as tokens of the grammar.

Three surroundings matter. Between braces stand labels, where keywords are plain names; between
brackets a colon is a token of its own; elsewhere it belongs to a metric name.
Source: promql/parser/lex.go upstream.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from zseval.errors import Position
from zseval.model.labels import quote
from zseval.promql.errors import ParseError
from zseval.promql.syntax.ast import Span
from zseval.promql.syntax.quoting import go_quote_char
from zseval.promql.syntax.signatures import AGGREGATIONS

__all__ = ["AGGREGATORS", "KEYWORDS", "Problem", "Token", "describe", "tokens"]

KEYWORDS = {
    **{word: word.upper() for word in (
        "sum", "avg", "count", "min", "max", "group", "stddev", "stdvar", "topk", "bottomk", "count_values",
        "quantile", "limitk", "limit_ratio", "atan2", "offset", "smoothed", "anchored", "by", "without", "on",
        "ignoring", "group_left", "group_right", "bool", "fill", "fill_left", "fill_right",
        "start", "end", "step", "range", "max_of", "min_of",
    )},
    "and": "LAND", "or": "LOR", "unless": "LUNLESS",
}  # fmt: skip
"""Words with a meaning of their own, written in any case."""

AGGREGATORS = frozenset(name.upper() for name in AGGREGATIONS)

OPERATORS = {
    "+": "ADD", "-": "SUB", "*": "MUL", "/": "DIV", "%": "MOD", "^": "POW",
    "==": "EQLC", "!=": "NEQ", "<": "LSS", ">": "GTR", "<=": "LTE", ">=": "GTE", "</": "TRIM_UPPER",
    ">/": "TRIM_LOWER", "=": "EQL", "=~": "EQL_REGEX", "!~": "NEQ_REGEX", "@": "AT",
    "(": "LEFT_PAREN", ")": "RIGHT_PAREN", "{": "LEFT_BRACE", "}": "RIGHT_BRACE",
    "[": "LEFT_BRACKET", "]": "RIGHT_BRACKET", ",": "COMMA", ":": "COLON",
}  # fmt: skip
_PUNCTUATION = frozenset("(){}[],:")

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\r\n]*)+")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F_]+|(?:[0-9][0-9_]*)?\.?[0-9][0-9_]*\.?(?:[eE][+-]?[0-9][0-9_]*)?")
_DURATION = re.compile(r"(?:[0-9]+(?:ms|[smhdwy]))+")
_WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OPERATOR = re.compile(r"==|!=|=~|!~|<=|>=|</|>/|[-+*/%^<>=@(){}\[\],]")
_BRACE_OPERATOR = re.compile(r"=~|!~|!=|=|,|\}")
_STRING = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"|\'(?:[^\'\\\n]|\\[^\n])*\'|`[^`]*`')


class Problem(Exception):  # noqa: N818 - a signal between the modules here; the parser makes a ParseError of it
    """What is wrong, and where."""

    def __init__(self, message: str, span: Span) -> None:
        self.message = message
        self.span = span
        super().__init__(message)

    def as_error(self, text: str) -> ParseError:
        return ParseError(self.message, Position.of_offset(text, self.span.start), text)


@dataclass(frozen=True, slots=True)
class Token:
    type: str
    text: str
    span: Span


def describe(token: Token) -> str:
    """A token as error messages name it."""
    if token.type == "$END":
        return "end of input"
    if token.type in ("IDENTIFIER", "METRIC_IDENTIFIER"):
        return f'identifier "{token.text}"'
    if token.type == "NUMBER":
        return f'number "{token.text}"'
    if token.type == "DURATION":
        return f'duration "{token.text}"'
    if token.type == "STRING":
        return f"string {quote(token.text)}"
    if token.text in _PUNCTUATION or token.type == "EQL":
        return f'"{token.text}"'
    if token.type in AGGREGATORS:
        return f"<aggr:{token.text.lower()}>"
    if token.text in OPERATORS or token.type in ("LAND", "LOR", "LUNLESS", "ATAN2"):
        return f"<op:{token.text.lower()}>"
    return f"<{token.text.lower()}>"


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a query. Raises Problem where there is none."""
    position, size = 0, len(text)
    parens: list[int] = []
    in_braces, bracket = False, -1
    while True:
        blank = _BLANK.match(text, position)
        position = blank.end() if blank else position
        if position >= size:
            break
        token = (
            _in_braces(text, position) if in_braces else _outside(text, position, in_brackets=bracket >= 0)
        )
        match token.type:
            case "LEFT_BRACE":
                in_braces = True
            case "RIGHT_BRACE" if not in_braces:
                raise Problem("unexpected character: '}'", token.span)
            case "EQL_REGEX" | "NEQ_REGEX" if not in_braces:
                first = token.text[0]
                raise Problem(f"unexpected character after '{first}': '~'", token.span)
            case "RIGHT_BRACE":
                in_braces = False
            case "LEFT_PAREN":
                parens.append(position)
            case "RIGHT_PAREN" if not parens:
                raise Problem("unexpected right parenthesis ')'", token.span)
            case "RIGHT_PAREN":
                parens.pop()
            case "LEFT_BRACKET" if bracket >= 0:
                raise Problem("unexpected left bracket '['", token.span)
            case "LEFT_BRACKET":
                bracket = position
            case "RIGHT_BRACKET" if bracket < 0:
                raise Problem("unexpected right bracket ']'", token.span)
            case "RIGHT_BRACKET":
                bracket = -1
            case _:
                pass
        yield token
        position = token.span.end
    end = Span(size, size)
    if in_braces:
        raise Problem("unexpected end of input inside braces", end)
    if bracket >= 0:
        raise Problem("unexpected end of input in duration expression", end)
    if parens:
        raise Problem("unclosed left parenthesis", end)


def _outside(text: str, start: int, *, in_brackets: bool) -> Token:
    char = text[start]
    if char in "0123456789" or (char == "." and text[start + 1 : start + 2].isdigit()):
        return _number(text, start)
    if char in "\"'`":
        if in_brackets:
            reason = f"unexpected character in duration expression: {go_quote_char(char)}"
            raise Problem(reason, Span(start, start + 1))
        return _string(text, start)
    if in_brackets and char == ":":
        return Token("COLON", ":", Span(start, start + 1))
    word = (_LABEL if in_brackets else _WORD).match(text, start)
    if word is not None:
        return _word(word.group(), Span(start, word.end()))
    operator = _OPERATOR.match(text, start)
    if operator is None or operator.group() == "!":
        if char == "!":
            following = text[start + 1 : start + 2]
            raise Problem(
                f"unexpected character after '!': {go_quote_char(following)}", Span(start, start + 1)
            )
        raise Problem(f"unexpected character: {go_quote_char(char)}", Span(start, start + 1))
    return Token(OPERATORS[operator.group()], operator.group(), Span(start, operator.end()))


def _word(word: str, span: Span) -> Token:
    lower = word.lower()
    if lower in ("inf", "nan"):
        return Token("NUMBER", word, span)
    if lower in KEYWORDS:
        return Token(KEYWORDS[lower], word, span)
    return Token("METRIC_IDENTIFIER" if ":" in word else "IDENTIFIER", word, span)


def _in_braces(text: str, start: int) -> Token:
    char = text[start]
    if char in "\"'`":
        return _string(text, start)
    label = _LABEL.match(text, start)
    if label is not None:
        return Token("IDENTIFIER", label.group(), Span(start, label.end()))
    operator = _BRACE_OPERATOR.match(text, start)
    if operator is not None:
        return Token(OPERATORS[operator.group()], operator.group(), Span(start, operator.end()))
    if char == "{":
        raise Problem("unexpected left brace '{'", Span(start, start + 1))
    if char == "!":
        following = text[start + 1 : start + 2]
        raise Problem(
            f"unexpected character after '!' inside braces: {go_quote_char(following)}",
            Span(start, start + 1),
        )
    raise Problem(f"unexpected character inside braces: {go_quote_char(char)}", Span(start, start + 1))


def _number(text: str, start: int) -> Token:
    duration = _DURATION.match(text, start)
    number = _NUMBER.match(text, start)
    best = max((match for match in (duration, number) if match), key=lambda match: match.end())
    end = best.end()
    after = text[end : end + 1]
    if after and (after.isalnum() or after in "_."):
        raise Problem(f"bad number or duration syntax: {quote(text[start : end + 1])}", Span(start, end + 1))
    kind = "DURATION" if best is duration else "NUMBER"
    return Token(kind, best.group(), Span(start, end))


def _string(text: str, start: int) -> Token:
    match = _STRING.match(text, start)
    if match is None:
        if text[start] == "`":
            raise Problem("unterminated raw string", Span(start, len(text)))
        reason = "escape sequence not terminated" if text.endswith("\\") else "unterminated quoted string"
        raise Problem(reason, Span(start, len(text)))
    return Token("STRING", match.group(), Span(start, match.end()))
