"""Matcher: one condition on one label, `name op value`.

Regular expressions are RE2's (linear time, Go's syntax), fully anchored, and `.` matches a newline
as in Prometheus 3. Most real patterns are a literal, a list of literals, or a prefix or suffix
around `.*`; those are recognised and never reach the regex engine.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from zseval.errors import ZsevalError
from zseval.model.labels import METRIC_NAME, is_legacy_label_name, quote

__all__ = [
    "MatchType",
    "Matcher",
    "RegexError",
    "compile_anchored",
    "refuse_what_go_refuses",
    "regex_error_text",
]

_META = re.compile(r"[\\.+*?()|\[\]{}^$]")


class RegexError(ZsevalError):
    """A regular expression RE2 does not take."""


class MatchType(enum.Enum):
    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """`matches(value)` decides; "" stands for an absent label.

    Raises RegexError when built with a pattern RE2 refuses.
    """

    type: MatchType
    name: str
    value: str
    _accepts: Callable[[str], bool] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.is_regex:
            object.__setattr__(self, "_accepts", compile_anchored(self.value))

    @property
    def is_regex(self) -> bool:
        return self.type in (MatchType.REGEX, MatchType.NOT_REGEX)

    @property
    def is_negative(self) -> bool:
        return self.type in (MatchType.NOT_EQUAL, MatchType.NOT_REGEX)

    def matches(self, value: str) -> bool:
        accepted = self._accepts(value) if self._accepts is not None else value == self.value
        return accepted is not self.is_negative

    @property
    def matches_empty(self) -> bool:
        """True if a series without the label is selected."""
        return self.matches("")

    @property
    def literals(self) -> tuple[str, ...] | None:
        """The only values a regex can accept, where it is a list of literals; else None."""
        return _literals(self.value) if self.is_regex else (self.value,)

    def __str__(self) -> str:
        name = self.name if is_legacy_label_name(self.name) else quote(self.name)
        return f"{name}{self.type.value}{quote(self.value)}"

    @classmethod
    def metric(cls, name: str) -> Matcher:
        """`__name__="name"`."""
        return cls(MatchType.EQUAL, METRIC_NAME, name)


def _literals(pattern: str) -> tuple[str, ...] | None:
    body = pattern[1:-1] if pattern.startswith("(") and pattern.endswith(")") else pattern
    parts = body.split("|")
    return None if any(_META.search(part) for part in parts) else tuple(parts)


@lru_cache(maxsize=4096)
def compile_anchored(pattern: str) -> Callable[[str], bool]:
    """A predicate for `^(?s:pattern)$`.

    Raises RegexError with RE2's reason.
    """
    literals = _literals(pattern)
    if literals is not None:
        return frozenset(literals).__contains__
    if pattern == ".*":
        return lambda _value: True
    if pattern == ".+":
        return bool
    if pattern.endswith((".*", ".+")) and not _META.search(pattern[:-2]):
        prefix, least = pattern[:-2], len(pattern) - 2 + (pattern[-1] == "+")
        return lambda value: value.startswith(prefix) and len(value) >= least
    if pattern.startswith((".*", ".+")) and not _META.search(pattern[2:]):
        suffix, shortest = pattern[2:], len(pattern) - 2 + (pattern[1] == "+")
        return lambda value: value.endswith(suffix) and len(value) >= shortest
    return _compile_re2(pattern)


def _compile_re2(pattern: str) -> Callable[[str], bool]:
    import re2  # most programs never need it

    refuse_what_go_refuses(pattern)
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        raise RegexError(regex_error_text(error, pattern)) from error
    return lambda value: compiled.fullmatch(value) is not None


_QUOTED = re.compile(r"\\Q.*?(?:\\E|(\Z))|\\(?P<escaped>.)", re.DOTALL)


def refuse_what_go_refuses(pattern: str) -> None:
    """Raises RegexError for what RE2 takes and Go does not: `\\C`, and a `\\Q` that is never ended.

    The second swallows the `)` that Prometheus puts around the pattern.
    """
    for found in _QUOTED.finditer(pattern):
        if found["escaped"] == "C":
            raise RegexError("error parsing regexp: invalid escape sequence: `\\C`")
        if found[1] is not None:
            raise RegexError(f"error parsing regexp: missing closing ): `^(?s:{pattern})$`")


_GO_REASONS = {
    "bad repetition operator": "invalid nested repetition operator",
    "invalid named capture group": "invalid named capture",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid repetition size": "invalid repeat count",
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "pattern too large - compile failed": "expression too large",
    "trailing \\": "trailing backslash at end of expression",
}
"""RE2's reasons that Go's regexp/syntax, its translation, words otherwise."""


def regex_error_text(error: Exception, pattern: str) -> str:
    """What Go says of a pattern that RE2 refuses: the reason, and the piece of the pattern it means."""
    said = error.args[0] if error.args else str(error)
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    reason, separator, piece = text.partition(": ")
    if not separator:
        piece = "" if reason.startswith("trailing") else pattern
    return f"error parsing regexp: {_GO_REASONS.get(reason, reason)}: `{piece}`"
