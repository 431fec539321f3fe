"""The queue of one Alertmanager: bounded, in order, and only the newest state of each alert."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zseval.model.alert import Alert
from zseval.model.labels import Labels
from zseval.notify.queue import AlertQueue


def alert(name: int, state: int = 0) -> Alert:
    return Alert(Labels({"alertname": f"a{name}"}), Labels(), starts_at_ms=1, ends_at_ms=state)


def test_a_newer_state_takes_the_place_of_the_older() -> None:
    queue = AlertQueue()
    queue.put([alert(1), alert(2)])
    queue.put([alert(1, state=9)])
    assert queue.take(10) == [alert(1, state=9), alert(2)]


def test_the_oldest_makes_room_and_is_counted() -> None:
    queue = AlertQueue(capacity=2)
    assert queue.put([alert(1), alert(2), alert(3)]) == 1
    assert queue.take(10) == [alert(2), alert(3)]


def test_what_comes_back_goes_to_the_front_unless_something_newer_came() -> None:
    queue = AlertQueue()
    queue.put([alert(1), alert(2), alert(3)])
    batch = queue.take(2)
    queue.put([alert(2, state=9), alert(4)])
    assert queue.put_back(batch) == 0
    assert queue.take(10) == [alert(1), alert(3), alert(2, state=9), alert(4)]


def test_a_full_queue_drops_what_comes_back() -> None:
    queue = AlertQueue(capacity=2)
    queue.put([alert(1), alert(2)])
    batch = queue.take(2)
    queue.put([alert(3)])
    assert queue.put_back(batch) == 1
    assert queue.take(10) == [alert(2), alert(3)]


def test_a_queue_holds_at_least_one() -> None:
    with pytest.raises(ValueError, match="at least one"):
        AlertQueue(0)


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), max_size=5)),
        st.tuples(st.just("sent"), st.integers(1, 4)),
        st.tuples(st.just("failed"), st.integers(1, 4)),
    ),
    max_size=25,
)


@settings(max_examples=200, deadline=None)
@given(_STEPS, st.integers(1, 6))
def test_nothing_is_lost_uncounted_and_nothing_old_replaces_something_new(
    steps: list[tuple[str, object]], capacity: int
) -> None:
    queue, dropped = AlertQueue(capacity), 0
    newest: dict[Labels, Alert] = {}
    for kind, what in steps:
        if kind == "put":
            assert isinstance(what, list)
            alerts = [alert(name, state) for name, state in what]
            newest |= {each.labels: each for each in alerts}
            dropped += queue.put(alerts)
        else:
            assert isinstance(what, int)
            batch = queue.take(what)
            if kind == "failed":
                dropped += queue.put_back(batch)
            else:
                assert all(newest.pop(each.labels) == each for each in batch)
        assert len(queue) <= capacity
    waiting = queue.take(100)
    assert all(newest[each.labels] == each for each in waiting)
    assert len(newest) - len(waiting) <= dropped
