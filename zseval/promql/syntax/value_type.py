"""The types of PromQL expressions, apart from the tree because results have one as well."""

from __future__ import annotations

import enum

__all__ = ["ValueType"]


class ValueType(enum.StrEnum):
    """Types of PromQL expressions, by the names that error messages use."""

    NONE = "none"
    SCALAR = "scalar"
    STRING = "string"
    VECTOR = "vector"
    MATRIX = "matrix"

    @property
    def documented(self) -> str:
        """The name the documentation uses: "instant vector", "range vector", …"""
        return {"vector": "instant vector", "matrix": "range vector"}.get(self.value, self.value)
