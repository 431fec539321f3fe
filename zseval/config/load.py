"""Configuration files to the dataclasses each package owns.

`read_document` reads and checks one prometheus.yml; `load_config` goes on to what it names (scrape
config files, rule file globs) and builds a Config. Nothing of a file with a problem is used.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from zseval.config.problems import ConfigErrors, Problem, Problems
from zseval.config.schema import Reading, Schema, Section, read_section, to_plain
from zseval.config.settings import Config, GlobalConfig
from zseval.config.tables import GLOBAL, PROMETHEUS, SCRAPE_CONFIG_FILE
from zseval.config.yaml import parse_yaml
from zseval.errors import ConfigError
from zseval.exposition.negotiate import reads_protobuf
from zseval.model.duration import format_duration
from zseval.model.labels import Labels, quote
from zseval.model.relabel import RelabelRule
from zseval.notify.config import AlertingConfig, AlertmanagerConfig
from zseval.scrape.config import (
    DiscoveryConfig,
    DnsDiscovery,
    FileDiscovery,
    HttpDiscovery,
    ScrapeConfig,
    StaticDiscovery,
    TargetGroup,
)
from zseval.transport.config import Authorization, BasicAuth, HttpClientConfig, TlsConfig

__all__ = [
    "Document",
    "expand_globs",
    "load_config",
    "read_config",
    "read_document",
    "scrape_config",
    "target_group",
]

_PROTOBUF = "PrometheusProto"
DEFAULT_INTERVAL_MS = 60_000
DEFAULT_TIMEOUT_MS = 10_000
_INHERITED = (  # keys of a scrape config that take the global value where they are zero
    "body_size_limit",
    "sample_limit",
    "target_limit",
    "label_limit",
    "label_name_length_limit",
    "label_value_length_limit",
    "keep_dropped_targets",
    "scrape_protocols",
)
_INHERITED_FLAGS = (  # keys of a scrape config that take the global value where they are not there
    "scrape_native_histograms",
    "convert_classic_histograms_to_nhcb",
    "always_scrape_classic_histograms",
)
_SAME_NAME = (  # keys that a ScrapeConfig field is named after
    "job_name",
    "metrics_path",
    "scheme",
    "params",
    "honor_labels",
    "honor_timestamps",
    "track_timestamps_staleness",
    "enable_compression",
    "fallback_scrape_protocol",
    *_INHERITED_FLAGS,
    "native_histogram_bucket_limit",
    "native_histogram_min_bucket_factor",
    "body_size_limit",
    "sample_limit",
    "target_limit",
    "label_limit",
    "label_name_length_limit",
    "label_value_length_limit",
    "keep_dropped_targets",
)
_VARIABLE = re.compile(r"\$(?:\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*|[*#$@!?0-9-]))")


@dataclass(frozen=True, slots=True)
class Document:
    """One configuration file, read and checked, globals applied; nothing it names has been opened."""

    root: Section
    global_: Section
    file: str

    @property
    def rule_patterns(self) -> tuple[str, ...]:
        return tuple(self.root["rule_files"])

    @property
    def scrape_patterns(self) -> tuple[str, ...]:
        return tuple(self.root["scrape_config_files"])


def read_config(path: str | Path) -> Config:
    """The configuration in a file. Raises ConfigErrors; OSError where it cannot be read."""
    path = Path(path)
    return load_config(read_text(path), str(path), path.parent)


def read_text(path: Path) -> str:
    """A text file; raises ConfigErrors where it is not UTF-8."""
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigErrors([ConfigError("not valid UTF-8", file=str(path))]) from error


def load_config(text: str, file: str, base_dir: Path, *, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration in `text`; `base_dir` is what relative paths start from.

    environ: for `${VAR}` in external labels, the process environment by default.
    Raises ConfigErrors with everything that is wrong, in this file or the scrape config files it names.
    """
    document = read_document(text, file, base_dir, environ=environ)
    return build_config(document, load_scrape_configs(document))


def read_document(
    text: str, file: str, base_dir: Path, *, environ: Mapping[str, str] | None = None
) -> Document:
    """One file alone, read and checked. Raises ConfigErrors."""
    problems = Problems(file)
    root = _read_root(PROMETHEUS, text, Reading(problems, base_dir.absolute()))
    if root["global"] is None:
        root.values["global"] = read_section(GLOBAL, _null(), Reading(problems))
    global_ = _with_defaults(root["global"], os.environ if environ is None else environ)
    _finish_scrapes(root, global_, {}, "main config file", problems)
    problems.raise_if_any()
    return Document(root, global_, file)


def load_scrape_configs(document: Document) -> tuple[Section, ...]:
    """The scrape sections of the file and of the files its scrape_config_files match. Raises ConfigErrors."""
    seen = {made["job_name"]: "main config file" for made in document.root["scrape_configs"]}
    found = list(document.root["scrape_configs"])
    for path in expand_globs(document.scrape_patterns):
        problems = Problems(path)
        root = _read_root(SCRAPE_CONFIG_FILE, read_text(Path(path)), Reading(problems, Path(path).parent))
        _finish_scrapes(root, document.global_, seen, quote(path), problems)
        problems.raise_if_any()
        found.extend(root["scrape_configs"])
    return tuple(found)


def expand_globs(patterns: tuple[str, ...]) -> tuple[str, ...]:
    """The existing paths that match, pattern by pattern, each sorted; `*` matches leading dots as in Go."""
    found: list[str] = []
    for pattern in patterns:
        found.extend(sorted(glob.glob(pattern, include_hidden=True)))  # noqa: PTH207 - absolute patterns
    return tuple(found)


def build_config(document: Document, scrapes: tuple[Section, ...]) -> Config:
    """The dataclasses of a document whose sections have all been checked."""
    retention = _retention(document.root["storage"])
    return Config(
        global_=_global(document.global_),
        scrape=tuple(scrape_config(made) for made in scrapes),
        alerting=_alerting(document.root["alerting"]),
        rule_files=expand_globs(document.rule_patterns),
        storage_retention=format_duration(retention["time"]) if retention and retention["time"] else "",
        storage_retention_bytes=retention["size"] if retention else 0,
        max_exemplars=_max_exemplars(document.root["storage"]),
        text=yaml.safe_dump(to_plain(document.root), sort_keys=False, allow_unicode=True),
        file=document.file,
    )


def _read_root(schema: Schema, text: str, reading: Reading) -> Section:
    try:
        return read_section(schema, parse_yaml(text, reading.problems.file), reading)
    except Problem as problem:
        reading.problems.caught(problem)
        reading.problems.raise_if_any()
        raise


def _null() -> Any:
    return parse_yaml("")


def _with_defaults(made: Section, environ: Mapping[str, str]) -> Section:
    values = made.values
    values["scrape_interval"] = values["scrape_interval"] or DEFAULT_INTERVAL_MS
    values["scrape_timeout"] = values["scrape_timeout"] or min(DEFAULT_TIMEOUT_MS, values["scrape_interval"])
    values["evaluation_interval"] = values["evaluation_interval"] or DEFAULT_INTERVAL_MS
    values["external_labels"] = Labels(
        {name: _expanded(value, environ) for name, value in values["external_labels"]}
    )
    return made


def _expanded(text: str, environ: Mapping[str, str]) -> str:
    """`$VAR` and `${VAR}` replaced, unknown ones by nothing, `$$` by `$`. Source: Go os.Expand."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1) if match.group(1) is not None else match.group(2)
        return "$" if name == "$" else environ.get(name, "")

    return _VARIABLE.sub(value, text)


def _finish_scrapes(
    root: Section, global_: Section, seen: dict[str, str], where: str, problems: Problems
) -> None:
    """Global values into the scrape sections, and the checks that need them."""
    for made in root["scrape_configs"]:
        name, values = made["job_name"], made.values
        values["scrape_interval"] = values["scrape_interval"] or global_["scrape_interval"]
        if values["scrape_timeout"] > values["scrape_interval"]:
            problems.add(
                f"scrape timeout greater than scrape interval for scrape config with job name {quote(name)}",
                made.position("scrape_timeout", "scrape_interval"),
            )
        values["scrape_timeout"] = values["scrape_timeout"] or min(
            global_["scrape_timeout"], values["scrape_interval"]
        )
        for key in _INHERITED:
            values[key] = values[key] or global_[key]
        for key in _INHERITED_FLAGS:
            if not made.has(key):
                values[key] = global_[key]
        _check_protobuf(made, global_, problems)
        if name and name in seen:
            first = "" if seen[name] == where else f", first found in {seen[name]}"
            problems.add(
                f"found multiple scrape configs with job name {quote(name)}{first}", made.position("job_name")
            )
        seen.setdefault(name, where)


def _check_protobuf(made: Section, global_: Section, problems: Problems) -> None:
    """A job that cannot do without protobuf needs the package that reads it."""
    if reads_protobuf():
        return
    protocols = made["scrape_protocols"]
    reasons = (
        (
            made["scrape_native_histograms"] and (not protocols or _PROTOBUF in protocols),
            "scrape_native_histograms",
        ),
        (protocols == (_PROTOBUF,), "scrape_protocols"),
        (made["fallback_scrape_protocol"] == _PROTOBUF, "fallback_scrape_protocol"),
    )
    for is_needed, key in reasons:
        if is_needed:
            problems.add(
                f"{key} needs the package protobuf, which is not installed: pip install 'zseval[protobuf]'",
                made.position(key) if made.has(key) else global_.position(key),
            )


# Sections to dataclasses --------------------------------------------------------------------------


def _global(made: Section) -> GlobalConfig:
    return GlobalConfig(
        scrape_interval_ms=made["scrape_interval"],
        scrape_timeout_ms=made["scrape_timeout"],
        evaluation_interval_ms=made["evaluation_interval"],
        rule_query_offset_ms=made["rule_query_offset"],
        external_labels=made["external_labels"],
        query_log_file=made["query_log_file"],
    )


def scrape_config(made: Section) -> ScrapeConfig:
    """One scrape section whose globals have been applied."""
    return ScrapeConfig(
        **{key: made[key] for key in _SAME_NAME},
        scrape_interval_ms=made["scrape_interval"],
        scrape_timeout_ms=made["scrape_timeout"],
        scrape_protocols=_readable(made["scrape_protocols"]),
        relabel=_relabel(made["relabel_configs"]),
        metric_relabel=_relabel(made["metric_relabel_configs"]),
        discovery=_discovery(made),
        http=_http(made),
    )


def _readable(protocols: tuple[str, ...]) -> tuple[str, ...]:
    """Protobuf is left out where it cannot be read and a text format can take its place."""
    return protocols if reads_protobuf() else tuple(each for each in protocols if each != _PROTOBUF)


def _discovery(made: Section) -> tuple[DiscoveryConfig, ...]:
    found: list[DiscoveryConfig] = []
    if made["static_configs"]:
        groups = tuple(
            target_group(group, f"static/{index}") for index, group in enumerate(made["static_configs"])
        )
        found.append(StaticDiscovery(groups))
    found += [FileDiscovery(each["files"], each["refresh_interval"]) for each in made["file_sd_configs"]]
    found += [
        HttpDiscovery(each["url"], each["refresh_interval"], _http(each)) for each in made["http_sd_configs"]
    ]
    found += [
        DnsDiscovery(each["names"], each["refresh_interval"], each["type"].upper(), each["port"])
        for each in made["dns_sd_configs"]
    ]
    return tuple(found)


def target_group(group: Section, source: str) -> TargetGroup:
    """The targets of a group and the labels they share; `source` names where it is from."""
    targets = tuple(Labels({"__address__": address}) for address in group["targets"])
    return TargetGroup(targets, group["labels"], source)


def _relabel(rules: tuple[Section, ...]) -> tuple[RelabelRule, ...]:
    return tuple(RelabelRule(**rule.values) for rule in rules)


def _http(made: Section) -> HttpClientConfig:
    return HttpClientConfig(
        basic_auth=BasicAuth(**made["basic_auth"].values) if made["basic_auth"] else None,
        authorization=_authorization(made),
        tls=TlsConfig(**made["tls_config"].values) if made["tls_config"] else TlsConfig(),
        proxy_url=made["proxy_url"],
        no_proxy=made["no_proxy"],
        proxy_from_environment=made["proxy_from_environment"],
        follow_redirects=made["follow_redirects"],
        headers=tuple(
            (name, value)
            for name, header in made["http_headers"]
            if header is not None
            for value in (*header["values"], *header["secrets"])
        ),
    )


def _authorization(made: Section) -> Authorization | None:
    given: Section | None = made["authorization"]
    if given is not None:
        kind = given["type"].strip() or "Bearer"
        return Authorization(kind, given["credentials"], given["credentials_file"])
    if made["bearer_token"] or made["bearer_token_file"]:
        return Authorization("Bearer", made["bearer_token"], made["bearer_token_file"])
    return None


def _alerting(made: Section | None) -> AlertingConfig:
    if made is None:
        return AlertingConfig()
    return AlertingConfig(
        alertmanagers=tuple(_alertmanager(each) for each in made["alertmanagers"]),
        alert_relabel=_relabel(made["alert_relabel_configs"]),
    )


def _alertmanager(made: Section) -> AlertmanagerConfig:
    return AlertmanagerConfig(
        targets=tuple(
            group["labels"].merged({"__address__": address})
            for group in made["static_configs"]
            for address in group["targets"]
        ),
        scheme=made["scheme"],
        path_prefix=made["path_prefix"],
        timeout_ms=made["timeout"],
        api_version=made["api_version"],
        relabel=_relabel(made["relabel_configs"]),
        alert_relabel=_relabel(made["alert_relabel_configs"]),
        http=_http(made),
    )


def _retention(storage: Section | None) -> Section | None:
    tsdb: Section | None = storage["tsdb"] if storage else None
    retention: Section | None = tsdb["retention"] if tsdb else None
    return retention


def _max_exemplars(storage: Section | None) -> int:
    exemplars: Section | None = storage["exemplars"] if storage else None
    return Config().max_exemplars if exemplars is None else int(exemplars["max_exemplars"])
