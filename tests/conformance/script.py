"""Test scripts of the promqltest format, parsed to commands.

The format is upstream's (promql/promqltest/README.md): load, clear and eval commands, a line each,
followed by indented lines of data or expectations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.conformance.series import ScriptError, Value, parse_number, parse_series, parse_starts, unquote
from zseval.model.duration import parse_duration
from zseval.model.labels import Labels

__all__ = ["Clear", "Command", "Eval", "Expect", "Load", "parse_script", "read_script"]

_START_LINE = re.compile(r"\S+@st\s")
_LOAD = re.compile(r"load(?:_(with_nhcb))?\s+(.+?)\Z")
_INSTANT = re.compile(r"eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)\Z")
_RANGE = re.compile(r"eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)\Z")
_EXPECT = re.compile(r"expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?\Z")
_EXPECT_RANGE = re.compile(r"expect range vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)\Z")


@dataclass(frozen=True, slots=True)
class Load:
    """starts: for some series, when the counter of each sample began, ms from the sample's time."""

    line: int
    step_ms: int
    series: dict[Labels, list[Value]]
    with_nhcb: bool = False
    starts: dict[Labels, list[float | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Clear:
    line: int


@dataclass(frozen=True, slots=True)
class Expect:
    """One `expect` line: fail, warn, … and the exact text or the pattern it asks for, if any."""

    kind: str
    message: str | None = None
    pattern: str | None = None

    def matches(self, text: str) -> bool:
        if self.pattern is not None:
            return re.search(self.pattern, text) is not None
        return self.message is None or self.message == text

    @property
    def wanted(self) -> str:
        return self.pattern or self.message or "anything"


@dataclass(slots=True)
class Eval:
    """start, end, step in ms; an instant query has step 0, unless a range vector is expected of it."""

    line: int
    expr: str
    is_range: bool
    start_ms: int
    end_ms: int
    step_ms: int
    expects: list[Expect] = field(default_factory=list)
    series: dict[Labels, list[Value]] = field(default_factory=dict)
    scalar: float | None = None
    string: str | None = None
    range_vector: bool = False

    def expected(self, kind: str) -> list[Expect]:
        return [each for each in self.expects if each.kind == kind]


Command = Load | Clear | Eval


def read_script(path: Path) -> list[Command]:
    return parse_script(path.read_text(encoding="utf-8"))


def parse_script(text: str) -> list[Command]:
    """Raises ScriptError (or DurationError) for a malformed script."""
    lines = [line.strip() for line in text.split("\n")]
    lines = ["" if line.startswith("#") else line for line in lines]
    commands: list[Command] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line:
            at += 1
            continue
        body_end = at + 1
        while body_end < len(lines) and lines[body_end]:
            body_end += 1
        number, body = at + 1, lines[at + 1 : body_end]
        word = re.split(r"[\t ]+", line, maxsplit=1)[0].lower()
        if word == "clear":
            commands.append(Clear(number))
            at += 1
        elif word.startswith("load"):
            commands.append(_load(line, number, body))
            at = body_end
        elif word.startswith("eval"):
            command, used = _eval(line, number, body)
            commands.append(command)
            at += 1 + used
        else:
            raise ScriptError(f"line {number}: invalid command {line}")
    return commands


def _load(line: str, number: int, body: list[str]) -> Load:
    match = _LOAD.match(line)
    if match is None:
        raise ScriptError(f"line {number}: invalid load command")
    nhcb, step = match.groups()
    start_times = [each for each in body if _START_LINE.match(each)]
    series = dict(parse_series(each) for each in body if each not in start_times)
    starts = dict(parse_starts(each) for each in start_times)
    return Load(number, parse_duration(step), series, bool(nhcb), starts)


def _eval(line: str, number: int, body: list[str]) -> tuple[Eval, int]:
    """The command, and how many lines of the body it takes (some forms end early)."""
    command, mode = _eval_head(line, number)
    if mode in ("fail", "warn", "info", "ordered"):
        command.expects.append(Expect(mode))
    for index, each in enumerate(body):
        if mode == "fail" and each.startswith("expected_fail_message"):
            text = each.removeprefix("expected_fail_message").strip()
            command.expects = [Expect("fail", message=text)]
            return command, index + 1
        if mode == "fail" and each.startswith("expected_fail_regexp"):
            pattern = each.removeprefix("expected_fail_regexp").strip()
            command.expects = [Expect("fail", pattern=pattern)]
            return command, index + 1
        if _expectation(command, each):
            continue
        try:
            command.scalar = parse_number(each)
        except (ScriptError, ValueError):
            labels, values = parse_series(each)
            command.series[labels] = values
        else:
            return command, index + 1
    return command, len(body)


def _eval_head(line: str, number: int) -> tuple[Eval, str | None]:
    instant, ranged = _INSTANT.match(line), _RANGE.match(line)
    if instant:
        mode, at, expr = instant.groups()
        time = _time(at)
        return Eval(number, expr, False, time, time, 0), mode
    if ranged is None:
        raise ScriptError(f"line {number}: invalid evaluation command")
    mode, start, end, step, expr = ranged.groups()
    return Eval(number, expr, True, _time(start), _time(end), parse_duration(step)), mode


def _time(text: str | None) -> int:
    if text is None:
        raise ScriptError("an instant query needs a time")
    return -parse_duration(text[1:]) if text.startswith("-") else parse_duration(text)


def _expectation(command: Eval, line: str) -> bool:
    """True if the line was one of expectations other than data."""
    ranged = _EXPECT_RANGE.match(line)
    if ranged:
        start, end, step = map(parse_duration, ranged.groups())
        command.start_ms, command.end_ms, command.step_ms = start, end, step
        command.range_vector = True
        return True
    if line.startswith("expect string"):
        command.string = unquote(line.removeprefix("expect string").strip())
        return True
    if line.split(" ")[0] != "expect":
        return False
    match = _EXPECT.match(line)
    if match is None:
        raise ScriptError(f"invalid expect line: {line}")
    kind, form, text = match.groups()
    text = text.strip() if text else None
    if form == "regex":
        command.expects.append(Expect(kind, pattern=text))
    else:
        command.expects.append(Expect(kind, message=text))
    return True
