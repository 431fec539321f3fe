"""Upstream's PromQL suite and the project's own scripts, an eval command a test.

What is not built yet is listed in `not_yet.py` with its reason; a listed case that passes fails here.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest

from tests.conformance.not_yet import NOT_YET, WHOLE_FILES
from tests.conformance.report import SUITE
from tests.conformance.runner import Outcome, run_file
from tests.conformance.script import Eval, read_script

OWN = Path(__file__).parents[1] / "fixtures" / "promqltest"


@lru_cache
def _outcomes(path: Path) -> dict[int, Outcome]:
    return {outcome.line: outcome for outcome in run_file(path)}


def _cases(folder: Path) -> list[tuple[Path, int]]:
    files = [path for path in sorted(folder.glob("*.test")) if path.name not in WHOLE_FILES]
    return [(path, each.line) for path in files for each in read_script(path) if isinstance(each, Eval)]


def _name(value: object) -> str:
    return value.stem if isinstance(value, Path) else f"line-{value}"


@pytest.mark.parametrize(("path", "line"), _cases(OWN), ids=_name)
def test_own_scripts(path: Path, line: int) -> None:
    outcome = _outcomes(path)[line]
    assert not outcome.problem, f"{path.name}:{line} {outcome.expr}\n{outcome.problem}"


@pytest.mark.skipif(not SUITE.is_dir(), reason="the conformance data lies outside the repository")
@pytest.mark.parametrize(("path", "line"), _cases(SUITE), ids=_name)
def test_upstream_suite(path: Path, line: int) -> None:
    outcome = _outcomes(path)[line]
    reason = NOT_YET.get(path.name, {}).get(line)
    if reason is None:
        assert not outcome.problem, f"{path.name}:{line} {outcome.expr}\n{outcome.problem}"
    else:
        assert outcome.problem, f"{path.name}:{line} passes now ({reason}): take it off the list"


@pytest.mark.skipif(not SUITE.is_dir(), reason="the conformance data lies outside the repository")
def test_the_list_names_existing_cases_only() -> None:
    cases = {(path.name, line) for path, line in _cases(SUITE)}
    listed = {(name, line) for name, lines in NOT_YET.items() for line in lines}
    assert listed <= cases
    assert {path.name for path in SUITE.glob("*.test")} >= WHOLE_FILES.keys()
