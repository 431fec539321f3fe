"""Types and arities: what a node must be made of, checked when the tree is whole.

Conditions, messages, positions and their order are those of checkAST in promql/parser/parse.go upstream.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from zseval.model.labels import METRIC_NAME, quote
from zseval.promql.syntax.ast import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Cardinality,
    DurationCall,
    DurationExpr,
    DurationOperation,
    Expr,
    MatrixSelector,
    NumberLiteral,
    ParenExpr,
    StringLiteral,
    SubqueryExpr,
    UnaryExpr,
    ValueType,
    VectorMatching,
    VectorSelector,
    children,
)
from zseval.promql.syntax.build import SET_OPERATORS
from zseval.promql.syntax.lexer import Problem
from zseval.promql.syntax.signatures import AGGREGATIONS, SIGNATURES, Signature

__all__ = ["COMPARISONS", "DEEPEST", "SET_OPERATORS", "check", "check_depth"]

COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">="})
DEEPEST = 240
"""How many expressions may be nested in one another. Upstream has no limit; here each level is Python
calls when a query is checked, planned and run, and a query beyond it is a mistake or an attack."""
_OPERANDS = (ValueType.SCALAR, ValueType.VECTOR)
_PLAIN = VectorMatching()


def check_depth(expr: Expr) -> None:
    """Raises Problem for a tree that is nested too deeply. Does not recurse."""
    pending: list[tuple[Expr | DurationExpr, int]] = [(expr, 1)]
    while pending:
        node, depth = pending.pop()
        if depth > DEEPEST:
            raise Problem(f"expression is nested more than {DEEPEST} levels deep", node.span.start)
        pending.extend((child, depth + 1) for child in _below(node))


def _below(node: Expr | DurationExpr) -> tuple[Expr | DurationExpr, ...]:
    match node:
        case NumberLiteral() | StringLiteral():
            return ()
        case DurationOperation(lhs=lhs, rhs=rhs):
            return (rhs,) if lhs is None else (lhs, rhs)
        case DurationCall(args=args):
            return args
        case VectorSelector(offset=offset):
            return () if isinstance(offset, int) else (offset,)
        case MatrixSelector(selector=selector, range=width):
            return (selector,) if isinstance(width, int) else (selector, width)
        case SubqueryExpr(expr=expr, range=width, step=step, offset=offset):
            durations = (width, 0 if step is None else step, offset)
            return (expr, *(duration for duration in durations if not isinstance(duration, int)))
        case _:
            return children(node)


def check(expr: Expr, text: str, written: Mapping[int, VectorMatching]) -> None:
    """Raises Problem for the first node that does not fit.

    text: the query.  written: matchings of binary expressions whose sides are not both vectors
    (Builder.written).
    """
    _Check(text, written).type_of(expr)


@dataclass(frozen=True, slots=True)
class _Check:
    text: str
    written: Mapping[int, VectorMatching]

    def type_of(self, node: Expr) -> ValueType:
        """The type of a node, after everything in it was checked."""
        match node:
            case NumberLiteral():
                return ValueType.SCALAR
            case StringLiteral():
                return ValueType.STRING
            case VectorSelector():
                _check_selector(node)
                return ValueType.VECTOR
            case MatrixSelector(selector=selector):
                _check_selector(selector)
                return ValueType.MATRIX
            case ParenExpr(expr=expr):
                return self.type_of(expr)
            case BinaryExpr():
                return self._binary(node)
            case Call():
                self._call(node, SIGNATURES[node.func])
                return node.returns
            case AggregateExpr():
                return self._aggregate(node)
            case UnaryExpr():
                return self._unary(node)
            case SubqueryExpr():
                return self._subquery(node)
            case _:
                assert_never(node)

    def _expect(self, node: Expr, wanted: ValueType, context: str) -> None:
        found = self.type_of(node)
        if found is not wanted:
            message = f"expected type {wanted.documented} in {context}, got {found.documented}"
            raise Problem(message, node.span.start)

    def _aggregate(self, node: AggregateExpr) -> ValueType:
        self._expect(node.expr, ValueType.VECTOR, "aggregation expression")
        wanted = AGGREGATIONS[node.op]
        if wanted is not None and node.param is not None:
            self._expect(node.param, wanted, "aggregation parameter")
        return ValueType.VECTOR

    def _binary(self, node: BinaryExpr) -> ValueType:
        left, right = self.type_of(node.lhs), self.type_of(node.rhs)
        compares = node.op in COMPARISONS
        matching = node.matching or self.written.get(id(node), _PLAIN)
        scalars = left is right is ValueType.SCALAR
        if node.return_bool and not compares:
            raise Problem("bool modifier can only be used on comparison operators", self._operator(node))
        if compares and not node.return_bool and scalars:
            raise Problem("comparisons between scalars must use BOOL modifier", self._operator(node))
        if matching.on:
            for label in matching.labels:
                if label in matching.include:
                    message = f"label {quote(label)} must not occur in ON and GROUP clause at once"
                    raise Problem(message, self._operator(node))
        for side, kind in ((node.lhs, left), (node.rhs, right)):
            if kind not in _OPERANDS:
                message = "binary expression must contain only scalar and instant vector types"
                raise Problem(message, side.span.start)
        if node.matching is not None:
            _check_matching(node, node.matching)
        else:
            _check_no_matching(node, matching)
        return ValueType.SCALAR if scalars else ValueType.VECTOR

    def _operator(self, node: BinaryExpr) -> int:
        """Where the operator stands: after the left side and spaces (upstream, too, stops at a comment)."""
        after = self.text[node.lhs.span.end :]
        return len(self.text) - len(after.lstrip(" \t\r\n"))

    def _call(self, node: Call, signature: Signature) -> None:
        _check_count(node, signature)
        if node.func == "info" and len(node.args) > 1:
            _check_info_selector(node, node.args[1])
        context = f"call to function {quote(node.func)}"
        for index, argument in enumerate(node.args):
            if node.func == "info" and index == 1:
                continue  # it may match everything, and its type was checked
            self._expect(argument, signature.arg_type(index), context)

    def _unary(self, node: UnaryExpr) -> ValueType:
        kind = self.type_of(node.expr)
        if kind not in _OPERANDS:
            allowed = "unary expression only allowed on expressions of type scalar or instant vector"
            raise Problem(f"{allowed}, got {quote(kind.documented)}", node.span.start)
        return kind

    def _subquery(self, node: SubqueryExpr) -> ValueType:
        kind = self.type_of(node.expr)
        if kind is not ValueType.VECTOR:
            message = f"subquery is only allowed on instant vector, got {kind.value} instead"
            raise Problem(message, node.span.start)
        return ValueType.MATRIX


def _check_matching(node: BinaryExpr, matching: VectorMatching) -> None:
    """Both sides are vectors."""
    if node.op not in SET_OPERATORS:
        return
    if matching.cardinality is not Cardinality.MANY_TO_MANY:
        raise Problem(f"no grouping allowed for {quote(node.op)} operation", node.span.start)
    if matching.fill.left is not None or matching.fill.right is not None:
        raise Problem("filling in missing series not allowed for set operators", node.span.start)


def _check_no_matching(node: BinaryExpr, matching: VectorMatching) -> None:
    """A side is no vector."""
    if matching.labels:
        raise Problem("vector matching only allowed between instant vectors", node.span.start)
    if matching.fill.left is not None or matching.fill.right is not None:
        message = "filling in missing series only allowed between instant vectors"
        raise Problem(message, node.span.start)
    if node.op in SET_OPERATORS:
        message = f"set operator {quote(node.op)} not allowed in binary scalar expression"
        raise Problem(message, node.span.start)


def _check_count(node: Call, signature: Signature) -> None:
    given, name = len(node.args), quote(node.func)
    expected = ""
    if signature.variadic == 0:
        if given != len(signature.args):
            expected = f"{len(signature.args)}"
    elif given < signature.least:
        expected = f"at least {signature.least}"
    elif signature.most is not None and given > signature.most:
        expected = f"at most {signature.most}"
    if expected:
        raise Problem(f"expected {expected} argument(s) in call to {name}, got {given}", node.span.start)


def _check_info_selector(call: Call, argument: Expr) -> None:
    """The second argument of info() selects labels, not a metric."""
    if argument.type is not ValueType.VECTOR:
        got = argument.type.documented
        message = f'expected type instant vector in call to function "info", got {got}'
        raise Problem(message, call.span.start)
    if not isinstance(argument, VectorSelector):
        raise Problem("expected label selectors only", argument.span.start)
    if argument.name:
        message = "expected label selectors only, got vector selector instead"
        raise Problem(message, argument.span.start)


def _check_selector(node: VectorSelector) -> None:
    """A selector must say something: its name once, and at least one matcher that not everything passes."""
    if node.name:
        for matcher in node.matchers[:-1]:
            if matcher.name == METRIC_NAME:
                twice = f"{quote(node.name)} or {quote(matcher.value)}"
                raise Problem(f"metric name must not be set twice: {twice}", node.span.start)
    elif all(matcher.matches_empty for matcher in node.matchers):
        raise Problem("vector selector must contain at least one non-empty matcher", node.span.start)
