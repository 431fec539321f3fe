"""What a remote-write request says of itself: its message, its encoding; and its body, decoded.

Status codes and texts are those of Prometheus (client_golang exp/api/remote, which its receiver uses).
"""

from __future__ import annotations

import enum
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field

from zseval.errors import ConfigError, ZsevalError

__all__ = [
    "MAX_DECODED_BYTES",
    "Answer",
    "Message",
    "RefusedError",
    "decoded",
    "message_of",
    "require_packages",
]

MAX_DECODED_BYTES = 32 << 20
"""Upstream's limit, of the body as it is sent and of what becomes of it."""

_MEDIA_TYPE = "application/x-protobuf"
_PACKAGES = {"cramjam": "cramjam", "google.protobuf": "protobuf"}
_LONGEST_LENGTH = 5  # bytes of a varint below 2**32, which is what Snappy allows


class Message(enum.Enum):
    """Full names of the two messages there are."""

    V1 = "prometheus.WriteRequest"
    V2 = "io.prometheus.write.v2.Request"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer. text: without the line break at its end."""

    status: int = 204
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusedError(ZsevalError):
    """A request that is answered with an error status."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


def require_packages() -> None:
    """Raises ConfigError where an optional package is not installed, and says how to get it."""
    missing = [package for module, package in _PACKAGES.items() if not _is_there(module)]
    if missing:
        raise ConfigError(
            f"receiving remote writes needs {' and '.join(missing)}, which is not installed: "
            "pip install 'zseval[remote]'"
        )


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of the package around it
        return False


def message_of(content_type: str) -> Message:
    """The message a Content-Type header announces; none means 1.0. Raises RefusedError."""
    content_type = content_type.strip() or _MEDIA_TYPE
    media, *parameters = content_type.split(";")
    if media != _MEDIA_TYPE:
        raise RefusedError(
            415, f"expected {_MEDIA_TYPE} as the first (media) part, got {content_type} content-type"
        )
    for parameter in parameters:
        name, *values = parameter.split("=")
        if len(values) != 1:
            raise RefusedError(
                415,
                "as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be "
                f"key-values, got {parameter} in {content_type} content-type",
            )
        if name == "proto":
            return _named(values[0], content_type)
    return Message.V1


def _named(name: str, content_type: str) -> Message:
    try:
        return Message(name)
    except ValueError as error:
        known = ", ".join(message.value for message in Message)
        raise RefusedError(
            415,
            f"got {content_type} content type; unknown type for remote write protobuf message {name}, "
            f"supported: {known}",
        ) from error


def decoded(body: bytes, encoding: str, limit: int = MAX_DECODED_BYTES) -> bytes:
    """The message of a body in Snappy's block format. Raises RefusedError.

    The length it will have is looked at before anything is made of it.
    """
    if encoding not in ("", "snappy"):
        raise RefusedError(
            415,
            f"{encoding} encoding (compression) is not accepted by this server; only snappy is acceptable",
        )
    if len(body) > limit:
        raise RefusedError(413, f"request body exceeds the {limit} bytes limit")
    length = _announced_length(body)
    if length > limit:
        raise RefusedError(400, f"decoded size exceeds the {limit} bytes limit")
    import cramjam

    try:
        return bytes(memoryview(cramjam.snappy.decompress_raw(body)))
    except cramjam.DecompressionError as error:
        raise RefusedError(400, "snappy: corrupt input") from error


def _announced_length(body: bytes) -> int:
    """How long a Snappy block says that its content is."""
    length = 0
    for place, byte in enumerate(body[:_LONGEST_LENGTH]):
        length |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            if length >= 2**32:
                break
            return length
    raise RefusedError(400, "snappy: corrupt input")
