"""Result: the value of a query as arrays, and as the `data` object of Prometheus' HTTP API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import compress, repeat

import numpy as np
import orjson

from zseval.model.arrays import Histograms, Mask, Times, Values, is_histogram
from zseval.model.histogram import Histogram
from zseval.model.labels import Labels
from zseval.model.labelsets import LabelSets
from zseval.model.number import format_f, format_sample
from zseval.promql.kernels.weave import Heads, weave, weave_even
from zseval.promql.statistics import Statistics
from zseval.promql.syntax.ast import ValueType

__all__ = ["Result", "render_values"]

# Between these orjson writes plain decimals as Go does; outside it uses exponents of its own.
_PLAIN_FROM, _PLAIN_BELOW = 1e-5, 1e16
_REPR_FROM = 1e-4  # below it Python writes an exponent
_ONE_BY_ONE = 48  # so few values are written sooner one after the other
_INTEGERS_BELOW = 2.0**53
_END = b'"]'  # of a point
_LAST_END = _END + b","  # of the point before
_POINTS_AT_ONCE = 1 << 14  # rendered together: some hundred kilobytes of text, made and used while in cache
_WOVEN_FROM = 500  # points; fewer are written one by one sooner than numpy has laid them out


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
        return b"".join(self.json_parts())

    def json_parts(self) -> list[bytes | memoryview]:
        """The pieces of `to_json_bytes`, for whoever joins them with more."""
        if self.histograms is not None:
            return [orjson.dumps(self.to_json())]
        head = b'{"resultType":"%s","result":' % self.type.value.encode()
        match self.type:
            case ValueType.STRING:
                return [head, b"[%s,%s]}" % (_time_text(int(self.times[0])), orjson.dumps(self.text))]
            case ValueType.SCALAR:
                value = format_f(self.scalar()).encode()
                return [head, b'[%s,"%s"]}' % (_time_text(int(self.times[0])), value)]
            case ValueType.VECTOR:
                return [head, b"[", self._vector_bytes(), b"]}"]
            case _:
                return [head, b"[", *self._matrix_parts(), b"]}"]

    def _vector_bytes(self) -> bytes:
        """All pieces of all series side by side, and one join."""
        series = len(self)
        if not series:
            return b""
        before_value = b',"value":[%s,"' % _time_text(int(self.times[0]))
        metrics = self.labels.to_json_columns()
        pieces = [
            [b'"]},{"metric":'] * series,
            *metrics,
            [before_value] * series,
            render_values(self.values[:, 0]),
        ]
        parts = [b""] * (series * len(pieces))
        for place, column in enumerate(pieces):
            parts[place :: len(pieces)] = column
        parts[0] = b'{"metric":'
        return b"".join([*parts, b'"]}'])

    def _matrix_parts(self) -> Iterator[bytes | memoryview]:
        """Some series at a time. Time texts are made once where all series share their times."""
        metrics = self.labels.to_json()
        steps = self.values.shape[1]
        rows_at_once = max(1, _POINTS_AT_ONCE // max(1, steps))
        is_shared = self.times.ndim == 1
        shared = _time_heads(self.times) if is_shared else []
        woven = Heads.of(shared) if is_shared and steps * len(self) >= _WOVEN_FROM else None
        is_closed = True  # the last point so far
        for first in range(0, len(metrics), rows_at_once):
            part = slice(first, first + rows_at_once)
            values = self.values[part]
            present = None if self.present is None else self.present[part]
            if present is not None and present.all():
                present = None
            leads = [b']},{"metric":%s,"values":[' % metric for metric in metrics[part]]
            if not first:
                leads[0] = leads[0][len(b"]},") :]
            text = None
            if woven is not None and present is None:
                text = weave_even(values, woven, leads, len(_LAST_END))
            if text is not None:
                yield b"" if is_closed else _END
                is_closed = True
                yield text
                continue
            leads = [lead if is_closed and not row else _END + lead for row, lead in enumerate(leads)]
            is_closed = False
            if woven is not None:
                text = weave(values, present, woven, leads, len(_LAST_END))
            if text is not None:
                yield text
            else:
                heads = repeat(shared) if is_shared else map(_time_heads, self.times[part])
                yield _joined_points(values, present, heads, leads)
        yield (b"" if is_closed else _END) + b"]}" if len(metrics) else b""


def _joined_points(
    values: Values, present: Mask | None, heads: Iterable[list[bytes]], leads: Iterable[bytes]
) -> bytes:
    """What `weave` does, from a text a value; heads of each series' own."""
    texts = render_values(values.reshape(-1) if present is None else values[present])
    joined = []
    start = 0
    for row, (lead, own) in enumerate(zip(leads, heads, strict=False)):
        if present is not None:
            own = list(compress(own, present[row].tolist()))
        parts = [lead] * (2 * len(own) + 1)
        parts[1::2] = own
        parts[1] = own[0][len(_LAST_END) :]
        parts[2::2] = texts[start : start + len(own)]
        start += len(own)
        joined += parts
    return b"".join(joined)


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
    seconds, rest = np.divmod(times, 1000)
    if rest.any():
        texts = [_time_text(time) for time in times.tolist()]
    else:
        texts = (
            orjson.dumps(seconds, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",") if len(times) else []
        )
    return [b'%s[%s,"' % (_LAST_END, text) for text in texts]


def render_values(values: Values) -> list[bytes]:
    """float64[n] as Prometheus writes samples.

    orjson writes the shortest digits of the whole array at once, fastest where all are integers; what it
    writes in another layout (exponents, infinities, NaN) is done one by one. So are a few values.
    """
    if len(values) <= _ONE_BY_ONE:
        return [_value_text(value) for value in values.tolist()]
    values = np.ascontiguousarray(values)
    magnitude = np.abs(values)
    tame = bool(magnitude.max() < _INTEGERS_BELOW)  # not so where there is a NaN
    whole = values.astype(np.int64) if tame else _NO_INTEGERS
    equal = whole == values if tame else np.trunc(values) == values
    if tame and equal.all() and not np.signbit(values[whole == 0]).any():
        return orjson.dumps(whole, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    parts = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    for index in np.flatnonzero(equal & (magnitude < _PLAIN_BELOW)).tolist():
        parts[index] = parts[index][: -len(b".0")]
    odd = ~(magnitude < _PLAIN_BELOW) | ((magnitude < _PLAIN_FROM) & (magnitude != 0))
    for index in np.flatnonzero(odd).tolist():
        parts[index] = format_sample(float(values[index])).encode()
    return parts


_NO_INTEGERS = np.zeros(0, dtype=np.int64)


def _value_text(value: float) -> bytes:
    if _REPR_FROM <= abs(value) < _PLAIN_BELOW or value == 0:
        return repr(value).removesuffix(".0").encode()
    return format_sample(value).encode()


def _time_text(time_ms: int) -> bytes:
    """Unix seconds with exactly three decimals, or none (util/jsonutil)."""
    seconds, rest = divmod(abs(time_ms), 1000)
    sign = "-" if time_ms < 0 else ""
    return f"{sign}{seconds}.{rest:03d}".encode() if rest else f"{sign}{seconds}".encode()


def _seconds(time_ms: int) -> float:
    seconds, rest = divmod(int(time_ms), 1000)
    return int(time_ms) / 1000 if rest else seconds
