"""expand and check: templates as rules and messages use them.

Source: prometheus template/template.go (Expander), rules/alerting.go (the variables of an alert).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from zseval.errors import Position
from zseval.model.labels import Labels
from zseval.template.calls import Environment
from zseval.template.errors import ExecutionError, SyntaxFault, TemplateSyntaxError
from zseval.template.evaluate import execute
from zseval.template.parser import Tree, parse_template
from zseval.template.values import AlertData, StringMap, Value

__all__ = ["AlertData", "check", "expand", "expand_alert"]

_VARIABLES = (
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}"
    "{{$externalURL := .ExternalURL}}{{$value := .Value}}"
)
"""What Prometheus puts before the templates of an alert. Columns in its error texts count it."""

_NO_LABELS = Labels()
Query = Callable[[str], Sequence[tuple[Labels, float]]]


def expand(
    text: str,
    *,
    labels: Labels | Mapping[str, str],
    external_labels: Labels | Mapping[str, str] = _NO_LABELS,
    external_url: str = "",
    value: float = 0.0,
    query: Query | None = None,
    now_ms: int = 0,
    name: str = "template",
) -> str:
    """The text of one label or annotation template of an alert.

    query: evaluates PromQL for the function of that name.  name: of the template, as errors call it.
    Raises ExecutionError with Prometheus' text, caused by a TemplateSyntaxError if the text is no template.
    """
    if "{{" not in text:
        return text
    data = AlertData(StringMap(labels), StringMap(external_labels), external_url, value)
    return expand_alert(text, data, Environment(query or _no_query, now_ms, external_url), name)


def expand_alert(text: str, data: AlertData, env: Environment, name: str) -> str:
    """As `expand`, for several templates of one alert: data and env are made once."""
    return text if "{{" not in text else _expanded(_VARIABLES + text, len(_VARIABLES), data, env, name)


def _expanded(text: str, prefix: int, data: Value, env: Environment, name: str) -> str:
    try:
        tree = _parsed(text)
    except SyntaxFault as fault:
        error = _syntax_error(fault, text, prefix, name)
        raise ExecutionError(f"error parsing template {name}: {error}") from error
    try:
        result = execute(tree, data, name, env)
    except ExecutionError as error:
        raise ExecutionError(f"error executing template {name}: {error}") from None
    return result.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def check(text: str, name: str = "template") -> None:
    """Raise TemplateSyntaxError, with line and column, if `text` is not a template for an alert."""
    if "{{" not in text:
        return
    try:
        _parsed(_VARIABLES + text)
    except SyntaxFault as fault:
        raise _syntax_error(fault, _VARIABLES + text, len(_VARIABLES), name) from None


@lru_cache(maxsize=512)
def _parsed(text: str) -> Tree:
    """Trees of the templates in use: a few for each rule."""
    return parse_template(text)


def _syntax_error(fault: SyntaxFault, text: str, prefix: int, name: str) -> TemplateSyntaxError:
    position = Position.of_offset(text[prefix:], max(0, fault.offset - prefix))
    return TemplateSyntaxError(fault.message, name, position)


def _no_query(_expression: str) -> Sequence[tuple[Labels, float]]:
    raise ExecutionError("no engine to query")
