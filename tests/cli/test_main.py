"""The command line as a whole: what the first word means, and what costs nothing at start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zseval import __version__
from zseval.cli.main import main

METRICS = 'up{job="a"} 1\nup{job="b"} 0\n'
RULES = """\
groups:
- name: g
  rules:
  - alert: Down
    expr: up == 0
    annotations: {summary: "{{ $labels.instance }} is down"}
"""


def _imported(arguments: list[str], folder: Path) -> set[str]:
    """The modules that a command line loads, in a process of its own."""
    (folder / "rules.yml").write_text(RULES, encoding="utf-8")
    (folder / "metrics.txt").write_text(METRICS, encoding="utf-8")
    program = (
        "import sys\n"
        "from zseval.cli.main import main\n"
        f"code = main({arguments!r})\n"
        "print('modules', *sys.modules)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--version"], {"numpy", "aiohttp", "lark", "rich", "yaml", "re2", "asyncio"}),
        (["check", "rules", "rules.yml"], {"numpy", "aiohttp", "lark", "rich", "asyncio", "orjson"}),
        (["query", "up", "--file", "metrics.txt"], {"aiohttp", "lark", "rich", "yaml", "re2", "asyncio"}),
        (["run", "--help"], {"numpy", "aiohttp", "lark", "rich", "yaml", "re2"}),
    ],
)
def test_a_command_loads_only_what_it_needs(arguments: list[str], unwanted: set[str], tmp_path: Path) -> None:
    assert not _imported(arguments, tmp_path) & unwanted


def test_the_library_loads_neither_server_nor_grammar() -> None:
    program = (
        "import sys, zseval\n"
        "assert 'numpy' not in sys.modules\n"
        "from zseval import TSDB, Engine\n"
        "db = TSDB()\n"
        "db.append({'__name__': 'm'}, 1.0, 1000.0)\n"
        "assert Engine(db).instant('m', 1000.0).samples()[0][1] == 1.0\n"
        "print(*{'aiohttp', 'lark', 'rich', 'yaml', 're2', 'asyncio'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zseval", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"zseval {__version__}\n"


def test_letters_that_the_terminal_lacks_are_escaped() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zseval", "query", "a", "--file", "-", "--time", "0"],
        input='a{b="日本"} 1\n'.encode(),
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert done.stdout == b'a{b="\\u65e5\\u672c"} => 1 @[0]\n'


def test_no_word_at_all_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "zseval RULES.yml" in capsys.readouterr().out


def test_a_misspelt_command_is_not_taken_for_a_rule_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chekc", "rules", "x.yml"]) == 2
    assert 'did you mean "check"?' in capsys.readouterr().err


def test_a_file_named_like_a_command_is_still_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checks").write_text("nonsense: true\n", encoding="utf-8")
    assert main(["checks", "--listen", ""]) == 2
    assert "field nonsense not found" in capsys.readouterr().err


def test_an_unknown_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules.yml", "--nope"]) == 2
    assert "--nope" in capsys.readouterr().err
