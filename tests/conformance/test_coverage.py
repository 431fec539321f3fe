"""The own scripts have a case for every function, aggregation, operator and word of the language."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.script import Eval, read_script
from zseval.promql.engine import FEATURES
from zseval.promql.functions import FUNCTIONS
from zseval.promql.syntax.ast import BinaryExpr, Call, walk
from zseval.promql.syntax.check import COMPARISONS
from zseval.promql.syntax.lexer import KEYWORDS, OPERATORS, Lexer
from zseval.promql.syntax.parser import parse
from zseval.promql.syntax.signatures import AGGREGATIONS, SIGNATURES

_OWN = Path(__file__).parents[1] / "fixtures" / "promqltest"


def _uses(expr: str) -> Iterator[str]:
    """Functions, tokens by type, and comparisons with their `bool`."""
    lexer = Lexer(expr)
    while (token := lexer.next()).type != "$END":
        yield token.type
    for node in walk(parse(expr, features=FEATURES)):
        if isinstance(node, Call):
            yield node.func
        elif isinstance(node, BinaryExpr) and node.op in COMPARISONS:
            yield f"{node.op} bool" if node.return_bool else node.op


@pytest.fixture(scope="module")
def used() -> set[str]:
    """By the cases that expect an answer."""
    commands = (each for path in _OWN.glob("*.test") for each in read_script(path))
    cases = (each for each in commands if isinstance(each, Eval) and not each.expected("fail"))
    return {use for case in cases for use in _uses(case.expr)}


def test_every_function_has_a_case(used: set[str]) -> None:
    assert sorted({*SIGNATURES, *FUNCTIONS} - used) == []


def test_every_aggregation_has_a_case(used: set[str]) -> None:
    assert sorted(name for name in AGGREGATIONS if name.upper() not in used) == []


def test_every_comparison_has_a_case_that_filters_and_one_that_does_not(used: set[str]) -> None:
    wanted = {*COMPARISONS, *(f"{op} bool" for op in COMPARISONS)}
    assert sorted(wanted - used) == []


def test_every_word_and_operator_has_a_case(used: set[str]) -> None:
    assert sorted({*KEYWORDS.values(), *OPERATORS.values()} - used) == []
