"""Templates of a rule's labels and annotations, with everything they may refer to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from zseval.errors import TemplateError
from zseval.model.labels import Labels
from zseval.promql.syntax.value_type import ValueType
from zseval.rules.texts import Expand, Expanded, Lasting

if TYPE_CHECKING:
    from zseval.promql.result import Result
    from zseval.promql.syntax.ast import Expr
    from zseval.template import Reads

__all__ = ["expander"]


class _Querier(Protocol):
    def instant_at(self, expr: str | Expr, time_ms: int) -> Result: ...


def expander(
    querier: _Querier, external_labels: Labels, external_url: str, failed: Callable[[], None]
) -> Callable[[int, str], Expand]:
    """Makes, for an evaluation time (int64 ms) and a rule's name, what expands that rule's templates.

    A template that fails is not worth losing an alert: its text becomes the error, and `failed` is called.
    """

    def at(time_ms: int, rule: str) -> Expand:
        def query(text: str) -> Sequence[tuple[Labels, float]]:
            result = querier.instant_at(text, time_ms)
            if result.type is ValueType.SCALAR:
                return [(Labels(), result.scalar())]
            return result.samples()

        def expanded(text: str, labels: Labels, value: float) -> Expanded:
            from zseval.template import expand, reads_of  # a node without alerts starts the sooner without

            try:
                made = expand(
                    text,
                    labels=labels,
                    external_labels=external_labels,
                    external_url=external_url,
                    value=value,
                    query=query,
                    now_ms=time_ms,
                    name=f"__alert_{rule}",
                )
                return Expanded(made, _lasting(reads_of(text)))
            except TemplateError as error:
                failed()  # each time: its text is not kept
                return Expanded(f"<error expanding template: {error}>", Lasting.NOW)

        return expanded

    return at


def _lasting(read: Reads) -> Lasting:
    if read.moment:
        return Lasting.NOW
    return Lasting.VALUE if read.value else Lasting.LABELS
