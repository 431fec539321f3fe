"""PromQL: text to tree, tree to plan, plan to matrices."""
