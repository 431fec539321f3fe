"""Literals of a query, read as Go reads them: strings with escapes, numbers with bases and underscores.

Source: util/strutil/quote.go and parser.number upstream, and Go's strconv.
"""

from __future__ import annotations

import re
from math import inf, isinf

from zseval.model.labels import quote

__all__ = ["escaped", "number", "quote_char", "unquote"]

_SIMPLE = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"',
}  # fmt: skip
_ESCAPE = re.compile(
    r"\\(?:(?P<simple>[abfnrtv\\'\"])|(?P<octal>[0-7]{3})"
    r"|x(?P<byte>[0-9a-fA-F]{2})|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8}))"
)
_BYTE = re.compile("([\udc80-\udcff])")
_OCTAL = re.compile(r"0(?:_?[0-7])+\Z")
_LARGEST_INT = 2**63 - 1


def unquote(literal: str) -> str:
    r"""The value of a string literal that the lexer has taken.

    Bytes written as `\xff` or octal form UTF-8 with their neighbours; what is no UTF-8 becomes the
    replacement character (Go keeps the bytes, and replaces them when it writes JSON).
    """
    if literal[0] == "`" or "\\" not in literal:
        return literal[1:-1]
    return _bytes_of(literal).decode("utf-8", "replace")


def escaped(literal: str) -> str:
    r"""The literal as Go prints it, `"a\xff"`, where it has bytes that are no UTF-8; else ""."""
    if literal[0] == "`" or "\\" not in literal:
        return ""
    text = _bytes_of(literal).decode("utf-8", "surrogateescape")
    parts = _BYTE.split(text)
    if len(parts) == 1:
        return ""
    return '"' + "".join(map(_escaped_part, parts)) + '"'


def _escaped_part(part: str) -> str:
    return f"\\x{ord(part) - 0xDC00:02x}" if _BYTE.match(part) else quote(part)[1:-1]


def _bytes_of(literal: str) -> bytes:
    return _ESCAPE.sub(_as_bytes, literal[1:-1]).encode("utf-8", "surrogateescape")


def _as_bytes(match: re.Match[str]) -> str:
    """The text of an escape; a byte above 127 as the surrogate that encodes to it."""
    if match["simple"]:
        return _SIMPLE[match["simple"]]
    if match["short"] or match["long"]:
        return chr(int(match["short"] or match["long"], 16))
    code = int(match["octal"], 8) if match["octal"] else int(match["byte"], 16)
    return chr(code) if code < 128 else chr(0xDC00 + code)


def number(text: str) -> float:
    """The value of a number: an int64 with base prefix, leading 0 or underscores; else a float.

    Raises ValueError with Go's words.
    """
    try:
        value = int(text, 8) if _OCTAL.match(text) else int(text, 0)
        if value <= _LARGEST_INT:
            return float(value)
    except ValueError:
        pass  # not an integer: Go, too, tries the float next
    try:
        result = float(text)
    except ValueError:
        raise ValueError(f"strconv.ParseFloat: parsing {quote(text)}: invalid syntax") from None
    if isinf(result) and text[-1] not in "fF":
        raise ValueError(f"strconv.ParseFloat: parsing {quote(text)}: value out of range")
    return inf if isinf(result) else result


def quote_char(char: str) -> str:
    """A character as Go's %q prints a rune; "" stands for the end of input."""
    if not char or "\ud800" <= char <= "\udfff":
        return "'\ufffd'"
    if char == "'":
        return "'\\''"
    return "'" + (char if char == '"' else quote(char)[1:-1]) + "'"
