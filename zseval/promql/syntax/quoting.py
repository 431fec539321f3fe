"""Go string literals: their value, and characters as Go prints them.

Source: util/strutil/quote.go upstream, and Go's strconv.
"""

from __future__ import annotations

__all__ = ["go_quote_char", "unquote"]

_SIMPLE = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\",
}  # fmt: skip


def unquote(literal: str) -> str:
    """The value of a literal in double quotes, single quotes or backquotes.

    Raises ValueError with Go's words for a bad escape. Bytes written as \\x or octal form UTF-8 with
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
    invalid = ValueError("invalid syntax")
    char = body[start]
    if char in "'\"":
        if char != quote:
            raise invalid
        return char.encode(), start + 1
    if char in _SIMPLE:
        return _SIMPLE[char].encode(), start + 1
    if char in "01234567":
        digits = body[start : start + 3]
        if len(digits) < 3 or any(digit not in "01234567" for digit in digits) or int(digits, 8) > 255:
            raise invalid
        return bytes([int(digits, 8)]), start + 3
    width = {"x": 2, "u": 4, "U": 8}.get(char)
    if width is None:
        raise invalid
    digits = body[start + 1 : start + 1 + width]
    if len(digits) < width or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
        raise invalid
    code = int(digits, 16)
    if char == "x":
        return bytes([code]), start + 1 + width
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise invalid
    return chr(code).encode(), start + 1 + width


def go_quote_char(char: str) -> str:
    """A character as Go's %q prints a rune: `'x'`."""
    if not char:
        return "end of input"
    return "'" + {"'": "\\'", "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char, char) + "'"
