"""When a group is due."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zseval.rules.schedule import last_due_ms, next_due_ms, offset_ms

INTERVALS = st.integers(1, 10**9)
NAMES = st.text(max_size=20)


@given(NAMES, NAMES, INTERVALS)
def test_the_offset_is_within_the_interval_and_always_the_same(file: str, name: str, interval: int) -> None:
    offset = offset_ms(file, name, interval)
    assert 0 <= offset < interval
    assert offset == offset_ms(file, name, interval)


@given(st.integers(0, 10**13), INTERVALS, st.data())
def test_times_due_are_one_interval_apart_around_now(now: int, interval: int, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, interval - 1))
    last, following = last_due_ms(now, interval, offset), next_due_ms(now, interval, offset)
    assert last <= now < following
    assert following - last == interval
    assert last % interval == offset


def test_file_and_name_do_not_run_into_each_other() -> None:
    assert offset_ms("ab", "c", 10**9) != offset_ms("a", "bc", 10**9)


def test_groups_spread_over_their_interval() -> None:
    offsets = [offset_ms("rules.yml", f"group-{number}", 60_000) for number in range(100)]
    assert len({offset // 6000 for offset in offsets}) == 10
