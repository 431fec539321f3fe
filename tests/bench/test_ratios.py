"""The comparison of micro benchmarks: ratios, not seconds, and a fifth of room."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.micro import __main__ as command
from bench.micro.calibration import calibrated, loop
from bench.micro.ratios import best_of, changes, ratios_of, read, write


def report(**seconds: tuple[float, float]) -> dict[str, object]:
    return {
        "benchmarks": [
            {
                "fullname": f"bench/micro/{name}",
                "stats": {"min": taken},
                "extra_info": {"calibration_s": loop_s},
            }
            for name, (taken, loop_s) in seconds.items()
        ]
    }


def test_a_machine_of_half_the_speed_changes_no_ratio() -> None:
    assert ratios_of(report(a=(0.2, 0.1))) == ratios_of(report(a=(0.4, 0.2))) == {"a": 2.0}


def test_the_best_of_several_runs_counts() -> None:
    assert best_of({"a": 3.0, "b": 1.0}, {"a": 2.0, "c": 5.0}) == {"a": 2.0, "b": 1.0, "c": 5.0}


def test_a_fifth_is_allowed_and_more_is_a_regression() -> None:
    found = changes({"a": 1.0, "b": 1.0, "gone": 1.0}, {"a": 1.19, "b": 1.21, "new": 9.0})
    assert [(change.name, change.is_regression) for change in found] == [("b", True), ("a", False)]


def test_ratios_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    write(file, "one", {"b": 1.23456, "a": 2.0})
    write(file, "another", {"a": 3.0})
    write(file, "another", {"a": 4.0})
    assert read(file, "one") == {"a": 2.0, "b": 1.235}
    assert read(file, "another") == {"a": 4.0}
    assert read(file, "a third") == {}


def test_a_processor_without_a_baseline_is_told_how_to_get_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["compare", "--baseline", str(tmp_path / "none.json")]) == 2
    assert "bench.micro save" in capsys.readouterr().err


def test_what_seems_slower_is_run_again_before_it_is_believed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[list[str]] = []

    def run(arguments: list[str]) -> dict[str, float]:
        asked.append(arguments)
        return {"a": 1.1}

    monkeypatch.setattr(command, "_run", run)
    assert command._compare({"a": 1.0}, {"a": 1.5}, again=3) == 0
    assert asked == [["bench/micro/a"]]
    assert "1 compared, 0 of them" in capsys.readouterr().out


def test_what_stays_slower_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_run", lambda _: {"a": 1.4})
    assert command._compare({"a": 1.0}, {"a": 1.5}, again=2) == 1


def test_a_comparison_of_nothing_fails() -> None:
    assert command._compare({}, {"a": 1.0}, again=0) == 1


def test_the_calibrated_loop_does_the_same_each_time() -> None:
    assert loop() == loop()
    assert 0 < calibrated() < 5
