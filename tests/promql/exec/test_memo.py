"""Label work is remembered by the identity of what it was done on, within a budget."""

from __future__ import annotations

import numpy as np

from zseval.promql.exec.memo import LabelMemo


class _Owner:
    pass


def test_a_value_is_made_once_for_the_same_owner_and_question() -> None:
    memo, owner, calls = LabelMemo(), _Owner(), []

    def make() -> str:
        calls.append(1)
        return "made"

    assert [memo.get((owner,), "what", make) for _ in range(3)] == ["made"] * 3
    assert len(calls) == 1


def test_another_owner_or_another_question_is_another_entry() -> None:
    memo, one, two = LabelMemo(), _Owner(), _Owner()
    assert memo.get((one,), "a", lambda: 1) == 1
    assert memo.get((two,), "a", lambda: 2) == 2
    assert memo.get((one,), "b", lambda: 3) == 3
    assert memo.get((one, two), "a", lambda: 4) == 4


def test_the_least_recently_used_entries_leave_when_the_bytes_run_out() -> None:
    memo, owners = LabelMemo(limit_bytes=30_000), [_Owner() for _ in range(4)]
    for owner in owners[:3]:
        memo.get((owner,), "codes", lambda: np.zeros(1000))
    memo.get((owners[0],), "codes", lambda: np.ones(1))  # used again: the second is now the oldest
    memo.get((owners[3],), "codes", lambda: np.zeros(1000))
    assert memo.size_bytes <= 30_000
    assert memo.get((owners[0],), "codes", lambda: np.ones(1))[0] == 0
    assert memo.get((owners[1],), "codes", lambda: np.ones(1))[0] == 1
