"""Lexer: the text of a query as tokens of the grammar.

The surroundings matter. Between braces stand labels, where keywords are plain names; a left bracket
opens a duration, in which only arithmetic is lexed until the first number, and then anything, but
words; elsewhere a colon belongs to a metric name. Regular expressions take what is well formed; what
they leave is scanned by hand, to say what Prometheus says about it.
Source: promql/parser/lex.go upstream.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from zseval.errors import Position
from zseval.model.labels import quote
from zseval.promql.errors import ParseError
from zseval.promql.syntax.quoting import quote_char
from zseval.promql.syntax.signatures import AGGREGATIONS

__all__ = ["KEYWORDS", "Lexer", "Problem", "Token", "describe"]

_DURATION_WORDS = ("step", "range", "max_of", "min_of")
_WORDS = (
    *AGGREGATIONS, "atan2", "offset", "smoothed", "anchored", "by", "without", "on", "ignoring", "group_left",
    "group_right", "bool", "fill", "fill_left", "fill_right", "start", "end", *_DURATION_WORDS,
)  # fmt: skip
KEYWORDS = {word: word.upper() for word in _WORDS} | {"and": "LAND", "or": "LOR", "unless": "LUNLESS"}
"""Words with a meaning of their own, written in any case."""

_TERMINALS = KEYWORDS | {"inf": "NUMBER", "nan": "NUMBER"}
_ARITHMETIC = {"+": "ADD", "-": "SUB", "*": "MUL", "/": "DIV", "%": "MOD", "^": "POW"}
_PUNCTUATION = {
    "(": "LEFT_PAREN", ")": "RIGHT_PAREN", "{": "LEFT_BRACE", "}": "RIGHT_BRACE",
    "[": "LEFT_BRACKET", "]": "RIGHT_BRACKET", ",": "COMMA", ":": "COLON", "=": "EQL",
}  # fmt: skip
OPERATORS = _ARITHMETIC | _PUNCTUATION | {
    "==": "EQLC", "!=": "NEQ", "<": "LSS", ">": "GTR", "<=": "LTE", ">=": "GTE", "</": "TRIM_UPPER",
    ">/": "TRIM_LOWER", "=~": "EQL_REGEX", "!~": "NEQ_REGEX", "@": "AT",
}  # fmt: skip

# U+FFFD and lone surrogates stand for bytes that are not UTF-8, which no string may hold.
_STRING = (
    r'"(?:[^"\\\n\ufffd\ud800-\udfff]|\\(?:[abfnrtv\\"]|[0-3][0-7]{2}|x[0-9a-fA-F]{2}))*"'
    r"|'(?:[^'\\\n\ufffd\ud800-\udfff]|\\(?:[abfnrtv\\']|[0-3][0-7]{2}|x[0-9a-fA-F]{2}))*'"
    r"|`[^`\ufffd\ud800-\udfff]*`"
)
_BLANKS = re.compile(r"[ \t\r\n]*(?:#[^\r\n]*[ \t\r\n]*)*")
_SPACES = re.compile(r"[ \t\r\n]*")
_OUTSIDE = re.compile(
    r"(?P<word>[a-zA-Z_:][a-zA-Z0-9_:]*)"
    r"|(?P<op>==|!=|<=|>=|</|>/|=(?!~)|[-+*/%^<>@,])"
    r"|(?P<bracket>[(){\[\]])"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?(?![0-9a-zA-Z_.]))"
    r"|(?P<duration>[0-9]+(?:ms|[smhdwy])(?:[0-9]+(?:ms|[smhdw]))*(?![0-9a-zA-Z_]))"
    rf"|(?P<string>{_STRING})"
)
_BRACES = re.compile(rf"(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)|(?P<op>=~|!~|!=|[=,}}])|(?P<string>{_STRING})")
_LETTERS = re.compile(r"[a-zA-Z_]+")
_BEFORE_PAREN = re.compile(r"[ \t\r\n]*\(")
_ALPHANUMERIC = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")
_DIGITS = "0123456789"


class Problem(Exception):  # noqa: N818 - a signal between the modules here; the parser makes a ParseError of it
    """What is wrong, and at which character."""

    def __init__(self, message: str, start: int) -> None:
        self.message = message
        self.start = start
        super().__init__(message)

    def as_error(self, text: str) -> ParseError:
        """The error for the user. Columns count bytes of UTF-8, as Prometheus counts them."""
        return ParseError(self.message, Position.of_bytes(text, self.start), text)


class Token(NamedTuple):
    """A terminal of the grammar, and `text[start:end]` of the query."""

    type: str
    text: str
    start: int
    end: int


_NAMED = {"IDENTIFIER": "identifier", "METRIC_IDENTIFIER": "metric identifier"}
_LITERALS = {"NUMBER": "number", "DURATION": "duration", "STRING": "string"}
_AGGREGATORS = frozenset(name.upper() for name in AGGREGATIONS)
_QUERY_WORDS = frozenset({"START", "END", *(word.upper() for word in _DURATION_WORDS)})
_OPERATOR_TYPES = frozenset(OPERATORS.values()) - frozenset(_PUNCTUATION.values()) | {
    "LAND", "LOR", "LUNLESS", "ATAN2",
}  # fmt: skip
_SHOWN = 10  # characters of a literal that a message shows


def describe(token: Token) -> str:
    """A token as error messages name it."""
    kind, text = token.type, token.text
    if kind == "$END":
        return "end of input"
    if kind in _NAMED:
        return f"{_NAMED[kind]} {quote(text)}"
    if kind in _OPERATOR_TYPES:
        return f"<op:{text}>"
    if kind in _AGGREGATORS:
        return f"<aggr:{text}>"
    if kind in _LITERALS:
        return f"{_LITERALS[kind]} {_shortened(text)}"
    if kind in _QUERY_WORDS or text in _PUNCTUATION:
        return _shortened(text)
    return f"<{text}>"


def _shortened(text: str) -> str:
    long = len(text.encode("utf-8", "surrogatepass")) > _SHOWN
    return quote(text[:_SHOWN]) + "..." if long else quote(text)


class Lexer:
    """The tokens of one text, one at a time."""

    __slots__ = ("_colon", "_depth", "_in_bracket", "_position", "_read", "_seen_number", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._depth = 0  # of parentheses
        self._in_bracket = False
        self._colon = False  # one was seen since the bracket
        self._seen_number = False  # in any bracket so far
        self._read: Callable[[], Token] = self._outside

    def next(self) -> Token:
        """The next token; its type is `$END` when the text is over. Raises Problem."""
        return self._read()

    def _token(self, kind: str, start: int, end: int) -> Token:
        self._position = end
        return Token(kind, self._text[start:end], start, end)

    # Outside of braces and brackets, and in brackets after the first number

    def _outside(self) -> Token:
        text = self._text
        blanks = _BLANKS.match(text, self._position)
        assert blanks is not None, "it matches nothing, too"
        start = blanks.end()
        match = _OUTSIDE.match(text, start)
        if match is None:
            return self._irregular(start)
        kind, end = match.lastgroup, match.end()
        if kind == "op":
            self._position = end
            operator = match.group()
            return Token(OPERATORS[operator], operator, start, end)
        if kind == "word":
            return self._word_in_bracket(start) if self._in_bracket else self._word(start, end)
        if kind == "bracket":
            return self._bracket(start)
        assert kind is not None, "every alternative is named"
        return self._token(kind.upper(), start, end)

    def _word(self, start: int, end: int) -> Token:
        self._position = end
        word = self._text[start:end]
        kind = _TERMINALS.get(word.lower())
        if kind is None:
            kind = "METRIC_IDENTIFIER" if ":" in word else "IDENTIFIER"
        elif kind.startswith("FILL") and not _BEFORE_PAREN.match(self._text, end):
            kind = "IDENTIFIER"  # they came late to the language: queries used them as names
        return Token(kind, word, start, end)

    def _bracket(self, start: int) -> Token:
        char = self._text[start]
        match char:
            case "(":
                self._depth += 1
            case ")":
                self._close_paren(start)
            case "{":
                self._read = self._in_braces
            case "[" if self._in_bracket:
                raise Problem("unexpected left bracket '['", start)
            case "[":
                self._in_bracket, self._colon, self._read = True, False, self._in_duration
            case _ if not self._in_bracket:
                raise Problem("unexpected right bracket ']'", start)
            case _:
                self._in_bracket = False
        return self._token(_PUNCTUATION[char], start, start + 1)

    def _close_paren(self, start: int) -> None:
        self._depth -= 1
        if self._depth < 0:
            raise Problem("unexpected right parenthesis ')'", start + 1)

    def _word_in_bracket(self, start: int) -> Token:
        char = self._text[start]
        if char != ":":
            expected = f"unexpected character: {quote_char(char)}, expected ':'"
            return self._duration_word(start, expected)
        if self._colon:
            raise Problem("unexpected colon ':'", start)
        self._colon = True
        return self._token("COLON", start, start + 1)

    def _irregular(self, start: int) -> Token:
        """What the regular expression left: the end, an unusual number or string, or an error."""
        text = self._text
        if start >= len(text):
            return self._end(start)
        char, following = text[start], text[start + 1 : start + 2]
        if char in _DIGITS or (char == "." and following and following in _DIGITS):
            return self._number(start)
        if char in "\"'`":
            return self._string(start)
        if char == "!":
            raise Problem(f"unexpected character after '!': {quote_char(following)}", start)
        if char == "=":
            raise Problem(f"unexpected character after '=': {quote_char(following)}", start)
        raise Problem(f"unexpected character: {quote_char(char)}", start)

    def _end(self, start: int) -> Token:
        if self._depth:
            raise Problem("unclosed left parenthesis", start)
        if self._in_bracket:
            raise Problem("unclosed left bracket", start)
        return Token("$END", "", start, start)

    # Between braces

    def _in_braces(self) -> Token:
        text = self._text
        blanks = _BLANKS.match(text, self._position)
        assert blanks is not None, "it matches nothing, too"
        start = blanks.end()
        match = _BRACES.match(text, start)
        if match is None:
            return self._irregular_in_braces(start)
        kind, found = match.lastgroup, match.group()
        self._position = end = match.end()
        if kind == "name":
            return Token("IDENTIFIER", found, start, end)
        if kind == "string":
            return Token("STRING", found, start, end)
        if found == "}":
            self._read = self._outside
        return Token(OPERATORS[found], found, start, end)

    def _irregular_in_braces(self, start: int) -> Token:
        text = self._text
        if start >= len(text):
            raise Problem("unexpected end of input inside braces", start)
        char = text[start]
        if char in "\"'`":
            return self._string(start)
        if char == "{":
            raise Problem("unexpected left brace '{'", start)
        if char == "!":
            after = quote_char(text[start + 1 : start + 2])
            raise Problem(f"unexpected character after '!' inside braces: {after}", start)
        raise Problem(f"unexpected character inside braces: {quote_char(char)}", start)

    # After a left bracket

    def _in_duration(self) -> Token:
        text = self._text
        spaces = _SPACES.match(text, self._position)
        assert spaces is not None, "it matches nothing, too"
        start = spaces.end()
        char, following = text[start : start + 1], text[start + 1 : start + 2]
        unexpected = f"unexpected character in duration expression: {quote_char(char)}"
        match char:
            case "":
                raise Problem("unexpected end of input in duration expression", start)
            case ":":
                self._duration_colon(start + 1)
            case ")":
                self._close_paren(start)
            case "(":
                self._depth += 1
            case "]":
                self._in_bracket, self._read = False, self._outside
            case "," | "+" | "-" | "*" | "/" | "%" | "^":
                pass
            case _ if char in _DIGITS or (char == "." and following and following in _DIGITS):
                self._seen_number, self._read = True, self._outside
                return self._number(start)
            case _:
                return self._duration_word(start, unexpected)
        return self._token(OPERATORS[char], start, start + 1)

    def _duration_colon(self, after: int) -> None:
        if not self._seen_number:
            raise Problem("unexpected colon before duration in duration expression", after)
        if self._colon:
            raise Problem("unexpected repeated colon in duration expression", after)
        self._colon = True

    def _duration_word(self, start: int, otherwise: str) -> Token:
        """`step`, `range`, `max_of` or `min_of`, or a Problem that says `otherwise`."""
        letters = _LETTERS.match(self._text, start)
        word = letters.group().lower() if letters else ""
        if word not in _DURATION_WORDS:
            raise Problem(otherwise, start)
        return self._token(word.upper(), start, start + len(word))

    # Numbers and strings, by hand

    def _number(self, start: int) -> Token:
        regular, end = _scan_number(self._text, start)
        if regular:
            return self._token("NUMBER", start, end)
        regular, end = _scan_duration(self._text, end)
        if regular:
            return self._token("DURATION", start, end)
        raise Problem(f"bad number or duration syntax: {quote(self._text[start:end])}", start)

    def _string(self, start: int) -> Token:
        text, quotation = self._text, self._text[start]
        position = start + 1
        while position < len(text):
            char = text[position]
            if char == quotation:
                return self._token("STRING", start, position + 1)
            if char == "\ufffd" or "\ud800" <= char <= "\udfff":
                raise Problem("invalid UTF-8 rune", start)
            if quotation != "`" and char == "\n":
                break
            escaped = quotation != "`" and char == "\\"
            position = _scan_escape(text, position + 1, start) if escaped else position + 1
        raise Problem("unterminated raw string" if quotation == "`" else "unterminated quoted string", start)


def _run(text: str, position: int, characters: str) -> int:
    while position < len(text) and text[position] in characters:
        position += 1
    return position


def _scan_number(text: str, start: int) -> tuple[bool, int]:
    """Whether a number stands at `start`, and how far was looked. The parser may still find that it is none.

    Upstream's scanner to the letter: a point after the first digit 0 does not count, `e` is an exponent
    among hexadecimal digits, too, unless it comes first or within a run of others.
    """
    position, digits = start, _DIGITS
    if text[position] == "0":
        position += 1
        if text.startswith(("x", "X"), position):
            position, digits = position + 1, "0123456789abcdefABCDEF"
            position += text.startswith("_", position)
    position += text.startswith(".", position)
    position += position < len(text) and text[position] in digits
    seen: set[str] = set()
    while position < len(text):
        char = text[position]
        if char not in "._eE":
            if char not in digits:
                break
            position = _run(text, position, digits)
            continue
        position += 1
        kind = char.lower()
        if kind in seen:
            return False, position
        if kind != "_":
            seen.add(kind)
        if kind == "e":
            position += text.startswith(("+", "-"), position)
        at_end = position >= len(text)
        if at_end and kind != ".":
            return False, position
        if not at_end and text[position] in ("_." if kind == "." else "._eE"):
            return False, position + 1
        if kind == "." and digits != _DIGITS:
            return False, position
    return position >= len(text) or text[position] not in _ALPHANUMERIC, position


def _scan_duration(text: str, position: int) -> tuple[bool, int]:
    """Whether the rest of a duration stands at `position`, after its first number, and how far was looked."""
    units = "smhdwy"
    while True:
        if position >= len(text) or text[position] not in units:
            return False, position
        position += 1
        position += text.startswith("s", position)
        after = _run(text, position, _DIGITS)
        if after == position:
            break
        position, units = after, "smhdw"
    if position < len(text) and text[position] in _ALPHANUMERIC:
        return False, position + 1
    return True, position


_CODES = {"x": (2, 255), "u": (4, 0x10FFFF), "U": (8, 0x10FFFF)}


def _scan_escape(text: str, position: int, start: int) -> int:
    """Where the escape ends whose backslash stands before `position`. Raises Problem."""
    char = text[position : position + 1]
    if not char:
        raise Problem("escape sequence not terminated", start)
    if char in "abfnrtv\\" or char == text[start]:
        return position + 1
    width, largest, base = 3, 255, 8
    if char in _CODES:
        (width, largest), base = _CODES[char], 16
        position += 1
    elif char not in "01234567":
        raise Problem(f"unknown escape sequence {_code_point(char)}", start)
    for index in range(position, position + width):
        digit = text[index : index + 1]
        if not digit:
            raise Problem("escape sequence not terminated", start)
        if digit not in "0123456789abcdefABCDEF" or int(digit, 16) >= base:
            raise Problem(f"illegal character {_code_point(digit)} in escape sequence", start)
    code = int(text[position : position + width], base)
    if code > largest or 0xD800 <= code < 0xE000:
        raise Problem("escape sequence is an invalid Unicode code point", start)
    return position + width


def _code_point(char: str) -> str:
    """As Go's %#U: `U+0027 '''`."""
    shown = f" '{char}'" if char.isprintable() else ""
    return f"U+{ord(char):04X}{shown}"
