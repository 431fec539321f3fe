"""Go's fmt: `Sprint`, `Sprintln` and `Sprintf` with its verbs, flags and complaints.

Source: Go's documentation of package fmt. Pointers inside lists print as a fixed address: a real one
means nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from zseval.model.number import format_e, format_g
from zseval.template.errors import CallError
from zseval.template.gotime import Duration, Month, Time, Weekday
from zseval.template.literals import to_bytes
from zseval.template.values import AlertData, AnyMap, QueryResult, Sample, StringMap, Value, type_name

__all__ = ["MAX_TEXT", "bounded", "quoted", "sprint", "sprintf", "sprintln"]

MAX_TEXT = 1 << 20
"""Characters a template, or one function in it, may produce. An annotation is a message, not a report."""

_ADDRESS = "0xc000010000"
_MAX_WIDTH = 1_000_000  # as Go's fmt
_SPEC = re.compile(
    r"%([-+# 0]*)(\[[^\]]*\])?(\*|[0-9]+)?(?:(\.)(\[[^\]]*\])?(\*|[0-9]+)?)?(\[[^\]]*\])?", re.DOTALL
)
_INT_BASES = {"b": "b", "o": "o", "d": "d", "x": "x", "X": "X"}


def bounded(parts: Sequence[str]) -> str:
    """The parts joined. Raises CallError where that is more than a template may produce."""
    if sum(map(len, parts)) > MAX_TEXT:
        raise CallError("output is too large")
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class _Format:
    """Flags, width and precision of one verb; -1 where not given."""

    verb: str = "v"
    minus: bool = False
    plus: bool = False
    sharp: bool = False
    space: bool = False
    zero: bool = False
    width: int = -1
    precision: int = -1
    names: bool = False  # `%+v`: structures with the names of their fields

    def pad(self, text: str) -> str:
        if self.width <= len(text):
            return text
        if self.minus:
            return text.ljust(self.width)
        return text.rjust(self.width, "0" if self.zero else " ")

    def pad_number(self, sign: str, digits: str) -> str:
        """Zeros go between sign and digits."""
        if self.zero and not self.minus:
            digits = digits.rjust(self.width - len(sign), "0")
        return replace(self, zero=False).pad(sign + digits)


def sprint(values: Sequence[Value]) -> str:
    """As fmt.Sprint: a space between two values neither of which is a string."""
    parts: list[str] = []
    for index, value in enumerate(values):
        if index and not isinstance(value, str) and not isinstance(values[index - 1], str):
            parts.append(" ")
        parts.append(_formatted(value, _Format()))
    return bounded(parts)


def sprintln(values: Sequence[Value]) -> str:
    """As fmt.Sprintln: always a space between, and a newline at the end."""
    return bounded([" ".join(_formatted(value, _Format()) for value in values), "\n"])


def sprintf(template: str, values: Sequence[Value]) -> str:
    """As fmt.Sprintf."""
    return _Printer(values).run(template)


class _Printer:
    def __init__(self, values: Sequence[Value]) -> None:
        self._values = values
        self._next = 0
        self._reordered = False
        self._good_index = True

    def run(self, template: str) -> str:
        parts: list[str] = []
        size = position = 0
        while position < len(template):
            start = template.find("%", position)
            if start < 0:
                start = len(template)
            parts.append(template[position:start])
            position = start
            if start < len(template):
                text, position = self._directive(template, start)
                parts.append(text)
                size += len(text)
                if size > MAX_TEXT:
                    raise CallError("output is too large")
        if not self._reordered and self._next < len(self._values):
            extra = ", ".join(
                "<nil>" if value is None else f"{type_name(value)}={_formatted(value, _Format())}"
                for value in self._values[self._next :]
            )
            parts.append(f"%!(EXTRA {extra})")
        return bounded(parts)

    def _directive(self, template: str, start: int) -> tuple[str, int]:
        spec = _SPEC.match(template, start)
        if spec is None or spec.end() >= len(template):
            return "%!(NOVERB)", len(template)
        verb = template[spec.end()]
        flags, first_index, width, dot, second_index, precision, last_index = spec.groups()
        self._good_index = True
        wide, bad_width, minus = self._number(width, first_index)
        precise, bad_precision, negative = self._number(precision, second_index)
        if width is None and dot is None:
            self._reorder(first_index)
        self._reorder(last_index)
        if dot and (precise < 0 or negative):
            precise = -1 if negative else 0
        text = ("%!(BADWIDTH)" if bad_width else "") + ("%!(BADPREC)" if bad_precision else "")
        form = _Format(
            verb,
            names="+" in flags and verb == "v",
            minus="-" in flags or minus,
            plus="+" in flags and verb != "v",
            sharp="#" in flags,
            space=" " in flags,
            zero="0" in flags and "-" not in flags,
            width=wide,
            precision=precise,
        )
        return text + self._value(verb, form), spec.end() + 1

    def _value(self, verb: str, form: _Format) -> str:
        if verb == "%":
            return "%"
        if not self._good_index:
            return f"%!{verb}(BADINDEX)"
        if self._next >= len(self._values):
            return f"%!{verb}(MISSING)"
        value = self._values[self._next]
        self._next += 1
        return _formatted(value, form)

    def _number(self, text: str | None, index: str | None) -> tuple[int, bool, bool]:
        """(number or -1, whether it was bad, whether it was negative) of a width or precision."""
        if text is None:
            return -1, False, False
        if text != "*":
            number = int(text) if len(text) < 8 else _MAX_WIDTH + 1
            return (number, False, False) if number <= _MAX_WIDTH else (-1, True, False)
        self._reorder(index)
        value = self._values[self._next] if self._next < len(self._values) else None
        self._next += 1
        if type(value) is not int or abs(value) > _MAX_WIDTH:
            return -1, True, False
        return abs(value), False, value < 0

    def _reorder(self, index: str | None) -> None:
        """`[n]`: the n-th value comes next."""
        if index is None:
            return
        self._reordered = True
        digits = index[1:-1]
        if digits.isdecimal() and len(digits) < 8 and 1 <= int(digits) <= len(self._values):
            self._next = int(digits) - 1
        else:
            self._good_index = False


def _formatted(value: Value, form: _Format, depth: int = 0) -> str:
    """One value under one verb."""
    if form.verb == "T":
        return replace(form, verb="s").pad(type_name(value))
    if form.verb == "p":
        return _bad(value, form)
    if value is None:
        return form.pad("<nil>") if form.verb == "v" else f"%!{form.verb}(<nil>)"
    if isinstance(value, Time | Month | Weekday | Duration) and form.verb in "vsqxX":
        return _of_string(str(value), form, value)
    if isinstance(value, bool):
        return form.pad("true" if value else "false") if form.verb in "tv" else _bad(value, form)
    if isinstance(value, int):
        return _of_int(int(value), form, value)
    if isinstance(value, Duration):
        return _of_int(value.nanoseconds, form, value)
    if isinstance(value, float):
        return _of_float(value, form)
    if isinstance(value, complex):
        return _of_complex(value, form)
    if isinstance(value, str):
        return _of_string(value, form, value)
    return _of_many(value, form, depth)


def _bad(value: Value, form: _Format) -> str:
    if value is None:
        return f"%!{form.verb}(<nil>)"
    return f"%!{form.verb}({type_name(value)}={_formatted(value, _Format())})"


def _of_int(number: int, form: _Format, value: Value) -> str:
    verb = "d" if form.verb == "v" else form.verb
    if verb == "c":
        return form.pad(_character(number))
    if verb == "q":
        return form.pad(_quoted_character(number))
    if verb == "U":
        name = f"U+{number:04X}"
        return replace(form, zero=False).pad(f"{name} '{_character(number)}'" if form.sharp else name)
    if verb == "O":
        digits = "0o" + format(abs(number), "o")
    elif verb in _INT_BASES:
        digits = format(abs(number), _INT_BASES[verb])
        if form.precision >= 0:
            digits = "" if number == 0 and form.precision == 0 else digits.rjust(form.precision, "0")
            form = replace(form, zero=False)
        if form.sharp:
            digits = {"x": "0x", "X": "0X", "b": "0b", "o": "0"}.get(verb, "") + digits
    else:
        return _bad(value, form)
    return form.pad_number(_sign(number < 0, form), digits)


def _sign(negative: bool, form: _Format) -> str:
    return "-" if negative else "+" if form.plus else " " if form.space else ""


def _character(number: int) -> str:
    return chr(number) if 0 <= number <= 0x10FFFF and not 0xD800 <= number < 0xE000 else "\ufffd"


def _quoted_character(number: int) -> str:
    char = _character(number)
    if char == "'":
        return "'\\''"
    return "'" + ('"' if char == '"' else quoted(char)[1:-1]) + "'"


def _of_float(value: float, form: _Format) -> str:
    digits = _float_digits(value, form)
    if digits is None:
        return _bad(value, form)
    negative = digits.startswith("-")
    sign = "-" if negative else "+" if form.plus or digits == "+Inf" else " " if form.space else ""
    if digits in ("NaN", "+Inf", "-Inf"):
        return replace(form, zero=False).pad(sign + digits.lstrip("+-"))
    return form.pad_number(sign, digits.lstrip("-"))


def _float_digits(value: float, form: _Format) -> str | None:
    """The number without its flags; None for a verb that floats do not have."""
    verb, precision = form.verb, form.precision
    if verb not in "veEfFgGxXb":
        return None
    if math.isnan(value) or math.isinf(value):
        return format_g(value)
    if verb in "vgG":
        text = format_g(value) if precision < 0 else f"{value:.{min(precision, 400) or 1}g}"
        return text.upper() if verb == "G" else text
    if verb in "eE":
        text = format_e(value, 6 if precision < 0 else precision)
        return text.upper() if verb == "E" else text
    if verb in "fF":
        return f"{value:.{6 if precision < 0 else precision}f}"
    return _binary_float(value, verb)


def _binary_float(value: float, verb: str) -> str:
    """`%x`, `%X` and `%b` of a float."""
    mantissa, exponent = math.frexp(abs(value))
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    if verb == "b":
        return f"{sign}{int(mantissa * 2**53)}p{exponent - 53:+d}"
    if value == 0:
        text = f"{sign}0x0p+00"
    else:
        digits = format(int((mantissa * 2 - 1) * 2**52), "013x").rstrip("0")
        power = exponent - 1
        text = f"{sign}0x1{'.' + digits if digits else ''}p{'-' if power < 0 else '+'}{abs(power):02d}"
    return text.upper() if verb == "X" else text


def _of_complex(value: complex, form: _Format) -> str:
    if form.verb not in "veEfFgG":
        return _bad(value, form)
    return f"({_of_float(value.real, form)}{_of_float(value.imag, replace(form, plus=True))}i)"


def _of_string(text: str, form: _Format, value: Value) -> str:
    verb = form.verb
    if verb not in "vsqxX":
        return _bad(value, form)
    if form.precision >= 0 and verb in "vsq":
        text = text[: form.precision]
    if verb == "q" or (verb == "v" and form.sharp):
        raw = form.sharp and verb == "q" and "`" not in text and text.isprintable()
        return form.pad(f"`{text}`" if raw else quoted(text))
    if verb in "xX":
        data = to_bytes(text)[: form.precision if form.precision >= 0 else None]
        digits = data.hex(" ") if form.space else data.hex()
        digits = ("0x" + digits) if form.sharp and data else digits
        return form.pad(digits.upper() if verb == "X" else digits)
    return form.pad(text)


def quoted(text: str) -> str:
    """As strconv.Quote: a Go literal, with what cannot be printed escaped."""
    return '"' + "".join(map(_quoted_char, text)) + '"'


_SHORT = dict(zip('\\"\n\t\r\a\b\f\v', (rf"\{letter}" for letter in '\\"ntrabfv'), strict=True))


def _quoted_char(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    if char.isprintable():
        return char
    point = ord(char)
    if 0xDC80 <= point <= 0xDCFF:  # a byte that is not UTF-8
        return f"\\x{point - 0xDC00:02x}"
    if point < 0x20 or point == 0x7F:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def _of_many(value: Value, form: _Format, depth: int) -> str:
    """Maps, lists and structures: each element under the same verb."""
    match value:
        case StringMap() | AnyMap():
            pairs = sorted(value.items())
            items = [
                _formatted(key, form, depth + 1) + ":" + _formatted(item, form, depth + 1)
                for key, item in pairs
            ]
            go = f"{type_name(value)}{{", ", ", "}"
            opening, between, closing = go if _is_go_syntax(form) else ("map[", " ", "]")
        case QueryResult():
            items = [_formatted(item, form, depth + 1) for item in value]
            opening, between, closing = "[", " ", "]"
        case Sample(labels, number):
            if depth:
                return form.pad(_ADDRESS)
            fields: list[tuple[str, Value]] = [("Labels", labels), ("Value", number)]
            items = _fields(fields, form, depth)
            opening, between, closing = "&{", " ", "}"
        case AlertData(labels, external, url, number):
            fields = [
                ("Labels", labels),
                ("ExternalLabels", external),
                ("ExternalURL", url),
                ("Value", number),
            ]
            items = _fields(fields, form, depth)
            opening, between, closing = "{", " ", "}"
        case _:
            return _bad(value, form)
    return bounded([opening, between.join(items), closing])


def _is_go_syntax(form: _Format) -> bool:
    return form.sharp and form.verb == "v"


def _fields(fields: Sequence[tuple[str, Value]], form: _Format, depth: int) -> list[str]:
    named = form.names or _is_go_syntax(form)
    return [(f"{name}:" if named else "") + _formatted(value, form, depth + 1) for name, value in fields]
