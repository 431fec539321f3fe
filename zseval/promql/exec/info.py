"""info(): labels of info series added to the series that have the same instance and job.

At each step the newest info series of each name and identity counts. Which one that is may change, so
a series becomes as many rows as there are different info series that it meets.
Source: promql/info.go upstream (fetchInfoSeries, combineWithInfoSeries, combineWithInfoVector).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zseval.model.arrays import Ids, Mask, Rows, only_where
from zseval.model.labels import METRIC_NAME
from zseval.model.labelsets import LabelSets, factorize
from zseval.promql.errors import EvaluationError
from zseval.promql.exec.context import Context
from zseval.promql.exec.vector import Runs, Vector, merged
from zseval.promql.plan.nodes import Info

__all__ = ["info"]

IDENTIFYING = ("instance", "job")


@dataclass(frozen=True, slots=True, eq=False)
class _Met:
    """N output rows.

    base: intp[N], the series.  infos: intp[N, M], the info series of each of M names it met, -1 for none.
    present: bool[N, K].
    """

    base: Rows
    infos: NDArray[np.intp]
    present: Mask


def info(node: Info, base: Vector, times: Vector, ctx: Context) -> Vector:
    """base with the labels of info series. times: Unix seconds of their samples.

    Raises EvaluationError where two info series of one identity and name have equally new samples, or
    two of different names give a label different values.
    """
    passed_on = _is_info(node, base, ctx)
    enriched = np.flatnonzero(base.rows_present() & ~passed_on)
    times = times.take(_with_known_identity(times, base.labels.take(enriched)))
    met = _met(base, enriched, times)
    if not all(matcher.matches_empty for matcher in node.labels):
        found = (met.infos >= 0).any(axis=1)
        met = _Met(met.base[found], met.infos[found], met.present[found])
    labels = _labels(node, base.labels, times.labels, met, ctx)
    rest = np.flatnonzero(passed_on)
    rows = np.concatenate([met.base, rest])
    both = LabelSets.concat([labels, base.labels.take(rest)])
    present = np.concatenate([met.present, base.mask()[rest]])
    histograms = None if base.histograms is None else only_where(present, base.histograms[rows])
    return merged(
        Vector(
            LabelSets(both.names, both.codes, ctx.query.symbols_of(labels, base.labels)),
            base.values[rows],
            present,
            None if base.drop_name is None else base.drop_name[rows],
            histograms,
        ),
        ctx,
    )


def _is_info(node: Info, base: Vector, ctx: Context) -> Mask:
    """bool[S]: the series that are info series themselves, by their names."""
    unique, inverse = np.unique(base.labels.column(METRIC_NAME), return_inverse=True)
    names = [ctx.query.symbols.text(int(code)) for code in unique]
    matched = [all(matcher.matches(name) for matcher in node.names) for name in names]
    return np.array(matched, dtype=np.bool_)[inverse] if names else np.zeros(0, dtype=np.bool_)


def _with_known_identity(times: Vector, base: LabelSets) -> Rows:
    """The info series with an instance and a job that some series has; none where no series has any."""
    known = times.rows_present()
    any_label = False
    for name in IDENTIFYING:
        values = np.unique(base.column(name))
        values = values[values != 0]
        if len(values):
            any_label = True
            known &= np.isin(times.labels.column(name), values)
    return np.flatnonzero(known) if any_label else np.zeros(0, dtype=np.intp)


def _met(base: Vector, enriched: Rows, times: Vector) -> _Met:
    """Which series meet which info series, and when."""
    found = base.mask()[enriched]
    infos = _partners(base.labels.take(enriched), times)  # [S, M, K] or [S, M, 1]
    steady = np.asarray((infos == infos[:, :, :1]).all(axis=(1, 2)))
    same, other = np.flatnonzero(steady), np.flatnonzero(~steady)
    first = _Met(enriched[same], infos[same, :, 0], found[same])
    if not len(other):
        return first
    changing = _changing(enriched[other], infos[other], found[other])
    return _Met(
        np.concatenate([first.base, changing.base]),
        np.concatenate([first.infos, changing.infos]),
        np.concatenate([first.present, changing.present]),
    )


def _changing(base: Rows, infos: NDArray[np.intp], found: Mask) -> _Met:
    """A row for each different set of info series that a series meets. infos: intp[S, M, K]."""
    series, steps = np.nonzero(found)
    cells = np.concatenate([series[np.newaxis], infos.transpose(1, 0, 2)[:, series, steps]])
    groups = factorize(cells.astype(np.int32))
    present = np.zeros((groups.count, found.shape[1]), dtype=np.bool_)
    present[groups.ids, steps] = True
    kinds = cells[:, groups.first]
    return _Met(base[kinds[0]], kinds[1:].T, present)


def _partners(base: LabelSets, times: Vector) -> NDArray[np.intp]:
    """intp[S, M, K]: the row of the newest info series of each name, -1 where there is none."""
    steps = times.values.shape[1]
    if not len(times.labels):
        return np.full((len(base), 1, steps), -1, dtype=np.intp)
    identities = factorize(
        np.concatenate([base.aligned(IDENTIFYING), times.labels.aligned(IDENTIFYING)], axis=1)
    )
    names, name_of = np.unique(times.labels.column(METRIC_NAME), return_inverse=True)
    mine, theirs = identities.ids[: len(base)], identities.ids[len(base) :]
    keys, groups = np.unique(name_of * np.intp(identities.count) + theirs, return_inverse=True)
    newest = _newest(times, groups, len(keys))
    wanted = np.arange(len(names)) * np.intp(identities.count) + mine[:, np.newaxis]  # [S, M]
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where((keys[at] == wanted)[:, :, np.newaxis], newest[at], -1)


def _newest(times: Vector, groups: Rows, count: int) -> NDArray[np.intp]:
    """intp[G, K]: the row of each group with the newest sample, -1 where none has any."""
    runs = Runs.of(groups, count)
    seconds = np.where(times.mask(), times.values, -np.inf)[runs.order]
    newest = np.maximum.reduceat(seconds, runs.starts, axis=0)
    held = (seconds == newest[groups[runs.order]]) & np.isfinite(seconds)
    if np.add.reduceat(held, runs.starts, axis=0, dtype=np.intp).max(initial=0) > 1:
        raise EvaluationError(_conflict(times, groups, runs, held, newest))
    return np.maximum.reduceat(np.where(held, runs.order[:, np.newaxis], -1), runs.starts, axis=0)


def _conflict(times: Vector, groups: Rows, runs: Runs, held: Mask, newest: NDArray[np.float64]) -> str:
    """What is said of the first step at which two are equally new."""
    doubled = np.add.reduceat(held, runs.starts, axis=0, dtype=np.intp) > 1
    step = int(doubled.any(axis=0).argmax())
    group = int(doubled[:, step].argmax())
    rows = np.sort(runs.order[held[:, step] & (groups[runs.order] == group)])
    first, second = (times.labels[int(row)] for row in rows[:2])
    time = round(float(newest[group, step]) * 1000)
    return f"found duplicate series for info metric: existing {first} @ {time}, new {second} @ {time}"


def _labels(node: Info, base: LabelSets, infos: LabelSets, met: _Met, ctx: Context) -> LabelSets:
    """The labels of the output rows."""
    wanted = {matcher.name for matcher in node.labels}
    names = [name for name in infos.names if name != METRIC_NAME and (not wanted or name in wanted)]

    def make() -> LabelSets:
        made = base.take(met.base)
        for name in names:
            made = made.with_column(name, _column(name, made.column(name), infos, met))
        return LabelSets(made.names, made.codes, ctx.query.symbols_of(base, infos))

    what = ("info", tuple(names), met.base.tobytes(), met.infos.tobytes())
    return ctx.query.remember((base, infos), what, make)


def _column(name: str, own: Ids, infos: LabelSets, met: _Met) -> Ids:
    """int32[N]: a label's value where the series has it, or else that of the info series it met."""
    if not len(infos):
        return own
    given = np.where(met.infos >= 0, infos.column(name)[met.infos], 0)  # [N, M]
    added = np.zeros(len(own), dtype=np.int32)
    for column in given.T:
        added = np.where(added != 0, added, column)
    disagrees = (given != 0) & (given != added[:, np.newaxis])
    if (disagrees.any(axis=1) & (own == 0)).any():
        raise EvaluationError(f"conflicting label: {name}")
    return np.where(own != 0, own, added).astype(np.int32, copy=False)
