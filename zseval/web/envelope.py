"""The JSON envelope of the API: `status`, `data`, `errorType`, `error`, `warnings`, `infos`.

Source: prometheus web/api/v1/api.go.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from aiohttp import web

from zseval.model.labels import Labels, quote
from zseval.web.body import Part, body_of

__all__ = [
    "ApiError",
    "ErrorType",
    "bad_data",
    "error_response",
    "invalid_parameter",
    "rfc3339",
    "success",
    "success_parts",
    "to_json",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ErrorType(enum.Enum):
    """`errorType` and the status that goes with it; 499 is nginx' "client closed the request"."""

    BAD_DATA = ("bad_data", 400)
    EXECUTION = ("execution", 422)
    CANCELED = ("canceled", 499)
    TIMEOUT = ("timeout", 503)
    INTERNAL = ("internal", 500)
    NOT_FOUND = ("not_found", 404)
    UNAVAILABLE = ("unavailable", 503)

    @property
    def word(self) -> str:
        return self.value[0]

    @property
    def status(self) -> int:
        return self.value[1]


class ApiError(Exception):
    """A request that cannot be answered; the middleware makes the response of it."""

    def __init__(self, kind: ErrorType, message: str) -> None:
        self.kind = kind
        self.message = message
        super().__init__(message)


def bad_data(message: str) -> ApiError:
    return ApiError(ErrorType.BAD_DATA, message)


def invalid_parameter(name: str, message: object) -> ApiError:
    return ApiError(ErrorType.BAD_DATA, f"invalid parameter {quote(name)}: {message}")


def success(data: object, *, warnings: Sequence[str] = (), infos: Sequence[str] = ()) -> web.Response:
    """A success with `data` as JSON; bytes are taken as JSON already."""
    parts = success_parts([data if isinstance(data, bytes) else to_json(data)], warnings, infos)
    return web.Response(body=body_of(parts), content_type="application/json")


def success_parts(
    data: Sequence[Part], warnings: Sequence[str] = (), infos: Sequence[str] = ()
) -> list[Part]:
    """The envelope around parts of JSON."""
    parts = [b'{"status":"success","data":', *data]
    if warnings:
        parts += [b',"warnings":', to_json(list(warnings))]
    if infos:
        parts += [b',"infos":', to_json(list(infos))]
    parts.append(b"}")
    return parts


def error_response(error: ApiError) -> web.Response:
    body = {"status": "error", "errorType": error.kind.word, "error": error.message}
    return web.Response(body=to_json(body), status=error.kind.status, content_type="application/json")


def to_json(value: object) -> bytes:
    """As JSON; Labels as an object, what is not UTF-8 with replacement characters."""
    try:
        return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # a lone surrogate: text that came in as bytes and is not UTF-8
        return orjson.dumps(_printable(value), default=_plain)


def _plain(value: Any) -> object:
    if isinstance(value, Labels):
        return value.to_dict()
    raise TypeError(f"{type(value).__name__} is not JSON")


def _printable(value: Any) -> object:
    match value:
        case str():
            return value.encode("utf-8", "replace").decode("utf-8")
        case dict():
            return {str(_printable(key)): _printable(each) for key, each in value.items()}
        case list() | tuple():
            return [_printable(each) for each in value]
        case Labels():
            return _printable(value.to_dict())
        case _:
            return value


def rfc3339(time_ms: int) -> str:
    """As Go writes a time in UTC: no trailing zeros; 0 is its zero time."""
    if time_ms == 0:
        return "0001-01-01T00:00:00Z"
    seconds, rest = divmod(time_ms, 1000)
    whole = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{rest:03d}".rstrip("0") if rest else ""
    return f"{whole}{fraction}Z"
