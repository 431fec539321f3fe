"""Passes: plan in, plan out, in this order. None changes a result."""

from __future__ import annotations

from collections.abc import Callable

from zseval.promql.plan.nodes import Plan
from zseval.promql.plan.passes.fold_constants import fold_constants
from zseval.promql.plan.passes.share_selectors import share_selectors
from zseval.promql.plan.passes.step_invariant import step_invariant

__all__ = ["PASSES"]

PASSES: tuple[Callable[[Plan], Plan], ...] = (fold_constants, step_invariant, share_selectors)
