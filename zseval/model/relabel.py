"""Relabelling: rules that rewrite or drop a label set. Source: prometheus model/relabel/relabel.go."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from zseval.model.labels import Labels, is_valid_name
from zseval.model.matcher import RegexError, refuse_what_go_refuses

__all__ = ["RelabelRule", "relabel", "relabel_in_place"]


@dataclass(frozen=True, slots=True)
class RelabelRule:
    """One entry of a relabel_configs list; action is one of upstream's eleven, lower case."""

    source_labels: tuple[str, ...] = ()
    separator: str = ";"
    regex: str = "(.*)"
    modulus: int = 0
    target_label: str = ""
    replacement: str = "$1"
    action: str = "replace"


def relabel(labels: Labels, rules: Sequence[RelabelRule]) -> Labels | None:
    """The labels after all rules, or None where one says to drop them."""
    changed = dict(labels)
    return Labels(changed) if relabel_in_place(changed, rules) else None


def relabel_in_place(labels: dict[str, str], rules: Sequence[RelabelRule]) -> bool:
    """Apply the rules to `labels`, which have no empty values; False where one says to drop them.

    Raises RegexError for a pattern that RE2 refuses.
    """
    for rule in rules:
        value = rule.separator.join(labels.get(name, "") for name in rule.source_labels)
        if not _ACTIONS[rule.action](rule, labels, value):
            return False
    return True


class _Match(Protocol):
    def group(self, number: int, /) -> str | None: ...


class _Pattern(Protocol):
    @property
    def groups(self) -> int: ...
    @property
    def groupindex(self) -> Mapping[str, int]: ...
    def fullmatch(self, text: str, /) -> _Match | None: ...


@lru_cache(maxsize=1024)
def _compiled(regex: str) -> _Pattern:
    import re2

    refuse_what_go_refuses(regex)
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    try:
        compiled: Any = re2.compile(regex, options)  # the package has no types of its own
    except re2.error as error:
        reason = error.args[0] if error.args else error
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise RegexError(f"error parsing regexp: {text}: `{regex}`") from error
    pattern: _Pattern = compiled
    return pattern


_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")


def _expanded(template: str, pattern: _Pattern, match: _Match) -> str:
    """As Go's regexp.Expand: `$1`, `${1}`, `$name`, `$$`; what is not there is empty."""

    def reference(found: re.Match[str]) -> str:
        if found.group(1):
            return "$"
        name = found.group(2) or found.group(3)
        if name.isascii() and name.isdigit():
            number = int(name) if len(name) < 9 and (name == "0" or name[0] != "0") else -1
        else:
            number = pattern.groupindex.get(name, -1)
        return (match.group(number) or "") if 0 <= number <= pattern.groups else ""

    return _REFERENCE.sub(reference, template) if "$" in template else template


def _set(labels: dict[str, str], name: str, value: str) -> None:
    """Set a label; an empty value removes it."""
    if value:
        labels[name] = value
    else:
        labels.pop(name, None)


def _replace(rule: RelabelRule, labels: dict[str, str], value: str) -> bool:
    pattern = _compiled(rule.regex)
    match = pattern.fullmatch(value)
    if match is None:
        return True
    target = _expanded(rule.target_label, pattern, match)
    if is_valid_name(target):
        _set(labels, target, _expanded(rule.replacement, pattern, match))
    return True


def _keep(rule: RelabelRule, _labels: dict[str, str], value: str) -> bool:
    return _compiled(rule.regex).fullmatch(value) is not None


def _drop(rule: RelabelRule, _labels: dict[str, str], value: str) -> bool:
    return _compiled(rule.regex).fullmatch(value) is None


def _keep_equal(rule: RelabelRule, labels: dict[str, str], value: str) -> bool:
    return labels.get(rule.target_label, "") == value


def _drop_equal(rule: RelabelRule, labels: dict[str, str], value: str) -> bool:
    return labels.get(rule.target_label, "") != value


def _hashmod(rule: RelabelRule, labels: dict[str, str], value: str) -> bool:
    digest = hashlib.md5(value.encode("utf-8", "surrogateescape"), usedforsecurity=False).digest()
    _set(labels, rule.target_label, str(int.from_bytes(digest[8:], "big") % rule.modulus))
    return True


def _lowercase(rule: RelabelRule, labels: dict[str, str], value: str) -> bool:
    _set(labels, rule.target_label, value.lower() if value.isascii() else _each(str.lower, value))
    return True


def _uppercase(rule: RelabelRule, labels: dict[str, str], value: str) -> bool:
    _set(labels, rule.target_label, value.upper() if value.isascii() else _each(str.upper, value))
    return True


def _each(change: Callable[[str], str], text: str) -> str:
    """Letter by letter and only where that gives one letter, as Go does it (no `SS` for a sharp s)."""
    return "".join(made if len(made := change(char)) == 1 else char for char in text)


def _label_map(rule: RelabelRule, labels: dict[str, str], _value: str) -> bool:
    pattern = _compiled(rule.regex)
    for name, value in sorted(labels.items()):
        match = pattern.fullmatch(name)
        if match is not None:
            _set(labels, _expanded(rule.replacement, pattern, match), value)
    return True


def _label_drop(rule: RelabelRule, labels: dict[str, str], _value: str) -> bool:
    pattern = _compiled(rule.regex)
    for name in [name for name in labels if pattern.fullmatch(name) is not None]:
        del labels[name]
    return True


def _label_keep(rule: RelabelRule, labels: dict[str, str], _value: str) -> bool:
    pattern = _compiled(rule.regex)
    for name in [name for name in labels if pattern.fullmatch(name) is None]:
        del labels[name]
    return True


_ACTIONS: dict[str, Callable[[RelabelRule, dict[str, str], str], bool]] = {
    "replace": _replace,
    "keep": _keep,
    "drop": _drop,
    "keepequal": _keep_equal,
    "dropequal": _drop_equal,
    "hashmod": _hashmod,
    "lowercase": _lowercase,
    "uppercase": _uppercase,
    "labelmap": _label_map,
    "labeldrop": _label_drop,
    "labelkeep": _label_keep,
}
