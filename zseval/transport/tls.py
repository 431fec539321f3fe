"""TLS settings to an ssl.SSLContext. Source: prometheus/common config/http_config.go (NewTLSConfig)."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

from zseval.errors import ConfigError
from zseval.transport.config import TlsConfig

__all__ = ["tls_context", "tls_files"]

_VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}


def tls_files(config: TlsConfig) -> tuple[str, ...]:
    """The files whose change means a new context."""
    return tuple(path for path in (config.ca_file, config.cert_file, config.key_file) if path)


def tls_context(config: TlsConfig) -> ssl.SSLContext:
    """A client context. Reads the files now. Raises ConfigError with the key that is wrong."""
    context = _trusting(config)
    if config.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    _client_certificate(context, config)
    context.minimum_version = _version(config.min_version or "TLS12")
    if config.max_version:
        context.maximum_version = _version(config.max_version)
    return context


def _version(name: str) -> ssl.TLSVersion:
    if name not in _VERSIONS:
        raise ConfigError(f"unknown TLS version: {name}")
    return _VERSIONS[name]


def _trusting(config: TlsConfig) -> ssl.SSLContext:
    """A context that trusts the given authority and no other, or the system's where none is given."""
    if not config.ca and not config.ca_file:
        return ssl.create_default_context()
    pem = config.ca or _read(config.ca_file, "CA certificate")
    try:
        return ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError) as error:
        name = config.ca_file or "(inline)"
        raise ConfigError(f"unable to use specified CA cert {name}: {error}") from error


def _client_certificate(context: ssl.SSLContext, config: TlsConfig) -> None:
    certificate = config.cert or (_read(config.cert_file, "client certificate") if config.cert_file else "")
    key = config.key or (_read(config.key_file, "client key") if config.key_file else "")
    if not certificate and not key:
        return
    if not certificate or not key:
        has, lacks = ("cert", "key") if certificate else ("key", "cert")
        raise ConfigError(f"exactly one of {lacks} or {lacks}_file must be configured when a client {has} is")
    # ssl loads a chain from a file only; the copy is readable by nobody else and gone at once.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as both:
        both.write(f"{certificate}\n{key}\n")
        both.flush()
        try:
            context.load_cert_chain(both.name)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(f"unable to use specified client cert and key: {error}") from error


def _read(path: str, what: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"unable to read {what} file {path}: {error}") from error
