"""Prepare: what a look-up works out for the first time, done without keeping others from appending.

With 100,000 series, sorting their pairs, trying a pattern on every value, and finding the series in every
source take a tenth of a second, which a row that arrives meanwhile would wait for. Here the lock is held
only to see what there is to do and to leave what was found; the look-up itself then finds it there. Whatever
changed in between, it does itself: nothing depends on this.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager

from zseval.model.matcher import Matcher
from zseval.tsdb.index import Index, Postings
from zseval.tsdb.layout import Layout
from zseval.tsdb.table import Table

__all__ = ["prepare"]

_MANY_VALUES = 256  # fewer are tried at once


def prepare(
    lock: AbstractContextManager[object],
    index: Index,
    matchers: Sequence[Matcher],
    tables: Callable[[], Collection[Table]],
) -> None:
    """Have the index know what these matchers select, and where in each table that is.

    index: at any time the store may go over to another; what is done is then for nothing.
    tables: all there are; called with the lock held.
    """
    resolved = index.known(matchers)
    if resolved is not None and resolved.is_placed:
        return
    if resolved is None:
        _sort(lock, index)
        for matcher in matchers:
            _try(lock, index, matcher)
        with lock:
            ids, count = index.find(matchers), len(index.table)
        labels = index.table.label_sets(ids)  # needs no lock: what is there stays as it is
        with lock:
            resolved = index.remember(matchers, ids, labels, count)
    with lock:
        made, holders = Layout.made, [(table, list(table.layouts())) for table in tables()]
    resolved.place(made, holders)


def _sort(lock: AbstractContextManager[object], index: Index) -> None:
    with lock:
        unsorted = index.unsorted()
    if unsorted is not None:
        level = Postings(unsorted)
        with lock:
            index.take(level)


def _try(lock: AbstractContextManager[object], index: Index, matcher: Matcher) -> None:
    with lock:
        untried = index.untried(matcher)
    if untried is not None and len(untried.pairs) >= _MANY_VALUES:
        accepted = untried.accepted()
        with lock:
            index.note(untried, accepted)
