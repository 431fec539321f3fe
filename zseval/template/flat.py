"""Flat: a template that only puts labels and the value into a text, as most of an alert's do.

An alert has some texts, and each is expanded at each evaluation in which the value is another. What these
do needs none of the interpreter; whatever is not among it, or fails, is left to that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from zseval.model.labels import Labels
from zseval.template import nodes
from zseval.template.calls import ANY
from zseval.template.errors import CallError
from zseval.template.functions import FUNCTIONS
from zseval.template.parser import Tree
from zseval.template.printing import MAX_TEXT, sprint
from zseval.template.values import Sample, Value

__all__ = ["Flat", "flat"]

_MOST_PIECES = 1000  # far from where the interpreter counts its steps


@dataclass(frozen=True, slots=True)
class _Piece:
    """label: which one, or "" for the value.  function: what it goes through, if anything."""

    label: str
    function: Callable[[Value], Value] | None


@dataclass(frozen=True, slots=True)
class Flat:
    """What stands in the text, in order: texts and pieces."""

    parts: Sequence[str | _Piece]

    def fill(self, labels: Labels | Mapping[str, str], value: float) -> str | None:
        """The text, or None where a function fails or it is too long."""
        made: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                made.append(part)
                continue
            found: Value = labels.get(part.label, "") if part.label else value
            try:
                if part.function is not None:
                    found = part.function(found)
                made.append(found if type(found) is str else sprint([found]))
            except CallError:
                return None
            if found is None or isinstance(found, Sample):
                return None
        return "".join(made) if sum(map(len, made)) <= MAX_TEXT else None


def flat(tree: Tree) -> Flat | None:
    """None for a template that does more. tree: less the variables that are there from the start."""
    if len(tree.main) > _MOST_PIECES:
        return None
    parts: list[str | _Piece] = []
    for node in tree.main:
        match node:
            case nodes.Text(_, text):
                parts.append(text)
            case nodes.Action(_, nodes.Pipe(_, commands, declared)) if not declared:
                piece = _piece(commands)
                if piece is None:
                    return None
                parts.append(piece)
            case _:
                return None
    return Flat(parts)


def _piece(commands: Sequence[nodes.Command]) -> _Piece | None:
    """`$labels.x`, `.Labels.x`, `$value` or `.Value`, perhaps through one function that takes anything."""
    match [command.args for command in commands]:
        case [(operand,)]:
            function = None
        case [(operand,), (nodes.Identifier(_, name),)] | [(nodes.Identifier(_, name), operand)]:
            known = FUNCTIONS.get(name)
            if known is None or known.params != (ANY,) or known.variadic or known.needs_environment:
                return None
            function = known.call
        case _:
            return None
    match operand:
        case nodes.Variable(_, ("$labels", label)) | nodes.Field(_, ("Labels", label)):
            return _Piece(label, function)
        case nodes.Variable(_, ("$value",)) | nodes.Field(_, ("Value",)):
            return _Piece("", function)
        case _:
            return None
