"""From template text to tree: the tables of grammar/gotemplate.lark, and Go's words for what is wrong.

The tables are read on first use and kept; a text without `{{` never needs them.
Source: text/template/parse/parse.go for what is an error and what it is called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from zseval.model.labels import quote
from zseval.template import nodes
from zseval.template.build import Define, TreeBuilder
from zseval.template.errors import SyntaxFault
from zseval.template.lexer import KEYWORDS, Token, tokens
from zseval.template.scopes import check_scopes
from zseval.template.tables import GOTEMPLATE

__all__ = ["Tree", "parse_template"]

_MAX_NESTING = 100


@dataclass(frozen=True, slots=True)
class Tree:
    """text: what was parsed.  main: its nodes.  templates: bodies by name, of define and block."""

    text: str
    main: tuple[nodes.Node, ...]
    templates: Mapping[str, tuple[nodes.Node, ...]]


def parse_template(text: str) -> Tree:
    """The tree of a template. Raises SyntaxFault."""
    if "{{" not in text:
        return Tree(text, (nodes.Text(0, text),) if text else (), {})
    top = _automaton().run(text)
    templates: dict[str, tuple[nodes.Node, ...]] = {}
    main = tuple(_hoisted(top, templates))
    check_scopes(main)
    for body in templates.values():
        check_scopes(body)
    return Tree(text, main, templates)


def _hoisted(
    items: Sequence[nodes.Node | Define], templates: dict[str, tuple[nodes.Node, ...]]
) -> Iterator[nodes.Node]:
    """The nodes without definitions, which go to `templates`."""
    for item in items:
        match item:
            case Define(offset, name, body):
                _define(templates, name, tuple(_hoisted(body, templates)), offset)
            case nodes.Block(call, body):
                _define(templates, call.name, tuple(_hoisted(body, templates)), call.offset)
                yield call
            case nodes.If() | nodes.With() | nodes.Range():
                inside = tuple(_hoisted(item.body, templates)), tuple(_hoisted(item.otherwise, templates))
                yield type(item)(item.offset, item.pipe, *inside)
            case _:
                yield item


def _define(
    templates: dict[str, tuple[nodes.Node, ...]], name: str, body: tuple[nodes.Node, ...], offset: int
) -> None:
    """A definition that only has white space does not replace another, nor count as a second one."""
    known = templates.get(name)
    if known is None or _is_empty(known):
        templates[name] = body
    elif not _is_empty(body):
        raise SyntaxFault(f"template: multiple definition of template {quote(name)}", offset)


def _is_empty(body: tuple[nodes.Node, ...]) -> bool:
    return all(isinstance(node, nodes.Text) and not node.text.strip() for node in body)


_NESTING = {"LPAR": 1, "RPAR": -1, "IF": 1, "WITH": 1, "RANGE": 1, "DEFINE": 1, "BLOCK": 1, "END": -1}


class _Automaton:
    """The tables, and for each rule its symbol, its length and the method that makes the value."""

    def __init__(self) -> None:
        tables = GOTEMPLATE.load()
        builder = TreeBuilder()
        self.rows, self.defaults = tables.rows, tables.defaults
        self.start, self.end = tables.start, tables.end
        self.rules: list[tuple[str, int, Callable[[list[Any]], Any]]] = [
            (symbol, length, getattr(builder, name)) for symbol, length, name in tables.rules
        ]

    def run(self, text: str) -> Any:
        """What the builder makes of a text. Raises SyntaxFault."""
        states = [self.start]
        values: list[Any] = []
        read: list[str] = []
        depth = 0
        for token in _all_tokens(text):
            action = self._reduced(states, values, token.type)
            if token.type == "$END" and states[-1] == self.end:
                return values[-1]
            if action is None:
                raise SyntaxFault(_fault(token, read), token.offset)
            depth += _NESTING.get(token.type, 0)
            if depth > _MAX_NESTING:
                raise SyntaxFault("template is nested too deeply", token.offset)
            states.append(action)
            values.append(token)
            read.append(token.type)
        raise AssertionError("the end of the text is a token")

    def _reduced(self, states: list[int], values: list[Any], kind: str) -> int | None:
        """Reduce as far as the token calls for; the state to go to, or None where it has no place."""
        while True:
            action = self.rows[states[-1]].get(kind, self.defaults[states[-1]])
            if action is None or action >= 0:
                return action
            symbol, length, method = self.rules[~action]
            first = len(values) - length
            values[first:] = [method(values[first:])]
            del states[first + 1 :]
            states.append(self.rows[states[-1]][symbol])


def _all_tokens(text: str) -> Iterator[Token]:
    yield from tokens(text)
    yield Token("$END", "", len(text))


@cache
def _automaton() -> _Automaton:
    return _Automaton()


_CONTEXTS = {
    "IF": "if",
    "WITH": "with",
    "RANGE": "range",
    "TEMPLATE": "template clause",
    "BLOCK": "block clause",
    "DEFINE": "define clause",
    "ELSE": "else",
    "END": "end",
    "BREAK": "{{break}}",
    "CONTINUE": "{{continue}}",
}
_STARTS_OPERAND = frozenset(
    (
        "LEFT",
        "LPAR",
        "PIPE",
        "DECLARE",
        "ASSIGN",
        "COMMA",
        *(kind for kind in KEYWORDS.values() if kind != "NIL"),
    )
)


def _fault(token: Token, read: list[str]) -> str:
    """What Go says about a token that has no place after those read."""
    if token.type == "$END":
        return "unexpected EOF"
    opener = _opener(read)
    is_action = read[opener] == "LEFT"
    inside = read[opener + 1 :]
    keyword = inside[0] if inside else ""
    context = _CONTEXTS.get(keyword, "command") if is_action else "parenthesized pipeline"
    if not inside and is_action and token.type in ("END", "ELSE"):
        return _misplaced(token.type.lower(), read[:opener])
    if token.type == "COMMA" and inside[-1:] == ["VARIABLE"] and _only_declares(inside):
        return f"too many declarations in {context}"
    if keyword == "RANGE" and inside[-1] == "COMMA":
        return "range can only initialize variables"
    if keyword == "ELSE" and token.type in ("IF", "WITH"):
        return f"unexpected {_shown(token)} in input"
    if keyword in ("DEFINE", "ELSE", "END", "BREAK", "CONTINUE") or inside == [keyword] == ["TEMPLATE"]:
        return f"unexpected {_shown(token)} in {context}"
    if read[-1] not in _STARTS_OPERAND and not (keyword == "BLOCK" and len(inside) == 2):
        return f"unexpected {_shown(token)} in {context if token.type == 'RPAR' else 'operand'}"
    if token.type == "RIGHT" or (token.type == "RPAR" and not is_action):
        return f"missing value for {context}"
    return f"unexpected {_shown(token)} in {context}"


def _opener(read: list[str]) -> int:
    """Where the innermost `{{` or `(` that is still open was read."""
    closed = 0
    for index in range(len(read) - 1, -1, -1):
        if read[index] == "LEFT" or (read[index] == "LPAR" and not closed):
            return index
        closed += {"RPAR": 1, "LPAR": -1}.get(read[index], 0)
    raise AssertionError("a token that can be wrong is inside an action")


def _only_declares(inside: list[str]) -> bool:
    return all(kind in ("VARIABLE", "COMMA", "RANGE", "IF", "WITH") for kind in inside)


def _misplaced(keyword: str, read: list[str]) -> str:
    """`{{end}}` or `{{else}}` where nothing is open that could have it."""
    control = _open_control(read)
    if keyword == "else" and control == "ELSE":
        return "expected end; found {{else}}"
    if keyword == "else" and control in ("DEFINE", "BLOCK"):
        return f"unexpected {{{{else}}}} in {_CONTEXTS[control]}"
    return f"unexpected {{{{{keyword}}}}}"


def _open_control(read: list[str]) -> str:
    """The keyword of the innermost control structure that has not ended; ELSE once it is in that part."""
    still_open: list[str] = []
    for before, kind in zip(["", *read], read, strict=False):
        if kind in ("IF", "WITH") and before == "ELSE":
            still_open[-1] = kind
        elif kind in ("IF", "WITH", "RANGE", "DEFINE", "BLOCK"):
            still_open.append(kind)
        elif kind == "ELSE" and still_open:
            still_open[-1] = kind
        elif kind == "END" and still_open:
            still_open.pop()
    return still_open[-1] if still_open else ""


def _shown(token: Token) -> str:
    """A token as Go's messages show it: keywords in angle brackets, the rest quoted and cut short."""
    text = token.text
    if token.type in KEYWORDS.values() or text == ".":
        return f"<{text}>"
    return quote(text[:10]) + "..." if len(text) > 10 else quote(text)
