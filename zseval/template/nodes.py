"""The tree of a template. `str()` of a node is Go's canonical text of it, which its errors quote.

offset: of the node in the template text, where Go puts it (for a field chain the last link that was added).
Source: text/template/parse/node.go.
"""

from __future__ import annotations

from dataclasses import dataclass

from zseval.model.labels import quote
from zseval.template.literals import Number

__all__ = [
    "Action",
    "Block",
    "Bool",
    "Break",
    "Chain",
    "Command",
    "Continue",
    "Dot",
    "Field",
    "Identifier",
    "If",
    "Nil",
    "Node",
    "NumberNode",
    "Operand",
    "Pipe",
    "Range",
    "String",
    "Template",
    "Text",
    "Variable",
    "With",
]


@dataclass(frozen=True, slots=True)
class Identifier:
    """The name of a function."""

    offset: int
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Variable:
    """names: `$x` and the fields after it."""

    offset: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclass(frozen=True, slots=True)
class Field:
    """`.a.b`: fields of dot."""

    offset: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        return "".join(f".{name}" for name in self.names)


@dataclass(frozen=True, slots=True)
class Chain:
    """Fields of a parenthesized pipeline or of what a function returns."""

    offset: int
    node: Operand
    names: tuple[str, ...]

    def __str__(self) -> str:
        return _argument(self.node) + "".join(f".{name}" for name in self.names)


@dataclass(frozen=True, slots=True)
class Dot:
    offset: int

    def __str__(self) -> str:
        return "."


@dataclass(frozen=True, slots=True)
class Nil:
    offset: int

    def __str__(self) -> str:
        return "nil"


@dataclass(frozen=True, slots=True)
class Bool:
    offset: int
    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


@dataclass(frozen=True, slots=True)
class NumberNode:
    offset: int
    text: str
    value: Number

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class String:
    """text: as written, quotes included."""

    offset: int
    text: str
    value: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Command:
    """A function or value and its arguments."""

    offset: int
    args: tuple[Operand, ...]

    def __str__(self) -> str:
        return " ".join(_argument(arg) for arg in self.args)


@dataclass(frozen=True, slots=True)
class Pipe:
    """declared: the variables it sets; is_assign: `=` and not `:=`."""

    offset: int
    commands: tuple[Command, ...]
    declared: tuple[str, ...] = ()
    is_assign: bool = False

    def __str__(self) -> str:
        head = f"{', '.join(self.declared)} {'=' if self.is_assign else ':='} " if self.declared else ""
        return head + " | ".join(str(command) for command in self.commands)


Operand = Identifier | Variable | Field | Chain | Dot | Nil | Bool | NumberNode | String | Pipe


@dataclass(frozen=True, slots=True)
class Text:
    offset: int
    text: str


@dataclass(frozen=True, slots=True)
class Action:
    offset: int
    pipe: Pipe

    def __str__(self) -> str:
        return f"{{{{{self.pipe}}}}}"


@dataclass(frozen=True, slots=True)
class If:
    offset: int
    pipe: Pipe
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class With:
    offset: int
    pipe: Pipe
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Range:
    offset: int
    pipe: Pipe
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Break:
    offset: int


@dataclass(frozen=True, slots=True)
class Continue:
    offset: int


@dataclass(frozen=True, slots=True)
class Template:
    """Runs the template of that name; also what a block leaves where it stands."""

    offset: int
    name: str
    pipe: Pipe | None

    def __str__(self) -> str:
        return f"{{{{template {quote(self.name)}{f' {self.pipe}' if self.pipe else ''}}}}}"


@dataclass(frozen=True, slots=True)
class Block:
    """A template defined where it is first run; the parser splits it into the two."""

    call: Template
    body: tuple[Node, ...]


Node = Text | Action | If | With | Range | Break | Continue | Template | Block


def _argument(node: Operand) -> str:
    return f"({node})" if isinstance(node, Pipe) else str(node)
