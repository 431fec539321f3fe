"""Whether a row of the table is within its reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.peers.reach import ITSELF, REACHES, Reach, outcome_of
from bench.peers.results import Case, Measurement, Store


def case(name: str, ours: float, theirs: float) -> Case:
    return Case(name, "ms", {"zseval": [ours] * 3, "prometheus": [theirs] * 3})


def store(folder: Path, *cases: Case, row: str = "range", scale: int = 10_000) -> Store:
    kept = Store(folder)
    kept.put(Measurement(row, scale, "", "now", "", "", {"zseval": "1"}, list(cases)))
    return kept


REACH = Reach("k", "work", "prometheus", "range", 0.1, 10_000, each=0.3)


def test_a_row_that_was_not_measured_has_no_outcome(tmp_path: Path) -> None:
    assert outcome_of(REACH, Store(tmp_path)) is None


def test_the_geometric_mean_decides(tmp_path: Path) -> None:
    found = outcome_of(REACH, store(tmp_path, case("a", 0.05, 1), case("b", 0.2, 1)))
    assert found is not None
    assert found.mean == pytest.approx(0.1)
    assert found.worst.case == "b"
    found = outcome_of(REACH, store(tmp_path, case("a", 0.06, 1), case("b", 0.2, 1)))
    assert found is not None
    assert not found.is_within


def test_a_single_case_above_its_own_limit_decides_too(tmp_path: Path) -> None:
    found = outcome_of(REACH, store(tmp_path, case("a", 0.001, 1), case("b", 0.31, 1)))
    assert found is not None
    assert found.mean < 0.1
    assert not found.is_within


def test_some_cases_have_a_limit_of_their_own(tmp_path: Path) -> None:
    reach = Reach("k", "work", "prometheus", "range", 0.1, 10_000, each=0.3, exceptions={"b": 0.5})
    found = outcome_of(reach, store(tmp_path, case("a", 0.001, 1), case("b", 0.31, 1)))
    assert found is not None
    assert found.is_within


def test_only_the_named_cases_count(tmp_path: Path) -> None:
    reach = Reach("k", "work", "prometheus", "range", 0.1, 10_000, cases=("a",))
    found = outcome_of(reach, store(tmp_path, case("a", 0.1, 1), case("b", 9, 1)))
    assert found is not None
    assert [ratio.case for ratio in found.ratios] == ["a"]
    assert found.is_within


def test_growth_is_against_a_tenth_of_the_series(tmp_path: Path) -> None:
    store(tmp_path, case("a", 1, 1), scale=10_000)
    kept = store(tmp_path, case("a", 12, 1), scale=100_000)
    reach = Reach("g", "growth", ITSELF, "range", 11, 100_000, is_growth=True)
    found = outcome_of(reach, kept)
    assert found is not None
    assert found.mean == pytest.approx(12)
    assert not found.is_within


def test_growth_of_shares_is_ten_times_their_ratio(tmp_path: Path) -> None:
    kept = store(tmp_path, case("10 x", 2, 1), case("100 x", 3, 1), row="scrape", scale=0)
    found = outcome_of(Reach("g", "growth", ITSELF, "scrape", 11, against={"100 x": "10 x"}), kept)
    assert found is not None
    assert [ratio.case for ratio in found.ratios] == ["100 x"]
    assert found.mean == pytest.approx(15)


def test_rough_data_are_compared_with_the_whole_ones(tmp_path: Path) -> None:
    store(tmp_path, case("a", 2, 1))
    kept = store(tmp_path, case("a", 6, 1), row="hostile")
    found = outcome_of(Reach("h", "rough", ITSELF, "hostile", 4, 10_000, baseline="range"), kept)
    assert found is not None
    assert found.mean == pytest.approx(3)


def test_an_absolute_figure_is_held_against_its_limit(tmp_path: Path) -> None:
    reach = Reach("s", "stall", ITSELF, "stall", 50, cases=("longest stall",), unit="ms")
    kept = store(tmp_path, Case("longest stall", "ms", {"zseval": [40.0, 45.0, 90.0]}), row="stall", scale=0)
    found = outcome_of(reach, kept)
    assert found is not None
    assert found.mean == pytest.approx(45)
    assert found.is_within


def test_zero_is_within_zero(tmp_path: Path) -> None:
    reach = Reach("m", "missed", ITSELF, "stall", 0, cases=("missed",), unit="scrapes")
    kept = store(tmp_path, Case("missed", "scrapes", {"zseval": [0.0]}), row="stall", scale=0)
    found = outcome_of(reach, kept)
    assert found is not None
    assert found.is_within


def test_keys_are_unique() -> None:
    assert len({reach.key for reach in REACHES}) == len(REACHES)
