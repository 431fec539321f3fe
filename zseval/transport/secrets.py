"""Credentials: the Authorization header of a request, files read again when they changed."""

from __future__ import annotations

import base64
from pathlib import Path

from zseval.errors import ConfigError
from zseval.transport.config import HttpClientConfig

__all__ = ["Secrets", "file_stamps"]


def file_stamps(paths: tuple[str, ...]) -> tuple[tuple[int, int, int], ...]:
    """What tells that a file is another one now: time of change, size and inode of each (0 if missing)."""
    stamps = []
    for path in paths:
        try:
            status = Path(path).stat()
            stamps.append((status.st_mtime_ns, status.st_size, status.st_ino))
        except OSError:
            stamps.append((0, 0, 0))
    return tuple(stamps)


class Secrets:
    """The credentials of one client configuration."""

    def __init__(self, config: HttpClientConfig) -> None:
        self._config = config
        self._read: dict[str, tuple[tuple[tuple[int, int, int], ...], str]] = {}

    def authorization(self) -> str | None:
        """The header's value as of now, or None. Raises ConfigError where a file cannot be read."""
        basic = self._config.basic_auth
        if basic is not None:
            username = self._value(basic.username, basic.username_file, "basic auth username")
            password = self._value(basic.password, basic.password_file, "basic auth password")
            return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
        bearer = self._config.authorization
        if bearer is not None:
            credentials = self._value(
                bearer.credentials, bearer.credentials_file, "authorization credentials"
            )
            return f"{bearer.type} {credentials}"
        return None

    def _value(self, text: str, path: str, what: str) -> str:
        if not path:
            return text
        stamps = file_stamps((path,))
        known = self._read.get(path)
        if known is not None and known[0] == stamps:
            return known[1]
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"unable to read {what}: {error}") from error
        self._read[path] = (stamps, value)
        return value
