"""After a restart: alerts go on from where ALERTS_FOR_STATE says they were.

A rule that waits for hours must not start again because the process did. The group evaluates twice first,
so that rules which depend on others have their data, then `restore` moves its alerts' beginnings.
Source: rules/group.go upstream (RestoreForState).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from zseval.model.labels import METRIC_NAME, Labels
from zseval.model.matcher import Matcher, MatchType
from zseval.model.staleness import is_stale_value
from zseval.rules.alerts import AlertBook
from zseval.rules.evaluate import GroupState
from zseval.tsdb.frame import Selection

__all__ = ["GRACE_MS", "OUTAGE_TOLERANCE_MS", "Reader", "hold_back", "restore"]

OUTAGE_TOLERANCE_MS = 3_600_000
"""An alert last seen longer ago than this begins anew."""

GRACE_MS = 600_000
"""How long a restored alert that would fire soon at least waits, so that scrapes can catch up."""


class Reader(Protocol):
    """What restoring needs of the store."""

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Selection: ...


def hold_back(state: GroupState) -> None:
    """Write no ALERTS series until `restore` has read those of the time before."""
    for rule in state.rules:
        if rule.book is not None:
            rule.book.is_restored = False


def restore(
    state: GroupState,
    now_ms: int,
    store: Reader,
    *,
    outage_tolerance_ms: int = OUTAGE_TOLERANCE_MS,
    grace_ms: int = GRACE_MS,
) -> None:
    """Move the beginnings of a group's active alerts to where they were before the restart.

    A rule whose `for` is shorter than the grace period is left alone: it waits less anyway.
    """
    for rule in state.rules:
        book = rule.book
        if book is None:
            continue
        if book.rule.hold_ms >= grace_ms:
            _restore_book(book, now_ms, _last_samples(book, store, now_ms, outage_tolerance_ms), grace_ms)
        book.is_restored = True


def _restore_book(book: AlertBook, now_ms: int, last: dict[Labels, tuple[int, float]], grace_ms: int) -> None:
    for alert in book.active:
        if alert.labels in last:
            time_ms, value = last[alert.labels]
            down_at_ms, active_at_ms = time_ms // 1000 * 1000, int(value) * 1000
            begin_ms = _begin(now_ms, down_at_ms, active_at_ms, book.rule.hold_ms, grace_ms)
            book.begin_at(alert.labels, begin_ms)


def _begin(now_ms: int, down_at_ms: int, active_at_ms: int, hold_ms: int, grace_ms: int) -> int:
    """The new beginning of an alert that was active since active_at_ms when the process went down."""
    remaining_ms = hold_ms - (down_at_ms - active_at_ms)
    if remaining_ms <= 0:
        return active_at_ms  # it was firing, and does again at the next evaluation
    if remaining_ms < grace_ms:
        return now_ms + grace_ms - hold_ms
    return active_at_ms + (now_ms - down_at_ms)  # the time away does not count


def _last_samples(
    book: AlertBook, store: Reader, now_ms: int, tolerance_ms: int
) -> dict[Labels, tuple[int, float]]:
    """Time and value of the last ALERTS_FOR_STATE sample of each of the rule's alerts, by their labels.

    An alert whose series had ended was not active any more; it is left out.
    """
    wanted = {**book.fixed_labels, METRIC_NAME: "ALERTS_FOR_STATE"}
    matchers = [Matcher(MatchType.EQUAL, name, value) for name, value in wanted.items()]
    selection = store.select(matchers, now_ms - tolerance_ms - 1, now_ms)
    last: dict[Labels, tuple[int, float]] = {}
    for frame in selection.frames:
        times = np.broadcast_to(frame.times, frame.values.shape)  # [S, T]
        counts = [frame.values.shape[1]] * len(frame.rows) if frame.counts is None else frame.counts.tolist()
        for position, (row, count) in enumerate(zip(frame.rows.tolist(), counts, strict=True)):
            value = float(frame.values[position, count - 1])
            if not is_stale_value(value):
                labels = selection.labels[row].without(METRIC_NAME)
                last[labels] = (int(times[position, count - 1]), value)
    return last
