"""HttpClient, against real servers on loopback."""

from __future__ import annotations

import base64
import contextlib
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from zseval.errors import ConfigError
from zseval.transport.client import HttpClient, TransportError
from zseval.transport.config import Authorization, BasicAuth, HttpClientConfig, TlsConfig
from zseval.transport.proxy import proxy_for
from zseval.transport.tls import tls_context

CERTIFICATES = Path(__file__).parent / "certificates"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def server(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def test_what_a_request_needs_is_imported_before_its_time_limit_runs() -> None:
    program = (
        "import sys\n"
        "from zseval.transport.client import HttpClient\n"
        "from zseval.transport.config import HttpClientConfig\n"
        "assert 'aiohttp' not in sys.modules\n"
        "HttpClient(HttpClientConfig())\n"
        "assert 'aiohttp' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@contextlib.asynccontextmanager
async def client(config: HttpClientConfig) -> AsyncIterator[HttpClient]:
    made = HttpClient(config)
    try:
        yield made
    finally:
        await made.close()


async def text(made: HttpClient, url: str, method: str = "GET", data: bytes | None = None) -> str:
    async with made.request(method, url, data=data) as response:
        return (await response.read()).decode()


async def authorization(request: web.Request) -> web.Response:
    return web.Response(text=request.headers.get("Authorization", "none"))


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (HttpClientConfig(), "none"),
        (HttpClientConfig(basic_auth=BasicAuth("me", password="s\u00e9cret:x")), basic("me:s\u00e9cret:x")),
        (HttpClientConfig(authorization=Authorization(credentials="tok")), "Bearer tok"),
        (HttpClientConfig(authorization=Authorization("Custom", "tok")), "Custom tok"),
        (HttpClientConfig(headers=(("Authorization", "mine"),)), "mine"),
    ],
)
async def test_credentials_are_sent(config: HttpClientConfig, expected: str) -> None:
    async with server(authorization) as url, client(config) as made:
        assert await text(made, url) == expected


async def test_credentials_in_files_are_read_again_when_they_change(tmp_path: Path) -> None:
    secret, name = tmp_path / "secret", tmp_path / "name"
    secret.write_text("  one\n")
    name.write_text("me\n")
    config = HttpClientConfig(basic_auth=BasicAuth(username_file=str(name), password_file=str(secret)))
    async with server(authorization) as url, client(config) as made:
        assert await text(made, url) == basic("me:one")
        secret.write_text("another\n")
        assert await text(made, url) == basic("me:another")
        secret.unlink()
        with pytest.raises(ConfigError, match="unable to read basic auth password"):
            await text(made, url)


async def test_secrets_are_not_in_the_representation() -> None:
    config = HttpClientConfig(
        basic_auth=BasicAuth("me", password="hush"), authorization=Authorization(credentials="hush")
    )
    assert "hush" not in repr(config)


async def test_headers_and_the_request_go_out_as_given() -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(
            text=f"{request.method} {request.raw_path} {request.headers['X-A']} {await request.text()}"
        )

    async with server(echo) as url, client(HttpClientConfig(headers=(("X-A", "b"),))) as made:
        assert await text(made, f"{url}/a%2Fb?x=%20", "POST", b"body") == "POST /a%2Fb?x=%20 b body"


async def test_a_redirect_turns_a_post_into_a_get_unless_it_says_not_to() -> None:
    async def handle(request: web.Request) -> web.Response:
        if request.path.startswith("/from"):
            raise {"/from302": web.HTTPFound, "/from307": web.HTTPTemporaryRedirect}[request.path]("to")
        return web.Response(text=f"{request.method} {request.path} {await request.text()}")

    async with server(handle) as url, client(HttpClientConfig()) as made:
        assert await text(made, f"{url}/from302", "POST", b"x") == "GET /to "
        assert await text(made, f"{url}/from307", "POST", b"x") == "POST /to x"


async def test_redirects_are_not_followed_where_that_is_switched_off_or_goes_on_for_ever() -> None:
    async def handle(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/again")

    async with server(handle) as url:
        async with (
            client(HttpClientConfig(follow_redirects=False)) as made,
            made.request("GET", url) as response,
        ):
            assert response.status == 302
        async with client(HttpClientConfig()) as made:
            with pytest.raises(TransportError, match="stopped after 10 redirects"):
                await text(made, url)


async def test_credentials_do_not_follow_a_redirect_to_another_host() -> None:
    config = HttpClientConfig(
        authorization=Authorization(credentials="tok"), headers=(("X-Plain", "yes"), ("Cookie", "c=1"))
    )
    seen: list[tuple[str, str, str]] = []

    async def handle(request: web.Request) -> web.Response:
        headers = request.headers
        seen.append((headers.get("Authorization", ""), headers.get("X-Plain", ""), headers.get("Cookie", "")))
        port = request.url.port
        if request.path == "/same":
            raise web.HTTPFound("/end")
        if request.path == "/other":
            raise web.HTTPFound(f"http://localhost:{port}/back")
        if request.path == "/back":
            raise web.HTTPFound(f"http://127.0.0.1:{port}/end")
        return web.Response()

    async with server(handle) as url, client(config) as made:
        await text(made, f"{url}/same")
        assert seen == [("Bearer tok", "yes", "c=1")] * 2
        seen.clear()
        await text(made, f"{url}/other")
        assert seen == [("Bearer tok", "yes", "c=1"), ("", "yes", ""), ("", "yes", "")]


def server_tls(*, want_client: bool = False) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server.key")
    if want_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(CERTIFICATES / "ca.pem")
    return context


CA = str(CERTIFICATES / "ca.pem")


def certificate(name: str) -> str:
    return (CERTIFICATES / name).read_text()


@pytest.mark.parametrize(
    "tls",
    [
        TlsConfig(ca_file=CA),
        TlsConfig(ca=certificate("ca.pem")),
        TlsConfig(ca_file=CA, server_name="metrics.test"),
        TlsConfig(insecure_skip_verify=True),
        TlsConfig(ca_file=CA, min_version="TLS13"),
        TlsConfig(ca_file=CA, max_version="TLS12"),
    ],
    ids=["ca_file", "inline ca", "server_name", "insecure", "min_version", "max_version"],
)
async def test_a_trusted_server_is_talked_to(tls: TlsConfig) -> None:
    async with server(authorization, server_tls()) as url, client(HttpClientConfig(tls=tls)) as made:
        assert await text(made, url) == "none"


@pytest.mark.parametrize(
    "tls", [TlsConfig(), TlsConfig(ca_file=CA, server_name="else.test")], ids=["unknown", "name"]
)
async def test_a_server_that_is_not_trusted_is_not_talked_to(tls: TlsConfig) -> None:
    async with server(authorization, server_tls()) as url, client(HttpClientConfig(tls=tls)) as made:
        with pytest.raises(TransportError, match="tls: failed to verify certificate"):
            await text(made, url)


@pytest.mark.parametrize("inline", [False, True])
async def test_a_client_certificate_is_shown(inline: bool) -> None:
    if inline:
        tls = TlsConfig(
            ca=certificate("ca.pem"), cert=certificate("client.pem"), key=certificate("client.key")
        )
    else:
        tls = TlsConfig(
            ca_file=CA,
            cert_file=str(CERTIFICATES / "client.pem"),
            key_file=str(CERTIFICATES / "client.key"),
        )
    async with server(authorization, server_tls(want_client=True)) as url:
        async with client(HttpClientConfig(tls=tls)) as made:
            assert await text(made, url) == "none"
        async with client(HttpClientConfig(tls=TlsConfig(ca_file=CA, max_version="TLS12"))) as made:
            with pytest.raises(TransportError):
                await text(made, url)


async def test_tls_files_are_read_again_when_they_change(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text(certificate("ca.pem"))
    config = HttpClientConfig(tls=TlsConfig(ca_file=str(path)))
    async with server(authorization, server_tls()) as url, client(config) as made:
        assert await text(made, url) == "none"
        path.write_text("rubbish")
        os.utime(path, ns=(1, 1))
        with pytest.raises(ConfigError, match="unable to use specified CA cert"):
            await text(made, url)
        path.write_text(certificate("ca.pem"))
        os.utime(path, ns=(2, 2))
        assert await text(made, url) == "none"


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        (TlsConfig(ca_file="/nowhere"), "unable to read CA certificate file /nowhere"),
        (TlsConfig(ca="rubbish"), r"unable to use specified CA cert \(inline\)"),
        (TlsConfig(cert="x"), "exactly one of key or key_file must be configured"),
        (TlsConfig(cert="x", key="y"), "unable to use specified client cert and key"),
        (TlsConfig(min_version="TLS9"), "unknown TLS version: TLS9"),
    ],
)
def test_settings_that_cannot_work_are_said_to(tls: TlsConfig, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tls_context(tls)


async def test_a_name_that_does_not_exist_is_named_as_go_names_it() -> None:
    async with client(HttpClientConfig()) as made:
        with pytest.raises(TransportError, match=r"dial tcp: lookup nowhere\.invalid: no such host"):
            await text(made, "http://nowhere.invalid/")


async def test_requests_go_through_a_proxy() -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.Response(text=str(request.url.host))

    async with server(handle) as url, client(HttpClientConfig(proxy_url=url)) as made:
        assert await text(made, "http://far.invalid/x") == "far.invalid"


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("", "http://a.b/", False),
        ("*", "http://a.b/", True),
        ("a.b", "http://a.b/", True),
        ("b", "http://a.b/", True),
        (".b", "http://a.b/", True),
        ("*.b", "http://a.b/", True),
        ("x.b, A.B:81", "http://a.b:81/", True),
        ("a.b:81", "http://a.b/", False),
        ("10.0.0.0/8", "http://10.1.2.3/", True),
        ("10.0.0.1", "http://10.0.0.2/", False),
        ("::1", "http://[::1]/", True),
    ],
)
def test_no_proxy_names_hosts_domains_and_networks(no_proxy: str, url: str, direct: bool) -> None:
    config = HttpClientConfig(proxy_url="http://proxy:1", no_proxy=no_proxy)
    assert proxy_for(config, url) == (None if direct else "http://proxy:1")


def test_the_proxy_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://env:1")
    monkeypatch.setenv("no_proxy", "skip.me")
    config = HttpClientConfig(proxy_from_environment=True)
    assert proxy_for(config, "http://a.b/") == "http://env:1"
    assert proxy_for(config, "http://skip.me/") is None
    assert proxy_for(config, "http://localhost:1/") is None
    assert proxy_for(HttpClientConfig(), "http://a.b/") is None
