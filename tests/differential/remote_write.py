"""Samples into a real Prometheus by remote write: the one way in that keeps every bit of a value.

Staleness markers, other NaNs and -0 arrive as they are, which a file for promtool could not say. The
receiver is told on an empty store, in order of time; its head takes samples of any date then. The
message (prometheus.WriteRequest, remote write 1.0) and its Snappy frame are a few bytes each, written by
hand.
"""

from __future__ import annotations

import contextlib
import struct
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.differential.dataset import Series
from tests.peers import free_port, program, running

__all__ = ["prometheus_with", "write"]

_SLICE_S = 600.0  # the head refuses what is an hour older than its newest sample
_DOUBLE, _VARINT, _BYTES = 1, 0, 2


@contextlib.contextmanager
def prometheus_with(dataset: Sequence[Series], home: Path) -> Iterator[str]:
    """The base URL of a real Prometheus that holds the data set."""
    (home / "empty.yml").write_text("global: {}\n")
    address = f"127.0.0.1:{free_port()}"
    command = [
        program("prometheus"), f"--config.file={home / 'empty.yml'}", f"--storage.tsdb.path={home / 'data'}",
        "--storage.tsdb.retention.time=100y", f"--web.listen-address={address}", "--log.level=warn",
        "--web.enable-remote-write-receiver",
    ]  # fmt: skip
    with running(command, home / "log", f"http://{address}/-/ready"):
        write(f"http://{address}", dataset)
        yield f"http://{address}"


def write(base: str, dataset: Sequence[Series]) -> None:
    """All samples, a slice of time after the other."""
    times = [time for series in dataset for time, _ in series.samples]
    start, last = min(times), max(times)
    while start <= last:
        end = start + _SLICE_S
        body = b"".join(_field(1, _series(series, start, end)) for series in dataset)
        request = urllib.request.Request(f"{base}/api/v1/write", _snappy(body), method="POST")
        request.add_header("Content-Encoding", "snappy")
        request.add_header("Content-Type", "application/x-protobuf")
        with urllib.request.urlopen(request, timeout=60) as response:
            assert response.status == 204
        start = end


def _series(series: Series, start: float, end: float) -> bytes:
    """prometheus.TimeSeries with the samples of start <= t < end; labels sorted, as receivers want them."""
    labels = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, value.encode()))
        for name, value in sorted(series.labels)
    )
    samples = b"".join(
        _field(2, struct.pack("<Bd", 1 << 3 | _DOUBLE, value) + b"\x10" + _varint(round(time * 1000)))
        for time, value in series.samples
        if start <= time < end
    )
    return labels + samples


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | _BYTES]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _snappy(content: bytes) -> bytes:
    """The block format, as one literal: bigger than needed, and legal."""
    return _varint(len(content)) + struct.pack("<BI", 63 << 2, len(content) - 1) + content
