"""The functions Prometheus adds to Go templates.

Source: prometheus template/template.go and docs/configuration/template_reference.md, prometheus/common
helpers/templates.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus, urlsplit

from zseval.errors import ZsevalError
from zseval.model.duration import DurationError, parse_duration
from zseval.model.labels import quote
from zseval.model.matcher import regex_error_text
from zseval.model.number import format_g
from zseval.template.calls import ANY, Environment, Function
from zseval.template.errors import CallError
from zseval.template.gotime import SECOND, Duration, Time
from zseval.template.literals import from_bytes, to_bytes
from zseval.template.printing import MAX_TEXT
from zseval.template.values import (
    AnyMap,
    Html,
    Int64,
    QueryResult,
    Sample,
    StringMap,
    Value,
    type_name,
)

__all__ = ["FUNCTIONS"]

_NIL_POINTER = "runtime error: invalid memory address or nil pointer dereference"
_FLOAT = re.compile(
    r"[+-]?(?:inf(?:inity)?|nan|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|0x[0-9a-f_]*\.?[0-9a-f_]*p[+-]?[0-9]+)\Z",
    re.IGNORECASE,
)
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9a-fA-FxX])_(?=[0-9a-fA-F])")
_LARGE, _SMALL = "kMGTPEZY", "munpfazy"
_MIN_INT64 = -(2**63)


# Numbers


def _float(value: Value) -> float:
    """The number a value stands for. Raises CallError."""
    match value:
        case bool():
            pass
        case float():
            return value
        case Int64():
            return float(value)
        case str() if type(value) is str:
            return _parsed(value)
        case int() if type(value) is int:
            return float(value)
        case Duration() if not value.is_pointer:
            return value.seconds
        case _:
            pass
    raise CallError(f"can't convert {type_name(value)} to float")


def _parsed(text: str) -> float:
    given, text = text, _BETWEEN_DIGITS.sub("", text)
    if not _FLOAT.match(text):
        raise CallError(f"strconv.ParseFloat: parsing {quote(given)}: invalid syntax")
    if text.lower().lstrip("+-").startswith("0x"):
        return float.fromhex(text.replace("_", ""))
    number = float(text)
    if math.isinf(number) and "inf" not in text.lower():
        raise CallError(f"strconv.ParseFloat: parsing {quote(given)}: value out of range")
    return number


def _is_special(number: float) -> bool:
    return math.isnan(number) or math.isinf(number)


def _significant(number: float) -> str:
    """As `%.4g`."""
    return format_g(number) if _is_special(number) else f"{number:.4g}"


def _int64(number: float) -> int:
    """A float as int64, as amd64 converts it where it does not fit."""
    return int(number) if not math.isnan(number) and -(2.0**63) <= number < 2.0**63 else _MIN_INT64


def _quotient(number: int, divisor: int) -> int:
    """Rounded towards zero, as in Go."""
    return abs(number) // divisor * (1 if number >= 0 else -1)


def _rest(number: int, limit: int) -> int:
    """The remainder with the sign of the number, as in Go; limit 0 is none."""
    return number - _quotient(number, limit) * limit if limit else number


def _scaled_down(number: float, factor: float, prefixes: str, suffix: str = "") -> str:
    prefix = ""
    for each in prefixes:
        if abs(number) < factor:
            break
        prefix = each + suffix
        number /= factor
    return _significant(number) + prefix


def _scaled_up(number: float) -> str:
    prefix = ""
    for each in _SMALL:
        if abs(number) >= 1:
            break
        prefix = each
        number *= 1000
    return _significant(number) + prefix


def _humanize(value: Value) -> str:
    number = _float(value)
    if number == 0 or _is_special(number):
        return _significant(number)
    return _scaled_down(number, 1000, _LARGE) if abs(number) >= 1 else _scaled_up(number)


def _humanize1024(value: Value) -> str:
    number = _float(value)
    if abs(number) <= 1 or _is_special(number):
        return _significant(number)
    return _scaled_down(number, 1024, _LARGE, "i")


def _humanize_percentage(value: Value) -> str:
    return _significant(_float(value) * 100) + "%"


def _humanize_duration(value: Value) -> str:
    number = _float(value)
    if _is_special(number):
        return _significant(number)
    if number == 0:
        return _significant(number) + "s"
    if abs(number) < 1:
        return _scaled_up(number) + "s"
    sign = "-" if number < 0 else ""
    whole = _int64(abs(number))
    days, hours, minutes, seconds = (
        _rest(_quotient(whole, scale), limit) for scale, limit in ((86400, 0), (3600, 24), (60, 60), (1, 60))
    )
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    if minutes:
        return f"{sign}{minutes}m {seconds}s"
    return f"{sign}{_significant(abs(number))}s"


# Times


def _time_of(number: float) -> Time:
    nanoseconds = number * 1e9
    if nanoseconds > 2**63 or nanoseconds < _MIN_INT64:
        raise CallError(
            f"{format_g(number)} cannot be represented as a nanoseconds timestamp since it overflows int64"
        )
    milliseconds = int(min(nanoseconds, 2**63 - 1)) / 1_000_000
    return Time(math.trunc(milliseconds) * 1_000_000, is_pointer=True)


def _to_time(value: Value) -> Time:
    number = _float(value)
    if _is_special(number):
        raise CallError("value is NaN or Inf")
    return _time_of(number)


def _humanize_timestamp(value: Value) -> str:
    number = _float(value)
    return _significant(number) if _is_special(number) else str(_time_of(number))


def _to_duration(value: Value) -> Duration:
    return Duration(_int64(_float(value) * SECOND), is_pointer=True)


def _parse_duration(text: str) -> float:
    negative = text.startswith("-")
    try:
        milliseconds = parse_duration(text.removeprefix("-"))
    except DurationError as error:
        raise CallError(str(error)) from None
    return (-milliseconds if negative else milliseconds) / 1000


def _now(env: Environment) -> float:
    return env.now_ms / 1000


# Queries


def _query(env: Environment, expression: str) -> QueryResult:
    try:
        samples = env.query(expression)
    except ZsevalError as error:
        raise CallError(str(error)) from error
    return QueryResult(Sample(StringMap(labels), value) for labels, value in samples)


def _first(result: QueryResult) -> Sample:
    if not result:
        raise CallError("first() called on vector with no elements")
    return result[0]


def _label(name: str, sample: Sample | None) -> str:
    return _there(sample).labels.get(name, "")


def _there(sample: Sample | None) -> Sample:
    if sample is None:
        raise CallError(_NIL_POINTER)
    return sample


def _sort_by_label(name: str, result: QueryResult) -> QueryResult:
    """In place, as Prometheus sorts it: every variable that holds the result sees the order."""
    result.sort(key=lambda sample: to_bytes(sample.labels.get(name, "")))
    return result


def _args(*values: Value) -> AnyMap:
    return AnyMap({f"arg{index}": value for index, value in enumerate(values)})


# Strings


_WORD = re.compile(r"[^\W_]+(?:[.:·'’_]?[^\W_]+)*|\w+")


def _title(text: str) -> str:
    """The first letter of each word in upper case, the rest as it was; words as Unicode breaks them."""
    return _WORD.sub(lambda word: _titled(word.group()), text)


def _titled(word: str) -> str:
    for index, char in enumerate(word):
        if char.isalpha():
            return word[:index] + _single(char, char.title()) + word[index + 1 :]
    return word


def _each(change: Callable[[str], str]) -> Callable[[str], str]:
    """Letter by letter and only where that gives one letter, as Go does it."""
    return lambda text: "".join(_single(char, change(char)) for char in text)


def _single(char: str, changed: str) -> str:
    return changed if len(changed) == 1 else char


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    """An RE2 pattern on bytes. Raises CallError with Go's text."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(to_bytes(pattern), options)
    except re2.error as error:
        raise CallError(regex_error_text(error, pattern)) from None


def _match(pattern: str, text: str) -> bool:
    return _compiled(pattern).search(to_bytes(text)) is not None


_REFERENCE = re.compile(rb"\$(?:(\$)|\{(\w+)\}|(\w+))", re.ASCII)


def _replace_all(pattern: str, replacement: str, text: str) -> str:
    """Every match replaced, with `$1` and `${name}` in the replacement."""
    try:
        regex = _compiled(pattern)
    except CallError as error:
        raise CallError(f"regexp: Compile({_backquoted(pattern)}): {error}") from None
    data, template = to_bytes(text), to_bytes(replacement)
    parts: list[bytes] = []
    end = size = 0
    for match in regex.finditer(data):
        if match.start() == match.end() and not _is_place_for_empty(
            data, match.start(), end if parts else -1
        ):
            continue
        made = _expanded(template, regex, match)
        parts += [data[end : match.start()], made]
        end = match.end()
        size += len(made)
        if size > MAX_TEXT:
            raise CallError("output is too large")
    parts.append(data[end:])
    return from_bytes(b"".join(parts))


def _is_place_for_empty(data: bytes, at: int, previous_end: int) -> bool:
    """Go takes an empty match neither right behind another match nor inside a character."""
    return at != previous_end and (at == len(data) or data[at] & 0xC0 != 0x80)


def _backquoted(text: str) -> str:
    return f"`{text}`" if "`" not in text else quote(text)


def _group_numbers(regex: Any) -> dict[str, int]:
    """Groups by name; re2 gives the names of a bytes pattern as bytes."""
    return {name.decode() if isinstance(name, bytes) else name: at for name, at in regex.groupindex.items()}


def _expanded(template: bytes, regex: Any, match: Any) -> bytes:
    def value(reference: re.Match[bytes]) -> bytes:
        if reference[1]:
            return b"$"
        name = (reference[2] or reference[3]).decode("ascii")
        group = int(name) if name.isdecimal() else _group_numbers(regex).get(name, -1)
        return (match.group(group) or b"") if 0 <= group <= regex.groups else b""

    return _REFERENCE.sub(value, template)


# Addresses


def _split_host_port(text: str) -> tuple[str, str] | None:
    """Host and port of `host:port` or `[host]:port`; None for anything else. Source: net.SplitHostPort."""
    colon = text.rfind(":")
    if colon < 0:
        return None
    rest = 0
    if text.startswith("["):
        end = text.find("]")
        if end + 1 != colon:
            return None
        host, rest = text[1:end], end + 1
    else:
        host = text[:colon]
        if ":" in host:
            return None
    if "[" in text[1 if rest else 0 :] or "]" in text[rest:]:
        return None
    return host, text[colon + 1 :]


def _strip_port(text: str) -> str:
    split = _split_host_port(text)
    return text if split is None else split[0]


def _strip_domain(text: str) -> str:
    host, port = _split_host_port(text) or (text, "")
    if _is_ip(host):
        return text
    host = host.split(".")[0]
    if not port:
        return host
    return f"[{host}]:{port}" if ":" in host or "%" in host else f"{host}:{port}"


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host


def _escaped(text: str) -> str:
    return quote_plus(to_bytes(text))


FUNCTIONS: Mapping[str, Function] = {
    "query": Function(("string",), _query, needs_environment=True),
    "first": Function(("template.queryResult",), _first),
    "label": Function(("string", "*template.sample"), _label),
    "value": Function(("*template.sample",), lambda sample: _there(sample).value),
    "strvalue": Function(("*template.sample",), lambda sample: _label("__value__", sample)),
    "sortByLabel": Function(("string", "template.queryResult"), _sort_by_label),
    "args": Function((ANY,), _args, variadic=True),
    "humanize": Function((ANY,), _humanize),
    "humanize1024": Function((ANY,), _humanize1024),
    "humanizeDuration": Function((ANY,), _humanize_duration),
    "humanizePercentage": Function((ANY,), _humanize_percentage),
    "humanizeTimestamp": Function((ANY,), _humanize_timestamp),
    "toTime": Function((ANY,), _to_time),
    "toDuration": Function((ANY,), _to_duration),
    "parseDuration": Function(("string",), _parse_duration),
    "now": Function((), _now, needs_environment=True),
    "title": Function(("string",), _title),
    "toUpper": Function(("string",), _each(str.upper)),
    "toLower": Function(("string",), _each(str.lower)),
    "match": Function(("string", "string"), _match),
    "reReplaceAll": Function(("string", "string", "string"), _replace_all),
    "stripPort": Function(("string",), _strip_port),
    "stripDomain": Function(("string",), _strip_domain),
    "graphLink": Function(("string",), lambda text: f"/graph?g0.expr={_escaped(text)}&g0.tab=0"),
    "tableLink": Function(("string",), lambda text: f"/graph?g0.expr={_escaped(text)}&g0.tab=1"),
    "urlQueryEscape": Function(("string",), _escaped),
    "safeHtml": Function(("string",), Html),
    "externalURL": Function((), lambda env: env.external_url, needs_environment=True),
    "pathPrefix": Function((), lambda env: urlsplit(env.external_url).path, needs_environment=True),
}
