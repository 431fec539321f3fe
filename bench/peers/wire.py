"""Pages as remote write requests: the one way in that all three servers share.

A sample is a fixed number of bytes as long as its timestamp is, so that a series' samples are one array of
bytes, made by numpy; only the series themselves are gone through one by one.
Source: prometheus.WriteRequest, remote write 1.0; Snappy's block format.
"""

from __future__ import annotations

from collections.abc import Iterator

import cramjam
import numpy as np

from bench.peers.data import Page, Pairs

__all__ = ["HEADERS", "requests"]

HEADERS = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
_SLICE = 4  # rows a request: about what senders put into one, and less than what is taken for a history
_TIME_BYTES = 6  # of a varint from 2**35 to 2**42 ms: any time from 1971 to 2109
_SAMPLE = 2 + 9 + 1 + _TIME_BYTES


def requests(page: Page, *, rows: int = _SLICE) -> Iterator[bytes]:
    """Bodies, in the order of time."""
    names = [_labels(pairs) for pairs in page.labels]
    for first in range(0, len(page.times), rows):
        part = slice(first, first + rows)
        present = None if page.present is None else page.present[:, part]
        samples = _samples(page, part)
        series = []
        for number, labels in enumerate(names):
            kept = samples[number] if present is None else samples[number][present[number]]
            if len(kept):
                series.append(field(1, labels + kept.tobytes()))
        yield bytes(cramjam.snappy.compress_raw(b"".join(series)))


def _samples(page: Page, part: slice) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """uint8[S, T, _SAMPLE]: field 2 of a TimeSeries, for each sample of the slice."""
    times, values = page.times[part], np.ascontiguousarray(page.values[:, part])
    made = np.empty((*values.shape, _SAMPLE), dtype=np.uint8)
    made[:, :, 0] = 2 << 3 | 2
    made[:, :, 1] = _SAMPLE - 2
    made[:, :, 2] = 1 << 3 | 1
    made[:, :, 3:11] = values.view(np.uint8).reshape(*values.shape, 8)
    made[:, :, 11] = 2 << 3
    for place in range(_TIME_BYTES):
        more = 0x80 if place < _TIME_BYTES - 1 else 0
        made[:, :, 12 + place] = ((times >> 7 * place) & 0x7F | more).astype(np.uint8)
    return made


def _labels(pairs: Pairs) -> bytes:
    return b"".join(field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in pairs)


def field(number: int, content: bytes) -> bytes:
    """A field of protobuf's wire type 2: bytes with their length."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])
