"""Ratios and their spread; partial runs that merge in one folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bench.peers.results import Case, Measurement, Store, geometric_mean, ratio_of, spread_of


def measured(row: str, scale: int = 0, *, figure: float = 1.0, when: str = "2026-01-01") -> Measurement:
    case = Case("one", "ms", {"zseval": [figure, 2.0], "prometheus": [2.0, 2.0]}, note="fine")
    return Measurement(row, scale, "", when, "python -m bench.peers", "a box", {"zseval": "1"}, [case])


def test_a_spread_is_the_median_and_the_quartiles() -> None:
    found = spread_of([5.0, 1.0, 2.0, 4.0, 3.0])
    assert (found.median, found.low, found.high) == (3.0, 2.0, 4.0)
    with pytest.raises(ValueError, match="no figures"):
        spread_of([])


def test_a_ratio_is_taken_within_a_round() -> None:
    # The machine was ten times slower in the second round; that is no difference between the servers.
    case = Case("one", "ms", {"zseval": [1.0, 10.0, 1.0], "prometheus": [2.0, 20.0, 2.0]})
    found = ratio_of(case, "zseval", "prometheus")
    assert found is not None
    assert (found.spread.low, found.spread.median, found.spread.high) == (0.5, 0.5, 0.5)


def test_there_is_no_ratio_to_a_server_that_was_not_measured() -> None:
    assert ratio_of(Case("one", "ms", {"zseval": [1.0]}), "zseval", "prometheus") is None


def test_ratios_of_cpu_time_have_their_own_figures() -> None:
    case = Case("one", "ms", {"zseval": [1.0], "p": [1.0]}, cpu={"zseval": [1.0], "p": [4.0]})
    found = ratio_of(case, "zseval", "p", cpu=True)
    assert found is not None
    assert found.spread.median == 0.25


def test_the_geometric_mean_treats_twice_and_half_alike() -> None:
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="no figures"):
        geometric_mean([])


def test_what_was_put_is_read_again(tmp_path: Path) -> None:
    Store(tmp_path).put(measured("range", 10_000, figure=0.125))
    assert Store(tmp_path).get("range", 10_000) == measured("range", 10_000, figure=0.125)


def test_partial_runs_merge_and_the_newer_one_of_a_row_counts(tmp_path: Path) -> None:
    Store(tmp_path).put(measured("range", 10_000))
    Store(tmp_path).put(measured("range", 100_000))
    Store(tmp_path).put(measured("start"))
    Store(tmp_path).put(measured("range", 10_000, when="2026-02-02"))
    store = Store(tmp_path)
    assert [(each.row, each.scale) for each in store.everything()] == [
        ("range", 10_000), ("range", 100_000), ("start", 0),
    ]  # fmt: skip
    assert [each.when for each in store.of("range")] == ["2026-02-02", "2026-01-01"]
    assert store.get("range", 1_000) is None


def test_variants_are_kept_apart(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(measured("range", 10_000))
    store.put(dataclasses.replace(measured("range", 10_000), variant="rough"))
    assert len(Store(tmp_path).everything()) == 2


def test_a_case_is_a_line_of_figures_with_five_digits(tmp_path: Path) -> None:
    Store(tmp_path).put(measured("start", figure=1.23456789))
    lines = (tmp_path / "start.json").read_text().splitlines()
    assert [line for line in lines if '"one"' in line and "[1.2346, 2.0]" in line]


def test_text_that_looks_like_figures_stays_as_it_is(tmp_path: Path) -> None:
    case = Case("one", "ms", {"zseval": [1.0]}, detail='x{handler=~"item[0-3]"}')
    Store(tmp_path).put(dataclasses.replace(measured("tiny"), cases=[case]))
    (found,) = Store(tmp_path).everything()
    assert found.cases == [case]
