"""What a key alone cannot tell: conditions across the keys of a section, with Prometheus' messages.

Each check gets a section whose keys were all read without a problem, and raises Problem.
Source: prometheus config/config.go, model/relabel/relabel.go; prometheus/common config/http_config.go.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from zseval.config.problems import Problem
from zseval.config.schema import STRING, Kind, Reading, Section
from zseval.config.yaml import Node
from zseval.model.labels import is_valid_name, quote

__all__ = [
    "LABEL_NAME",
    "RULE_PATTERN",
    "SCRAPE_PATTERN",
    "check_alertmanager",
    "check_dns_sd",
    "check_file_sd",
    "check_global",
    "check_http_sd",
    "check_relabel",
    "check_retention",
    "check_scrape",
    "check_tls",
]

_GLOB = re.compile(r"[^*]*(\*[^/]*)?\Z", re.DOTALL)
_FILE_SD_GLOB = re.compile(r"[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)\Z", re.DOTALL)
_WELL_FORMED_GLOB = re.compile(r"(?:[^\\\[]|\\.|\[\^?(?:[^\\\]]|\\.)+\])*", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_TEMPLATE_VARIABLE = re.compile(r"\$(\$|\w+|\{\w+\})")
_RESERVED_HEADERS = frozenset(
    {
        "Authorization",
        "Host",
        "Content-Encoding",
        "Content-Length",
        "Content-Type",
        "User-Agent",
        "Connection",
        "Keep-Alive",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "Www-Authenticate",
        "Accept-Encoding",
        "X-Prometheus-Remote-Write-Version",
        "X-Prometheus-Remote-Read-Version",
        "X-Prometheus-Scrape-Timeout-Seconds",
        "X-Amz-Date",
        "X-Amz-Security-Token",
        "X-Amz-Content-Sha256",
    }
)


def _label_name(node: Node, reading: Reading) -> str:
    name: str = STRING.read(node, reading)
    if not is_valid_name(name):
        raise Problem(f"{quote(name)} is not a valid label name", node.position)
    return name


def _pattern(what: str) -> Kind:
    def read(node: Node, reading: Reading) -> str:
        text: str = STRING.read(node, reading)
        if _GLOB.match(text) is None:
            raise Problem(f"invalid {what} path {quote(text)}", node.position)
        if _WELL_FORMED_GLOB.fullmatch(text) is None:
            raise Problem(f"syntax error in pattern {quote(text)}", node.position)
        return str(reading.base_dir / text) if text else ""

    return Kind(read, "")


LABEL_NAME = Kind(_label_name, "")
RULE_PATTERN = _pattern("rule file")
SCRAPE_PATTERN = _pattern("scrape config file")


def _at_most_one(made: Section, keys: tuple[str, ...], message: str) -> None:
    if sum(bool(made[key]) for key in keys) > 1:
        raise Problem(message, made.position(*reversed(keys)))


# The HTTP client ----------------------------------------------------------------------------------


def check_http_client(made: Section, _reading: Reading) -> None:
    """The inlined keys of an HTTP client, and the sections below them."""
    basic: Section | None = made["basic_auth"]
    authorization: Section | None = made["authorization"]
    bearer = made["bearer_token"] or made["bearer_token_file"]
    _at_most_one(
        made,
        ("bearer_token", "bearer_token_file"),
        "at most one of bearer_token & bearer_token_file must be configured",
    )
    if basic and bearer:
        raise Problem(
            "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured",
            made.position("basic_auth"),
        )
    if basic:
        _check_basic_auth(basic)
    if authorization:
        if bearer:
            raise Problem(
                "authorization is not compatible with bearer_token & bearer_token_file",
                made.position("authorization"),
            )
        _check_authorization(authorization)
        if basic:
            raise Problem(
                "at most one of basic_auth, oauth2 & authorization must be configured",
                made.position("authorization"),
            )
    _check_proxy(made)
    _check_headers(made)


def _check_basic_auth(basic: Section) -> None:
    _at_most_one(
        basic,
        ("username", "username_file"),
        "at most one of basic_auth username, username_file & username_ref must be configured",
    )
    _at_most_one(
        basic,
        ("password", "password_file"),
        "at most one of basic_auth password, password_file & password_ref must be configured",
    )


def _check_authorization(authorization: Section) -> None:
    _at_most_one(
        authorization,
        ("credentials", "credentials_file"),
        "at most one of authorization credentials & credentials_file must be configured",
    )
    if authorization["type"].strip().lower() == "basic":
        raise Problem(
            'authorization type cannot be set to "basic", use "basic_auth" instead',
            authorization.position("type"),
        )


def _check_proxy(made: Section) -> None:
    if made["proxy_url"]:
        _check_url(made, "proxy_url")
    if made["proxy_from_environment"]:
        for key in ("proxy_url", "no_proxy"):
            if made[key]:
                raise Problem(
                    f"if proxy_from_environment is configured, {key} must not be configured",
                    made.position(key),
                )
    if made["no_proxy"] and not made["proxy_url"]:
        raise Problem(
            "if no_proxy is configured, proxy_url must also be configured", made.position("no_proxy")
        )


def _check_headers(made: Section) -> None:
    for name, _ in made["http_headers"]:
        canonical = "-".join(word.capitalize() for word in name.split("-"))
        if canonical in _RESERVED_HEADERS:
            raise Problem(
                f"setting header {quote(canonical)} is not allowed", made.value_position("http_headers")
            )


def _check_url(made: Section, key: str) -> None:
    """What Go's url.Parse refuses."""
    url = made[key]
    try:
        if url.startswith(":"):
            raise ValueError("missing protocol scheme")
        if _CONTROL.search(url):
            raise ValueError("invalid control character in URL")
        parts = urlsplit(url)
        if " " in parts.netloc:
            raise ValueError('invalid character " " in host name')
        _ = parts.port  # reading it checks it
    except ValueError as error:
        raise Problem(f"parse {quote(url)}: {error}", made.value_position(key)) from error


def check_tls(tls: Section, _reading: Reading) -> None:
    for name, message in (
        ("ca", "at most one of ca, ca_file & ca_ref must be configured"),
        ("cert", "at most one of cert, cert_file & cert_ref must be configured"),
        ("key", "at most one of key and key_file must be configured"),
    ):
        _at_most_one(tls, (name, f"{name}_file"), message)
    cert, key = tls["cert"] or tls["cert_file"], tls["key"] or tls["key_file"]
    if cert and not key:
        raise Problem(
            "exactly one of key or key_file must be configured when a client certificate is configured",
            tls.position("cert", "cert_file"),
        )
    if key and not cert:
        raise Problem(
            "exactly one of cert or cert_file must be configured when a client key is configured",
            tls.position("key", "key_file"),
        )
    if tls["min_version"] and tls["max_version"] and tls["max_version"] < tls["min_version"]:
        raise Problem(
            "tls_config.max_version must be greater than or equal to tls_config.min_version "
            "if both are specified",
            tls.position("max_version"),
        )


# Relabelling --------------------------------------------------------------------------------------

_WITH_TARGET = ("replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal")
_PLAIN_TARGET = ("lowercase", "uppercase", "keepequal", "dropequal")
_DEFAULTS: dict[str, Any] = {
    "source_labels": (),
    "regex": "(.*)",
    "modulus": 0,
    "target_label": "",
    "separator": ";",
    "replacement": "$1",
}
_ONLY = {
    "keepequal": (("source_labels", "target_label"), "'source_labels' and `target_label`"),
    "dropequal": (("source_labels", "target_label"), "'source_labels' and `target_label`"),
    "labeldrop": (("regex",), "'regex'"),
    "labelkeep": (("regex",), "'regex'"),
}


def check_relabel(rule: Section, _reading: Reading) -> None:
    action, target = rule["action"], rule["target_label"]
    if not action:
        raise Problem("relabel action cannot be empty", rule.position("action"))
    if action == "hashmod" and rule["modulus"] == 0:
        raise Problem(
            "relabel configuration for hashmod requires non-zero modulus", rule.position("modulus", "action")
        )
    if action in _WITH_TARGET and not target:
        raise Problem(
            f"relabel configuration for {action} action requires 'target_label' value",
            rule.position("target_label", "action"),
        )
    if action in _WITH_TARGET and not _TEMPLATE_VARIABLE.search(target) and not is_valid_name(target):
        raise Problem(
            f"{quote(target)} is invalid 'target_label' for {action} action", rule.position("target_label")
        )
    if action in _PLAIN_TARGET and rule["replacement"] != _DEFAULTS["replacement"]:
        raise Problem(f"'replacement' can not be set for {action} action", rule.position("replacement"))
    if action == "labelmap" and not is_valid_name(rule["replacement"]):
        raise Problem(
            f"{quote(rule['replacement'])} is invalid 'replacement' for labelmap action",
            rule.position("replacement"),
        )
    _check_only(rule, action)


def _check_only(rule: Section, action: str) -> None:
    if action not in _ONLY:
        return
    allowed, words = _ONLY[action]
    for key, default in _DEFAULTS.items():
        if key not in allowed and rule[key] != default:
            raise Problem(f"{action} action requires only {words}, and no other fields", rule.position(key))


# Discovery ----------------------------------------------------------------------------------------


def check_file_sd(made: Section, _reading: Reading) -> None:
    if not made["files"]:
        raise Problem(
            "file service discovery config must contain at least one path name", made.position("files")
        )
    for name in made["files"]:
        if _FILE_SD_GLOB.match(name) is None:
            raise Problem(f"path name {quote(name)} is not valid for file discovery", made.position("files"))
        if _WELL_FORMED_GLOB.fullmatch(name) is None:
            raise Problem(f"syntax error in pattern {quote(name)}", made.position("files"))


def check_http_sd(made: Section, reading: Reading) -> None:
    if not made["url"]:
        raise Problem("URL is missing", made.position("url"))
    _check_url(made, "url")
    parts = urlsplit(made["url"])
    if parts.scheme not in ("http", "https"):
        raise Problem("URL scheme must be 'http' or 'https'", made.value_position("url"))
    if not parts.netloc:
        raise Problem("host is missing in URL", made.value_position("url"))
    check_http_client(made, reading)


def check_dns_sd(made: Section, _reading: Reading) -> None:
    if not made["names"]:
        raise Problem("DNS-SD config must contain at least one SRV record name", made.position("names"))
    kind = made["type"].upper()
    if kind not in ("SRV", "A", "AAAA", "MX", "NS"):
        raise Problem(f"invalid DNS-SD records type {made['type']}", made.position("type"))
    if kind != "SRV" and made["port"] == 0:
        raise Problem(
            "a port is required in DNS-SD configs for all record types except SRV", made.position("type")
        )


def _check_static_targets(made: Section) -> None:
    if made["relabel_configs"]:
        return
    for group in made["static_configs"]:
        for address in group["targets"]:
            if "/" in address:
                raise Problem(f"{quote(address)} is not a valid hostname", group.position("targets"))


# The large sections -------------------------------------------------------------------------------


def check_global(made: Section, _reading: Reading) -> None:
    interval = made["scrape_interval"] or 60_000
    if made["scrape_timeout"] > interval:
        raise Problem(
            "global scrape timeout greater than scrape interval",
            made.position("scrape_timeout", "scrape_interval"),
        )
    _check_protocols(made, "for global config")


def _check_protocols(made: Section, where: str) -> None:
    protocols = made["scrape_protocols"]
    at = made.position("scrape_protocols")
    if made.has("scrape_protocols") and not protocols:
        raise Problem(f"scrape_protocols cannot be empty {where}", at)
    if len(set(protocols)) < len(protocols):
        raise Problem(f"duplicated protocol in scrape_protocols, got [{' '.join(protocols)}] {where}", at)


def check_scrape(made: Section, reading: Reading) -> None:
    if not made["job_name"]:
        raise Problem("job_name is empty", made.position("job_name"))
    check_http_client(made, reading)
    _check_static_targets(made)
    _check_protocols(made, f"for scrape config with job name {quote(made['job_name'])}")


def check_alertmanager(made: Section, reading: Reading) -> None:
    """Prometheus takes an Alertmanager with nothing for a scheme, a timeout or a version, and then no alert
    ever reaches it. Here that stands for the default.
    """
    check_http_client(made, reading)
    _check_static_targets(made)
    for key in ("scheme", "timeout", "api_version"):
        made.values[key] = made[key] or made.schema.fields[key].absent


def check_retention(made: Section, _reading: Reading) -> None:
    if made["size"] < 0:
        raise Problem(
            "'storage.tsdb.retention.size' must be greater than or equal to 0, got " + str(made["size"]),
            made.position("size"),
        )
