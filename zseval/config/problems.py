"""Problems found in a file, gathered so that one reading reports all of them."""

from __future__ import annotations

from collections.abc import Iterable

from zseval.errors import ConfigError, Position, ZsevalError

__all__ = ["ConfigErrors", "Problem", "Problems"]


class Problem(ZsevalError):  # noqa: N818 - it becomes an error when a file is given up
    """One thing wrong in the text being read; the reader of the file turns it into a ConfigError."""

    def __init__(self, message: str, position: Position | None) -> None:
        self.message = message
        self.position = position
        super().__init__(f"{position}: {message}" if position else message)


class ConfigErrors(ConfigError):  # noqa: N818 - several of them
    """Everything wrong with a file: `errors`, at least one, in the order they stand in it."""

    def __init__(self, errors: Iterable[ConfigError]) -> None:
        self.errors = tuple(errors)
        first = self.errors[0]
        super().__init__(first.message, file=first.file, position=first.position)

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)


class Problems:
    """The problems of one file so far."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._errors: list[ConfigError] = []

    def __len__(self) -> int:
        return len(self._errors)

    def add(self, message: str, position: Position | None) -> None:
        self._errors.append(ConfigError(message, file=self.file, position=position))

    def caught(self, problem: Problem) -> None:
        self.add(problem.message, problem.position)

    def extend(self, errors: ConfigErrors) -> None:
        """Take over the errors of another file that this one names."""
        self._errors.extend(errors.errors)

    def raise_if_any(self) -> None:
        """Raises ConfigErrors unless there is none."""
        if self._errors:
            raise ConfigErrors(sorted(self._errors, key=_place))


def _place(error: ConfigError) -> tuple[str, int, int]:
    at = error.position
    return (error.file, at.line, at.column) if at else (error.file, 0, 0)
