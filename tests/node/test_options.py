"""What a command line or a program asks for, as a configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from zseval.errors import ConfigError
from zseval.exposition.negotiate import PROTOBUF_FIRST
from zseval.exposition.options import PageOptions
from zseval.model.labels import Labels
from zseval.node.options import NodeOptions, alertmanager, effective_config, max_exemplars, target_labels
from zseval.scrape.config import StaticDiscovery


@pytest.mark.parametrize(
    ("url", "address", "scheme", "path"),
    [
        ("http://localhost:8080/metrics", "localhost:8080", "http", "/metrics"),
        ("localhost:9100", "localhost:9100", "http", "/metrics"),
        ("https://a.example/deep/er", "a.example", "https", "/deep/er"),
        ("http://[::1]:80", "[::1]:80", "http", "/metrics"),
    ],
)
def test_a_target_is_scraped_at_exactly_its_url(url: str, address: str, scheme: str, path: str) -> None:
    assert target_labels(url) == Labels(
        {"__address__": address, "__scheme__": scheme, "__metrics_path__": path}
    )


def test_parameters_of_a_targets_url_are_kept() -> None:
    labels = target_labels("http://a:1/probe?module=icmp&target=")
    assert labels.get("__param_module") == "icmp"


@pytest.mark.parametrize("url", ["ftp://a/metrics", "http://", "http:///metrics", "http://a/m?x=1&x=2"])
def test_what_cannot_be_scraped_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="target"):
        target_labels(url)


def test_an_alertmanagers_url_may_have_a_prefix() -> None:
    made = alertmanager("https://am.example/prefix/")
    assert (made.scheme, made.path_prefix, made.targets) == (
        "https",
        "/prefix",
        (Labels({"__address__": "am.example"}),),
    )
    with pytest.raises(ConfigError, match="Alertmanager"):
        alertmanager("smtp://am")


def test_without_a_file_all_comes_from_the_options(tmp_path: Path) -> None:
    options = NodeOptions(
        rule_files=("a.yml", "b.yml", "a.yml"),
        targets=("a:1", "b:2"),
        alertmanagers=("am:9093",),
        interval_ms=7_000,
        external_labels=Labels({"site": "north"}),
    )
    config = effective_config(options)
    assert config.rule_files == tuple(str(Path(name).absolute()) for name in ("a.yml", "b.yml"))
    (job,) = config.scrape
    (discovery,) = job.discovery
    assert isinstance(discovery, StaticDiscovery)
    assert (job.job_name, job.scrape_interval_ms, job.scrape_timeout_ms) == ("node", 7_000, 7_000)
    assert [labels.get("__address__") for labels in discovery.groups[0].targets] == ["a:1", "b:2"]
    assert config.global_.evaluation_interval_ms == 7_000
    assert config.global_.external_labels == Labels({"site": "north"})
    assert len(config.alerting.alertmanagers) == 1


def written(tmp_path: Path, text: str) -> str:
    file = tmp_path / "prometheus.yml"
    file.write_text(text)
    return str(file)


def test_options_are_added_to_what_a_file_says(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "global: {external_labels: {site: north, rack: r1}}\n"
        "rule_files: [rules.yml]\n"
        "scrape_configs: [{job_name: own, static_configs: [{targets: ['c:3']}]}]\n"
        "alerting: {alertmanagers: [{static_configs: [{targets: ['am1:9093']}]}]}\n",
    )
    (tmp_path / "rules.yml").write_text("groups: []")
    options = NodeOptions(
        config_file=file,
        targets=("a:1",),
        alertmanagers=("am2:9093",),
        rule_files=(str(tmp_path / "rules.yml"), "more.yml"),
        external_labels=Labels({"site": "south"}),
    )
    config = effective_config(options)
    assert [job.job_name for job in config.scrape] == ["own", "node"]
    assert config.rule_files == (str(tmp_path / "rules.yml"), str(Path("more.yml").absolute()))
    assert len(config.alerting.alertmanagers) == 2
    assert config.global_.external_labels == Labels({"site": "south", "rack": "r1"})


def test_a_job_of_the_file_may_not_have_the_name_that_targets_are_given(tmp_path: Path) -> None:
    file = written(tmp_path, "scrape_configs: [{job_name: node}]")
    with pytest.raises(ConfigError, match="rename it"):
        effective_config(NodeOptions(config_file=file, targets=("a:1",)))


def test_a_file_that_is_not_there_is_the_callers_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        effective_config(NodeOptions(config_file=str(tmp_path / "none.yml")))


@pytest.mark.parametrize("url", ["http://:x/", "http://:9100", "host:99999", "ftp://host", "http://"])
def test_a_target_without_a_host_or_with_a_bad_port_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is not an http\\(s\\) URL such as"):
        effective_config(NodeOptions(targets=(url,)))


def test_exemplars_are_kept_where_the_feature_is_on(tmp_path: Path) -> None:
    file = tmp_path / "prometheus.yml"
    file.write_text("storage: {exemplars: {max_exemplars: 3}}\n")
    options = NodeOptions(config_file=str(file), listen="")
    config = effective_config(options)
    assert max_exemplars(options, config) == 0
    assert max_exemplars(replace(options, features=frozenset({"exemplar-storage"})), config) == 3


def test_features_reach_the_jobs() -> None:
    (job,) = effective_config(NodeOptions(targets=("h:1",))).scrape
    assert not job.start_timestamps
    assert not job.type_and_unit_labels
    assert job.protocols == ()
    features = frozenset({"st-storage", "type-and-unit-labels"})
    (job,) = effective_config(NodeOptions(targets=("h:1",), features=features)).scrape
    assert job.page_options == PageOptions(starts=True, describe=True)
    assert job.protocols == PROTOBUF_FIRST


def test_start_times_come_with_text_where_protobuf_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zseval.node.options.reads_protobuf", lambda: False)
    (job,) = effective_config(NodeOptions(targets=("h:1",), features=frozenset({"st-storage"}))).scrape
    assert job.start_timestamps
    assert job.protocols == ()
