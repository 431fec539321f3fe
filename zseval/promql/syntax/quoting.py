"""Go string literals: their value, and characters as Go prints them.

Source: util/strutil/quote.go upstream, and Go's strconv.
"""

from __future__ import annotations

__all__ = ["go_quote_char", "unquote"]

_SIMPLE = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\",
}  # fmt: skip
_OCTAL_DIGITS = "01234567"
_HEX_DIGITS = "0123456789abcdefABCDEF"


def unquote(literal: str) -> str:
    """The value of a literal in double quotes, single quotes or backquotes.

    Raises ValueError with upstream's words for a bad escape. Bytes written as \\x or octal form UTF-8 with
    their neighbours; what is not UTF-8 becomes the replacement character.
    """
    quote, body = literal[0], literal[1:-1]
    if quote == "`":
        return body
    if "\\" not in body:
        return body
    out = bytearray()
    position = 0
    while position < len(body):
        char = body[position]
        if char != "\\":
            out += char.encode()
            position += 1
            continue
        piece, position = _escape(body, position + 1, quote)
        out += piece
    return out.decode("utf-8", "replace")


def _escape(body: str, start: int, quote: str) -> tuple[bytes, int]:
    """The bytes of the escape whose character after the backslash is `body[start]`, and where it ends."""
    char = body[start]
    if char == quote:
        return char.encode(), start + 1
    if char in _SIMPLE:
        return _SIMPLE[char].encode(), start + 1
    if char in _OCTAL_DIGITS:
        code = _code(body, start, 3, _OCTAL_DIGITS, 8)
        if code > 255:
            raise ValueError("escape sequence is an invalid Unicode code point")
        return bytes([code]), start + 3
    width = {"x": 2, "u": 4, "U": 8}.get(char)
    if width is None:
        raise ValueError(f"unknown escape sequence {_rune(char)}")
    code = _code(body, start + 1, width, _HEX_DIGITS, 16)
    if char == "x":
        return bytes([code]), start + 1 + width
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise ValueError("escape sequence is an invalid Unicode code point")
    return chr(code).encode(), start + 1 + width


def _code(body: str, start: int, width: int, digits: str, base: int) -> int:
    text = body[start : start + width]
    for char in text:
        if char not in digits:
            raise ValueError(f"illegal character {_rune(char)} in escape sequence")
    if len(text) < width:
        raise ValueError("escape sequence not terminated")
    return int(text, base)


def _rune(char: str) -> str:
    """As Go's %#U: `U+0063 'c'`."""
    return f"U+{ord(char):04X} '{char}'"


def go_quote_char(char: str) -> str:
    """A character as Go's %q prints a rune: `'x'`."""
    if not char:
        return "end of input"
    return "'" + {"'": "\\'", "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char, char) + "'"
