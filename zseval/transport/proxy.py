"""Which proxy a request goes through. Source: prometheus/common config/http_config.go (ProxyConfig)."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from zseval.transport.config import HttpClientConfig

__all__ = ["proxy_for"]


def proxy_for(config: HttpClientConfig, url: str) -> str | None:
    """The proxy's URL, or None for a direct request."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if config.proxy_from_environment:
        from urllib.request import getproxies_environment  # slow to import

        proxies = getproxies_environment()
        if _is_local(host) or _is_excepted(host, parts.port, proxies.get("no", "")):
            return None
        return proxies.get(parts.scheme)
    if not config.proxy_url or _is_excepted(host, parts.port, config.no_proxy):
        return None
    return config.proxy_url


def _is_local(host: str) -> bool:
    """As Go's httpproxy, which never takes the environment's proxy for the machine itself."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_excepted(host: str, port: int | None, exceptions: str) -> bool:
    """Whether a comma-separated list of hosts, domains, addresses and networks names the host."""
    return any(
        _names(entry.strip().lower(), host.lower(), port) for entry in exceptions.split(",") if entry.strip()
    )


def _names(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        pass
    name, colon, entry_port = entry.rpartition(":")
    if colon and entry_port.isdigit():
        if str(port) != entry_port:
            return False
        entry = name
    if entry.startswith("*."):
        entry = entry[1:]
    if entry.startswith("."):
        return host.endswith(entry)
    return host == entry or host.endswith(f".{entry}")
