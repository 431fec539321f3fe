"""Result: the value of a query as arrays, and as the `data` object of Prometheus' HTTP API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
import orjson

from zseval.model.arrays import Histograms, Mask, Times, Values, is_histogram
from zseval.model.histogram import Histogram
from zseval.model.labels import Labels
from zseval.model.labelsets import LabelSets
from zseval.model.number import format_f, format_sample
from zseval.promql.statistics import Statistics
from zseval.promql.syntax.ast import ValueType

__all__ = ["Result", "render_values"]

# Between these orjson writes plain decimals as Go does; outside it uses exponents of its own.
_PLAIN_FROM, _PLAIN_BELOW = 1e-5, 1e16
_INTEGERS_BELOW = 2.0**53
_POINTS_AT_ONCE = 1 << 14  # rendered together: some hundred kilobytes of text, made and used while in cache


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The value of one query.

    type: of the value; a range query of a scalar or vector gives a matrix.
    labels: LabelSets of S series.  values: float64[S, K].  present: bool[S, K], or None where all are.
    times: int64[K], ms; int64[S, K] where a range vector was asked for and each series has its own.
    histograms: object[S, K], the native histogram of each present cell that is one, None in the others;
    or None where there are none.  text: of a string.  stats: where they were asked for.
    Every series has at least one sample. A scalar is one series without labels.
    An instant vector keeps the order of its evaluation; a matrix is sorted by labels.
    """

    type: ValueType
    labels: LabelSets
    times: Times
    values: Values
    present: Mask | None = None
    text: str = ""
    warnings: list[str] = field(default_factory=list)
    infos: list[str] = field(default_factory=list)
    stats: Statistics | None = None
    histograms: Histograms | None = None

    def __len__(self) -> int:
        """How many series."""
        return len(self.labels)

    def samples(self) -> list[tuple[Labels, float]]:
        """The series of an instant vector with their values, native histograms apart."""
        self._require(ValueType.VECTOR)
        values: list[float] = self.values[:, 0].tolist()
        pairs = list(zip(self.labels.to_list(), values, strict=True))
        if self.histograms is None:
            return pairs
        return [pair for pair, held in zip(pairs, self.histograms[:, 0], strict=True) if held is None]

    def histogram_samples(self) -> list[tuple[Labels, Histogram]]:
        """The series of an instant vector that are native histograms."""
        self._require(ValueType.VECTOR)
        if self.histograms is None:
            return []
        pairs = zip(self.labels.to_list(), self.histograms[:, 0], strict=True)
        return [(labels, held) for labels, held in pairs if held is not None]

    def _require(self, kind: ValueType) -> None:
        if self.type is not kind:
            raise TypeError(f"a {self.type.documented} has no single sample a series")

    def scalar(self) -> float:
        """The value of a scalar."""
        if self.type is not ValueType.SCALAR:
            raise TypeError(f"a {self.type.documented} is not a scalar")
        return float(self.values[0, 0])

    def series(self) -> Iterator[tuple[Labels, Times, Values]]:
        """Each series of a matrix: its labels, times int64[n] in ms and values float64[n].

        Native histograms are left out: a series may be without samples here.
        """
        for row, labels in enumerate(self.labels.to_list()):
            times = self.times if self.times.ndim == 1 else self.times[row]
            values = self.values[row]
            if self.present is None and self.histograms is None:
                yield labels, times, values
            else:
                keep = np.ones(len(times), dtype=np.bool_) if self.present is None else self.present[row]
                if self.histograms is not None:
                    keep = keep & ~is_histogram(self.histograms[row])
                yield labels, times[keep], values[keep]

    def histogram_series(self) -> Iterator[tuple[Labels, Times, list[Histogram]]]:
        """Each series of a matrix: its labels, times int64[n] in ms and native histograms; perhaps none."""
        for row, labels in enumerate(self.labels.to_list()):
            times = self.times if self.times.ndim == 1 else self.times[row]
            if self.histograms is None:
                yield labels, times[:0], []
            else:
                kept = is_histogram(self.histograms[row])
                yield labels, times[kept], self.histograms[row, kept].tolist()

    def to_json(self) -> dict[str, object]:
        """The `data` object: `resultType` and `result`; floats as strings, times as Unix seconds."""
        return {"resultType": self.type.value, "result": self._json_value()}

    def _json_value(self) -> object:
        match self.type:
            case ValueType.STRING:
                return [_seconds(self.times[0]), self.text]
            case ValueType.SCALAR:
                return [_seconds(self.times[0]), format_f(self.scalar())]
            case ValueType.VECTOR:
                return [self._json_sample(row, labels) for row, labels in enumerate(self.labels.to_list())]
            case _:
                return [
                    _json_series(labels, times, values, histogram_times, histograms)
                    for (labels, times, values), (_, histogram_times, histograms) in zip(
                        self.series(), self.histogram_series(), strict=True
                    )
                ]

    def _json_sample(self, row: int, labels: Labels) -> dict[str, object]:
        time = _seconds(self.times[0])
        held = None if self.histograms is None else self.histograms[row, 0]
        if held is not None:
            return {"metric": labels.to_dict(), "histogram": [time, held.to_json()]}
        return {"metric": labels.to_dict(), "value": [time, format_sample(float(self.values[row, 0]))]}

    def to_json_bytes(self) -> bytes:
        """`to_json` as UTF-8, made from whole arrays: no Python object a number where it can be helped."""
        if self.histograms is not None:
            return orjson.dumps(self.to_json())
        match self.type:
            case ValueType.STRING:
                body = b"[%s,%s]" % (_time_text(int(self.times[0])), orjson.dumps(self.text))
            case ValueType.SCALAR:
                body = b'[%s,"%s"]' % (_time_text(int(self.times[0])), format_f(self.scalar()).encode())
            case ValueType.VECTOR:
                body = b"[" + self._vector_bytes() + b"]"
            case _:
                body = b"[" + b",".join(self._matrix_bytes()) + b"]"
        return b'{"resultType":"%s","result":%s}' % (self.type.value.encode(), body)

    def _vector_bytes(self) -> bytes:
        time = _time_text(int(self.times[0]))
        return b",".join(
            b'{"metric":%s,"value":[%s,"%s"]}' % (metric, time, value)
            for metric, value in zip(self._metrics(), render_values(self.values[:, 0]), strict=True)
        )

    def _metrics(self) -> Iterator[bytes]:
        return (orjson.dumps(labels.to_dict()) for labels in self.labels.to_list())

    def _matrix_bytes(self) -> Iterator[bytes]:
        """A series at a time: time texts (made once where shared) and values interleaved, one join."""
        steps = self.values.shape[1]
        shared = _time_heads(self.times) if self.times.ndim == 1 else []
        texts: list[bytes] = []
        rows_at_once = max(1, _POINTS_AT_ONCE // max(1, steps))
        for row, metric in enumerate(self._metrics()):
            within = row % rows_at_once
            if within == 0:
                texts = render_values(self.values[row : row + rows_at_once].ravel())
            values = texts[within * steps : (within + 1) * steps]
            heads = shared if self.times.ndim == 1 else _time_heads(self.times[row])
            if self.present is not None and not self.present[row].all():
                kept = self.present[row].tolist()
                values, heads = list(compress(values, kept)), list(compress(heads, kept))
            parts = [b""] * (2 * len(heads))
            parts[0::2] = heads
            parts[1::2] = values
            points = b"".join(parts)
            yield b'{"metric":%s,"values":[%s"]]}' % (metric, points[len(b'"],') :])


def _json_series(
    labels: Labels, times: Times, values: Values, histogram_times: Times, histograms: list[Histogram]
) -> dict[str, object]:
    """A series of a matrix; floats and native histograms stand apart."""
    made: dict[str, object] = {"metric": labels.to_dict()}
    if len(times) or not histograms:
        made["values"] = [
            [_seconds(time), format_sample(value)]
            for time, value in zip(times.tolist(), values.tolist(), strict=True)
        ]
    if histograms:
        made["histograms"] = [
            [_seconds(time), each.to_json()]
            for time, each in zip(histogram_times.tolist(), histograms, strict=True)
        ]
    return made


def _time_heads(times: Times) -> list[bytes]:
    """What stands before each value: the end of the point before it, and its own time."""
    return [b'"],[%s,"' % _time_text(time) for time in times.tolist()]


def render_values(values: Values) -> list[bytes]:
    """float64[n] as Prometheus writes samples.

    orjson writes the shortest digits of the whole array at once, fastest where all are integers; what it
    writes in another layout (exponents, infinities, NaN) is done one by one.
    """
    if len(values) == 0:
        return []
    values = np.ascontiguousarray(values)
    magnitude = np.abs(values)
    if (magnitude < _INTEGERS_BELOW).all():
        whole = values.astype(np.int64)
        if (whole == values).all() and not np.signbit(values[whole == 0]).any():
            return orjson.dumps(whole, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    odd = ~(magnitude < _PLAIN_BELOW) | ((magnitude < _PLAIN_FROM) & (magnitude != 0))
    text = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1]
    parts = (text + b",").replace(b".0,", b",")[:-1].split(b",")
    for index in np.flatnonzero(odd).tolist():
        parts[index] = format_sample(float(values[index])).encode()
    return parts


def _time_text(time_ms: int) -> bytes:
    """Unix seconds with exactly three decimals, or none (util/jsonutil)."""
    seconds, rest = divmod(abs(time_ms), 1000)
    sign = "-" if time_ms < 0 else ""
    return f"{sign}{seconds}.{rest:03d}".encode() if rest else f"{sign}{seconds}".encode()


def _seconds(time_ms: int) -> float:
    seconds, rest = divmod(int(time_ms), 1000)
    return int(time_ms) / 1000 if rest else seconds
