"""expand and check: templates as rules and messages use them.

Source: prometheus template/template.go (Expander), rules/alerting.go (the variables of an alert).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from zseval.errors import Position
from zseval.model.labels import Labels
from zseval.template.calls import Environment
from zseval.template.errors import ExecutionError, SyntaxFault, TemplateSyntaxError
from zseval.template.evaluate import execute
from zseval.template.flat import Flat, flat
from zseval.template.parser import Tree, parse_template
from zseval.template.reads import Reads, reads
from zseval.template.values import AlertData, StringMap

__all__ = ["AlertData", "Reads", "check", "expand", "expand_alert", "reads_of"]

_VARIABLES = (
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}"
    "{{$externalURL := .ExternalURL}}{{$value := .Value}}"
)
"""What Prometheus puts before the templates of an alert. Columns in its error texts count it.

It is parsed with each of them, and its variables are then simply there: nothing of it is run.
"""

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
    made = _filled(text, labels, value)
    if made is not None:
        return made
    data = AlertData(StringMap(labels), StringMap(external_labels), external_url, value)
    return expand_alert(text, data, Environment(query or _no_query, now_ms, external_url), name)


def expand_alert(text: str, data: AlertData, env: Environment, name: str) -> str:
    """As `expand`, for several templates of one alert: data and env are made once."""
    if "{{" not in text:
        return text
    try:
        tree = _parsed(text)
    except SyntaxFault as fault:
        error = _syntax_error(fault, text, name)
        raise ExecutionError(f"error parsing template {name}: {error}") from error
    variables = (
        ("$labels", data.labels),
        ("$externalLabels", data.external_labels),
        ("$externalURL", data.external_url),
        ("$value", data.value),
    )
    try:
        result = execute(tree, data, name, env, variables)
    except ExecutionError as error:
        raise ExecutionError(f"error executing template {name}: {error}") from None
    return _whole(result)


def _filled(text: str, labels: Labels | Mapping[str, str], value: float) -> str | None:
    """What a template gives that needs no interpreter, None for any other."""
    found = _flat(text)
    made = None if found is None else found.fill(labels, value)
    return None if made is None else _whole(made)


def _whole(text: str) -> str:
    """With what is not UTF-8 replaced."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def check(text: str, name: str = "template") -> None:
    """Raise TemplateSyntaxError, with line and column, if `text` is not a template for an alert."""
    if "{{" not in text:
        return
    try:
        _parsed(text)
    except SyntaxFault as fault:
        raise _syntax_error(fault, text, name) from None


@lru_cache(maxsize=512)
def reads_of(text: str) -> Reads:
    """What the text of an alert's template depends on, besides its labels and the node's settings.

    Raises TemplateSyntaxError as `check` does.
    """
    if "{{" not in text:
        return Reads()
    check(text)
    tree = _parsed(text)
    return reads((tree.main, *tree.templates.values()))


@lru_cache(maxsize=512)
def _parsed(text: str) -> Tree:
    """Trees of the templates in use, a few for each rule, less what stands before each."""
    tree = parse_template(_VARIABLES + text)
    return replace(tree, main=tree.main[_VARIABLES.count("{{") :])


@lru_cache(maxsize=512)
def _flat(text: str) -> Flat | None:
    try:
        return flat(_parsed(text))
    except SyntaxFault:
        return None


def _syntax_error(fault: SyntaxFault, text: str, name: str) -> TemplateSyntaxError:
    position = Position.of_offset(text, max(0, fault.offset - len(_VARIABLES)))
    return TemplateSyntaxError(fault.message, name, position)


def _no_query(_expression: str) -> Sequence[tuple[Labels, float]]:
    raise ExecutionError("no engine to query")
