"""The keys of prometheus.yml, a table a section, in the order Prometheus writes them.

Source: prometheus config/config.go, discovery/{file,http,dns}, model/relabel; prometheus/common
config/http_config.go. `pending` holds what Prometheus has and zseval has not yet.
"""

from __future__ import annotations

from zseval.config import checks
from zseval.config.schema import (
    BOOL,
    DURATION,
    FLOAT,
    INT,
    LABELS,
    PATH,
    REGEX,
    SECRET,
    SIZE,
    STRING,
    UINT,
    URL,
    Field,
    Kind,
    Schema,
    list_of,
    map_of,
    one_of,
    only,
    section,
    sections,
)

__all__ = ["PROMETHEUS", "SCRAPE_CONFIG_FILE", "TARGET_GROUPS"]

TLS_VERSION = one_of("TLS10", "TLS11", "TLS12", "TLS13", error=lambda text: f"unknown TLS version: {text}")

TLS = Schema(
    "tls_config",
    {
        "ca": Field(STRING),
        "cert": Field(STRING),
        "key": Field(SECRET),
        "ca_file": Field(PATH),
        "cert_file": Field(PATH),
        "key_file": Field(PATH),
        "server_name": Field(STRING),
        "insecure_skip_verify": Field(BOOL, always=True),
        "min_version": Field(TLS_VERSION),
        "max_version": Field(TLS_VERSION),
    },
    pending=frozenset({"ca_ref", "cert_ref", "key_ref"}),
)

BASIC_AUTH = Schema(
    "basic_auth",
    {
        "username": Field(STRING),
        "username_file": Field(PATH),
        "password": Field(SECRET),
        "password_file": Field(PATH),
    },
    pending=frozenset({"username_ref", "password_ref"}),
)

AUTHORIZATION = Schema(
    "authorization",
    {"type": Field(STRING), "credentials": Field(SECRET), "credentials_file": Field(PATH)},
    pending=frozenset({"credentials_ref"}),
)

HEADER = Schema(
    "http_headers entry",
    {"values": Field(list_of(STRING)), "secrets": Field(list_of(SECRET))},
    pending=frozenset({"files"}),
)

HTTP_CLIENT: dict[str, Field] = {
    "basic_auth": Field(section(BASIC_AUTH)),
    "authorization": Field(section(AUTHORIZATION)),
    "bearer_token": Field(SECRET),
    "bearer_token_file": Field(PATH),
    "tls_config": Field(section(TLS, checks.check_tls)),
    "follow_redirects": Field(BOOL, default=True, always=True),
    # Accepted and without effect: zseval speaks HTTP/1.1, which every HTTP/2 server here understands.
    "enable_http2": Field(BOOL, default=True, always=True),
    "proxy_url": Field(URL),
    "no_proxy": Field(STRING),
    "proxy_from_environment": Field(BOOL),
    "http_headers": Field(map_of(section(HEADER))),
}
HTTP_CLIENT_PENDING = frozenset({"oauth2", "proxy_connect_header"})

RELABEL_ACTIONS = (
    "replace",
    "keep",
    "drop",
    "keepequal",
    "dropequal",
    "hashmod",
    "labelmap",
    "labeldrop",
    "labelkeep",
    "lowercase",
    "uppercase",
)

RELABEL = Schema(
    "relabel_configs entry",
    {
        "source_labels": Field(list_of(checks.LABEL_NAME)),
        "separator": Field(STRING, default=";", always=True),
        "regex": Field(REGEX, default="(.*)"),
        "modulus": Field(UINT),
        "target_label": Field(STRING),
        "replacement": Field(STRING, default="$1", always=True),
        "action": Field(
            one_of(*RELABEL_ACTIONS, error=lambda text: f'unknown relabel action "{text}"', fold=True),
            default="replace",
        ),
    },
)


def relabel(what: str) -> Kind:
    """A list of relabelling rules; what names them where one is null."""
    return sections(RELABEL, checks.check_relabel, null=f"empty or null {what}")


TARGET_GROUP = Schema(
    "target group", {"targets": Field(list_of(STRING), always=True), "labels": Field(LABELS)}
)
STATIC_CONFIGS = sections(TARGET_GROUP, null="empty or null section in static_configs")
TARGET_GROUPS = sections(TARGET_GROUP, null="empty or null target group")

FILE_SD = Schema(
    "file_sd_configs entry",
    {"files": Field(list_of(PATH), always=True), "refresh_interval": Field(DURATION, default=5 * 60_000)},
)

HTTP_SD = Schema(
    "http_sd_configs entry",
    {**HTTP_CLIENT, "refresh_interval": Field(DURATION, default=60_000), "url": Field(URL, always=True)},
    pending=HTTP_CLIENT_PENDING,
)

DNS_SD = Schema(
    "dns_sd_configs entry",
    {
        "names": Field(list_of(STRING), always=True),
        "refresh_interval": Field(DURATION, default=30_000),
        "type": Field(STRING, default="SRV", always=True),
        "port": Field(INT),
    },
)

OTHER_SD = frozenset(
    f"{name}_sd_configs"
    for name in (
        "aws",
        "azure",
        "consul",
        "digitalocean",
        "docker",
        "dockerswarm",
        "ec2",
        "ecs",
        "elasticache",
        "eureka",
        "gce",
        "hetzner",
        "ionos",
        "kubernetes",
        "kuma",
        "lightsail",
        "linode",
        "marathon",
        "msk",
        "nerve",
        "nomad",
        "oci",
        "openstack",
        "outscale",
        "ovhcloud",
        "puppetdb",
        "rds",
        "scaleway",
        "serverset",
        "stackit",
        "triton",
        "uyuni",
        "vultr",
    )
)

PROTOCOLS = (
    "OpenMetricsText0.0.1",
    "OpenMetricsText1.0.0",
    "PrometheusProto",
    "PrometheusText0.0.4",
    "PrometheusText1.0.0",
)
PROTOCOL = one_of(
    *PROTOCOLS,
    error=lambda text: f"unknown scrape protocol {text}, supported: [{' '.join(PROTOCOLS)}]",
)
NAME_VALIDATION = only(STRING, "utf8")
NAME_ESCAPING = only(STRING, "allow-utf-8")

LIMITS: dict[str, Field] = {
    "body_size_limit": Field(SIZE),
    "sample_limit": Field(UINT),
    "target_limit": Field(UINT),
    "label_limit": Field(UINT),
    "label_name_length_limit": Field(UINT),
    "label_value_length_limit": Field(UINT),
    "keep_dropped_targets": Field(UINT),
}

HISTOGRAMS: dict[str, Field] = {
    "scrape_native_histograms": Field(BOOL),
    "convert_classic_histograms_to_nhcb": Field(BOOL),
    "always_scrape_classic_histograms": Field(BOOL),
}

GLOBAL = Schema(
    "global",
    {
        "scrape_interval": Field(DURATION),
        "scrape_timeout": Field(DURATION),
        "scrape_protocols": Field(list_of(PROTOCOL)),
        "evaluation_interval": Field(DURATION),
        "rule_query_offset": Field(DURATION),
        "query_log_file": Field(PATH),
        "external_labels": Field(LABELS),
        **LIMITS,
        "metric_name_validation_scheme": Field(NAME_VALIDATION),
        "metric_name_escaping_scheme": Field(NAME_ESCAPING),
        **HISTOGRAMS,
        "extra_scrape_metrics": Field(only(BOOL)),
    },
    pending=frozenset({"scrape_failure_log_file"}),
)

SCRAPE = Schema(
    "scrape_configs entry",
    {
        "job_name": Field(STRING, always=True),
        "honor_labels": Field(BOOL),
        "honor_timestamps": Field(BOOL, default=True, always=True),
        "track_timestamps_staleness": Field(BOOL, always=True),
        "params": Field(map_of(list_of(STRING))),
        "scrape_interval": Field(DURATION),
        "scrape_timeout": Field(DURATION),
        "scrape_protocols": Field(list_of(PROTOCOL)),
        "fallback_scrape_protocol": Field(PROTOCOL),
        **HISTOGRAMS,
        "metrics_path": Field(STRING, default="/metrics"),
        "scheme": Field(STRING, default="http"),
        "enable_compression": Field(BOOL, default=True, always=True),
        **LIMITS,
        "native_histogram_bucket_limit": Field(UINT),
        "native_histogram_min_bucket_factor": Field(FLOAT),
        "metric_name_validation_scheme": Field(NAME_VALIDATION),
        "metric_name_escaping_scheme": Field(NAME_ESCAPING),
        "extra_scrape_metrics": Field(only(BOOL)),
        **HTTP_CLIENT,
        "static_configs": Field(STATIC_CONFIGS),
        "file_sd_configs": Field(
            sections(FILE_SD, checks.check_file_sd, null="empty or null section in file_sd_configs")
        ),
        "http_sd_configs": Field(
            sections(HTTP_SD, checks.check_http_sd, null="empty or null section in http_sd_configs")
        ),
        "dns_sd_configs": Field(
            sections(DNS_SD, checks.check_dns_sd, null="empty or null section in dns_sd_configs")
        ),
        "relabel_configs": Field(relabel("target relabeling rule in scrape config")),
        "metric_relabel_configs": Field(relabel("metric relabeling rule in scrape config")),
    },
    pending=HTTP_CLIENT_PENDING
    | OTHER_SD
    | {
        "scrape_failure_log_file",
    },
)
SCRAPE_CONFIGS = sections(SCRAPE, checks.check_scrape, null="empty or null scrape config section")

ALERTMANAGER = Schema(
    "alertmanagers entry",
    {
        **HTTP_CLIENT,
        "static_configs": Field(STATIC_CONFIGS),
        "scheme": Field(STRING, default="http"),
        "path_prefix": Field(STRING),
        "timeout": Field(DURATION, default=10_000),
        "api_version": Field(
            one_of(
                "v2", error=lambda text: f"expected Alertmanager api version to be one of [v2] but got {text}"
            ),
            default="v2",
            always=True,
        ),
        "relabel_configs": Field(relabel("Alertmanager target relabeling rule")),
        "alert_relabel_configs": Field(relabel("Alertmanager alert relabeling rule")),
    },
    pending=HTTP_CLIENT_PENDING
    | OTHER_SD
    | {"file_sd_configs", "http_sd_configs", "dns_sd_configs", "sigv4"},
)

ALERTING = Schema(
    "alerting",
    {
        "alert_relabel_configs": Field(relabel("alert relabeling rule")),
        "alertmanagers": Field(
            sections(
                ALERTMANAGER, checks.check_alertmanager, null="empty or null alertmanager config section"
            )
        ),
    },
)

RETENTION = Schema(
    "retention", {"time": Field(DURATION), "size": Field(SIZE), "percentage": Field(only(FLOAT))}
)
TSDB = Schema(
    "tsdb",
    {"retention": Field(section(RETENTION, checks.check_retention))},
    pending=frozenset({"out_of_order_time_window", "stale_series_compaction_threshold", "chunk_encoding"}),
)
EXEMPLARS = Schema("exemplars", {"max_exemplars": Field(INT, 100_000)})
STORAGE = Schema("storage", {"tsdb": Field(section(TSDB)), "exemplars": Field(section(EXEMPLARS))})

PROMETHEUS = Schema(
    "the configuration",
    {
        "global": Field(section(GLOBAL, checks.check_global)),
        "alerting": Field(section(ALERTING)),
        "rule_files": Field(list_of(checks.RULE_PATTERN)),
        "scrape_config_files": Field(list_of(checks.SCRAPE_PATTERN)),
        "scrape_configs": Field(SCRAPE_CONFIGS),
        "storage": Field(section(STORAGE)),
    },
    pending=frozenset({"runtime", "tracing", "remote_write", "remote_read", "otlp"}),
)

SCRAPE_CONFIG_FILE = Schema("the scrape config file", {"scrape_configs": Field(SCRAPE_CONFIGS)})
