"""prometheus.yml to dataclasses, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from zseval.config.load import load_config, read_config
from zseval.config.problems import ConfigErrors
from zseval.config.settings import Config
from zseval.errors import ConfigError, Position
from zseval.exposition.negotiate import PROTOBUF_FIRST
from zseval.exposition.options import HistogramLimits, PageOptions
from zseval.model.labels import Labels
from zseval.model.relabel import RelabelRule
from zseval.scrape.config import DnsDiscovery, FileDiscovery, HttpDiscovery, StaticDiscovery, TargetGroup
from zseval.transport.config import Authorization, BasicAuth

BASE = Path("/etc/zseval")


def load(text: str, **environ: str) -> Config:
    return load_config(text, "prometheus.yml", BASE, environ=environ)


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        load(text)
    return [str(error) for error in caught.value.errors]


def scrape(body: str) -> str:
    """A configuration with one job, its further keys given."""
    lines = "".join(f"    {line}\n" for line in body.strip("\n").split("\n"))
    return f"scrape_configs:\n  - job_name: a\n{lines}"


def test_an_empty_file_gives_prometheus_defaults() -> None:
    for text in ("", "global:\n", "global: {}\nscrape_configs: []\nalerting:\n"):
        every = load(text).global_
        assert (every.scrape_interval_ms, every.scrape_timeout_ms) == (60_000, 10_000)
        assert (every.evaluation_interval_ms, every.rule_query_offset_ms) == (60_000, 0)


def test_a_job_takes_what_it_does_not_say_from_global() -> None:
    config = load(
        "global: {scrape_interval: 30s, scrape_timeout: 20s, sample_limit: 5, body_size_limit: 1MB}\n"
        "scrape_configs:\n"
        "  - job_name: a\n"
        "  - job_name: b\n"
        "    scrape_interval: 15s\n"
        "    sample_limit: 7\n"
    )
    a, b = config.scrape
    assert (a.scrape_interval_ms, a.scrape_timeout_ms) == (30_000, 20_000)
    assert (a.sample_limit, a.body_size_limit) == (5, 1024 * 1024)
    assert (b.scrape_interval_ms, b.scrape_timeout_ms, b.sample_limit) == (15_000, 15_000, 7)
    assert (a.metrics_path, a.scheme, a.honor_timestamps, a.enable_compression) == (
        "/metrics",
        "http",
        True,
        True,
    )


def test_a_default_timeout_is_never_above_the_interval() -> None:
    assert load("global: {scrape_interval: 5s}").global_.scrape_timeout_ms == 5_000


FLAGS = ("scrape_native_histograms", "always_scrape_classic_histograms", "convert_classic_histograms_to_nhcb")


@pytest.mark.parametrize("flag", FLAGS)
def test_a_job_takes_what_is_global_of_histograms_unless_it_says_otherwise(flag: str) -> None:
    jobs = load(
        f"global: {{{flag}: true}}\nscrape_configs: [{{job_name: a}}, {{job_name: b, {flag}: false}}]"
    ).scrape
    assert [getattr(job, flag) for job in jobs] == [True, False]
    (job,) = load("scrape_configs: [{job_name: a}]").scrape
    assert not getattr(job, flag)


def test_protobuf_is_preferred_where_native_histograms_are_scraped() -> None:
    text = """
global: {scrape_native_histograms: true}
scrape_configs:
- job_name: default
- job_name: "off"
  scrape_native_histograms: false
- job_name: own
  scrape_protocols: [PrometheusText0.0.4]
"""
    protocols = [job.protocols for job in load(text).scrape]
    assert protocols == [PROTOBUF_FIRST, (), ("PrometheusText0.0.4",)]
    (job,) = load("global: {scrape_protocols: [OpenMetricsText1.0.0]}\n" + scrape(f"{FLAGS[0]}: true")).scrape
    assert job.protocols == ("OpenMetricsText1.0.0",)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("scrape_native_histograms: true", "scrape_native_histograms"),
        ("scrape_protocols: [PrometheusProto]", "scrape_protocols"),
        ("fallback_scrape_protocol: PrometheusProto", "fallback_scrape_protocol"),
    ],
)
def test_what_cannot_do_without_protobuf_says_what_to_install(
    text: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zseval.config.load.reads_protobuf", lambda: False)
    (error,) = errors(scrape(text))
    assert (
        f"{key} needs the package protobuf, which is not installed: pip install 'zseval[protobuf]'" in error
    )
    assert ":3:" in error


def test_protobuf_beside_text_formats_is_left_out_where_it_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zseval.config.load.reads_protobuf", lambda: False)
    (job,) = load(scrape("scrape_protocols: [PrometheusProto, PrometheusText0.0.4]")).scrape
    assert job.scrape_protocols == ("PrometheusText0.0.4",)


def test_every_key_of_a_job_arrives() -> None:
    (job,) = load(
        scrape(
            """
honor_labels: true
honor_timestamps: no
track_timestamps_staleness: true
params:
  module: [http_2xx]
  q: [a, b]
metrics_path: /probe
scheme: https
enable_compression: false
scrape_protocols: [PrometheusProto, PrometheusText1.0.0, PrometheusText0.0.4]
fallback_scrape_protocol: PrometheusText0.0.4
scrape_native_histograms: true
always_scrape_classic_histograms: true
convert_classic_histograms_to_nhcb: true
native_histogram_bucket_limit: 6
native_histogram_min_bucket_factor: 1.1
target_limit: 1
label_limit: 2
label_name_length_limit: 3
label_value_length_limit: 4
keep_dropped_targets: 5
basic_auth: {username: u, password_file: secret.txt}
tls_config: {ca_file: ca.pem, server_name: s, insecure_skip_verify: true, min_version: TLS12}
follow_redirects: false
proxy_url: http://proxy:3128
http_headers:
  X-Scope: {values: [x], secrets: [y]}
static_configs:
  - targets: ['h:1', 'h:2']
    labels: {env: test}
  - targets: ['h:3']
file_sd_configs:
  - files: [targets/*.json, /abs.yml]
http_sd_configs:
  - url: http://sd/x
    refresh_interval: 30s
    bearer_token: t
dns_sd_configs:
  - names: [n]
    type: a
    port: 9
relabel_configs:
  - source_labels: [__address__, env]
    regex: (.*)
    target_label: x
    replacement:
metric_relabel_configs:
  - {action: Drop, regex: foo.*, source_labels: [__name__]}
"""
        )
    ).scrape
    assert (job.honor_labels, job.honor_timestamps, job.track_timestamps_staleness) == (True, False, True)
    assert job.params == (("module", ("http_2xx",)), ("q", ("a", "b")))
    assert (job.metrics_path, job.scheme, job.enable_compression) == ("/probe", "https", False)
    assert job.scrape_protocols == ("PrometheusProto", "PrometheusText1.0.0", "PrometheusText0.0.4")
    assert (job.scrape_native_histograms, job.always_scrape_classic_histograms) == (True, True)
    assert job.page_options == PageOptions(
        native_histograms=True,
        classic_histograms=True,
        nhcb=True,
        limits=HistogramLimits(max_buckets=6, max_schema=2),
    )
    assert job.fallback_scrape_protocol == "PrometheusText0.0.4"
    assert [job.target_limit, job.label_limit, job.label_name_length_limit] == [1, 2, 3]
    assert [job.label_value_length_limit, job.keep_dropped_targets] == [4, 5]
    assert job.http.basic_auth == BasicAuth(username="u", password_file="/etc/zseval/secret.txt")
    assert (job.http.tls.ca_file, job.http.tls.min_version) == ("/etc/zseval/ca.pem", "TLS12")
    assert not job.http.follow_redirects
    assert job.http.headers == (("X-Scope", "x"), ("X-Scope", "y"))
    static, files, http, dns = job.discovery
    assert static == StaticDiscovery(
        (
            TargetGroup(
                (Labels({"__address__": "h:1"}), Labels({"__address__": "h:2"})),
                Labels({"env": "test"}),
                "static/0",
            ),
            TargetGroup((Labels({"__address__": "h:3"}),), Labels(), "static/1"),
        )
    )
    assert files == FileDiscovery(("/etc/zseval/targets/*.json", "/abs.yml"))
    assert isinstance(http, HttpDiscovery)
    assert (http.url, http.refresh_interval_ms) == ("http://sd/x", 30_000)
    assert http.http.authorization == Authorization("Bearer", "t")
    assert dns == DnsDiscovery(("n",), 30_000, "A", 9)
    assert job.relabel == (
        RelabelRule(source_labels=("__address__", "env"), target_label="x", replacement=""),
    )
    assert job.metric_relabel == (RelabelRule(action="drop", regex="foo.*", source_labels=("__name__",)),)


def test_alertmanagers_of_static_groups() -> None:
    config = load(
        """
alerting:
  alert_relabel_configs:
    - {action: labeldrop, regex: replica}
  alertmanagers:
    - scheme: https
      path_prefix: /am
      timeout: 3s
      authorization: {credentials: c}
      static_configs:
        - targets: [am:9093, am2:9093]
          labels: {x: y}
"""
    )
    (manager,) = config.alerting.alertmanagers
    assert [str(target) for target in manager.targets] == [
        '{__address__="am:9093", x="y"}',
        '{__address__="am2:9093", x="y"}',
    ]
    assert (manager.scheme, manager.path_prefix, manager.timeout_ms) == ("https", "/am", 3_000)
    assert manager.http.authorization == Authorization("Bearer", "c")
    assert config.alerting.alert_relabel[0].action == "labeldrop"


def test_external_labels_take_values_of_the_environment() -> None:
    labels = load("global: {external_labels: {a: '${X}-$Y', b: '$$Z', c: '${NONE}'}}", X="1", Y="2")
    assert labels.global_.external_labels == Labels({"a": "1-2", "b": "$Z"})


def test_how_many_exemplars_are_kept() -> None:
    assert load("storage: {exemplars: {max_exemplars: 7}}").max_exemplars == 7
    assert load("storage: {exemplars: {}}").max_exemplars == 100_000
    assert load("{}").max_exemplars == 100_000


def test_retention_of_the_storage_section() -> None:
    config = load("storage: {tsdb: {retention: {time: 36h, size: 512MB}}}")
    assert (config.storage_retention, config.storage_retention_bytes) == ("1d12h", 512 * 1024 * 1024)


def test_rule_files_are_globs_beside_the_file(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yml", ".hidden.yml", "c.txt"):
        (tmp_path / name).touch()
    file = tmp_path / "prometheus.yml"
    file.write_text("rule_files: ['*.yml', missing.yml]", encoding="utf-8")
    names = [Path(path).name for path in read_config(file).rule_files]
    assert names == [".hidden.yml", "a.yml", "b.yml", "prometheus.yml"]


def test_scrape_config_files_add_jobs(tmp_path: Path) -> None:
    (tmp_path / "more.yml").write_text("scrape_configs: [{job_name: b}]", encoding="utf-8")
    text = "global: {scrape_interval: 7s}\nscrape_config_files: [more.yml]\nscrape_configs: [{job_name: a}]"
    jobs = load_config(text, "p.yml", tmp_path).scrape
    assert [(job.job_name, job.scrape_interval_ms) for job in jobs] == [("a", 7_000), ("b", 7_000)]


def test_a_job_named_twice_across_files_is_an_error_in_the_second(tmp_path: Path) -> None:
    more = tmp_path / "more.yml"
    more.write_text("scrape_configs:\n  - job_name: a\n", encoding="utf-8")
    with pytest.raises(ConfigErrors, match='found multiple scrape configs with job name "a"') as caught:
        load_config("scrape_config_files: [more.yml]\nscrape_configs: [{job_name: a}]", "p.yml", tmp_path)
    assert caught.value.file == str(more)
    assert caught.value.position == Position(2, 5)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("globl: {}", '1:1: field globl not found in the configuration; did you mean "global"?'),
        ("global: {scrape_intervall: 5s}", 'did you mean "scrape_interval"?'),
        ("remote_write: [{url: x}]", '1:1: "remote_write" is not supported yet by zseval'),
        (scrape("consul_sd_configs: [{}]"), '3:5: "consul_sd_configs" is not supported yet by zseval'),
        (scrape("consult_sd_configs: []"), 'did you mean "consul_sd_configs"?'),
        (scrape("oauth2: {client_id: x}"), '"oauth2" is not supported yet by zseval'),
        ("scrape_configs: [{}]", "1:18: job_name is empty"),
        ("scrape_configs: [null]", "1:18: empty or null scrape config section"),
        ("scrape_configs: 1", "1:17: expected a list"),
        ("scrape_configs: [{job_name: a}, {job_name: a}]", 'found multiple scrape configs with job name "a"'),
        (
            "global: {scrape_interval: 5s, scrape_timeout: 6s}",
            "global scrape timeout greater than scrape interval",
        ),
        (
            scrape("scrape_interval: 5s\nscrape_timeout: 6s"),
            "4:5: scrape timeout greater than scrape interval",
        ),
        (scrape("scrape_interval: 5"), 'not a valid duration string: "5"'),
        (scrape("body_size_limit: 100"), "units: unknown unit  in 100"),
        (scrape("sample_limit: ten"), '"ten" is not an integer'),
        (scrape("sample_limit: '5'"), '"5" in quotes is a text, not a number'),
        (scrape("sample_limit: -1"), "-1 must not be negative"),
        (scrape("honor_labels: maybe"), '"maybe" is not a boolean'),
        (scrape("static_configs: [{targets: ['http://x/y']}]"), '"http://x/y" is not a valid hostname'),
        (scrape("static_configs: [null]"), "empty or null section in static_configs"),
        (
            scrape("bearer_token: a\nbearer_token_file: b"),
            "at most one of bearer_token & bearer_token_file must be configured",
        ),
        (
            scrape("basic_auth: {username: u, password: a, password_file: b}"),
            "at most one of basic_auth password, password_file & password_ref must be configured",
        ),
        (
            scrape("basic_auth: {username: u}\nauthorization: {credentials: x}"),
            "at most one of basic_auth, oauth2 & authorization must be configured",
        ),
        (scrape("authorization: {type: Basic}"), 'authorization type cannot be set to "basic"'),
        (scrape("tls_config: {cert_file: a}"), "exactly one of key or key_file must be configured"),
        (scrape("tls_config: {min_version: TLS9}"), "unknown TLS version: TLS9"),
        (scrape("proxy_url: 'http://x:y'"), 'parse "http://x:y"'),
        (scrape("no_proxy: x"), "if no_proxy is configured, proxy_url must also be configured"),
        (scrape("http_headers: {Host: {values: [x]}}"), 'setting header "Host" is not allowed'),
        (scrape("file_sd_configs: [{files: [a.txt]}]"), 'path name "/etc/zseval/a.txt" is not valid'),
        (scrape("file_sd_configs: [{}]"), "must contain at least one path name"),
        (scrape("http_sd_configs: [{url: 'ftp://x'}]"), "URL scheme must be 'http' or 'https'"),
        (scrape("http_sd_configs: [{}]"), "URL is missing"),
        (scrape("dns_sd_configs: [{names: [a], type: A}]"), "a port is required in DNS-SD configs"),
        (scrape("dns_sd_configs: [{names: [a], type: TXT}]"), "invalid DNS-SD records type TXT"),
        (scrape("relabel_configs: [null]"), "empty or null target relabeling rule"),
        (scrape("relabel_configs: [{regex: 'a(b'}]"), "error parsing regexp: missing closing ): `a(b`"),
        (scrape("relabel_configs: [{action: explode}]"), 'unknown relabel action "explode"'),
        (scrape("relabel_configs: [{action: }]"), "relabel action cannot be empty"),
        (scrape("relabel_configs: [{action: replace}]"), "replace action requires 'target_label' value"),
        (scrape("relabel_configs: [{action: hashmod, target_label: x}]"), "requires non-zero modulus"),
        (scrape("relabel_configs: [{action: labeldrop, separator: x}]"), "requires only 'regex'"),
        (scrape("scrape_protocols: []"), "scrape_protocols cannot be empty"),
        (scrape("native_histogram_bucket_limit: -1"), "-1 must not be negative"),
        (scrape("native_histogram_min_bucket_factor: x"), '"x" is not a number'),
        (scrape("scrape_native_histograms: perhaps"), '"perhaps" is not a boolean'),
        (scrape("scrape_protocols: [x]"), "unknown scrape protocol x, supported: [OpenMetricsText0.0.1"),
        ("rule_files: ['a/*/b.yml']", 'invalid rule file path "a/*/b.yml"'),
        ("alerting: {alertmanagers: [{api_version: v1}]}", "to be one of [v2] but got v1"),
        ("global: {external_labels: {'': x}}", '"" is not a valid label name'),
        ("storage: {tsdb: {retention: {time: -1h}}}", 'not a valid duration string: "-1h"'),
        ("storage: {tsdb: {retention: {size: -1GB}}}", "must be greater than or equal to 0"),
        ("[1, 2]", "the configuration must be a mapping of keys to values"),
        ("a: [", "not valid YAML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, error: str) -> None:
    (found,) = errors(text)
    assert found.startswith("prometheus.yml:")
    assert error in found


def test_all_errors_of_a_file_are_reported_in_order() -> None:
    found = errors(
        "global:\n  scrape_interval: x\n  nope: 1\nscrape_configs:\n  - {}\n  - job_name: b\n    port: 1\n"
    )
    assert [error.split(": ", 1)[0] for error in found] == [
        "prometheus.yml:2:20",
        "prometheus.yml:3:3",
        "prometheus.yml:5:5",
        "prometheus.yml:7:5",
    ]


def test_a_file_that_is_not_text_is_a_config_error(tmp_path: Path) -> None:
    file = tmp_path / "p.yml"
    file.write_bytes(b"global: \xff")
    with pytest.raises(ConfigError, match="not valid UTF-8"):
        read_config(file)


def test_the_text_shows_no_secret() -> None:
    secret = "hunter2"
    text = load(
        scrape(
            f"""
basic_auth: {{username: joe, password: {secret}}}
proxy_url: http://joe:{secret}@proxy:1
tls_config: {{cert: c, key: {secret}}}
http_headers: {{X: {{secrets: [{secret}]}}}}
http_sd_configs:
  - url: http://joe:{secret}@sd/
    authorization: {{credentials: {secret}}}
  - url: http://sd/
    bearer_token: {secret}
"""
        )
    ).text
    assert secret not in text
    assert text.count("<secret>") == 5
    assert "joe:xxxxx@proxy:1" in text


def test_the_text_has_defaults_filled_in_and_reads_back_the_same() -> None:
    config = load(scrape("sample_limit: 5\nstatic_configs: [{targets: [a:1]}]\nbody_size_limit: 10MB"))
    assert "scrape_interval: 1m" in config.text
    assert "body_size_limit: 10MiB" in config.text
    assert "honor_timestamps: true" in config.text
    again = load(config.text)
    assert again.scrape == config.scrape
    assert again.text == config.text
