"""From template text to tree: lark with grammar/gotemplate.lark, and Go's words for what is wrong.

The LALR tables are made on first use and kept; a text without `{{` never needs them.
Source: text/template/parse/parse.go for what is an error and what it is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zseval.model.labels import quote
from zseval.template import nodes
from zseval.template.build import Define, TreeBuilder
from zseval.template.errors import SyntaxFault
from zseval.template.lexer import KEYWORDS, tokens
from zseval.template.scopes import check_scopes

if TYPE_CHECKING:
    import lark

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
    import lark

    try:
        top: Any = _parser().parse(text)
    except lark.exceptions.UnexpectedToken as error:
        raise _explained(error) from None
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


@cache
def _parser() -> lark.Lark:
    import lark

    class TemplateLexer(lark.lexer.Lexer):
        def __init__(self, lexer_conf: Any) -> None: ...

        def lex(self, data: Any) -> Iterator[lark.Token]:  # type: ignore[override]  # lark hands over the text itself
            depth = 0
            for token in tokens(data):
                depth += _NESTING.get(token.type, 0)
                if depth > _MAX_NESTING:
                    raise SyntaxFault("template is nested too deeply", token.offset)
                yield lark.Token(token.type, token.text, start_pos=token.offset)

    return lark.Lark(_grammar(), parser="lalr", lexer=TemplateLexer, transformer=TreeBuilder())


_NESTING = {"LPAR": 1, "RPAR": -1, "IF": 1, "WITH": 1, "RANGE": 1, "DEFINE": 1, "BLOCK": 1, "END": -1}


def _grammar() -> str:
    """The grammar's text: beside this package in a checkout, inside it in a wheel."""
    package = Path(__file__).parents[1]
    for folder in (package / "_grammar", package.parent / "grammar"):
        path = folder / "gotemplate.lark"
        if path.is_file():
            return path.read_text("utf-8")
    raise FileNotFoundError("gotemplate.lark is neither in the installed package nor in the checkout")


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


def _explained(error: lark.exceptions.UnexpectedToken) -> SyntaxFault:
    """What Go says about a token that has no place."""
    token, stack = error.token, _stack(error)
    if token.type == "$END":
        return SyntaxFault("unexpected EOF", len(error.token))
    return SyntaxFault(_fault(token, stack), token.start_pos or 0)


def _stack(error: lark.exceptions.UnexpectedToken) -> list[str]:
    """Types of the tokens read and not yet part of a whole; "" for a whole."""
    state: Any = error.state
    return [getattr(value, "type", "") for value in state.value_stack]


def _fault(token: lark.Token, stack: list[str]) -> str:
    opener = max(index for index, kind in enumerate(stack) if kind in ("LEFT", "LPAR"))
    inside = stack[opener + 1 :]
    keyword = inside[0] if inside else ""
    context = _CONTEXTS.get(keyword, "command") if stack[opener] == "LEFT" else "parenthesized pipeline"
    if not inside and stack[opener] == "LEFT" and token.type in ("END", "ELSE"):
        return _misplaced(token.type.lower(), stack[:opener])
    if token.type == "COMMA" and inside[-1:] == ["VARIABLE"] and _only_declares(inside):
        return f"too many declarations in {context}"
    if keyword == "RANGE" and inside[-1] == "COMMA":
        return "range can only initialize variables"
    if keyword == "ELSE" and token.type in ("IF", "WITH"):
        return f"unexpected {_shown(token)} in input"
    if keyword in ("DEFINE", "ELSE", "END", "BREAK", "CONTINUE") or inside == [keyword] == ["TEMPLATE"]:
        return f"unexpected {_shown(token)} in {context}"
    if stack[-1] not in _STARTS_OPERAND and not (keyword == "BLOCK" and len(inside) == 2):
        return f"unexpected {_shown(token)} in {context if token.type == 'RPAR' else 'operand'}"
    if token.type == "RIGHT" or (token.type == "RPAR" and stack[opener] == "LPAR"):
        return f"missing value for {context}"
    return f"unexpected {_shown(token)} in {context}"


def _only_declares(inside: list[str]) -> bool:
    return all(kind in ("VARIABLE", "COMMA", "RANGE", "IF", "WITH") for kind in inside)


def _misplaced(keyword: str, before: list[str]) -> str:
    """`{{end}}` or `{{else}}` where nothing is open that could have it."""
    control = next((kind for kind in reversed(before) if kind in _CONTEXTS), "")
    if keyword == "else" and control == "ELSE":
        return "expected end; found {{else}}"
    if keyword == "else" and control in ("DEFINE", "BLOCK"):
        return f"unexpected {{{{else}}}} in {_CONTEXTS[control]}"
    return f"unexpected {{{{{keyword}}}}}"


def _shown(token: lark.Token) -> str:
    """A token as Go's messages show it: keywords in angle brackets, the rest quoted and cut short."""
    text = str(token)
    if token.type in KEYWORDS.values() or text == ".":
        return f"<{text}>"
    return quote(text[:10]) + "..." if len(text) > 10 else quote(text)
