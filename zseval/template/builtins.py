"""The functions every Go template has. `and` and `or` are in evaluate.py: they need not see all arguments.

Source: Go's documentation of text/template, "Functions"; text/template/funcs.go for the error texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from urllib.parse import quote_plus

from zseval.template.calls import ANY, Function
from zseval.template.errors import CallError
from zseval.template.gotime import Duration, Month, Time, Weekday
from zseval.template.literals import from_bytes, to_bytes
from zseval.template.printing import bounded, sprint, sprintf, sprintln
from zseval.template.values import (
    AlertData,
    AnyMap,
    QueryResult,
    Sample,
    StringMap,
    Uint8,
    Value,
    is_truth,
    type_name,
)

__all__ = ["BUILTINS", "html_escaped"]

_BAD_TYPE = "invalid type for comparison"
_INCOMPATIBLE = "incompatible types for comparison"
_INTEGERS = frozenset(("int", "uint"))


def _index(value: Value, *keys: Value) -> Value:
    if value is None:
        raise CallError("index of untyped nil")
    for key in keys:
        match value:
            case StringMap() | AnyMap():
                value = value.get(_map_key(key), "" if isinstance(value, StringMap) else None)
            case QueryResult():
                value = value[_position(key, len(value), "slice")]
            case str():
                data = to_bytes(value)
                value = Uint8(data[_position(key, len(data), "string")])
            case None:
                raise CallError("index of nil pointer")
            case _:
                raise CallError(f"can't index item of type {type_name(value)}")
    return value


def _map_key(key: Value) -> str:
    if key is None:
        raise CallError("value is nil; should be of type string")
    if type(key) is not str:
        raise CallError(f"value has type {type_name(key)}; should be string")
    return key


def _position(key: Value, length: int, kind: str) -> int:
    number = _bound(key, length)
    if number == length:
        raise CallError(f"reflect: {kind} index out of range")
    return number


def _bound(key: Value, length: int) -> int:
    if key is None:
        raise CallError("cannot index slice/array with nil")
    if isinstance(key, bool) or not isinstance(key, int):
        raise CallError(f"cannot index slice/array with type {type_name(key)}")
    if not 0 <= key <= length:
        raise CallError(f"index out of range: {key}")
    return int(key)


def _slice(value: Value, *bounds: Value) -> Value:
    if value is None:
        raise CallError("slice of untyped nil")
    if len(bounds) > 3:
        raise CallError(f"too many slice indexes: {len(bounds)}")
    if not isinstance(value, str | QueryResult):
        raise CallError(f"can't slice item of type {type_name(value)}")
    if isinstance(value, str) and len(bounds) == 3:
        raise CallError("cannot 3-index slice a string")
    whole = to_bytes(value) if isinstance(value, str) else value
    numbers = [_bound(bound, len(whole)) for bound in bounds]
    for low, high in pairwise(numbers):
        if low > high:
            raise CallError(f"invalid slice index: {low} > {high}")
    low, high = (numbers + [0, len(whole)][len(numbers) :])[:2]
    part = whole[low:high]
    return from_bytes(part) if isinstance(part, bytes) else QueryResult(part)


def _len(value: Value) -> int:
    match value:
        case str():
            return len(to_bytes(value))
        case StringMap() | AnyMap() | QueryResult():
            return len(value)
        case None:
            raise CallError("reflect: call of reflect.Value.Type on zero Value")
        case _:
            raise CallError(f"len of type {type_name(value)}")


def _call(function: Value, *_args: Value) -> Value:
    if function is None:
        raise CallError("call of nil")
    raise CallError(f"non-function of type {type_name(function)}")  # no value of a template is a function


def _kind(value: Value) -> str:
    """The kind of a value as comparison sees it; "" for what is none of the basic kinds."""
    match value:
        case bool():
            return "bool"
        case Uint8():
            return "uint"
        case int() | Duration() | Month() | Weekday():
            return "int"
        case float():
            return "float"
        case complex():
            return "complex"
        case str():
            return "string"
        case _:
            return ""


def _basic(value: Value) -> Value:
    if isinstance(value, Duration) and not value.is_pointer:
        return value.nanoseconds
    return value


def _equal(left: Value, right: Value) -> bool:
    kinds = _kind(left), _kind(right)
    if kinds[0] != kinds[1]:
        if _INTEGERS.issuperset(kinds):
            return left == right
        if left is not None and right is not None:
            raise CallError(_INCOMPATIBLE)
        return False
    if not kinds[0]:
        for value in (left, right):
            if isinstance(value, dict | QueryResult | AlertData):
                raise CallError(f"non-comparable type {sprint([value])}: {type_name(value)}")
        if isinstance(left, Sample | Time) and isinstance(right, Sample | Time):
            return left is right or (isinstance(left, Time) and left == right and not left.is_pointer)
    return _basic(left) == _basic(right)


def _eq(*values: Value) -> bool:
    if len(values) < 2:
        raise CallError("missing argument for comparison")
    first, *others = values
    return any(_equal(first, other) for other in others)


def _ne(left: Value, right: Value) -> bool:
    return not _equal(left, right)


def _less(left: Value, right: Value) -> bool:
    kinds = _kind(left), _kind(right)
    if not all(kinds):
        raise CallError(_BAD_TYPE)
    if kinds[0] != kinds[1] and not _INTEGERS.issuperset(kinds):
        raise CallError(_INCOMPATIBLE)
    if kinds[0] in ("bool", "complex"):
        raise CallError(_BAD_TYPE)
    a, b = _basic(left), _basic(right)
    if isinstance(a, str) and isinstance(b, str):
        return to_bytes(a) < to_bytes(b)
    if isinstance(a, int | float) and isinstance(b, int | float):
        return a < b
    raise CallError(_BAD_TYPE)


def _le(left: Value, right: Value) -> bool:
    return _less(left, right) or _equal(left, right)


_HTML = str.maketrans({'"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;", "\x00": "\ufffd"})
_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}


def html_escaped(text: str) -> str:
    return text.translate(_HTML)


def _js_char(char: str) -> str:
    if char in _JS:
        return _JS[char]
    return char if char.isprintable() else f"\\u{ord(char):04X}"


def _escaper(escape: Callable[[str], str]) -> Callable[..., str]:
    """A function that escapes its arguments printed as `print` would, nil as `<no value>`."""

    def escaped(*values: Value) -> str:
        shown: list[Value] = ["<no value>" if value is None else value for value in values]
        only = shown[0] if len(shown) == 1 else None
        return bounded([escape(only if isinstance(only, str) else sprint(shown))])

    return escaped


BUILTINS: Mapping[str, Function] = {
    "and": Function((ANY,), lambda *_: None, variadic=True),
    "or": Function((ANY,), lambda *_: None, variadic=True),
    "not": Function((ANY,), lambda value: not is_truth(value)),
    "call": Function((ANY, ANY), _call, variadic=True),
    "html": Function((ANY,), _escaper(html_escaped), variadic=True),
    "js": Function((ANY,), _escaper(lambda text: "".join(map(_js_char, text))), variadic=True),
    "urlquery": Function((ANY,), _escaper(lambda text: quote_plus(to_bytes(text))), variadic=True),
    "index": Function((ANY, ANY), _index, variadic=True),
    "slice": Function((ANY, ANY), _slice, variadic=True),
    "len": Function((ANY,), _len),
    "print": Function((ANY,), lambda *values: sprint(values), variadic=True),
    "println": Function((ANY,), lambda *values: sprintln(values), variadic=True),
    "printf": Function(("string", ANY), lambda form, *values: sprintf(form, values), variadic=True),
    "eq": Function((ANY, ANY), _eq, variadic=True),
    "ne": Function((ANY, ANY), _ne),
    "lt": Function((ANY, ANY), _less),
    "le": Function((ANY, ANY), _le),
    "gt": Function((ANY, ANY), lambda left, right: not _le(left, right)),
    "ge": Function((ANY, ANY), lambda left, right: not _less(left, right)),
}
