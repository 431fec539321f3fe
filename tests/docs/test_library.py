"""The examples of docs/library.md run as they stand, and print what they say."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

import zseval

PAGE = Path(__file__).parents[2] / "docs" / "library.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """code, and the output it is said to have; number: its place on the page."""

    number: int
    code: str
    output: str


def blocks() -> list[tuple[str, str]]:
    return BLOCK.findall(PAGE.read_text())


def examples() -> list[Example]:
    """Each Python block with the text block behind it, or else with the comments of its `print` lines."""
    found, everything = [], [*blocks(), ("", "")]
    for number, (language, code) in enumerate(everything[:-1]):
        if language == "python":
            following, text = everything[number + 1]
            said = re.findall(r"^ *print\(.*\)  # (.*)$", code, re.MULTILINE)
            output = text if following == "text" else "".join(f"{line}\n" for line in said)
            found.append(Example(number, code, output))
    return found


@pytest.mark.parametrize("example", examples(), ids=lambda example: f"block {example.number}")
def test_an_example_prints_what_it_says(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for language, text in blocks():
        if language == "yaml":
            (tmp_path / text.split("\n", 1)[0].removeprefix("# ")).write_text(text)
    monkeypatch.chdir(tmp_path)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example.code, f"{PAGE.name}, block {example.number}", "exec"), {"__name__": "example"})
    assert printed.getvalue() == example.output
    assert printed.getvalue()


def test_the_page_names_every_public_class() -> None:
    text = PAGE.read_text()
    names = set(zseval.__all__) - {"__version__", "Labels"}
    assert {name for name in names if f"`{name}`" not in text and name not in text} == set()
