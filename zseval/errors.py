"""The tree of errors zseval raises, and where in a text one happened.

The branches follow what the caller can do about it:

    ZsevalError
    ├── PromQLError      fix the query
    ├── TemplateError    fix the annotation or label template
    ├── ConfigError      fix the file
    ├── ExpositionError  fix what the target exposes
    ├── ScrapeError      look at the target
    └── StorageError     the sample or the store refused it
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ConfigError",
    "ExpositionError",
    "Position",
    "PromQLError",
    "ScrapeError",
    "StorageError",
    "TemplateError",
    "ZsevalError",
    "caret",
]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a text; line and column count from 1."""

    line: int
    column: int

    @classmethod
    def of_offset(cls, text: str, offset: int) -> Position:
        """The position of the character `text[offset]` (or of the end of text)."""
        before = text[:offset]
        line = before.count("\n") + 1
        return cls(line, offset - (before.rfind("\n") + 1) + 1)

    @classmethod
    def of_bytes(cls, text: str, offset: int) -> Position:
        """The same with a column that counts bytes of UTF-8, as Prometheus does in queries."""
        place = cls.of_offset(text, offset)
        line = text[offset - place.column + 1 : offset]
        return cls(place.line, len(line.encode("utf-8", "surrogatepass")) + 1)

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


def caret(text: str, position: Position) -> str:
    """The line of `text` at `position` with a caret below its column."""
    lines = text.split("\n")
    line = lines[position.line - 1] if position.line <= len(lines) else ""
    return f"{line}\n{' ' * (position.column - 1)}^"


class ZsevalError(Exception):
    """Whatever zseval raises on purpose is a subclass of this."""


class PromQLError(ZsevalError):
    """A query that cannot be parsed, typed or evaluated."""


class TemplateError(ZsevalError):
    """A Go template that cannot be parsed or executed."""


class ConfigError(ZsevalError):
    """A configuration or rule file that cannot be used.

    file: its path as the user gave it, or "" where there is no file.
    position: where in it, or None where the file as a whole is meant.
    """

    def __init__(self, message: str, *, file: str = "", position: Position | None = None) -> None:
        self.message = message
        self.file = file
        self.position = position
        where = ":".join(str(part) for part in (file, position) if part)
        super().__init__(f"{where}: {message}" if where else message)


class ExpositionError(ZsevalError):
    """A scrape body that is not valid exposition text."""

    def __init__(self, message: str, position: Position | None = None) -> None:
        self.message = message
        self.position = position
        super().__init__(f"{position}: {message}" if position else message)


class ScrapeError(ZsevalError):
    """A target that could not be scraped; the message is what `/api/v1/targets` shows."""


class StorageError(ZsevalError):
    """A sample, series or file that the store cannot take."""
