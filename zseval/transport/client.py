"""HttpClient: requests as an HttpClientConfig wants them, on top of aiohttp.

Redirects are followed here and not by aiohttp, because credentials must not leave the host they are for.
Once a redirect leads to another domain they stay behind for the rest of the chain.
Source: prometheus/common config/http_config.go; net/http for what a redirect does to a method.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from zseval import __version__
from zseval.errors import ZsevalError
from zseval.transport.config import HttpClientConfig
from zseval.transport.proxy import proxy_for
from zseval.transport.secrets import Secrets, file_stamps
from zseval.transport.tls import tls_context, tls_files

if TYPE_CHECKING:
    import aiohttp

__all__ = ["USER_AGENT", "HttpClient", "TransportError", "request_error"]

USER_AGENT = f"zseval/{__version__}"

_MAX_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEP_METHOD = frozenset({307, 308})
_SENSITIVE = frozenset(
    {"authorization", "www-authenticate", "cookie", "cookie2", "proxy-authorization", "proxy-authenticate"}
)


class TransportError(ZsevalError):
    """A request that got no answer; the message says why, as Go's client would."""


class HttpClient:
    """One pool of connections. For one event loop; `close` it there."""

    def __init__(self, config: HttpClientConfig) -> None:
        self.config = config
        self._secrets = Secrets(config)
        self._files = tls_files(config.tls)
        self._stamps: tuple[tuple[int, int, int], ...] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._retired: list[aiohttp.ClientSession] = []

    async def close(self) -> None:
        sessions = [*self._retired, *([self._session] if self._session is not None else [])]
        self._session, self._retired = None, []
        for session in sessions:
            await session.close()

    @contextlib.asynccontextmanager
    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, data: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response, its body not read and not decompressed. A time limit is the caller's to set.

        Raises TransportError where there is no answer, ConfigError where a credentials or TLS file cannot be
        used.
        """
        session = self._current_session()
        response = await self._follow(session, method, url, dict(headers or {}), data)
        try:
            yield response
        finally:
            response.release()

    async def _follow(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: str,
        headers: dict[str, str],
        data: bytes | None,
    ) -> aiohttp.ClientResponse:
        trusted = True
        first_host = urlsplit(url).hostname or ""
        for _ in range(_MAX_REDIRECTS + 1):
            response = await self._send(session, method, url, self._headers(headers, trusted=trusted), data)
            target = response.headers.get("Location", "")
            if not self.config.follow_redirects or response.status not in _REDIRECTS or not target:
                return response
            response.release()
            if response.status not in _KEEP_METHOD and method not in ("GET", "HEAD"):
                method, data = "GET", None
            url = urljoin(url, target)
            trusted = trusted and _is_within(urlsplit(url).hostname or "", first_host)
        raise TransportError(f'{method.capitalize()} "{url}": stopped after {_MAX_REDIRECTS} redirects')

    async def _send(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: str,
        headers: Mapping[str, str],
        data: bytes | None,
    ) -> aiohttp.ClientResponse:
        import aiohttp
        from yarl import URL

        try:
            return await session.request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=data,
                allow_redirects=False,
                proxy=proxy_for(self.config, url),
                server_hostname=self.config.tls.server_name or None,
            )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise request_error(method, url, error) from error

    def _headers(self, given: Mapping[str, str], *, trusted: bool) -> dict[str, str]:
        """Headers of one request of a chain; credentials only while it has not left the first domain."""
        headers = {"User-Agent": USER_AGENT, **given, **dict(self.config.headers)}
        if not trusted:
            return {name: value for name, value in headers.items() if name.lower() not in _SENSITIVE}
        authorization = self._secrets.authorization()
        if authorization is not None:
            headers.setdefault("Authorization", authorization)
        return headers

    def _current_session(self) -> aiohttp.ClientSession:
        """The session; a new one where a TLS file changed."""
        import aiohttp

        stamps = file_stamps(self._files)
        if self._session is not None and stamps == self._stamps:
            return self._session
        if self._session is not None:
            self._retired.append(self._session)  # a request may still be using it
        connector = aiohttp.TCPConnector(ssl=tls_context(self.config.tls), limit=0)
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            skip_auto_headers=("Accept", "Accept-Encoding"),
        )
        self._stamps = stamps
        return self._session


def _is_within(host: str, parent: str) -> bool:
    """Whether `host` is `parent` or one of its subdomains; an IPv6 address has none."""
    host, parent = host.lower(), parent.lower()
    if not parent:
        return False
    return host == parent or (not set(host) & set(":%") and host.endswith(f".{parent}"))


def request_error(method: str, url: str, error: Exception) -> TransportError:
    """An error of aiohttp or the system in the words of Go's client: `Get "URL": reason`."""
    import aiohttp

    reason = str(error) or type(error).__name__
    if isinstance(error, TimeoutError):
        reason = "context deadline exceeded"
    elif isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = f"tls: failed to verify certificate: {error.certificate_error}"
    elif isinstance(error, aiohttp.ClientConnectorDNSError):
        reason = f"dial tcp: lookup {error.host}: no such host"
    elif isinstance(error, aiohttp.ClientConnectorError) and error.os_error is not None:
        cause = _os_reason(error.os_error) or str(error.os_error)
        reason = f"dial tcp {error.host}:{error.port}: connect: {cause}"
    elif isinstance(error, aiohttp.ServerDisconnectedError):
        reason = "EOF"
    elif isinstance(error, OSError):
        reason = _os_reason(error) or reason
    elif isinstance(error, aiohttp.InvalidURL):
        reason = "invalid URL"
    return TransportError(f'{method.capitalize()} "{url}": {reason}')


def _os_reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else ""
