"""TreeBuilder: grammar rules to nodes, one method a rule, called by the parser from the leaves up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from zseval.model.labels import quote
from zseval.template import nodes
from zseval.template.builtins import BUILTINS
from zseval.template.errors import SyntaxFault
from zseval.template.functions import FUNCTIONS
from zseval.template.lexer import Token
from zseval.template.literals import parse_number, unquote, unquote_char, unquote_raw

__all__ = ["Define", "TreeBuilder"]

_Body = tuple[nodes.Node, ...]
_T = TypeVar("_T")
_NOT_EXECUTABLE = (nodes.Bool, nodes.Dot, nodes.Nil, nodes.NumberNode, nodes.String)


@dataclass(frozen=True, slots=True)
class Define:
    """A template that is defined and not run."""

    offset: int
    name: str
    body: _Body


class TreeBuilder:
    """Each method takes the list of a rule's parts. Raises SyntaxFault for what grammar cannot tell."""

    def start(self, parts: list[Any]) -> list[Any]:
        return list(parts[0])

    def no_nodes(self, _parts: list[Any]) -> list[Any]:
        return []

    def more_nodes(self, parts: list[Any]) -> list[Any]:
        items: list[Any] = parts[0]
        items.append(parts[1])
        return items

    def define(self, parts: list[Any]) -> list[Any]:
        items: list[Any] = parts[0]
        _, keyword, (name, _), _, body = parts[1:6]
        items.append(Define(keyword.offset, name, tuple(body)))
        return items

    def text(self, parts: list[Token]) -> nodes.Text:
        return nodes.Text(parts[0].offset, parts[0].text)

    def action(self, parts: list[Any]) -> nodes.Action:
        pipe: nodes.Pipe = parts[1]
        return nodes.Action(pipe.offset, pipe)

    def if_node(self, parts: list[Any]) -> nodes.If:
        _, _, pipe, _, body, otherwise = parts
        return nodes.If(pipe.offset, pipe, tuple(body), otherwise)

    def with_node(self, parts: list[Any]) -> nodes.With:
        _, _, pipe, _, body, otherwise = parts
        return nodes.With(pipe.offset, pipe, tuple(body), otherwise)

    def range_node(self, parts: list[Any]) -> nodes.Range:
        _, _, pipe, _, body, otherwise = parts
        return nodes.Range(pipe.offset, pipe, tuple(body), otherwise)

    def no_else(self, _parts: list[Any]) -> _Body:
        return ()

    def else_list(self, parts: list[Any]) -> _Body:
        return tuple(parts[3])

    def else_if(self, parts: list[Any]) -> _Body:
        _, _, _, pipe, _, body, otherwise = parts
        return (nodes.If(pipe.offset, pipe, tuple(body), otherwise),)

    def else_with(self, parts: list[Any]) -> _Body:
        _, _, _, pipe, _, body, otherwise = parts
        return (nodes.With(pipe.offset, pipe, tuple(body), otherwise),)

    def template_node(self, parts: list[Any]) -> nodes.Template:
        name, offset = parts[2]
        pipe = parts[3] if isinstance(parts[3], nodes.Pipe) else None
        return nodes.Template(offset, name, pipe)

    def block(self, parts: list[Any]) -> nodes.Block:
        (name, offset), pipe, _, body = parts[2:6]
        return nodes.Block(nodes.Template(offset, name, pipe), tuple(body))

    def break_node(self, parts: list[Token]) -> nodes.Break:
        return nodes.Break(parts[1].offset)

    def continue_node(self, parts: list[Token]) -> nodes.Continue:
        return nodes.Continue(parts[1].offset)

    def name(self, parts: list[Token]) -> tuple[str, int]:
        token = parts[0]
        node = self.string(parts) if token.type == "STRING" else self.raw_string(parts)
        return node.value, node.offset

    def same(self, parts: list[_T]) -> _T:
        return parts[0]

    def plain(self, parts: list[Any]) -> nodes.Pipe:
        return _pipe(parts[0])

    def declared(self, parts: list[Any]) -> nodes.Pipe:
        variable, _, commands = parts
        return replace(_pipe(commands), offset=variable.offset, declared=(variable.text,))

    def assigned(self, parts: list[Any]) -> nodes.Pipe:
        return replace(self.declared(parts), is_assign=True)

    def declared_pair(self, parts: list[Any]) -> nodes.Pipe:
        first, _, second, _, commands = parts
        return replace(_pipe(commands), offset=first.offset, declared=(first.text, second.text))

    def assigned_pair(self, parts: list[Any]) -> nodes.Pipe:
        return replace(self.declared_pair(parts), is_assign=True)

    def first(self, parts: list[_T]) -> list[_T]:
        return [parts[0]]

    def next(self, parts: list[Any]) -> list[Any]:
        items: list[Any] = parts[0]
        items.append(parts[-1])
        return items

    def commands(self, parts: list[list[nodes.Command]]) -> tuple[nodes.Command, ...]:
        found = tuple(parts[0])
        for stage, command in enumerate(found[1:], start=2):
            if isinstance(command.args[0], _NOT_EXECUTABLE):
                raise SyntaxFault(f"non executable command in pipeline stage {stage}", command.offset)
        return found

    def command(self, parts: list[list[nodes.Operand]]) -> nodes.Command:
        first = parts[0][0]
        start = first.node.offset if isinstance(first, nodes.Chain) else first.offset
        return nodes.Command(start, tuple(parts[0]))

    def chain(self, parts: list[Any]) -> nodes.Operand:
        """A field added to an operand; the node moves to where the first was added, as in Go."""
        operand: nodes.Operand = parts[0]
        offset, name = parts[1].offset, parts[1].text[1:]
        match operand:
            case nodes.Field(_, names) | nodes.Variable(_, names):
                added = operand.offset if len(names) > 1 else offset
                return type(operand)(added, (*names, name))
            case nodes.Chain(at, inner, names):
                return nodes.Chain(at, inner, (*names, name))
            case nodes.Bool() | nodes.String() | nodes.NumberNode() | nodes.Nil() | nodes.Dot():
                raise SyntaxFault(f"unexpected . after term {quote(str(operand))}", offset)
            case _:
                return nodes.Chain(offset, operand, (name,))

    def identifier(self, parts: list[Token]) -> nodes.Identifier:
        name = parts[0].text
        if name not in FUNCTIONS and name not in BUILTINS:
            raise SyntaxFault(f"function {quote(name)} not defined", parts[0].offset)
        return nodes.Identifier(parts[0].offset, name)

    def variable(self, parts: list[Token]) -> nodes.Variable:
        return nodes.Variable(parts[0].offset, (parts[0].text,))

    def field(self, parts: list[Token]) -> nodes.Field:
        return nodes.Field(parts[0].offset, (parts[0].text[1:],))

    def dot(self, parts: list[Token]) -> nodes.Dot:
        return nodes.Dot(parts[0].offset)

    def nil(self, parts: list[Token]) -> nodes.Nil:
        return nodes.Nil(parts[0].offset)

    def boolean(self, parts: list[Token]) -> nodes.Bool:
        return nodes.Bool(parts[0].offset, parts[0].text == "true")

    def char(self, parts: list[Token]) -> nodes.NumberNode:
        return nodes.NumberNode(parts[0].offset, parts[0].text, _read(parts[0], unquote_char))

    def number(self, parts: list[Token]) -> nodes.NumberNode:
        return nodes.NumberNode(parts[0].offset, parts[0].text, _read(parts[0], parse_number))

    def string(self, parts: list[Token]) -> nodes.String:
        return nodes.String(parts[0].offset, parts[0].text, _read(parts[0], unquote))

    def raw_string(self, parts: list[Token]) -> nodes.String:
        return nodes.String(parts[0].offset, parts[0].text, unquote_raw(parts[0].text))

    def parenthesized(self, parts: list[Any]) -> nodes.Pipe:
        pipe: nodes.Pipe = parts[1]
        return pipe


def _pipe(commands: tuple[nodes.Command, ...]) -> nodes.Pipe:
    return nodes.Pipe(commands[0].offset, commands)


def _read(token: Token, read: Callable[[str], _T]) -> _T:
    try:
        return read(token.text)
    except ValueError as error:
        raise SyntaxFault(str(error), token.offset) from None
