"""Types and arities: what a node must be made of, checked while the tree is built, children first.

Conditions and messages are those of checkAST in promql/parser/parse.go upstream.
"""

from __future__ import annotations

from zseval.model.labels import METRIC_NAME, quote
from zseval.promql.syntax.ast import (
    AggregateExpr,
    BinaryExpr,
    Call,
    Cardinality,
    Expr,
    Span,
    SubqueryExpr,
    UnaryExpr,
    ValueType,
    VectorMatching,
    VectorSelector,
)
from zseval.promql.syntax.lexer import Problem
from zseval.promql.syntax.signatures import AGGREGATIONS, Signature

__all__ = [
    "COMPARISONS",
    "SET_OPERATORS",
    "check_aggregate",
    "check_binary",
    "check_call",
    "check_selector",
    "check_subquery",
    "check_unary",
]

COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">="})
SET_OPERATORS = frozenset({"and", "or", "unless"})
_OPERANDS = (ValueType.SCALAR, ValueType.VECTOR)


def check_aggregate(node: AggregateExpr) -> None:
    _expect(node.expr, ValueType.VECTOR, "aggregation expression")
    wanted = AGGREGATIONS[node.op]
    if wanted is not None and node.param is not None:
        _expect(node.param, wanted, "aggregation parameter")


def check_binary(node: BinaryExpr, operator: Span, matching: VectorMatching) -> None:
    """matching: as written, also where the node has none because a side is a scalar."""
    left, right = node.lhs.type, node.rhs.type
    is_set = node.op in SET_OPERATORS
    if node.return_bool and node.op not in COMPARISONS:
        raise Problem("bool modifier can only be used on comparison operators", operator)
    both_scalar = left == right == ValueType.SCALAR
    if node.op in COMPARISONS and both_scalar and not node.return_bool:
        raise Problem("comparisons between scalars must use BOOL modifier", operator)
    if matching.on:
        for label in matching.labels:
            if label in matching.include:
                message = f"label {quote(label)} must not occur in ON and GROUP clause at once"
                raise Problem(message, operator)
    for side in (node.lhs, node.rhs):
        if side.type not in _OPERANDS:
            message = "binary expression must contain only scalar and instant vector types"
            raise Problem(message, side.span)
    if left is ValueType.SCALAR or right is ValueType.SCALAR:
        _check_without_matching(node, matching, is_set=is_set)
    elif is_set:
        if matching.cardinality in (Cardinality.MANY_TO_ONE, Cardinality.ONE_TO_MANY):
            raise Problem(f"no grouping allowed for {quote(node.op)} operation", node.span)
        if matching.fill.left is not None or matching.fill.right is not None:
            raise Problem("filling in missing series not allowed for set operators", node.span)


def _check_without_matching(node: BinaryExpr, matching: VectorMatching, *, is_set: bool) -> None:
    if matching.labels:
        raise Problem("vector matching only allowed between instant vectors", node.span)
    if matching.fill.left is not None or matching.fill.right is not None:
        raise Problem("filling in missing series only allowed between instant vectors", node.span)
    if is_set:
        raise Problem(f"set operator {quote(node.op)} not allowed in binary scalar expression", node.span)


def check_call(node: Call, signature: Signature) -> None:
    given, listed = len(node.args), len(signature.args)
    if signature.variadic == 0 and given != listed:
        raise Problem(f"expected {listed} argument(s) in call to {quote(node.func)}, got {given}", node.span)
    if given < signature.least:
        message = (
            f"expected at least {signature.least} argument(s) in call to {quote(node.func)}, got {given}"
        )
        raise Problem(message, node.span)
    if signature.most is not None and given > signature.most:
        message = f"expected at most {signature.most} argument(s) in call to {quote(node.func)}, got {given}"
        raise Problem(message, node.span)
    if node.func == "info" and given > 1:
        _check_info_selector(node.args[1])
    for index, argument in enumerate(node.args):
        _expect(argument, signature.arg_type(index), f"call to function {quote(node.func)}")


def _check_info_selector(argument: Expr) -> None:
    _expect(argument, ValueType.VECTOR, 'call to function "info"')
    if not isinstance(argument, VectorSelector):
        raise Problem("expected label selectors only", argument.span)
    if argument.name:
        raise Problem("expected label selectors only, got vector selector instead", argument.span)


def check_unary(node: UnaryExpr) -> None:
    if node.expr.type not in _OPERANDS:
        kind = quote(node.expr.type.documented)
        message = f"unary expression only allowed on expressions of type scalar or instant vector, got {kind}"
        raise Problem(message, node.span)


def check_subquery(node: SubqueryExpr) -> None:
    if node.expr.type is not ValueType.VECTOR:
        message = f"subquery is only allowed on instant vector, got {node.expr.type.value} instead"
        raise Problem(message, node.span)


def check_selector(node: VectorSelector) -> None:
    """A selector must say something: its name once, and at least one matcher that not everything passes."""
    if node.name:
        for matcher in node.matchers[:-1]:
            if matcher.name == METRIC_NAME:
                twice = f"{quote(node.name)} or {quote(matcher.value)}"
                raise Problem(f"metric name must not be set twice: {twice}", node.span)
    elif all(matcher.matches_empty for matcher in node.matchers):
        raise Problem("vector selector must contain at least one non-empty matcher", node.span)


def _expect(node: Expr, wanted: ValueType, context: str) -> None:
    if node.type is not wanted:
        message = f"expected type {wanted.documented} in {context}, got {node.type.documented}"
        raise Problem(message, node.span)
