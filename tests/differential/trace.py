"""From two answers that differ to where that begins: the smallest part that differs by itself.

A part inside a subquery is asked as a subquery of its own, so at the times that the expression asks it
at. A difference over a range is asked for again at the first time that differs, and stays a range where it
is none at that time alone; then parts inside subqueries are asked over that range.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tests.differential.compare import Answer, difference, first_time
from tests.differential.peer import Peers, When
from zseval.promql.syntax.ast import Expr, SubqueryExpr, ValueType, children
from zseval.promql.syntax.parser import parse

__all__ = ["Case", "ours_of", "trace"]


@dataclass(frozen=True, slots=True)
class Case:
    """A part of an expression whose answers differ.

    text: what was asked; the part itself, or in a subquery.  inputs: both answers of each operand.
    """

    expr: Expr
    text: str
    when: When
    theirs: Answer
    ours: Answer
    inputs: list[tuple[Answer, Answer]] = field(default_factory=list)

    @property
    def what(self) -> str:
        """The difference in words."""
        found = difference(self.theirs, self.ours)
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class _Part:
    """A node, its text, and the brackets of the subquery it stands in, with their modifiers."""

    expr: Expr
    source: str
    brackets: str = ""

    @property
    def text(self) -> str:
        return f"({self.source}){self.brackets}" if self.brackets else self.source

    def operands(self) -> Iterator[_Part]:
        for child in children(self.expr):
            begin, end = child.span.start - self.expr.span.start, child.span.end - self.expr.span.start
            brackets = self.source[end:] if isinstance(self.expr, SubqueryExpr) else self.brackets
            yield _Part(child, self.source[begin:end], brackets)

    def walk(self) -> Iterator[_Part]:
        yield self
        for each in self.operands():
            yield from each.walk()


def trace(peers: Peers, expr: str, when: When) -> Case | None:
    """The smallest part, by length, that differs when it is asked by itself; None where none does any more.

    None happens: the real server goes through series in the order of a hash map here and there, which is
    another one each time.
    """
    case = _smallest(peers, expr, when)
    if case is None or when.step == 0:
        return case
    first = first_time(case.theirs, case.ours)
    steps = int((when.end - when.start) / when.step) + 1
    times = [when.start + number * when.step for number in range(steps)] if first is None else [first]
    moment = case.text.replace("start()", str(when.start)).replace("end()", str(when.end))
    found = (_smallest(peers, moment, When(time, time)) for time in times)
    single = next((each for each in found if each is not None), None)
    return single or _smallest(peers, expr, when, unwrapped=True) or case


def ours_of(peers: Peers, expr: str, when: When) -> Answer:
    """zseval's answer, or a crash in the form of one."""
    try:
        return peers.ours(expr, when)
    except Exception as error:  # noqa: BLE001 - a crash is a finding like another; its words say so
        return {"resultType": "crash", "result": f"{type(error).__name__}: {error}"}


def _smallest(peers: Peers, expr: str, when: When, *, unwrapped: bool = False) -> Case | None:
    """unwrapped: parts inside subqueries without their brackets."""
    walked = _Part(parse(expr), expr.strip()).walk()
    parts = {
        part.text: part
        for part in (replace(each, brackets="") if unwrapped else each for each in walked)
        if part.expr.type is not ValueType.MATRIX or (when.step == 0 and not part.brackets)
    }
    for text, part in sorted(parts.items(), key=lambda item: len(item[0])):
        at = When(when.end, when.end) if part.brackets else when
        theirs, ours = peers.theirs(text, at), ours_of(peers, text, at)
        if difference(theirs, ours) is not None:
            return Case(part.expr, text, at, theirs, ours, _inputs(peers, part, at))
    return None


def _inputs(peers: Peers, part: _Part, when: When) -> list[tuple[Answer, Answer]]:
    """(theirs, ours) of each operand; of a range vector at the end of the range."""
    found = []
    for each in part.operands():
        is_matrix = each.expr.type is ValueType.MATRIX
        text = each.source if is_matrix else each.text
        at = When(when.end, when.end) if is_matrix or each.brackets else when
        found.append((_sorted(peers.theirs(text, at)), _sorted(ours_of(peers, text, at))))
    return found


def _sorted(answer: Answer) -> Answer:
    if answer.get("resultType") in ("vector", "matrix"):
        ranked = sorted(answer["result"], key=lambda each: sorted(each["metric"].items()))
        return {**answer, "result": ranked}
    return answer
