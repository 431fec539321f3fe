"""label_replace and label_join: regular expressions and joins on distinct values only, then codes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from zseval.model.arrays import Ids, Mask
from zseval.model.labels import METRIC_NAME, is_valid_name
from zseval.model.labelsets import LabelSets, factorize
from zseval.promql.errors import EvaluationError
from zseval.promql.exec.context import Context
from zseval.promql.exec.vector import Vector, merged, relabelled

__all__ = ["expand_template", "is_label_name", "label_join", "label_replace"]

_REFERENCE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})", re.ASCII)


def label_replace(node: object, vector: Vector, strings: Sequence[str], ctx: Context) -> Vector:
    """`label_replace(v, dst, replacement, src, regex)`. node: the call.

    Raises EvaluationError for a bad label name or expression, and where two series become the same.
    """
    return relabelled(vector, node, ctx, lambda: _replaced(vector, strings, ctx))


def _replaced(vector: Vector, strings: Sequence[str], ctx: Context) -> Vector:
    target, replacement, source, pattern = strings
    search = _compile(pattern)
    if not is_label_name(target):
        raise EvaluationError(f"invalid destination label name in label_replace(): {target}")
    symbols = ctx.query.symbols
    unique, inverse = np.unique(vector.labels.column(source), return_inverse=True)
    found = [search(symbols.text(int(code))) for code in unique]
    made = [
        None if groups is None else symbols.intern(expand_template(replacement, groups)) for groups in found
    ]
    if all(code is None for code in made):
        return vector
    matched = np.array([code is not None for code in made], dtype=np.bool_)[inverse]
    codes = np.array([code or 0 for code in made], dtype=np.int32)[inverse]
    column = np.where(matched, codes, vector.labels.column(target)).astype(np.int32, copy=False)
    return _with_label(vector, target, column, matched, ctx)


def label_join(node: object, vector: Vector, strings: Sequence[str], ctx: Context) -> Vector:
    """`label_join(v, dst, separator, src…)`. Raises EvaluationError as `label_replace` does."""
    return relabelled(vector, node, ctx, lambda: _joined(vector, strings, ctx))


def _joined(vector: Vector, strings: Sequence[str], ctx: Context) -> Vector:
    target, separator, *sources = strings
    for name in sources:
        if not is_label_name(name):
            raise EvaluationError(f"invalid source label name in label_join(): {name}")
    if not is_label_name(target):
        raise EvaluationError(f"invalid destination label name in label_join(): {target}")
    symbols = ctx.query.symbols
    codes = np.zeros((len(sources), len(vector.labels)), dtype=np.int32)
    for row, name in enumerate(sources):
        codes[row] = vector.labels.column(name)
    groups = factorize(codes)
    joined = [
        symbols.intern(separator.join(symbols.text(int(code)) for code in column))
        for column in codes[:, groups.first].T
    ]
    column = np.array(joined, dtype=np.int32)[groups.ids]
    return _with_label(vector, target, column, np.ones(len(column), dtype=np.bool_), ctx)


def is_label_name(name: str) -> bool:
    """True for a label name that a query may make up.

    A string literal whose bytes are not UTF-8 has a replacement character where they stood.
    """
    return is_valid_name(name) and "\ufffd" not in name


def _with_label(vector: Vector, name: str, column: Ids, changed: Mask, ctx: Context) -> Vector:
    """With a label set; a metric name given on purpose is not dropped later."""
    labels = vector.labels.with_column(name, column)
    drop = vector.drop_name
    if name == METRIC_NAME and drop is not None:
        drop = drop & ~changed
    query = ctx.query
    known = vector.labels.symbols is query.base and bool((column >= 0).all())
    labels = LabelSets(labels.names, labels.codes, query.base if known else query.symbols)
    return merged(replace(vector, labels=labels, drop_name=drop), ctx)


def _compile(pattern: str) -> Callable[[str], dict[str, str] | None]:
    """A function from a text to the groups of its full match, by number and by name."""
    import re2  # most queries never need it

    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        raise EvaluationError(f"invalid regular expression in label_replace(): {pattern}") from error

    def groups(text: str) -> dict[str, str] | None:
        match = compiled.fullmatch(text)
        if match is None:
            return None
        found = {str(number): str(match.group(number) or "") for number in range(compiled.groups + 1)}
        for name, number in compiled.groupindex.items():
            found[str(name)] = found[str(number)]
        return found

    return groups


def expand_template(template: str, groups: dict[str, str]) -> str:
    """Go's Regexp.Expand: `$1`, `$name`, `${name}`, `$$`; unknown groups are empty, a lone `$` is itself."""

    def value(match: re.Match[str]) -> str:
        dollar, bare, braced = match.groups()
        return "$" if dollar else groups.get(bare or braced, "")

    return _REFERENCE.sub(value, template)
