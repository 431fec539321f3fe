"""HttpClient: requests as an HttpClientConfig wants them, simple ones by `Connections`, the rest by aiohttp.

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
from zseval.transport.config import HttpClientConfig, TlsConfig
from zseval.transport.connections import Connections, DialError, route_of
from zseval.transport.http1 import Answer, BodyTooLargeError, ProtocolError
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
        import aiohttp  # noqa: F401 - slow on a small machine, and not at the cost of a request's time limit

        self.config = config
        self._secrets = Secrets(config)
        self._files = tls_files(config.tls)
        self._stamps: tuple[tuple[int, int, int], ...] | None = None
        # Without TLS settings and proxies there is nothing that a simple request could want of aiohttp.
        self._is_simple = config.tls == TlsConfig() and not config.proxy_url
        self._is_simple &= not config.proxy_from_environment
        self._connections = Connections()
        self._session: aiohttp.ClientSession | None = None
        self._retired: list[aiohttp.ClientSession] = []

    async def close(self) -> None:
        sessions = [*self._retired, *([self._session] if self._session is not None else [])]
        self._session, self._retired = None, []
        self._connections.close()
        for session in sessions:
            await session.close()

    async def get(self, url: str, *, headers: Mapping[str, str], max_bytes: int) -> Answer:
        """The answer to a GET, its body not decompressed. A time limit is the caller's to set.

        Raises as `request` does, and BodyTooLargeError for a body of more than `max_bytes`.
        """
        chain = _Chain("GET", url, None, follows=self.config.follow_redirects)
        while True:
            answer = await self._get(chain.url, self._headers(headers, trusted=chain.is_trusted), max_bytes)
            if not chain.follow(answer.status, answer.headers.get("location", "")):
                return answer

    @contextlib.asynccontextmanager
    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, data: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response, its body not read and not decompressed. A time limit is the caller's to set.

        Raises TransportError where there is no answer, ConfigError where a credentials or TLS file cannot be
        used.
        """
        session = self._current_session()
        chain = _Chain(method, url, data, follows=self.config.follow_redirects)
        while True:
            sent = self._headers(headers or {}, trusted=chain.is_trusted)
            response = await self._send(session, chain.method, chain.url, sent, chain.data)
            if not chain.follow(response.status, response.headers.get("Location", "")):
                break
            response.release()
        try:
            yield response
        finally:
            response.release()

    async def _get(self, url: str, headers: Mapping[str, str], max_bytes: int) -> Answer:
        """One request, without redirects."""
        route = route_of(url) if self._is_simple else None
        if route is None:
            response = await self._send(self._current_session(), "GET", url, headers, None)
            try:
                return await _answer_of(response, url, max_bytes)
            finally:
                response.release()
        try:
            return await self._connections.get(route, headers, max_bytes)
        except (DialError, ProtocolError, OSError, ValueError) as error:
            raise request_error("GET", url, error) from error

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


class _Chain:
    """A request and the redirects it is led through.

    is_trusted: it has not left the first domain.
    """

    def __init__(self, method: str, url: str, data: bytes | None, *, follows: bool) -> None:
        self.method, self.url, self.data = method, url, data
        self.is_trusted = True
        self._follows = follows
        self._first_url = url
        self._count = 0

    def follow(self, status: int, location: str) -> bool:
        """Go on to where a response points; False where it is the answer. Raises TransportError."""
        if not self._follows or status not in _REDIRECTS or not location:
            return False
        if self._count == _MAX_REDIRECTS:
            verb = self.method.capitalize()
            raise TransportError(f'{verb} "{self.url}": stopped after {_MAX_REDIRECTS} redirects')
        self._count += 1
        if status not in _KEEP_METHOD and self.method not in ("GET", "HEAD"):
            self.method, self.data = "GET", None
        self.url = urljoin(self.url, location)
        first_host = urlsplit(self._first_url).hostname or ""
        self.is_trusted = self.is_trusted and _is_within(urlsplit(self.url).hostname or "", first_host)
        return True


async def _answer_of(response: aiohttp.ClientResponse, url: str, max_bytes: int) -> Answer:
    """A response of aiohttp, read."""
    import aiohttp

    parts: list[bytes] = []
    size = 0
    try:
        async for part in response.content.iter_any():
            size += len(part)
            if size > max_bytes:
                raise BodyTooLargeError
            parts.append(part)
    except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError) as error:
        raise TransportError(f'Get "{url}": unexpected EOF') from error
    except (aiohttp.ClientError, OSError) as error:
        raise request_error("GET", url, error) from error
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, response.reason or "", headers, b"".join(parts))


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
