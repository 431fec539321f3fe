"""Targets: what discovery and relabelling make of an address."""

from __future__ import annotations

from typing import Any

import pytest

from zseval.model.labels import Labels
from zseval.model.relabel import RelabelRule
from zseval.scrape.config import ScrapeConfig, TargetGroup
from zseval.scrape.target import Target, targets_of_group


def made(labels: dict[str, str], shared: dict[str, str] | None = None, **config: Any) -> Target:
    targets, dropped, failures = targets_of_group(
        ScrapeConfig("j", **config), TargetGroup((Labels(labels),), Labels(shared or {}), "src")
    )
    assert (dropped, failures) == ([], [])
    return targets[0]


def failure(labels: dict[str, str], **config: Any) -> str:
    targets, _, failures = targets_of_group(
        ScrapeConfig("j", **config), TargetGroup((Labels(labels),), source="src")
    )
    assert targets == []
    return failures[0]


def test_a_target_gets_its_job_its_instance_and_its_groups_labels() -> None:
    target = made({"__address__": "h:1", "a": "own", "__meta_x": "y"}, {"a": "group", "b": "group"})
    assert target.labels == Labels({"job": "j", "instance": "h:1", "a": "own", "b": "group"})
    assert "__meta_x" not in target.all_labels
    assert target.discovered["__meta_x"] == "y"
    assert target.url == "http://h:1/metrics"


def test_no_port_is_added_to_an_address() -> None:
    assert made({"__address__": "h"}, scheme="https").url == "https://h/metrics"


def test_labels_decide_about_the_request() -> None:
    target = made(
        {
            "__address__": "h",
            "__scheme__": "https",
            "__metrics_path__": "/a b?",
            "__param_x": "o&k",
            "__scrape_interval__": "30s",
            "__scrape_timeout__": "1500ms",
        },
        params=(("x", ("1", "2")), ("m", ("a b",)), ("x2", ())),
    )
    assert target.url == "https://h/a%20b%3F?m=a+b&x=o%26k&x=2"
    assert (target.interval_ms, target.timeout_ms) == (30_000, 1_500)


def test_relabelling_sees_and_sets_what_the_job_says() -> None:
    rules = (
        RelabelRule(("__param_target", "job", "__scrape_interval__"), target_label="seen"),
        RelabelRule(target_label="__address__", replacement="probe:9115"),
        RelabelRule(("__param_target",), target_label="instance"),
    )
    target = made({"__address__": "x"}, params=(("target", ("host",)),), relabel=rules)
    assert target.labels == Labels({"job": "j", "seen": "host;j;1m", "instance": "host"})
    assert target.url == "http://probe:9115/metrics?target=host"


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"a": "b"}, "no address"),
        ({"__address__": "http://h"}, '"http://h" is not a valid hostname'),
        (
            {"__address__": "h", "__scrape_interval__": "x"},
            'error parsing scrape interval: not a valid duration string: "x"',
        ),
        ({"__address__": "h", "__scrape_interval__": "0s"}, "scrape interval cannot be 0"),
        ({"__address__": "h", "__scrape_timeout__": "0"}, "scrape timeout cannot be 0"),
        (
            {"__address__": "h", "__scrape_timeout__": "2m"},
            'scrape timeout cannot be greater than scrape interval ("2m" > "1m")',
        ),
    ],
)
def test_what_cannot_be_scraped_is_said(labels: dict[str, str], message: str) -> None:
    assert failure(labels) == f"instance 0 in group src: {message}"


def test_a_dropped_target_is_no_failure() -> None:
    config = ScrapeConfig("j", relabel=(RelabelRule(("__address__",), regex="h", action="drop"),))
    targets, dropped, failures = targets_of_group(config, TargetGroup((Labels({"__address__": "h"}),)))
    assert (targets, failures) == ([], [])
    assert dropped[0].discovered["__address__"] == "h"


def test_targets_with_the_same_labels_and_url_are_equal() -> None:
    assert made({"__address__": "h", "__meta_a": "1"}) == made({"__address__": "h", "__meta_a": "2"})
    assert made({"__address__": "h"}) != made({"__address__": "h"}, params=(("a", ("b",)),))


def test_the_offset_is_stable_in_absolute_time_and_depends_on_the_seed() -> None:
    target = made({"__address__": "h"})
    due = {(now + target.offset_ms(now, 7)) % target.interval_ms for now in range(0, 200_000, 777)}
    assert len(due) == 1
    assert len({target.offset_ms(0, seed << 8) for seed in range(50)}) > 20


def test_labels_decide_how_histograms_are_scraped() -> None:
    job = ScrapeConfig("j", scrape_native_histograms=True)
    target = made({"__address__": "h"}, scrape_native_histograms=True)
    assert target.discovered["__scrape_native_histograms__"] == "true"
    assert target.config(job) == job
    own = {"__scrape_native_histograms__": "F", "__convert_classic_histograms_to_nhcb__": "1"}
    changed = made({"__address__": "h", **own}).config(job)
    assert not changed.scrape_native_histograms
    assert changed.convert_classic_histograms_to_nhcb


def test_a_label_that_is_no_boolean_drops_the_target() -> None:
    assert failure({"__address__": "h", "__always_scrape_classic_histograms__": "maybe"}) == (
        "instance 0 in group src: error parsing always scrape classic histograms: "
        'strconv.ParseBool: parsing "maybe": invalid syntax'
    )
