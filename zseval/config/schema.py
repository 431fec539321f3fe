"""Keys, types and defaults as tables, and the reading of a YAML mapping against one.

A `Kind` says how a value is read from a node, what null stands for (as in Go, the zero value of the
type, not the default), and how it is written back. A `Schema` is a table of keys. Reading collects
every problem with its place and goes on, so that one run shows all that is wrong with a file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import SplitResult, urlsplit, urlunsplit

from zseval.config.problems import Problem, Problems
from zseval.config.yaml import Mapping, Node, Scalar, Series
from zseval.errors import Position
from zseval.model.duration import DurationError, format_duration, parse_duration
from zseval.model.labels import Labels, is_valid_name, quote
from zseval.model.matcher import RegexError, compile_anchored
from zseval.model.number import format_g

__all__ = [
    "BOOL",
    "DURATION",
    "FLOAT",
    "INT",
    "LABELS",
    "PATH",
    "REGEX",
    "SECRET",
    "SIZE",
    "STRING",
    "UINT",
    "Field",
    "Kind",
    "Reading",
    "Schema",
    "Section",
    "list_of",
    "map_of",
    "one_of",
    "only",
    "read_section",
    "section",
    "sections",
    "to_plain",
]

_TRUE = frozenset(("true", "True", "TRUE", "y", "Y", "yes", "Yes", "YES", "on", "On", "ON"))
_FALSE = frozenset(("false", "False", "FALSE", "n", "N", "no", "No", "NO", "off", "Off", "OFF"))
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,63}|0[xX][0-9a-fA-F]{1,64}|0[bB][01]{1,64}|0[oO][0-7]{1,64})")
_OCTAL = re.compile(r"[-+]?0[0-7]+")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_SIZE = re.compile(r"[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)[A-Za-z]*)+\Z")
_SIZE_PART = re.compile(r"([0-9.]+)([A-Za-z]*)")
_SIZE_POWERS = {"B": 0} | {
    letter + suffix: power for power, letter in enumerate("KMGTPE", start=1) for suffix in ("B", "iB")
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What readers need beside the node: where paths start from, and where problems go."""

    problems: Problems
    base_dir: Path = Path()
    ignore_unknown_keys: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of value. `read` raises Problem; `zero` is what null means; `plain` is for writing back."""

    read: Callable[[Node, Reading], Any]
    zero: Any
    plain: Callable[[Any], Any] = lambda value: value


@dataclass(frozen=True, slots=True)
class Field:
    """One key: its kind, its value where the key is absent, and whether it is written even when empty."""

    kind: Kind
    default: Any = None  # None: the zero of the kind
    always: bool = False

    @property
    def absent(self) -> Any:
        return self.kind.zero if self.default is None else self.default


@dataclass(frozen=True, slots=True)
class Schema:
    """The keys a mapping may have, in the order they are written back.

    pending: keys Prometheus has and zseval has not; using one is an error that says so.
    """

    name: str
    fields: Table[str, Field]
    pending: frozenset[str] = frozenset()


@dataclass(slots=True)
class Section:
    """A mapping read against its schema: a value for every key of it.

    problems counts what went wrong inside, so that checks across keys can be left out.
    """

    schema: Schema
    values: dict[str, Any]
    node: Mapping | None = None
    problems: int = 0

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def has(self, key: str) -> bool:
        return self.node is not None and key in self.node.items

    def position(self, *keys: str) -> Position | None:
        """Where the first of these keys that is there stands, or the section itself."""
        if self.node is None:
            return None
        present = [key for key in keys if key in self.node.items]
        return self.node.position_of(present[0]) if present else self.node.position

    def value_position(self, key: str) -> Position | None:
        if self.node is None or key not in self.node.items:
            return self.position()
        return self.node.items[key].position


Check: TypeAlias = Callable[[Section, Reading], None]


def read_section(schema: Schema, node: Node, reading: Reading) -> Section:
    """The section in `node`; null is an empty one. Problems are added to `reading.problems`.

    Raises Problem where `node` is not a mapping.
    """
    made = Section(schema, {key: each.absent for key, each in schema.fields.items()})
    if isinstance(node, Scalar) and node.is_null:
        return made
    if not isinstance(node, Mapping):
        raise Problem(f"{schema.name} must be a mapping of keys to values", node.position)
    made.node = node
    before = len(reading.problems)
    for key, value in node.items.items():
        try:
            _read_key(made, key, value, reading)
        except Problem as problem:
            reading.problems.caught(problem)
    made.problems = len(reading.problems) - before
    return made


def _read_key(made: Section, key: str, value: Node, reading: Reading) -> None:
    schema = made.schema
    known = schema.fields.get(key)
    if known is not None:
        made.values[key] = known.kind.zero if _is_null(value) else known.kind.read(value, reading)
    elif key in schema.pending:
        if not _is_nothing(value):
            raise Problem(f"{quote(key)} is not supported yet by zseval", _key_position(made, key))
    elif not reading.ignore_unknown_keys:
        raise Problem(
            f"field {key} not found in {schema.name}{_did_you_mean(key, schema)}", _key_position(made, key)
        )


def _key_position(made: Section, key: str) -> Position | None:
    return made.node.position_of(key) if made.node else None


def _did_you_mean(key: str, schema: Schema) -> str:
    names = [*schema.fields, *schema.pending]
    close = difflib.get_close_matches(key, names, n=1, cutoff=0.7) or [
        name for name in names if len(name) > 2 and (key.startswith(name) or name.startswith(key)) and key
    ]
    return f"; did you mean {quote(close[0])}?" if close else ""


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.is_null


def _is_nothing(node: Node) -> bool:
    return _is_null(node) or (isinstance(node, Series | Mapping) and not node.items)


# Kinds ------------------------------------------------------------------------------------------


def _text(node: Node, _reading: Reading) -> str:
    if not isinstance(node, Scalar):
        raise Problem("expected a single value, found a list or mapping", node.position)
    return node.value


def _plain(node: Node, reading: Reading, what: str) -> str:
    """The text of a value that is no text: in quotes it would be one."""
    text = _text(node, reading)
    if isinstance(node, Scalar) and node.style:
        raise Problem(f"{quote(text)} in quotes is a text, not {what}", node.position)
    return text


def _bool(node: Node, reading: Reading) -> bool:
    text = _plain(node, reading, "a boolean")
    if text not in _TRUE | _FALSE:
        raise Problem(f"{quote(text)} is not a boolean, use true or false", node.position)
    return text in _TRUE


def _int(node: Node, reading: Reading) -> int:
    number = _integer(node, reading)
    if not -(2**63) <= number < 2**63:
        raise Problem(f"{number} is too large", node.position)
    return number


def _integer(node: Node, reading: Reading) -> int:
    """A number in one of YAML's spellings: `10`, `0x10`, `010` (octal), `1_000`, `1e3`.

    A fraction is left out, as Go does it.
    """
    text = _plain(node, reading, "a number")
    bare = text.replace("_", "")
    if _OCTAL.fullmatch(bare) is not None:
        return int(bare, 8)
    if _INTEGER.fullmatch(bare) is not None:
        return int(bare, 0)
    if _FLOAT.fullmatch(bare) is None or not abs(float(bare)) < 2.0**64:
        raise Problem(f"{quote(text)} is not an integer", node.position)
    return int(float(bare))


def _uint(node: Node, reading: Reading) -> int:
    number = _integer(node, reading)
    if number < 0:
        raise Problem(f"{number} must not be negative", node.position)
    if number >= 2**64:
        raise Problem(f"{number} is too large", node.position)
    return number


def _float(node: Node, reading: Reading) -> float:
    text = _plain(node, reading, "a number")
    if _FLOAT.fullmatch(text) is None:
        raise Problem(f"{quote(text)} is not a number", node.position)
    return float(text)


def _duration(node: Node, reading: Reading) -> int:
    try:
        return parse_duration(_text(node, reading))
    except DurationError as error:
        raise Problem(str(error), node.position) from error


def _size(node: Node, reading: Reading) -> int:
    """Bytes of `10MB`, `1.5GiB`; K, M … are powers of 1024 with either suffix. Source: alecthomas/units."""
    text = _text(node, reading)
    if text == "0":
        return 0
    if _SIZE.match(text) is None:
        raise Problem(f"units: invalid {text}", node.position)
    total = 0.0
    for count, unit in _SIZE_PART.findall(text):
        if unit not in _SIZE_POWERS:
            raise Problem(f"units: unknown unit {unit} in {text}", node.position)
        total += float(count) * 1024.0 ** _SIZE_POWERS[unit]
    if total >= 2.0**63:
        raise Problem(f"units: {text} is too large", node.position)
    return -int(total) if text.startswith("-") else int(total)


def format_size(size: int) -> str:
    """Bytes as the units library writes them: `10MiB`, `1GiB512MiB`, `100B`."""
    if size == 0:
        return "0B"
    rest, parts = abs(size), []
    for power, letter in reversed(list(enumerate(" KMGTPE"))):
        count, rest = divmod(rest, 1024**power)
        if count:
            parts.append(f"{count}{letter}iB" if power else f"{count}B")
    return ("-" if size < 0 else "") + "".join(parts)


def _regex(node: Node, reading: Reading) -> str:
    text = _text(node, reading)
    try:
        compile_anchored(text)
    except RegexError as error:
        raise Problem(str(error), node.position) from error
    return text


def _path(node: Node, reading: Reading) -> str:
    text = _text(node, reading)
    return str(reading.base_dir / text) if text else ""


def _redacted(url: str) -> str:
    try:
        parts: SplitResult = urlsplit(url)
        password = parts.password
    except ValueError:
        return url
    if not password:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:xxxxx@{host}"))


def _labels(node: Node, reading: Reading) -> Labels:
    pairs = _string_map(node, reading)
    for name, value in pairs.items():
        at = node.position_of(name) if isinstance(node, Mapping) else node.position
        if not is_valid_name(name):
            raise Problem(f"{quote(name)} is not a valid label name", at)
        if not _is_utf8(value):
            raise Problem(f"{quote(value)} is not a valid label value", at)
    return Labels(pairs)


def _is_utf8(text: str) -> bool:
    return text == "" or is_valid_name(text)


def _string_map(node: Node, reading: Reading) -> dict[str, str]:
    if not isinstance(node, Mapping):
        raise Problem("expected a mapping of names to values", node.position)
    return {key: _text(value, reading) for key, value in node.items.items()}


STRING = Kind(_text, "")
SECRET = Kind(_text, "", lambda _value: "<secret>")
BOOL = Kind(_bool, False)
INT = Kind(_int, 0)
UINT = Kind(_uint, 0)
FLOAT = Kind(_float, 0.0, format_g)
DURATION = Kind(_duration, 0, format_duration)
SIZE = Kind(_size, 0, format_size)
REGEX = Kind(_regex, "")
PATH = Kind(_path, "")
LABELS = Kind(_labels, Labels(), lambda labels: labels.to_dict())
URL = Kind(_text, "", _redacted)


def one_of(*words: str, error: Callable[[str], str], fold: bool = False) -> Kind:
    """One of these words; with fold, in any case. `error` makes the message for another word."""

    def read(node: Node, reading: Reading) -> str:
        text = _text(node, reading)
        word = text.lower() if fold else text
        if word not in words:
            raise Problem(error(text), node.position)
        return word

    return Kind(read, "")


def only(kind: Kind, *accepted: Any) -> Kind:
    """A setting of which zseval has just these values so far; null and the zero value always pass."""

    def read(node: Node, reading: Reading) -> Any:
        value = kind.read(node, reading)
        if value not in accepted and value != kind.zero:
            shown = node.value if isinstance(node, Scalar) else value
            raise Problem(f"the value {quote(str(shown))} is not supported yet by zseval", node.position)
        return value

    return Kind(read, kind.zero, kind.plain)


def list_of(kind: Kind) -> Kind:
    """A sequence, as a tuple."""

    def read(node: Node, reading: Reading) -> tuple[Any, ...]:
        if not isinstance(node, Series):
            raise Problem("expected a list", node.position)
        return tuple(kind.zero if _is_null(item) else kind.read(item, reading) for item in node.items)

    return Kind(read, (), lambda values: [kind.plain(value) for value in values])


def map_of(kind: Kind) -> Kind:
    """A mapping with free keys, as a tuple of (key, value)."""

    def read(node: Node, reading: Reading) -> tuple[tuple[str, Any], ...]:
        if not isinstance(node, Mapping):
            raise Problem("expected a mapping", node.position)
        return tuple(
            (key, kind.zero if _is_null(value) else kind.read(value, reading))
            for key, value in node.items.items()
        )

    return Kind(read, (), lambda pairs: {key: kind.plain(value) for key, value in pairs})


@dataclass(frozen=True, slots=True)
class _SectionReader:
    schema: Schema
    check: Check | None = field(default=None)

    def __call__(self, node: Node, reading: Reading) -> Section:
        made = read_section(self.schema, node, reading)
        if self.check is not None and not made.problems:
            self.check(made, reading)
        return made


def section(schema: Schema, check: Check | None = None) -> Kind:
    """A nested section, or None where it is absent or null; `check` runs on one without problems."""
    return Kind(_SectionReader(schema, check), None, to_plain)


def sections(schema: Schema, check: Check | None = None, *, null: str = "") -> Kind:
    """A list of sections, as a tuple; a null entry is the error `null`, or left out where that is ""."""
    read_one = _SectionReader(schema, check)

    def read(node: Node, reading: Reading) -> tuple[Section, ...]:
        if not isinstance(node, Series):
            raise Problem("expected a list", node.position)
        made = []
        for item in node.items:
            try:
                if not _is_null(item):
                    made.append(read_one(item, reading))
                elif null:
                    raise Problem(null, item.position)
            except Problem as problem:
                reading.problems.caught(problem)
        return tuple(made)

    return Kind(read, (), lambda values: [to_plain(value) for value in values])


def to_plain(made: Section | None) -> dict[str, Any] | None:
    """The section as plain values for writing back, secrets hidden. Empty ones are left out, but where that
    would mean something else.
    """
    if made is None:
        return None
    plain: dict[str, Any] = {}
    for key, each in made.schema.fields.items():
        value = made.values[key]
        if value != each.kind.zero or value != each.absent or each.always:
            plain[key] = each.kind.plain(value)
    return plain
