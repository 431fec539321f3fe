"""From template text to tokens: text outside `{{ }}`, and inside what Go's scanner sees there.

Trim markers and comments are dealt with here and leave no token. Source: text/template/parse/lex.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from zseval.model.labels import quote
from zseval.template.errors import SyntaxFault

__all__ = ["KEYWORDS", "Token", "tokens"]

KEYWORDS = {
    name: name.upper()
    for name in (
        "if",
        "else",
        "end",
        "range",
        "with",
        "define",
        "template",
        "block",
        "break",
        "continue",
        "nil",
    )
}
_SPACES = " \t\r\n"
_LEFT, _RIGHT = "{{", "}}"
_WORD = re.compile(r"\w+")  # letters and digits of any script, and underscores
_NUMBER = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?"
    r"|0[oO][0-7_]*|0[bB][01_]*"
    r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?"
)
_TERMINATORS = ".,|:)("
_SYMBOLS = {"=": "ASSIGN", "|": "PIPE", ",": "COMMA", "(": "LPAR", ")": "RPAR"}
_OPERANDS = frozenset(
    ("IDENTIFIER", "VARIABLE", "FIELD", "DOT", "NIL", "BOOL", "CHAR", "NUMBER", "STRING", "RAW")
)
_OPERAND_ENDS = _OPERANDS | {"CHAIN", "RPAR"}
_OPERAND_STARTS = _OPERANDS | {"LPAR"}
_NAMING = frozenset(("DEFINE", "TEMPLATE", "BLOCK"))


@dataclass(frozen=True, slots=True)
class Token:
    """type: a terminal of grammar/gotemplate.lark.  offset: of its first character in the template text."""

    type: str
    text: str
    offset: int


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a template. Raises SyntaxFault at what cannot be one."""
    position, trim = 0, False
    while True:
        start = text.find(_LEFT, position)
        end = len(text) if start < 0 else start
        trims_left = start >= 0 and text[start + 2 : start + 3] == "-" and _is_space(text, start + 3)
        yield from _text(text, position, end, trim_left=trim, trim_right=trims_left)
        if start < 0:
            return
        inside = start + (3 if trims_left else 2)
        after_marker = inside + 1 if trims_left else inside
        if text.startswith("/*", after_marker):
            position, trim = _comment_end(text, after_marker)
            continue
        yield Token("LEFT", _LEFT, start)
        action = _Action(text, inside)
        yield from action.tokens()
        position, trim = action.position, action.trims_right


def _text(text: str, start: int, end: int, *, trim_left: bool, trim_right: bool) -> Iterator[Token]:
    piece = text[start:end]
    if trim_left:
        kept = piece.lstrip(_SPACES)
        start += len(piece) - len(kept)
        piece = kept
    if trim_right:
        piece = piece.rstrip(_SPACES)
    if piece:
        yield Token("TEXT", piece, start)


def _is_space(text: str, at: int) -> bool:
    return text[at : at + 1] in (" ", "\t", "\r", "\n")


def _right_delimiter(text: str, at: int) -> tuple[int, bool]:
    """(length, whether it trims) of the right delimiter at `at`; (0, False) where there is none."""
    if _is_space(text, at) and text.startswith("-" + _RIGHT, at + 1):
        return 4, True
    return (2, False) if text.startswith(_RIGHT, at) else (0, False)


def _comment_end(text: str, start: int) -> tuple[int, bool]:
    end = text.find("*/", start)
    if end < 0:
        raise SyntaxFault("unclosed comment", start)
    length, trims = _right_delimiter(text, end + 2)
    if not length:
        raise SyntaxFault("comment ends before closing delimiter", start)
    return end + 2 + length, trims


class _Action:
    """The inside of one `{{ }}`. After `tokens`, position is behind its end."""

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.position = start
        self.trims_right = False
        self._parentheses = 0

    def tokens(self) -> Iterator[Token]:
        before, last = "LEFT", "LEFT"
        spaced = True
        while True:
            length, trims = _right_delimiter(self.text, self.position)
            if length:
                if self._parentheses > 0:
                    raise SyntaxFault("unclosed left paren", self.position)
                yield Token("RIGHT", _RIGHT, self.position)
                self.position += length
                self.trims_right = trims
                return
            if self.position >= len(self.text):
                raise SyntaxFault("unclosed action", self.position)
            if _is_space(self.text, self.position):
                self.position += 1
                spaced = True
                continue
            token = self._token()
            if not spaced and last in _OPERAND_ENDS and before not in _NAMING:
                token = _glued(token)
            yield token
            before, last, spaced = last, token.type, False

    def _token(self) -> Token:
        text, start = self.text, self.position
        char = text[start]
        if char == ":":
            if not text.startswith(":=", start):
                raise SyntaxFault("expected :=", start)
            return self._take("DECLARE", 2)
        if char == '"':
            return self._quoted("STRING", '"', "unterminated quoted string")
        if char == "'":
            return self._quoted("CHAR", "'", "unterminated character constant")
        if char == "`":
            end = text.find("`", start + 1)
            if end < 0:
                raise SyntaxFault("unterminated raw quoted string", start)
            return self._take("RAW", end + 1 - start)
        if char == "$":
            return self._named("VARIABLE", "VARIABLE")
        if char == "." and not _is_digit(text, start + 1):
            return self._named("FIELD", "DOT")
        if char in "+-." or _is_digit(text, start):
            return self._number()
        if _WORD.match(text, start):
            return self._word()
        if char in _SYMBOLS:
            return self._symbol(char)
        if char.isascii() and char.isprintable():
            return self._take("OTHER", 1)
        raise SyntaxFault(f"unrecognized character in action: {_unicode(char)}", start)

    def _take(self, kind: str, length: int) -> Token:
        token = Token(kind, self.text[self.position : self.position + length], self.position)
        self.position += length
        return token

    def _symbol(self, char: str) -> Token:
        self._parentheses += {"(": 1, ")": -1}.get(char, 0)
        return self._take(_SYMBOLS[char], 1)

    def _quoted(self, kind: str, mark: str, unterminated: str) -> Token:
        at = self.position + 1
        while True:
            char = self.text[at : at + 1]
            if char == "\\" and self.text[at + 1 : at + 2] not in ("", "\n"):
                at += 2
            elif char in ("", "\n", "\\"):
                raise SyntaxFault(unterminated, self.position)
            elif char == mark:
                return self._take(kind, at + 1 - self.position)
            else:
                at += 1

    def _named(self, kind: str, alone: str) -> Token:
        """`$`, `$name`, `.` or `.name`."""
        word = _WORD.match(self.text, self.position + 1)
        end = word.end() if word else self.position + 1
        self._check_end(end)
        return self._take(kind if word else alone, end - self.position)

    def _word(self) -> Token:
        word = _WORD.match(self.text, self.position)
        if word is None:
            raise SyntaxFault("bad character", self.position)
        self._check_end(word.end())
        name = word.group()
        kind = "BOOL" if name in ("true", "false") else KEYWORDS.get(name, "IDENTIFIER")
        return self._take(kind, len(name))

    def _check_end(self, at: int) -> None:
        """A name must be followed by something that ends it."""
        char = self.text[at : at + 1]
        ends = (
            not char or _is_space(self.text, at) or char in _TERMINATORS or self.text.startswith(_RIGHT, at)
        )
        if not ends:
            raise SyntaxFault(f"bad character {_unicode(char)}", at)

    def _number(self) -> Token:
        end = self._number_end(self.position)
        if self.text[end : end + 1] in ("+", "-") and self.text[end - 1] != "i":
            second = self._number_end(end)
            if self.text[second - 1] != "i":
                raise SyntaxFault(
                    f"bad number syntax: {quote(self.text[self.position : second])}", self.position
                )
            end = second
        return self._take("NUMBER", end - self.position)

    def _number_end(self, start: int) -> int:
        number = _NUMBER.match(self.text, start)
        end = number.end() if number else start
        if _WORD.match(self.text, end):
            raise SyntaxFault(
                f"bad number syntax: {quote(self.text[self.position : end + 1])}", self.position
            )
        return end


def _glued(token: Token) -> Token:
    """A token behind an operand without a space: a field goes on with it, another operand is an error."""
    if token.type == "FIELD":
        return Token("CHAIN", token.text, token.offset)
    return Token("GLUED", token.text, token.offset) if token.type in _OPERAND_STARTS else token


def _is_digit(text: str, at: int) -> bool:
    return text[at : at + 1] in tuple("0123456789")


def _unicode(char: str) -> str:
    """As Go's `%#U`."""
    name = f"U+{ord(char):04X}"
    return f"{name} '{char}'" if char.isprintable() else name
