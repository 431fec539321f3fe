"""Go's literals: strings, characters and numbers; and Go strings, which are bytes, as Python ones.

A byte that is not UTF-8 is carried as a lone surrogate (`surrogateescape`) until the text is done.
Source: the Go specification, "Lexical elements"; text/template/parse.
"""

from __future__ import annotations

import re

__all__ = [
    "INT64",
    "Number",
    "from_bytes",
    "parse_number",
    "to_bytes",
    "unquote",
    "unquote_char",
    "unquote_raw",
]

Number = int | float | complex

_ESCAPE = re.compile(
    r"""\\(?: ([abfnrtv\\'"]) | x([0-9a-fA-F]{2}) | ([0-7]{3}) | u([0-9a-fA-F]{4}) | U([0-9a-fA-F]{8}) )""",
    re.VERBOSE,
)
_SIMPLE = dict(zip("abfnrtv\\'\"", "\a\b\f\n\r\t\v\\'\"", strict=True))
_INTEGER = re.compile(
    r"[+-]?(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*)\Z"
)
_FLOAT = re.compile(
    r"[+-]?(?:[0-9](?:_?[0-9])*\.?(?:[0-9](?:_?[0-9])*)?|\.[0-9](?:_?[0-9])*)(?:[eE][+-]?[0-9]+)?\Z"
)
_HEX_FLOAT = re.compile(r"[+-]?0[xX][0-9a-fA-F_]*\.?[0-9a-fA-F_]*[pP][+-]?[0-9]+\Z")
INT64 = range(-(2**63), 2**63)
_MAX_UINT64 = 2**64 - 1


def to_bytes(text: str) -> bytes:
    """The bytes of a Go string."""
    return text.encode("utf-8", "surrogateescape")


def from_bytes(data: bytes) -> str:
    """The Go string of these bytes."""
    return data.decode("utf-8", "surrogateescape")


def unquote(literal: str) -> str:
    """The value of a double-quoted literal, quotes included. Raises ValueError."""
    if "\n" in literal:
        raise ValueError("invalid syntax")
    return _unescape(literal[1:-1], '"')


def unquote_raw(literal: str) -> str:
    """The value of a raw literal between backquotes."""
    return literal[1:-1].replace("\r", "")


def unquote_char(literal: str) -> int:
    """The code point of a character literal, quotes included. Raises ValueError."""
    value = _unescape(literal[1:-1], "'")
    if len(value) != 1:
        raise ValueError(f"malformed character constant: {literal}")
    data = to_bytes(value)
    return data[0] if len(data) == 1 else ord(value)


def _unescape(body: str, quote: str) -> str:
    parts: list[bytes] = []
    end = 0
    while True:
        start = body.find("\\", end)
        plain = body[end:] if start < 0 else body[end:start]
        if quote in plain:
            raise ValueError("invalid syntax")
        parts.append(to_bytes(plain))
        if start < 0:
            return from_bytes(b"".join(parts))
        escape = _ESCAPE.match(body, start)
        if escape is None or (escape[1] in ('"', "'") and escape[1] != quote):
            raise ValueError("invalid syntax")
        parts.append(_escaped(escape))
        end = escape.end()


def _escaped(escape: re.Match[str]) -> bytes:
    simple, hexadecimal, octal, short, long = escape.groups()
    if simple:
        return _SIMPLE[simple].encode()
    if hexadecimal or octal:
        byte = int(hexadecimal, 16) if hexadecimal else int(octal, 8)
        if byte > 0xFF:
            raise ValueError("invalid syntax")
        return bytes([byte])
    point = int(short or long, 16)
    if point > 0x10FFFF or 0xD800 <= point < 0xE000:
        raise ValueError("invalid syntax")
    return chr(point).encode()


def parse_number(text: str) -> Number:
    """The value of a number token: int, float or complex, as an untyped constant becomes in a template.

    An int may be beyond INT64, as long as Go's uint64 holds it. Raises ValueError with Go's text.
    """
    if text.endswith("i"):
        return _complex(text)
    if _INTEGER.match(text):
        return _integer(text)
    if _HEX_FLOAT.match(text):
        return float.fromhex(text.replace("_", ""))
    if _FLOAT.match(text):
        value = float(text.replace("_", ""))
        if value in (float("inf"), float("-inf")):
            raise ValueError(f'illegal number syntax: "{text}"')
        if not set(text) & set(".eEpP") and abs(value) > _MAX_UINT64:
            raise ValueError(f'integer overflow: "{text}"')
        return value
    raise ValueError(f'illegal number syntax: "{text}"')


def _integer(text: str) -> int:
    digits = text.replace("_", "")
    if re.match(r"[+-]?0[0-7]", digits):
        digits = digits.replace("0", "0o", 1)
    if len(digits) > 80:
        raise ValueError(f'integer overflow: "{text}"')
    value = int(digits, 0)
    if not INT64.start <= value <= _MAX_UINT64:
        raise ValueError(f'integer overflow: "{text}"')
    return value


def _complex(text: str) -> complex:
    body = text[:-1].replace("_", "")
    split = max(body.rfind("+", 1), body.rfind("-", 1))
    if split > 0 and body[split - 1] in "eEpP":
        split = max(body.rfind("+", 1, split), body.rfind("-", 1, split))
    real, imaginary = (body[:split], body[split:]) if split > 0 else ("0", body)
    try:
        return complex(float(real), float(imaginary))
    except ValueError:
        raise ValueError(f'illegal number syntax: "{text}"') from None
