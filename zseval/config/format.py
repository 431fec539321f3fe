"""Rule files with their expressions laid out anew, and nothing else in them touched.

Only the characters of `expr:` scalars are replaced. A block scalar keeps its header and indentation, a
quoted or plain one its quotes; what does not fit on a line, or needs other quotes, becomes `|-`. The
outcome is read again and has to be the same groups.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from zseval.config.problems import Problem
from zseval.config.rule_files import parse_rule_file
from zseval.config.yaml import Mapping, Node, Scalar, Series, parse_yaml
from zseval.errors import ConfigError, Position
from zseval.promql.syntax.ast import NumberLiteral
from zseval.promql.syntax.parser import parse
from zseval.promql.syntax.printer import pretty, to_text
from zseval.rules.rule import Group

__all__ = ["Formatted", "format_rules", "has_comment"]

_BOM = "\ufeff"
_ANY_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")  # what YAML counts lines by
_BLOCK = re.compile(r"([|>][^\n]*\n)(.*?)(\s*)\Z", re.DOTALL)
_INDICATOR = re.compile(r"([|>][+-]?)([1-9])")
_REST_OF_LINE = re.compile(r"[^\r\n]*")
_STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`|(#)')
_NOTHING = NumberLiteral(0.0)


@dataclass(frozen=True, slots=True)
class Formatted:
    """text: of the whole file.  commented: where expressions stand that have comments, and are left alone."""

    text: str
    commented: tuple[Position, ...] = ()


def has_comment(expression: str) -> bool:
    """Whether a PromQL text has a comment, which its tree does not keep."""
    return any(match[1] for match in _STRING_OR_COMMENT.finditer(expression))


def format_rules(text: str, file: str, features: frozenset[str]) -> Formatted:
    """The rule file with every expression in its normal layout.

    features: PromQL features whose syntax may be used.
    Raises ConfigErrors where the file is no rule file, and ConfigError where an expression stands so that
    its layout cannot be changed without changing something else.
    """
    groups = parse_rule_file(text, file, 60_000, features=features)
    mark = _BOM if text.startswith(_BOM) else ""
    bare = text.removeprefix(_BOM)
    lines = [0, *(match.end() for match in _ANY_BREAK.finditer(bare))]
    break_ = "\r\n" if "\r\n" in bare else "\n"
    made, done, commented = [], 0, []
    for each in sorted(_expressions(parse_yaml(bare), bare, lines), key=lambda each: each.start):
        if has_comment(each.scalar.value):
            commented.append(each.scalar.position)
            continue
        new, end = _rewritten(each, bare, features, break_)
        made += [bare[done : each.start], new]
        done = end
    result = mark + "".join((*made, bare[done:]))
    _check_same(groups, result, file, features)
    return Formatted(result, tuple(commented))


def _check_same(groups: tuple[Group, ...], result: str, file: str, features: frozenset[str]) -> None:
    message = "cannot be formatted: another part of the file shares or surrounds an expression"
    try:
        again = parse_rule_file(result, file, 60_000, features=features)
    except ConfigError as error:
        raise ConfigError(message, file=file) from error
    if _without_trees(again) != _without_trees(groups):
        raise ConfigError(message, file=file)


def _without_trees(groups: tuple[Group, ...]) -> list[Group]:
    """With the normal text of each expression only: a tree keeps the order of matchers, which may change."""
    return [
        dataclasses.replace(
            group, rules=tuple(dataclasses.replace(rule, expr=_NOTHING) for rule in group.rules)
        )
        for group in groups
    ]


# Where expressions stand ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Place:
    """An `expr:` scalar: where its source starts, how far its key is indented, whether `{}` is around it."""

    scalar: Scalar
    start: int
    indent: int
    in_flow: bool


def _expressions(root: Node, text: str, lines: list[int]) -> Iterator[_Place]:
    """Each expression of the file once, though aliases may name it again."""
    seen: set[int] = set()
    for rule in _rules(root):
        scalar = rule.items.get("expr")
        if not isinstance(scalar, Scalar) or scalar.is_null:
            continue
        start = _offset(scalar.position, lines)
        if start in seen:
            continue
        seen.add(start)
        if text[start : start + len(scalar.source)] != scalar.source:
            raise Problem("cannot be formatted: the expression is not where it should be", scalar.position)
        first = _offset(rule.position, lines)
        yield _Place(scalar, start, rule.keys["expr"].position.column - 1, text[first : first + 1] == "{")


def _rules(root: Node) -> Iterator[Mapping]:
    for group in _items(root, "groups"):
        yield from _items(group, "rules")


def _items(node: Node, key: str) -> Iterator[Mapping]:
    found = node.items.get(key) if isinstance(node, Mapping) else None
    if isinstance(found, Series):
        yield from (each for each in found.items if isinstance(each, Mapping))


def _offset(position: Position, lines: list[int]) -> int:
    return lines[position.line - 1] + position.column - 1


# How they are written -------------------------------------------------------------------------------


def _rewritten(place: _Place, text: str, features: frozenset[str], break_: str) -> tuple[str, int]:
    """The new source of an expression, and up to where in the file it takes the place of the old."""
    scalar, end = place.scalar, place.start + len(place.scalar.source)
    tree = parse(scalar.value, features=features)
    laid_out = pretty(tree)
    if scalar.style in ("|", ">"):
        return _block(place, laid_out, break_), end
    if place.in_flow:
        return _on_a_line(to_text(tree), scalar.source, scalar.style, in_flow=True), end
    if "\n" not in laid_out:
        return _on_a_line(laid_out, scalar.source, scalar.style, in_flow=False), end
    rest = _REST_OF_LINE.match(text, end)  # a comment, which a block scalar has behind its header
    comment = rest.group() if rest else ""
    header, indent = _indicated(f"|-{comment.rstrip()}", place.indent + 2, place.indent, laid_out)
    body = "".join(f"{break_}{indent}{line}" for line in laid_out.split("\n"))
    return header + body, end + len(comment)


def _block(place: _Place, laid_out: str, break_: str) -> str:
    match = _BLOCK.match(place.scalar.source)
    assert match is not None, "an expression is not empty"
    header, body, after = match.groups()
    first = body.lstrip("\r\n")
    header, indent = _indicated(header, len(first) - len(first.lstrip(" ")), place.indent, laid_out)
    return header + break_.join(indent + line for line in laid_out.split("\n")) + after


def _indicated(header: str, width: int, parent: int, laid_out: str) -> tuple[str, str]:
    """A block's header and its indentation of `width`, of which the header has to tell where the first line
    goes in further than others."""
    given = _INDICATOR.match(header)
    if given is not None:
        return header, " " * (parent + int(given[2]))
    if not laid_out.startswith(" "):
        return header, " " * width
    if not 0 < width - parent < 10:
        width = parent + 2
    return f"{header[0]}{width - parent}{header[1:]}", " " * width


def _on_a_line(expression: str, source: str, style: str, *, in_flow: bool) -> str:
    """Plain or in quotes, as it was where that can be read back, else in single quotes."""
    written: tuple[Callable[[str], str], ...] = (_single_quoted, _double_quoted)
    if style == '"' and ('"' not in expression or "\\" in source):  # quotes in quotes already, or none
        written = (_double_quoted, _single_quoted)
    elif not style:
        written = (str, _single_quoted, _double_quoted)
    for write in written:
        if _reads_as(write(expression), expression, in_flow=in_flow):
            return write(expression)
    raise AssertionError("double quotes hold any text")


def _reads_as(source: str, expression: str, *, in_flow: bool) -> bool:
    try:
        root = parse_yaml(f"{{expr: {source}, x: y}}" if in_flow else f"expr: {source} # x")
    except Problem:
        return False
    found = root.items.get("expr") if isinstance(root, Mapping) else None
    return isinstance(found, Scalar) and found.value == expression and not found.is_null


def _single_quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _double_quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
