"""What commands share when they speak to a person: exit codes, errors with a caret."""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from zseval.config.problems import ConfigErrors
from zseval.errors import ConfigError, caret

__all__ = ["ExitCode", "print_config_error"]

_LONGEST_LINE = 200
"""A line longer than this says nothing above a caret on any terminal."""


class ExitCode(enum.IntEnum):
    """promtool's: 2 is a wrong command line, 3 is lint alone, when --lint-fatal asks for it."""

    SUCCESS = 0
    FAILURE = 1
    USAGE = 2
    LINT = 3


def print_config_error(
    error: ConfigError, *, stream: TextIO | None = None, read: Callable[[str], str] | None = None
) -> None:
    """Every error in `error`, a line each, and below it the line of the file with a caret.

    read: gives the text of a file, from disk by default; where it fails, the caret is left out.
    """
    out = stream or sys.stderr
    texts: dict[str, str | None] = {}
    for each in error.errors if isinstance(error, ConfigErrors) else (error,):
        print(each, file=out)
        if each.file not in texts:
            texts[each.file] = _text(each.file, read or _from_disk)
        shown = _shown(texts[each.file], each)
        if shown:
            print(shown, file=out)


def _shown(text: str | None, error: ConfigError) -> str:
    if text is None or error.position is None:
        return ""
    shown = caret(text, error.position).replace("\r", "").replace("\t", " ")
    return "" if max(map(len, shown.split("\n"))) > _LONGEST_LINE else shown


def _text(file: str, read: Callable[[str], str]) -> str | None:
    try:
        return read(file) if file else None
    except (OSError, UnicodeDecodeError):
        return None


def _from_disk(file: str) -> str:
    return Path(file).read_text(encoding="utf-8-sig")
