"""Parameters of API requests: times, durations, limits, match[], with Prometheus' messages.

Source: prometheus web/api/v1/api.go (parseTime, parseDuration, parseLimitParam, parseMatchersParam)
and Go's net/http Request.FormValue.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import unquote_plus

from aiohttp import web

from zseval.errors import PromQLError
from zseval.model.duration import DurationError
from zseval.model.duration import parse_duration as parse_model_duration
from zseval.model.labels import quote
from zseval.model.matcher import Matcher
from zseval.web.envelope import bad_data, invalid_parameter

__all__ = ["MAX_TIME_MS", "MIN_TIME_MS", "Params", "parse_duration_ns", "parse_time"]

MIN_TIME_MS = (-(2**63) // 1000 + 62135596801) * 1000
MAX_TIME_MS = ((2**63 - 1) // 1000 - 62135596801) * 1000 + 999
_BOUNDS = {  # how Go prints the two, which no parser of four-digit years takes
    "-292273086-05-16T16:47:06Z": MIN_TIME_MS,
    "292277025-08-18T07:12:54.999999999Z": MAX_TIME_MS,
}
MAX_FORM_BYTES = 10 * 1024 * 1024
"""As net/http."""

_MAX_FIELDS = 10_000
_LONGEST_REMEMBERED = 2048
_FLOAT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\Z", re.ASCII)
_INT = re.compile(r"[-+]?\d+\Z", re.ASCII)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([-+])(\d\d):(\d\d))\Z", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Params:
    """The parameters of one request: those of the form body, then those of the URL."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    @classmethod
    async def of(cls, request: web.Request) -> Params:
        """Reads the body of a form POST; a body of another type is left alone, as net/http does."""
        url = _fields(request.raw_path.partition("#")[0].partition("?")[2])
        return cls(await _form(request) + url)

    def get(self, name: str) -> str:
        """The first value, or ""."""
        return self._values.get(name, [""])[0]

    def all(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def time_ms(self, name: str, default: int | None = None) -> int:
        """A time; one without default must be there. Raises ApiError."""
        text = self.get(name)
        if not text and default is not None:
            return default
        time = parse_time(text)
        if time is None:
            inside = "" if default is None else f"invalid time value for '{name}': "
            raise invalid_parameter(name, f"{inside}cannot parse {quote(text)} to a valid timestamp")
        return time

    def duration_ns(self, name: str) -> int:
        """A duration in nanoseconds. Raises ApiError."""
        try:
            return parse_duration_ns(self.get(name))
        except ValueError as error:
            raise invalid_parameter(name, error) from error

    def timeout(self, longest: float) -> float:
        """Seconds the query may take: the parameter, but not above `longest`."""
        return min(longest, self.duration_ns("timeout") / 1e9) if self.get("timeout") else longest

    def limit(self) -> int:
        """`limit`, 0 for none. Raises ApiError."""
        text = self.get("limit")
        if not text:
            return 0
        if _INT.match(text) is None:
            raise invalid_parameter("limit", f"strconv.Atoi: parsing {quote(text)}: invalid syntax")
        if int(text) < 0:
            raise invalid_parameter("limit", "limit must be non-negative")
        return int(text)

    def number(self, name: str, default: int) -> int:
        """An integer whose error message is short. Raises ApiError."""
        text = self.get(name)
        if not text:
            return default
        if _INT.match(text) is None:
            raise bad_data(f"{name} must be a number")
        return int(text)

    def matcher_sets(self, wrapped: bool = False) -> list[tuple[Matcher, ...]]:
        """The selectors of match[]. wrapped: whether the error names the parameter, which differs by path."""
        texts = self.all("match[]")
        if not texts:
            return []
        from zseval.promql.syntax.parser import parse_series_selector

        sets = []
        for text in texts:
            try:
                sets.append(parse_series_selector(text))
            except PromQLError as error:
                raise (invalid_parameter("match[]", error) if wrapped else bad_data(str(error))) from error
        for matchers in sets:
            if all(matcher.matches_empty for matcher in matchers):
                message = "match[] must contain at least one non-empty matcher"
                raise invalid_parameter("match[]", message) if wrapped else bad_data(message)
        return sets


async def _form(request: web.Request) -> list[tuple[str, str]]:
    if request.method not in ("POST", "PUT", "PATCH") or not request.can_read_body:
        return []
    if request.content_type == "application/x-www-form-urlencoded":
        body = await _body(request)
        return _fields(body.decode("utf-8", "surrogateescape"))
    if request.content_type == "multipart/form-data":
        try:
            fields = await request.post()
        except (ValueError, AssertionError) as error:
            raise bad_data(f"error parsing form values: {error}") from error
        return [(name, value) for name, value in fields.items() if isinstance(value, str)]
    return []


async def _body(request: web.Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.content.iter_any():
        size += len(part)
        if size > MAX_FORM_BYTES:
            raise bad_data("error parsing form values: http: POST too large")
        parts.append(part)
    return b"".join(parts)


def _fields(text: str) -> list[tuple[str, str]]:
    """As `urllib.parse.parse_qsl`, blank values kept; but queries come again, and are decoded once."""
    parts = text.split("&")
    if len(parts) > _MAX_FIELDS:
        raise bad_data("error parsing form values: Max number of fields exceeded")
    pairs = []
    for part in parts:
        if part:
            name, _, value = part.partition("=")
            pairs.append((_unquoted(name), _unquoted(value)))
    return pairs


def _unquoted(text: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    return _remembered(text) if len(text) < _LONGEST_REMEMBERED else unquote_plus(text)


_remembered = lru_cache(256)(unquote_plus)


def parse_time(text: str) -> int | None:
    """Milliseconds of a Unix time in seconds or an RFC 3339 time; None where it is neither.

    A float is rounded to the millisecond, RFC 3339 is cut there.
    """
    if _FLOAT.match(text):
        seconds = float(text)
        if math.isinf(seconds):
            return None
        fraction, whole = math.modf(seconds)
        rounded = math.copysign(math.floor(abs(fraction) * 1000 + 0.5), fraction)
        return min(max(int(whole) * 1000 + int(rounded), MIN_TIME_MS), MAX_TIME_MS)
    match = _RFC3339.match(text)
    if match is None:
        return _BOUNDS.get(text)
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    fraction_text, sign, zone_hours, zone_minutes = match.groups()[6:]
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    time = (moment - _EPOCH) // timedelta(milliseconds=1) + int(((fraction_text or "") + "000")[:3])
    if sign is None:
        return time
    if int(zone_hours) > 23 or int(zone_minutes) > 59:
        return None
    zone = (int(zone_hours) * 60 + int(zone_minutes)) * 60_000
    return time - zone if sign == "+" else time + zone


def parse_duration_ns(text: str) -> int:
    """Nanoseconds of `5m` or of float seconds. Raises ValueError with Prometheus' message."""
    if _FLOAT.match(text):
        nanoseconds = float(text) * 1e9
        if not -(2.0**63) <= nanoseconds <= 2.0**63:
            raise ValueError(f"cannot parse {quote(text)} to a valid duration. It overflows int64")
        return int(nanoseconds)
    try:
        return parse_model_duration(text) * 1_000_000
    except DurationError as error:
        raise ValueError(f"cannot parse {quote(text)} to a valid duration") from error
