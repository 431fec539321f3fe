"""HttpClientConfig: the keys that Prometheus' configuration has wherever it makes HTTP requests.

Source: prometheus/common config/http_config.go. Paths are already absolute here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Authorization", "BasicAuth", "HttpClientConfig", "TlsConfig"]


@dataclass(frozen=True, slots=True)
class BasicAuth:
    username: str = ""
    username_file: str = ""
    password: str = field(default="", repr=False)
    password_file: str = ""


@dataclass(frozen=True, slots=True)
class Authorization:
    """`bearer_token` and `bearer_token_file` arrive here too, with type Bearer."""

    type: str = "Bearer"
    credentials: str = field(default="", repr=False)
    credentials_file: str = ""


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """Inline PEM (`ca`, `cert`, `key`) or files; versions as `TLS12`."""

    ca: str = ""
    ca_file: str = ""
    cert: str = ""
    cert_file: str = ""
    key: str = field(default="", repr=False)
    key_file: str = ""
    server_name: str = ""
    insecure_skip_verify: bool = False
    min_version: str = ""
    max_version: str = ""


@dataclass(frozen=True, slots=True)
class HttpClientConfig:
    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    tls: TlsConfig = TlsConfig()
    proxy_url: str = ""
    no_proxy: str = ""
    proxy_from_environment: bool = False
    follow_redirects: bool = True
    headers: tuple[tuple[str, str], ...] = ()
