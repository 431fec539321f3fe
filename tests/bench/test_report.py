"""The page: every row is in it, measured or not, and what is out of reach says why."""

from __future__ import annotations

from pathlib import Path

import pytest

import bench.peers
from bench.peers.reach import REACHES
from bench.peers.report import overview, read_reasons, render
from bench.peers.results import Case, Measurement, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    kept = Store(tmp_path)
    cases = [
        Case(
            "sum by rate",
            "ms",
            {"zseval": [5.0, 6.0, 7.0], "prometheus": [10.0, 10.0, 10.0], "victoriametrics": [50.0] * 3},
            {"zseval": [4.0], "prometheus": [9.0], "victoriametrics": [8.0]},
            "sum(rate(x[5m]))",
        )
    ]
    versions = {"zseval": "1.0", "prometheus": "2.42"}
    kept.put(Measurement("range", 10_000, "", "2026-01-01", "the command", "a box", versions, cases))
    return kept


def test_no_row_is_dropped(store: Store) -> None:
    page = render(store, {}, {})
    for reach in REACHES:
        assert f"| {reach.work} | " in page
    assert page.count("not measured yet") == len(REACHES) - 2


def test_a_row_out_of_reach_says_by_how_much_and_why(store: Store) -> None:
    page = render(store, {"range-10k-prometheus": {"reason": "Because.", "profile": "90 % here"}}, {})
    assert "0.6 [0.55–0.65] |  | 0.444 | **out of reach** |" in page
    assert "Beyond: sum by rate 0.6.\nBecause.\n\n    90 % here" in page
    assert "not written down yet" in render(store, {}, {})


def test_a_row_within_reach_says_so(store: Store) -> None:
    assert (
        "| the same | VictoriaMetrics | ≤ 0.5, none above 0.8 | 0.12 [0.11–0.13] |  | 0.5 | within |"
        in render(store, {}, {})
    )


def test_each_case_shows_times_ratios_and_cpu(store: Store) -> None:
    page = render(store, {}, {})
    assert "| sum by rate | 6 ms | 10 ms | 50 ms | 0.6 [0.55–0.65] | 0.12 [0.11–0.13] | 4 · 9 · 8 |" in page
    assert "- sum by rate: `sum(rate(x[5m]))`" in page


def test_the_run_is_named(store: Store) -> None:
    page = render(store, {}, {"Pictures": "picture.svg"})
    assert "| 2026-01-01 | range 10,000 | 1.0 | a box | `the command` |" in page
    assert "![Pictures](picture.svg)" in page


def test_the_overview_has_a_line_a_case(store: Store) -> None:
    line = overview(store).splitlines()[1]
    assert line.split() == ["range", "10000", "sum", "by", "rate", "6", "10", "50", "0.600", "0.120", "ms"]


def test_reasons_belong_to_rows(tmp_path: Path) -> None:
    read_reasons(Path(bench.peers.__file__).with_name("reasons.toml"))
    wrong = tmp_path / "reasons.toml"
    wrong.write_text('[nothing]\nreason = "x"\n')
    with pytest.raises(ValueError, match="no row has the key 'nothing'"):
        read_reasons(wrong)


def test_where_zseval_is_slower_is_a_list(store: Store) -> None:
    assert "Nowhere among these cases." in render(store, {}, {})
    slow = Case("tiny", "ms", {"zseval": [4.0], "prometheus": [1.0], "victoriametrics": [8.0]})
    store.put(Measurement("tiny", 10_000, "", "now", "", "", {"zseval": "1"}, [slow]))
    page = render(store, {}, {})
    assert "| tiny: tiny, 10,000 series | Prometheus | 4 [4–4] |" in page
    assert "| tiny: tiny, 10,000 series | VictoriaMetrics |" not in page
