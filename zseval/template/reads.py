"""What a template's text depends on besides labels, told from its tree: nothing is run.

It errs on the side of more: a `.Value` counts whatever it is the field of.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import assert_never

from zseval.template import nodes

__all__ = ["Reads", "reads"]

_MOMENT = frozenset(("query", "now"))
"""Functions that may give something else each time."""


@dataclass(frozen=True, slots=True)
class Reads:
    """value: the value of the alert.  moment: the time, or what queries find at it."""

    value: bool = False
    moment: bool = False

    def __or__(self, other: Reads) -> Reads:
        return Reads(self.value or other.value, self.moment or other.moment)


_NOTHING, _VALUE, _TIME = Reads(), Reads(value=True), Reads(moment=True)


def reads(bodies: Iterable[Iterable[nodes.Node]]) -> Reads:
    """What these lists of nodes, and all inside them, read."""
    found = _NOTHING
    for body in bodies:
        for node in body:
            found |= _node(node)
    return found


def _node(node: nodes.Node) -> Reads:
    match node:
        case nodes.Text() | nodes.Break() | nodes.Continue():
            return _NOTHING
        case nodes.Action(_, pipe):
            return _operand(pipe)
        case nodes.If() | nodes.With() | nodes.Range():
            return _operand(node.pipe) | reads((node.body, node.otherwise))
        case nodes.Template(_, _, pipe):
            return _NOTHING if pipe is None else _operand(pipe)
        case nodes.Block(call, body):
            return _node(call) | reads((body,))
        case _:
            assert_never(node)


def _operand(operand: nodes.Operand) -> Reads:
    match operand:
        case nodes.Identifier(_, name):
            return _TIME if name in _MOMENT else _NOTHING
        case nodes.Dot():
            return _VALUE  # what all there is may be part of
        case nodes.Field(_, names):
            return _VALUE if "Value" in names else _NOTHING
        case nodes.Variable(_, names):
            return _VALUE if names == ("$",) or names[0] == "$value" or "Value" in names else _NOTHING
        case nodes.Chain(_, inner, _):
            return _operand(inner)
        case nodes.Pipe(_, commands):
            found = _NOTHING
            for command in commands:
                for arg in command.args:
                    found |= _operand(arg)
            return found
        case nodes.Nil() | nodes.Bool() | nodes.NumberNode() | nodes.String():
            return _NOTHING
        case _:
            assert_never(operand)
