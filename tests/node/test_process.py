"""The process' own metrics, as every Prometheus client exposes them."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from zseval.metrics import Registry
from zseval.node.process import give_back_memory, watch_process


def _read(registry: Registry) -> dict[str, float]:
    return {reading.name: reading.samples[0][1] for reading in registry.collect()}


def test_memory_time_and_files_are_those_of_this_process() -> None:
    registry = Registry()
    watch_process(registry)
    values = _read(registry)
    assert 5e6 < values["process_resident_memory_bytes"] < values["process_virtual_memory_bytes"]
    assert values["process_open_fds"] >= 3
    assert values["process_max_fds"] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert 0 < values["process_cpu_seconds_total"] <= time.process_time() + 0.1
    assert 0 < time.time() - values["process_start_time_seconds"] < 24 * 3600


def test_values_are_read_anew_each_time() -> None:
    registry = Registry()
    watch_process(registry)
    before = _read(registry)["process_open_fds"]
    descriptor = os.open(os.devnull, os.O_RDONLY)
    try:
        assert _read(registry)["process_open_fds"] == before + 1
    finally:
        os.close(descriptor)


def test_without_proc_what_the_system_calls_say_remains(tmp_path: Path) -> None:
    registry = Registry()
    watch_process(registry, tmp_path)
    assert set(_read(registry)) == {"process_cpu_seconds_total", "process_max_fds"}


def test_memory_that_was_freed_is_given_back() -> None:
    pieces = [bytes(1 << 16) for _ in range(1600)]  # too small to be mapped one by one
    kept = pieces[::100]
    held = _resident_bytes()
    pieces.clear()
    give_back_memory()
    assert held - _resident_bytes() > 50 << 20
    assert len(kept) == 16


def test_memory_that_is_kept_serves_the_next_array() -> None:
    code = """
import resource, sys
import numpy as np
from zseval.node.process import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        [np.ones(1 << 18) for _ in range(5)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""
    by_itself, kept = (
        int(subprocess.run([sys.executable, "-c", code, how], check=True, capture_output=True).stdout)
        for how in ("by itself", "kept")
    )
    assert kept < 100 < by_itself


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
