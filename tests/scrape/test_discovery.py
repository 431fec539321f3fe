"""Discovery: where targets come from, and that what worked stays when something breaks."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiohttp import web

from zseval.errors import ScrapeError
from zseval.model.labels import Labels
from zseval.scrape.config import DnsDiscovery, FileDiscovery, HttpDiscovery, TargetGroup
from zseval.scrape.discovery.discoverer import Refreshed, keep_refreshed
from zseval.scrape.discovery.dns import DnsDiscoverer, Record, system_resolve
from zseval.scrape.discovery.file import FileDiscoverer
from zseval.scrape.discovery.http import HttpDiscoverer


def addresses(refreshed: Refreshed) -> list[str]:
    return [target["__address__"] for group in refreshed.groups for target in group.targets]


def write(path: Path, text: str, at: int) -> None:
    path.write_text(text)
    os.utime(path, ns=(at, at))


async def test_files_are_read_in_json_and_yaml(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"targets": ["h1:1", "h2:1"], "labels": {"env": "x"}}]')
    (tmp_path / "b.yml").write_text(
        "- targets: [h3:1]\n  labels:\n    on: 'yes'\n    number: 012\n- targets: []\n"
    )
    (tmp_path / "c.txt").write_text("")
    found = await FileDiscoverer(FileDiscovery((str(tmp_path / "*"),))).refresh()
    assert addresses(found) == ["h1:1", "h2:1", "h3:1"]
    path = str(tmp_path / "a.json")
    assert found.groups[0] == TargetGroup(
        (Labels({"__address__": "h1:1"}), Labels({"__address__": "h2:1"})),
        Labels({"env": "x", "__meta_filepath": path}),
        f"{path}:0",
    )
    assert found.groups[1].labels.without("__meta_filepath") == Labels({"on": "yes", "number": "012"})
    assert found.errors == (f"{tmp_path / 'c.txt'}: not a .json, .yml or .yaml file",)


async def test_hidden_files_match_and_only_the_first_document_counts(tmp_path: Path) -> None:
    (tmp_path / ".hidden.yml").write_text("[{targets: [h:1]}]\n---\n[{targets: [other:1]}]\n")
    found = await FileDiscoverer(FileDiscovery((str(tmp_path / "*.yml"),))).refresh()
    assert (addresses(found), found.errors) == (["h:1"], ())


async def test_a_file_that_changes_is_read_again_and_a_bad_one_keeps_its_targets(tmp_path: Path) -> None:
    path = tmp_path / "t.yml"
    discoverer = FileDiscoverer(FileDiscovery((str(tmp_path / "*.yml"),)))
    write(path, "[{targets: [a]}]", 1)
    assert addresses(await discoverer.refresh()) == ["a"]
    write(path, "[{targets: [a, b]}]", 2)
    assert addresses(await discoverer.refresh()) == ["a", "b"]
    write(path, "[{targets: [c]", 3)
    for _ in range(2):
        broken = await discoverer.refresh()
        assert addresses(broken) == ["a", "b"]
        assert "t.yml: invalid YAML" in broken.errors[0]
    path.unlink()
    assert await discoverer.refresh() == Refreshed(())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "expected a list of target groups"),
        ('[{"targets": "a"}]', "targets must be a list of strings"),
        ('[{"target": ["a"]}]', 'unknown key "target"'),
        ('[{"targets": [], "labels": {"a": 1}}]', 'the value of label "a" must be a string'),
        ('[{"targets": [], "labels": {"": "x"}}]', "not a valid label name"),
        ("[null]", "nil target group item found"),
        ("[", "invalid JSON"),
    ],
)
async def test_a_wrong_file_is_said_to_be_wrong(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.json").write_text(text)
    found = await FileDiscoverer(FileDiscovery((str(tmp_path / "t.json"),))).refresh()
    assert found.groups == ()
    assert message in found.errors[0]


async def test_a_url_gives_groups_and_keeps_them_when_it_breaks() -> None:
    answers: list[web.Response] = [
        web.json_response([{"targets": ["a", "b"], "labels": {"x": "y"}}]),
        web.Response(status=500),
        web.Response(text="[]", content_type="text/html"),
        web.Response(text="[", content_type="application/json"),
        web.json_response([]),
    ]
    headers: list[dict[str, str]] = []

    async def handle(request: web.Request) -> web.Response:
        headers.append(dict(request.headers))
        return answers.pop(0)

    runner = web.AppRunner(_app(handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/targets"
    discoverer = HttpDiscoverer(HttpDiscovery(url, refresh_interval_ms=30_000))
    first = await discoverer.refresh()
    assert addresses(first) == ["a", "b"]
    assert first.groups[0].labels == Labels({"x": "y", "__meta_url": url})
    for reason in ("server returned HTTP status 500", 'unsupported content type "text/html', "invalid JSON"):
        broken = await discoverer.refresh()
        assert broken.groups == first.groups
        assert reason in broken.errors[0]
    assert await discoverer.refresh() == Refreshed(())
    assert headers[0]["X-Prometheus-Refresh-Interval-Seconds"] == "30"
    await runner.cleanup()
    assert "connection refused" in (await discoverer.refresh()).errors[0]
    await discoverer.close()


def _app(handler) -> web.Application:  # type: ignore[no-untyped-def]
    app = web.Application()
    app.router.add_get("/targets", handler)
    return app


def records(found: dict[tuple[str, str], Sequence[Record] | str]):  # type: ignore[no-untyped-def]
    async def resolve(name: str, kind: str) -> Sequence[Record]:
        answer = found[name, kind]
        if isinstance(answer, str):
            raise ScrapeError(answer)
        return answer

    return resolve


async def test_srv_records_have_their_own_port() -> None:
    resolve = records({("_m._tcp.x", "SRV"): [("h1.x.", 9100), ("h2.x.", 9200)]})
    found = await DnsDiscoverer(DnsDiscovery(("_m._tcp.x",)), resolve).refresh()
    assert found.groups[0].targets[0] == Labels(
        {
            "__address__": "h1.x:9100",
            "__meta_dns_name": "_m._tcp.x",
            "__meta_dns_srv_record_target": "h1.x.",
            "__meta_dns_srv_record_port": "9100",
        }
    )
    assert found.groups[0].source == "_m._tcp.x"


@pytest.mark.parametrize(
    ("kind", "record", "address", "meta"),
    [
        ("A", "10.0.0.1", "10.0.0.1:80", {}),
        ("AAAA", "::1", "[::1]:80", {}),
        ("MX", "mail.x.", "mail.x:80", {"__meta_dns_mx_record_target": "mail.x."}),
        ("NS", "ns.x.", "ns.x:80", {"__meta_dns_ns_record_target": "ns.x."}),
    ],
)
async def test_other_records_take_the_configured_port(
    kind: str, record: str, address: str, meta: dict[str, str]
) -> None:
    config = DnsDiscovery(("x",), type=kind.lower(), port=80)
    found = await DnsDiscoverer(config, records({("x", kind): [(record, 0)]})).refresh()
    assert found.groups[0].targets == (Labels({"__address__": address, "__meta_dns_name": "x", **meta}),)


async def test_a_name_that_fails_keeps_its_targets_and_one_without_records_has_none() -> None:
    answers: dict[tuple[str, str], Sequence[Record] | str] = {
        ("a", "A"): [("1.1.1.1", 0)],
        ("b", "A"): [("2.2.2.2", 0)],
    }
    discoverer = DnsDiscoverer(DnsDiscovery(("a", "b"), type="A", port=1), records(answers))
    await discoverer.refresh()
    answers["a", "A"], answers["b", "A"] = "no server answered", []
    found = await discoverer.refresh()
    assert addresses(found) == ["1.1.1.1:1"]
    assert found.errors == ("no server answered",)


async def test_the_system_resolver_knows_addresses_only() -> None:
    assert ("127.0.0.1", 0) in await system_resolve("localhost", "A")
    with pytest.raises(ScrapeError, match=r"needs the package aiodns: pip install 'zseval\[dns\]'"):
        await system_resolve("localhost", "SRV")


async def test_a_discoverer_is_asked_again_and_again(tmp_path: Path) -> None:
    class Clock:
        def wall_ms(self) -> int:
            return 0

        def monotonic(self) -> float:
            return 0.0

        async def sleep(self, seconds: float) -> None:
            slept.append(seconds)
            await asyncio.sleep(0)

    slept: list[float] = []
    (tmp_path / "t.json").write_text(json.dumps([{"targets": ["a"]}]))
    discoverer = FileDiscoverer(FileDiscovery((str(tmp_path / "t.json"),), refresh_interval_ms=2_000))
    published: list[Refreshed] = []
    done = asyncio.Event()

    def publish(refreshed: Refreshed) -> None:
        published.append(refreshed)
        if len(published) == 3:
            done.set()

    task = asyncio.create_task(keep_refreshed(discoverer, Clock(), publish))
    await asyncio.wait_for(done.wait(), 10)
    task.cancel()
    assert [addresses(refreshed) for refreshed in published[:3]] == [["a"]] * 3
    assert set(slept) == {2.0}
