"""Checks that need to know where a node stands: variables are defined, break and continue are in a range."""

from __future__ import annotations

from collections.abc import Iterable

from zseval.model.labels import quote
from zseval.template import nodes
from zseval.template.errors import SyntaxFault

__all__ = ["check_scopes"]


def check_scopes(body: Iterable[nodes.Node]) -> None:
    """Check one template, whose variables are its own. Raises SyntaxFault."""
    _nodes(body, ["$"], in_range=False)


def _nodes(body: Iterable[nodes.Node], known: list[str], *, in_range: bool) -> None:
    for node in body:
        match node:
            case nodes.Action(_, pipe):
                _pipe(pipe, known)
            case nodes.Template(_, _, pipe):
                if pipe is not None:
                    _pipe(pipe, known)
            case nodes.If() | nodes.With() | nodes.Range():
                _control(node, known, in_range=in_range or isinstance(node, nodes.Range))
            case nodes.Break(offset) | nodes.Continue(offset):
                if not in_range:
                    word = "break" if isinstance(node, nodes.Break) else "continue"
                    raise SyntaxFault(f"{{{{{word}}}}} outside {{{{range}}}}", offset)
            case _:
                pass


def _control(node: nodes.If | nodes.With | nodes.Range, known: list[str], *, in_range: bool) -> None:
    """Variables of the pipeline live until the end; those of a list until its end."""
    outer = len(known)
    _pipe(node.pipe, known)
    inner = len(known)
    _nodes(node.body, known, in_range=in_range)
    del known[inner:]
    _nodes(node.otherwise, known, in_range=in_range)
    del known[outer:]


def _pipe(pipe: nodes.Pipe, known: list[str]) -> None:
    known.extend(pipe.declared)  # before its value is read: `{{$x := $x}}` parses, as in Go
    for command in pipe.commands:
        for arg in command.args:
            _operand(arg, known)


def _operand(operand: nodes.Operand, known: list[str]) -> None:
    match operand:
        case nodes.Variable(offset, names) if names[0] not in known:
            raise SyntaxFault(f"undefined variable {quote(names[0])}", offset)
        case nodes.Chain(_, inner, _):
            _operand(inner, known)
        case nodes.Pipe():
            _pipe(operand, known)
        case _:
            pass
