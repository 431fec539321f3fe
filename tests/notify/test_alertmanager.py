"""Where Alertmanagers are, and alerts as they take them."""

from __future__ import annotations

import json

import pytest

from zseval.model.alert import Alert
from zseval.model.labels import Labels
from zseval.model.relabel import RelabelRule
from zseval.notify.alertmanager import endpoints, payload
from zseval.notify.config import AlertmanagerConfig


def urls(**changes: object) -> list[tuple[str, bool]]:
    config = AlertmanagerConfig(targets=(Labels({"__address__": "am:9093"}),), **changes)  # type: ignore[arg-type]  # keyword arguments of a test
    return [(endpoint.url, endpoint.dropped) for endpoint in endpoints(config)]


def test_alerts_go_to_version_2_of_the_api() -> None:
    assert urls() == [("http://am:9093/api/v2/alerts", False)]


def test_scheme_and_path_prefix_are_part_of_the_address() -> None:
    assert urls(scheme="https", path_prefix="/am/") == [("https://am:9093/am/api/v2/alerts", False)]
    assert urls(path_prefix="am") == [("http://am:9093/am/api/v2/alerts", False)]


def test_relabelling_moves_and_drops_alertmanagers() -> None:
    move = RelabelRule(target_label="__alerts_path__", replacement="/x/alerts")
    drop = RelabelRule(source_labels=("__address__",), regex="am:.*", action="drop")
    assert urls(relabel=(move,)) == [("http://am:9093/x/alerts", False)]
    assert urls(relabel=(drop,)) == [("http://am:9093/api/v2/alerts", True)]


def test_an_alertmanager_without_an_address_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    assert urls(relabel=(RelabelRule(target_label="__address__", replacement=""),)) == []
    assert "no address" in caplog.text


def test_an_alert_as_json() -> None:
    alert = Alert(
        labels=Labels({"alertname": "A", "job": "é"}),
        annotations=Labels({"summary": 'say "hi"'}),
        starts_at_ms=1_435_065_584_128,
        ends_at_ms=1_435_065_784_000,
        generator_url="http://host/graph?g0.expr=up",
    )
    assert json.loads(payload([alert])) == [
        {
            "labels": {"alertname": "A", "job": "é"},
            "annotations": {"summary": 'say "hi"'},
            "startsAt": "2015-06-23T13:19:44.128Z",
            "endsAt": "2015-06-23T13:23:04.000Z",
            "generatorURL": "http://host/graph?g0.expr=up",
        }
    ]


def test_an_unknown_end_is_left_to_the_alertmanager() -> None:
    sent = json.loads(payload([Alert(Labels({"alertname": "A"}), Labels(), 1000)]))
    assert sent[0]["endsAt"] == "0001-01-01T00:00:00Z"
