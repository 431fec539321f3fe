"""Limits: how much memory and time one query may take, and the token that calls it off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from zseval.promql.errors import QueryCanceledError, QueryTimeoutError, TooManySamplesError

__all__ = ["CancelToken", "Limits"]


class CancelToken(Protocol):
    """What calls a query off: threading.Event, or anything like it."""

    def is_set(self) -> bool: ...


@dataclass(slots=True)
class Limits:
    """Samples held at once, time, and cancellation.

    deadline is on the scale of `clock`, seconds. peak: the most that were held.
    Checked between operators and between chunks of series.
    """

    max_samples: int
    deadline: float
    clock: Callable[[], float]
    cancel: CancelToken | None = None
    held: int = 0
    peak: int = 0

    def check(self) -> None:
        """Raises QueryTimeoutError or QueryCanceledError."""
        if self.cancel is not None and self.cancel.is_set():
            raise QueryCanceledError("query was canceled in expression evaluation")
        if self.clock() > self.deadline:
            raise QueryTimeoutError("query timed out in expression evaluation")

    def hold(self, samples: int) -> None:
        """Account for samples about to be held; raises TooManySamplesError."""
        self.held += samples
        self.peak = max(self.peak, self.held)
        if self.held > self.max_samples:
            raise TooManySamplesError(
                "query processing would load too many samples into memory in query execution"
            )
