"""fold_constants: arithmetic on numbers done once.

before: x > bool (1 + 1) * 60        after: x > bool 120
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zseval.promql.kernels.arithmetic import ARITHMETIC, COMPARISON
from zseval.promql.plan.nodes import Binary, Negate, Node, Number, Plan, children, with_children

__all__ = ["fold_constants"]


def fold_constants(plan: Plan) -> Plan:
    return replace(plan, root=_fold(plan.root))


def _fold(node: Node) -> Node:
    node = with_children(node, tuple(map(_fold, children(node))))
    match node:
        case Negate(expr=Number(value=value)):
            return Number(-value, node.span)
        case Binary(lhs=Number(value=left), rhs=Number(value=right)):
            operator = ARITHMETIC.get(node.op) or COMPARISON[node.op]
            result = operator(np.array([left]), np.array([right]))
            return Number(float(result[0]), node.span)
    return node
