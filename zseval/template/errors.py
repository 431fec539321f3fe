"""How a template fails, with the texts that Go's text/template gives."""

from __future__ import annotations

from zseval.errors import Position, TemplateError

__all__ = ["CallError", "ExecutionError", "SyntaxFault", "TemplateSyntaxError"]


class SyntaxFault(TemplateError):  # noqa: N818  (half of an error: its place is not known yet)
    """What is wrong in a template text and at which character; not yet where the text came from."""

    def __init__(self, message: str, offset: int) -> None:
        self.message = message
        self.offset = offset
        super().__init__(message)


class TemplateSyntaxError(TemplateError):
    """A text that is not a template. position: counts from 1, in the text the user wrote."""

    def __init__(self, message: str, name: str, position: Position) -> None:
        self.message = message
        self.position = position
        self.name = name
        super().__init__(f"template: {name}:{position.line}: {message}")


class ExecutionError(TemplateError):
    """A template that cannot be filled with these data."""


class CallError(TemplateError):
    """What a function called from a template answers instead of a value."""
