"""Two trees are the same when they say the same: where in a text, and in which order of matchers, aside."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from zseval.model.matcher import Matcher

__all__ = ["shape"]


def shape(value: object) -> object:
    """A tree, or any part of one, as nested tuples that can be compared. NaN equals NaN."""
    if isinstance(value, tuple):
        parts = [shape(each) for each in value]
        if value and isinstance(value[0], Matcher):
            parts.sort(key=repr)
        return tuple(parts)
    if isinstance(value, float):
        return repr(value)
    if is_dataclass(value) and not isinstance(value, type):
        named = [
            (each.name, shape(getattr(value, each.name))) for each in fields(value) if each.name != "span"
        ]
        return type(value).__name__, *named
    return value
