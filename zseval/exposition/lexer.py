"""Lexer: the tokens of the two text formats, from a table of rules a state.

The strict parsers are built on it; they read what is new or odd, and find the place of an error. The
rules are those of Prometheus' lexers, the odd corners included: a NUL is skipped in comments, help
texts and label values, ends the input where a line could start, and is invalid elsewhere.
Source: prometheus model/textparse/promlex.l and openmetricslex.l.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zseval.errors import ExpositionError, Position

__all__ = ["Lexer", "Rule", "State", "Token", "go_quote"]


class Token(enum.Enum):
    """Names are as Prometheus' error messages have them."""

    INVALID = "INVALID"
    EOF = "EOF"
    LINEBREAK = "LINEBREAK"
    WHITESPACE = "WHITESPACE"
    HELP = "HELP"
    TYPE = "TYPE"
    UNIT = "UNIT"
    EOF_WORD = "EOFWORD"
    TEXT = "TEXT"
    COMMENT = "COMMENT"
    METRIC_NAME = "MNAME"
    QUOTED = "QSTRING"
    BRACE_OPEN = "BOPEN"
    BRACE_CLOSE = "BCLOSE"
    LABEL_NAME = "LNAME"
    LABEL_VALUE = "LVALUE"
    COMMA = "COMMA"
    EQUAL = "EQUAL"
    TIMESTAMP = "TIMESTAMP"
    VALUE = "VALUE"


class State(enum.Enum):
    INIT = enum.auto()
    COMMENT = enum.auto()
    META_NAME = enum.auto()
    META_TEXT = enum.auto()
    LABELS = enum.auto()
    LABEL_VALUE = enum.auto()
    VALUE = enum.auto()
    TIMESTAMP = enum.auto()
    EXEMPLAR = enum.auto()
    EXEMPLAR_VALUE = enum.auto()
    EXEMPLAR_TIMESTAMP = enum.auto()


@dataclass(frozen=True, slots=True)
class Rule:
    """Where `pattern` is the longest match (the first of equals), `token` results and `state` is next.

    token None: the text is skipped.  stem: how far a text can look like this token without being it;
    only error messages need to know.
    """

    pattern: re.Pattern[bytes]
    token: Token | None
    state: State | None
    stem: re.Pattern[bytes] | None

    @classmethod
    def of(
        cls, pattern: bytes, token: Token | None, state: State | None = None, *, stem: bytes | None = None
    ) -> Rule:
        return cls(re.compile(pattern), token, state, re.compile(stem) if stem else None)


class Lexer:
    """Tokens of `body`; `start` and `end` are the bounds of the latest."""

    __slots__ = ("_rules", "body", "end", "start", "state")

    def __init__(self, body: bytes, rules: Mapping[State, Sequence[Rule]]) -> None:
        self.body = body
        self.state = State.INIT
        self.start = 0
        self.end = 0
        self._rules = rules

    @property
    def text(self) -> bytes:
        """The latest token."""
        return self.body[self.start : self.end]

    def next(self) -> Token:
        """The next token; INVALID leaves `end` where the text stopped to look like one."""
        if self.end >= len(self.body):
            return Token.EOF  # `start` stays: messages show the last token there was
        self.start = self.end
        while self.end < len(self.body):
            rule, end = self._longest()
            if rule is None:
                return self._no_rule()
            self.end = end
            if rule.state is not None:
                self.state = rule.state
            if rule.token is not None:
                return rule.token
        return Token.INVALID

    def _longest(self) -> tuple[Rule | None, int]:
        best, best_end = None, -1
        for rule in self._rules[self.state]:
            match = rule.pattern.match(self.body, self.end)
            if match is not None and match.end() > best_end:
                best, best_end = rule, match.end()
        return best, best_end

    def _no_rule(self) -> Token:
        stems = [
            match.end()
            for rule in self._rules[self.state]
            if rule.stem is not None and (match := rule.stem.match(self.body, self.end))
        ]
        self.end = max([self.end, *stems])
        return Token.INVALID

    def position(self, offset: int) -> Position:
        """Line and column (in characters) of an offset in bytes."""
        before = self.body[:offset]
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        return Position(before.count(b"\n") + 1, column)

    def error(self, message: str, offset: int | None = None) -> ExpositionError:
        """An error at the latest token, or at `offset`."""
        return ExpositionError(message, self.position(self.start if offset is None else offset))

    def unexpected(self, expected: str, got: Token, since: int) -> ExpositionError:
        """An error that says what was expected and found, and what is being read since `since`."""
        last = min(len(self.body), self.end + 1)
        found = go_quote(self.body[self.start : last])
        reading = go_quote(self.body[since:last])
        return self.error(f'{expected}, got {found} ("{got.value}") while parsing: {reading}')


def go_quote(raw: bytes, limit: int = 200) -> str:
    """`raw` as Go's %q prints it: quoted, what is not text as \\x escapes.

    Longer than `limit` bytes, its middle is left out: a body is not to fill the log.
    """
    if len(raw) > limit:
        return f"{go_quote(raw[: limit // 2])}...{go_quote(raw[-limit // 2 :])}"
    out = []
    for char in raw.decode("utf-8", "surrogateescape"):
        if "\udc80" <= char <= "\udcff":
            out.append(f"\\x{ord(char) - 0xDC00:02x}")
        else:
            out.append(_ESCAPES.get(char) or (char if char.isprintable() else _escaped(char)))
    return f'"{"".join(out)}"'


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"} | dict(
    zip("\a\b\f\v", ("\\a", "\\b", "\\f", "\\v"), strict=True)
)


def _escaped(char: str) -> str:
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
