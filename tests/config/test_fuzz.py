"""Any configuration gives a Config or ConfigErrors, and nothing else; what is accepted is stable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.config.load import load_config
from zseval.config.problems import ConfigErrors
from zseval.config.schema import Schema
from zseval.config.tables import (
    ALERTING,
    ALERTMANAGER,
    BASIC_AUTH,
    DNS_SD,
    FILE_SD,
    GLOBAL,
    HTTP_SD,
    PROMETHEUS,
    RELABEL,
    SCRAPE,
    TARGET_GROUP,
    TLS,
)

SECTIONS = {
    "global": GLOBAL,
    "alerting": ALERTING,
    "alertmanagers": ALERTMANAGER,
    "scrape_configs": SCRAPE,
    "static_configs": TARGET_GROUP,
    "file_sd_configs": FILE_SD,
    "http_sd_configs": HTTP_SD,
    "dns_sd_configs": DNS_SD,
    "relabel_configs": RELABEL,
    "metric_relabel_configs": RELABEL,
    "tls_config": TLS,
    "basic_auth": BASIC_AUTH,
}
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 100),
    st.sampled_from(
        ["", "5s", "1m", "10MB", "a", "http://x:y", "http://h/", "(", "$1", "TLS12", "v2", "A", "é", "keep"]
    ),
    st.text(max_size=5),
)


def of_schema(schema: Schema, depth: int = 0) -> st.SearchStrategy[Any]:
    """Mappings with keys of the table, their values sometimes of the right shape."""
    if depth > 3:
        return SCALARS
    fields = {}
    for key in schema.fields:
        value: st.SearchStrategy[Any] = st.one_of(SCALARS, st.lists(SCALARS, max_size=2))
        if key in SECTIONS:
            inner = of_schema(SECTIONS[key], depth + 1)
            value = st.one_of(inner, st.lists(inner, max_size=2)) if depth < 3 else SCALARS
        fields[key] = value
    return st.lists(st.sampled_from(sorted(fields)), max_size=4, unique=True).flatmap(
        lambda keys: st.fixed_dictionaries({key: fields[key] for key in keys})
    )


@settings(max_examples=200, deadline=None)
@given(of_schema(PROMETHEUS))
def test_any_document_of_known_keys_is_read_or_refused(document: Any) -> None:
    text = yaml.safe_dump(document, allow_unicode=True)
    try:
        config = load_config(text, "p.yml", Path("/nowhere"), environ={})
    except ConfigErrors as errors:
        found = errors.errors
        assert all(error.file == "p.yml" for error in found)
    else:
        again = load_config(config.text, "p.yml", Path("/nowhere"), environ={})
        assert again.text == config.text


def _nulls() -> Iterator[tuple[str, dict[str, Any]]]:
    """A document for each key of each table, in which that key is null and little else is there."""
    whole = {"files": ["a.yml"], "names": ["a"], "url": "http://h/", "targets": ["h:1"], "target_label": "b"}
    for key in PROMETHEUS.fields:
        yield key, {key: None}
    for key in GLOBAL.fields:
        yield f"global.{key}", {"global": {key: None}}
    for key in ALERTING.fields:
        yield f"alerting.{key}", {"alerting": {key: None}}
    for key in ALERTMANAGER.fields:
        yield f"alertmanagers.{key}", {"alerting": {"alertmanagers": [{key: None}]}}
    for key in SCRAPE.fields:
        yield f"scrape_configs.{key}", {"scrape_configs": [{"job_name": "a", key: None}]}
    for section, inner in SECTIONS.items():
        for key in inner.fields if section in SCRAPE.fields else ():
            own = {name: value for name, value in whole.items() if name in inner.fields} | {key: None}
            made = own if section in ("tls_config", "basic_auth") else [own]
            yield f"{section}.{key}", {"scrape_configs": [{"job_name": "a", section: made}]}


_NEEDED = {
    "global.scrape_protocols",
    "scrape_configs.job_name",
    "scrape_configs.scrape_protocols",
    "file_sd_configs.files",
    "http_sd_configs.url",
    "dns_sd_configs.names",
    "dns_sd_configs.type",
    "relabel_configs.action",
    "relabel_configs.target_label",
    "metric_relabel_configs.action",
    "metric_relabel_configs.target_label",
}


@pytest.mark.parametrize(("name", "document"), [pytest.param(*made, id=made[0]) for made in _nulls()])
def test_a_null_that_is_read_means_the_same_when_it_is_written(name: str, document: dict[str, Any]) -> None:
    text = yaml.safe_dump(document)
    if name in _NEEDED:
        with pytest.raises(ConfigErrors):
            load_config(text, "p.yml", Path("/nowhere"), environ={})
        return
    config = load_config(text, "p.yml", Path("/nowhere"), environ={})
    assert load_config(config.text, "p.yml", Path("/nowhere"), environ={}).text == config.text


@pytest.mark.parametrize("nothing", ["", "null", "''"])
def test_an_alertmanager_without_a_scheme_is_reached_by_the_default_one(nothing: str) -> None:
    head = "alerting:\n  alertmanagers:\n  - path_prefix: /am\n"
    text = f"{head}    scheme: {nothing}\n    timeout:\n    api_version: null\n"
    config = load_config(text, "p.yml", Path("/nowhere"), environ={})
    assert config.text == load_config(head, "p.yml", Path("/nowhere"), environ={}).text
    assert "scheme: http\n" in config.text


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        config = load_config(text, "p.yml", Path("/nowhere"), environ={})
    except ConfigErrors:
        return
    assert config.file == "p.yml"
