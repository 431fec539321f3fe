"""dns_sd_configs: targets from SRV, A, AAAA, MX and NS records. Source: prometheus discovery/dns/dns.go.

aiodns (the `dns` extra) asks for all of them; without it the system resolver gives A and AAAA.
"""

from __future__ import annotations

import asyncio
import importlib.util
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from zseval.errors import ScrapeError
from zseval.model.labels import Labels
from zseval.scrape.config import DnsDiscovery, TargetGroup
from zseval.scrape.discovery.discoverer import Refreshed

__all__ = ["DnsDiscoverer", "Record", "Resolve", "system_resolve"]

Record = tuple[str, int]
"""Host (or address) and port; port 0 where the record has none."""

Resolve = Callable[[str, str], Awaitable[Sequence[Record]]]
"""Records of a name and type. Raises ScrapeError where it cannot be known whether there are any."""

_META = {kind: f"__meta_dns_{kind.lower()}_record_target" for kind in ("SRV", "MX", "NS")}


class DnsDiscoverer:
    def __init__(self, config: DnsDiscovery, resolve: Resolve | None = None) -> None:
        self._config = config
        self._resolve = resolve or default_resolve()
        self._known: dict[str, TargetGroup] = {}
        self.interval_s = config.refresh_interval_ms / 1000

    async def close(self) -> None:
        return None

    async def refresh(self) -> Refreshed:
        """All names at once; a name that cannot be resolved keeps the targets it had."""
        errors = await asyncio.gather(*(self._refresh_name(name) for name in self._config.names))
        return Refreshed(tuple(self._known.values()), tuple(error for error in errors if error))

    async def _refresh_name(self, name: str) -> str:
        try:
            records = await self._resolve(name, self._config.type.upper())
        except ScrapeError as error:
            return str(error)
        targets = tuple(self._target(name, host, port) for host, port in records)
        self._known[name] = TargetGroup(targets, source=name)
        return ""

    def _target(self, name: str, host: str, port: int) -> Labels:
        kind = self._config.type.upper()
        labels = {"__meta_dns_name": name}
        if kind in _META:
            labels[_META[kind]] = host
        if kind == "SRV":
            labels["__meta_dns_srv_record_port"] = str(port)
        else:
            port = self._config.port
        bare = host.rstrip(".")
        labels["__address__"] = f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"
        return Labels(labels)


def default_resolve() -> Resolve:
    return _aiodns_resolve() if importlib.util.find_spec("aiodns") is not None else system_resolve


async def system_resolve(name: str, kind: str) -> Sequence[Record]:
    """A and AAAA by getaddrinfo."""
    families = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}
    if kind not in families:
        raise ScrapeError(f"discovery of {kind} records needs the package aiodns: pip install 'zseval[dns]'")
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(name, None, family=families[kind], type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
            return []
        raise ScrapeError(f'could not resolve "{name}": {error}') from error
    return [(str(entry[4][0]), 0) for entry in found]


def _aiodns_resolve() -> Resolve:
    resolver: Any = None  # made in the running loop

    async def resolve(name: str, kind: str) -> Sequence[Record]:
        nonlocal resolver
        import aiodns

        resolver = resolver or aiodns.DNSResolver()
        try:
            answer = await resolver.query(name, kind)
        except aiodns.error.DNSError as error:
            code = error.args[0] if error.args else None
            if code in (aiodns.error.ARES_ENOTFOUND, aiodns.error.ARES_ENODATA):
                return []
            raise ScrapeError(f'could not resolve "{name}": {error}') from error
        return [(str(record.host), int(getattr(record, "port", 0) or 0)) for record in answer]

    return resolve
