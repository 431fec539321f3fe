"""docs/cli.md names every command, option and feature there is and no other, and its examples run."""

from __future__ import annotations

import argparse
import io
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from zseval.cli.main import COMMANDS, main
from zseval.node.options import NODE_FEATURES
from zseval.promql.engine import FEATURES

TEXT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
SECTIONS = dict(re.findall(r"^## zseval (\w+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


def _options(parser: argparse.ArgumentParser) -> set[str]:
    found: set[str] = set()
    for action in parser._actions:
        found.update(option for option in action.option_strings if option not in ("-h", "--help"))
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                found |= _options(inner)
    return found


def test_every_command_has_a_section() -> None:
    assert set(SECTIONS) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_of_a_command_are_those_on_the_page(name: str) -> None:
    parser = argparse.ArgumentParser()
    import_module(COMMANDS[name].module).add_arguments(parser)
    rows = re.findall(r"^\| (`-.*?) \|", SECTIONS[name], re.MULTILINE)
    documented = {option for row in rows for option in re.findall(r"`(--?[\w.-]+)", row)}
    assert documented == _options(parser)


def test_every_feature_is_on_the_page() -> None:
    features = SECTIONS["run"].partition("### Features")[2]
    assert set(re.findall(r"^\| `([\w-]+)` \|", features, re.MULTILINE)) == FEATURES | NODE_FEATURES


@pytest.mark.parametrize("name", ["fmt", "explain"])
def test_an_example_prints_what_the_page_says(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = re.search(r"^```console\n\$ (.*)\n(.*)\n```$", SECTIONS[name], re.MULTILINE)
    assert example is not None
    given, _, command = example[1].rpartition(" | ")
    if given:
        page = shlex.split(given)[1].replace("\\n", "\n").encode()
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(page)))
    assert main(shlex.split(command)[1:]) == 0
    assert example[2] in capsys.readouterr().out
