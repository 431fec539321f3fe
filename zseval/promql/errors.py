"""The ways a query fails, each a PromQLError, by what the HTTP API calls them."""

from __future__ import annotations

from zseval.errors import Position, PromQLError

__all__ = [
    "EvaluationError",
    "InvalidQueryError",
    "ParseError",
    "QueryCanceledError",
    "QueryTimeoutError",
    "TooManySamplesError",
]


class ParseError(PromQLError):
    """A text that is not PromQL, or whose types do not fit (`bad_data`).

    `str()` is Prometheus' text: `1:5: parse error: …`. position counts from 1, its column in bytes of
    UTF-8, as Prometheus counts; an empty query has no position to name.
    """

    def __init__(self, message: str, position: Position, query: str) -> None:
        self.message = message
        self.position = position
        self.query = query
        super().__init__(f"{position if query else 'unknown position'}: parse error: {message}")


class InvalidQueryError(PromQLError):
    """A query that parses and cannot be run all the same, whatever the data (`bad_data`).

    span: the characters of the query that are to blame, where that is known; `str()` begins with it.
    """

    def __init__(self, message: str, span: tuple[int, int] | None = None) -> None:
        self.message = message
        self.span = span
        super().__init__(f"{span[0]}:{span[1]}: {message}" if span else message)

    def within(self, text: str) -> InvalidQueryError:
        """The error as Prometheus says it, which counts bytes of UTF-8."""
        if self.span is None:
            return self
        start, end = (len(text[:offset].encode("utf-8", "surrogatepass")) for offset in self.span)
        return InvalidQueryError(self.message, (start, end))


class EvaluationError(PromQLError):
    """A well-formed query that these data cannot answer (`execution`)."""


class TooManySamplesError(EvaluationError):
    """The query would load more samples than the limit allows."""


class QueryTimeoutError(PromQLError):
    """The query ran out of its time (`timeout`)."""


class QueryCanceledError(PromQLError):
    """Somebody called the query off (`canceled`)."""
