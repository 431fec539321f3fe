"""The live table: what a person sees of a snapshot, on a console that remembers what was drawn."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from zseval.cli.live import render
from zseval.model.labels import Labels
from zseval.node.snapshot import AlertRow, Snapshot, TargetRow, Transition

NOW_MS = 1_700_000_000_000
UP = TargetRow("node", "a:1", "http://a:1/metrics", "up", "", NOW_MS - 3_000, 0.0123, 1_234)
DOWN = TargetRow("node", "b:2", "http://b:2/metrics", "down", "connection refused", NOW_MS - 9_000, 0.5, 0)
NEW = TargetRow("node", "c:3", "http://c:3/metrics", "unknown", "", 0, 0.0, 0)
FIRING = AlertRow(
    "DiskFull", "firing", "critical", Labels({"alertname": "DiskFull"}), 0.97, NOW_MS - 65_000, "full at a"
)
PENDING = AlertRow(
    "Slow", "pending", "warning", Labels({"alertname": "Slow", "instance": "b"}), 3.0, NOW_MS - 5_000, ""
)
EMPTY = Snapshot(NOW_MS, 0, 0, (), 0, 0, (), (), (), "")
FULL = replace(
    EMPTY, series=12_345, store_bytes=5 << 20, targets=(UP, DOWN, NEW), groups=2, rules=25,
    alerts=(PENDING, FIRING),
)  # fmt: skip


def drawn(
    snapshot: Snapshot,
    history: list[Transition] | None = None,
    height: int = 40,
    *,
    width: int = 140,
    title: str = "zseval 127.0.0.1:9090",
) -> list[str]:
    console = Console(record=True, width=width, height=height, file=io.StringIO())
    console.print(render(title, snapshot, history or [], height=height))
    return console.export_text().splitlines()


def test_the_headline_sums_it_up() -> None:
    text = drawn(FULL)[0]
    assert "zseval 127.0.0.1:9090" in text
    for part in ("22:13:20 UTC", "12,345 series", "5.0 MiB", "25 rules in 2 groups", "1 firing", "1 pending"):
        assert part in text


def test_a_narrow_terminal_still_counts_the_alerts() -> None:
    title = "zseval demo, 30 times as fast   http://127.0.0.1:45061"
    assert drawn(FULL, width=80, title=title)[0].startswith(f"{title}   1 firing, 1 pending")


def test_a_store_that_holds_little_is_not_nothing() -> None:
    assert "27 KiB" in drawn(replace(FULL, store_bytes=27 << 10))[0]


def test_targets_with_trouble_stand_first_and_say_why() -> None:
    lines = [line for line in drawn(FULL) if line.startswith("node/")]
    assert [line.split()[0] for line in lines] == ["node/b:2", "node/c:3", "node/a:1"]
    assert "connection refused" in lines[0]
    assert "never" in lines[1]
    for part in ("up", "1,234", "12 ms", "3s"):
        assert part in lines[2]


def test_firing_alerts_stand_before_pending_ones() -> None:
    text = "\n".join(drawn(FULL))
    assert text.index("DiskFull") < text.index("Slow")
    assert "full at a" in text
    assert "1m5s" in text
    assert '{instance="b"}' in text


def test_nothing_wrong_is_said_as_well() -> None:
    assert any("no alert is pending or firing" in line for line in drawn(EMPTY))


def test_errors_of_configuration_and_rules_are_shown() -> None:
    text = "\n".join(drawn(replace(FULL, config_error="rules.yml:3:1: odd", rule_errors=("R: bad",))))
    assert "configuration not reloaded: rules.yml:3:1: odd" in text
    assert "rule failed: R: bad" in text


def test_the_latest_transitions_are_listed() -> None:
    seen = [
        Transition(NOW_MS, f"A{number}", Labels({"alertname": f"A{number}"}), "pending", "firing", 1.0, "why")
        for number in range(50)
    ]
    text = "\n".join(drawn(FULL, seen))
    assert "A49" in text
    assert "A0 " not in text
    assert "pending → firing" in text


@pytest.mark.parametrize("height", [16, 24, 40, 60])
def test_long_lists_are_cut_to_the_screen_and_say_so(height: int) -> None:
    many = replace(
        FULL,
        targets=tuple(replace(UP, instance=f"i{number}") for number in range(200)),
        alerts=tuple(replace(FIRING, name=f"N{number}") for number in range(200)),
    )
    lines = drawn(many, height=height)
    assert len(lines) <= height
    assert any("more targets" in line for line in lines)
    assert any("more alerts" in line for line in lines)
