import pytest

from zseval.metrics import Registry


def test_a_counter_without_labels_reads_zero_before_its_first_event() -> None:
    registry = Registry()
    registry.counter("zseval_things_total", "Things.")
    (reading,) = registry.collect()
    assert reading.samples == (((), 0.0),)


def test_values_are_kept_apart_by_label_values() -> None:
    registry = Registry()
    counter = registry.counter("zseval_sends_total", "Sends.", "receiver")
    counter.inc("b")
    counter.inc("a", by=2)
    counter.inc("a")
    (reading,) = registry.collect()
    assert reading.samples == (((("receiver", "a"),), 3.0), ((("receiver", "b"),), 1.0))


def test_the_same_name_gives_the_same_metric_and_another_kind_is_refused() -> None:
    registry = Registry()
    assert registry.gauge("g", "G.") is registry.gauge("g", "G.")
    with pytest.raises(ValueError, match="already a gauge"):
        registry.counter("g", "G.")


def test_wrong_label_values_are_refused() -> None:
    counter = Registry().counter("c", "C.", "a")
    with pytest.raises(ValueError, match="takes the labels"):
        counter.inc()


def test_a_watched_value_is_read_at_each_collection() -> None:
    registry = Registry()
    values = iter([1.0, 2.0])
    registry.watch("w", "W.", lambda: next(values))
    assert [next(iter(registry.collect())).samples[0][1] for _ in range(2)] == [1.0, 2.0]


def test_a_forgotten_value_is_gone() -> None:
    gauge = (registry := Registry()).gauge("g", "G.", "target")
    gauge.set(1.0, "x")
    gauge.forget("x")
    assert next(iter(registry.collect())).samples == ()
