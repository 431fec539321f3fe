"""What can be called from a template: a function with the Go types of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zseval.model.labels import Labels
from zseval.template.values import Value

__all__ = ["ANY", "Environment", "Function"]

ANY = "interface {}"
"""The Go type that takes every value, nil too."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What functions know besides their arguments.

    query: evaluates PromQL at the time of the template.  now_ms: that time.
    """

    query: Callable[[str], Sequence[tuple[Labels, float]]]
    now_ms: int = 0
    external_url: str = ""


@dataclass(frozen=True, slots=True)
class Function:
    """params: Go types; the last one of a variadic function is of each further argument.

    call: takes an Environment where needs_environment, then the arguments; raises CallError.
    """

    params: tuple[str, ...]
    call: Callable[..., Value]
    variadic: bool = False
    needs_environment: bool = False
