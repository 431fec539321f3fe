"""Which format a body is in: what a scrape asks for, and what the Content-Type of the answer says.

Since version 3 Prometheus does not guess: an answer without a known Content-Type fails the scrape
unless the job names a fallback_scrape_protocol.
Source: prometheus model/textparse/interface.go (extractMediaType), scrape/scrape.go (acceptHeader),
config/config.go (ScrapeProtocolsHeaders).
"""

from __future__ import annotations

import enum
import importlib.util
import re

from zseval.errors import ScrapeError
from zseval.model.labels import quote

__all__ = ["ACCEPT", "PROTOBUF_FIRST", "PROTOCOLS", "Format", "accept_header", "format_of", "reads_protobuf"]

PROTOCOLS = {
    "PrometheusProto": (
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
    ),
    "PrometheusText0.0.4": "text/plain;version=0.0.4",
    "PrometheusText1.0.0": "text/plain;version=1.0.0",
    "OpenMetricsText0.0.1": "application/openmetrics-text;version=0.0.1",
    "OpenMetricsText1.0.0": "application/openmetrics-text;version=1.0.0",
}
"""The media type of each scrape protocol, by its name in the configuration."""

_DEFAULT = ("OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusText1.0.0", "PrometheusText0.0.4")
PROTOBUF_FIRST = ("PrometheusProto", *_DEFAULT)
"""What is asked for by default where native histograms or start times are wanted."""

_ESCAPED = {"OpenMetricsText1.0.0", "PrometheusText1.0.0"}


class Format(enum.Enum):
    TEXT = "text/plain"
    OPENMETRICS = "application/openmetrics-text"
    PROTOBUF = "application/vnd.google.protobuf"


def reads_protobuf() -> bool:
    """Whether the package that reads protobuf is installed: zseval's optional dependency of that name."""
    try:
        return importlib.util.find_spec("google.protobuf") is not None
    except ModuleNotFoundError:
        return False


def accept_header(protocols: tuple[str, ...]) -> str:
    """The Accept header that asks for these protocols, by name, the best first; none: the default ones."""
    protocols = protocols or _DEFAULT
    weight = len(PROTOCOLS) + 1
    parts = []
    for protocol in protocols:
        escaping = ";escaping=allow-utf-8" if protocol in _ESCAPED else ""
        parts.append(f"{PROTOCOLS[protocol]}{escaping};q=0.{weight}")
        weight -= 1
    return ",".join([*parts, f"*/*;q=0.{weight}"])


ACCEPT = accept_header(_DEFAULT)
"""The Accept header of a scrape, as Prometheus sends it by default."""

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_MEDIA_TYPE = re.compile(rf"\s*({_TOKEN}(?:/{_TOKEN})?)\s*(?:;.*)?", re.DOTALL)
_PARAMETER = re.compile(rf'\s*;\s*(?:({_TOKEN})\s*=\s*(?:{_TOKEN}|"(?:\\.|[^"\\])*"))?\s*')


def _media_type(content_type: str) -> str | None:
    """The media type in lower case, or None where the header is malformed."""
    match = _MEDIA_TYPE.fullmatch(content_type)
    if match is None:
        return None
    end, names = match.end(1), set()
    while end < len(content_type.rstrip()):
        parameter = _PARAMETER.match(content_type, end)
        if parameter is None:
            return None
        name = (parameter.group(1) or "").lower()
        if name and name in names:
            return None
        names.add(name)
        end = parameter.end()
    return match.group(1).lower()


def format_of(content_type: str, fallback_protocol: str = "") -> Format:
    """The format to read a body in. Raises ScrapeError, which names the setting that would help."""
    fallback = PROTOCOLS.get(fallback_protocol, "").partition(";")[0]
    media_type = _media_type(content_type) if content_type else None
    for known in Format:
        if media_type == known.value:
            return known
    if fallback:
        return Format(fallback)
    if not content_type:
        raise ScrapeError(
            "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol "
            "specified for target"
        )
    if media_type is None:
        raise ScrapeError(
            f"cannot parse Content-Type {quote(content_type)} and no fallback_scrape_protocol for target"
        )
    raise ScrapeError(
        f"received unsupported Content-Type {quote(content_type)} and no fallback_scrape_protocol "
        "specified for target"
    )
