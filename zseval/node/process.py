"""What the kernel says of this process, under the names that every Prometheus client gives it.

Source: the process collector of client_golang; a file of /proc that cannot be read leaves its metrics out.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from functools import cache
from pathlib import Path

from zseval.metrics import Registry

__all__ = ["give_back_memory", "watch_process"]

_PROC = Path("/proc/self")
_PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_STARTED_FIELD = 19  # starttime of /proc/self/stat, counted from the state after the command's name


def give_back_memory() -> None:
    """Hand the system the memory that was freed but is still held, where the C library can (glibc).

    It keeps what lies between pieces in use, some tenth of a node's memory. A call takes a millisecond.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    import ctypes  # numpy has loaded it already

    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
    return trim


def watch_process(registry: Registry, proc: Path = _PROC) -> None:
    """Gauges that are read when somebody asks. proc: the process' folder, for tests."""
    registry.watch(
        "process_cpu_seconds_total",
        "Total user and system CPU time spent in seconds.",
        _cpu_seconds,
        kind="counter",
    )
    registry.watch("process_max_fds", "Maximum number of open file descriptors.", _max_fds)
    if not (proc / "statm").is_file():
        return
    registry.watch("process_open_fds", "Number of open file descriptors.", lambda: _open_fds(proc))
    registry.watch(
        "process_resident_memory_bytes", "Resident memory size in bytes.", lambda: _memory(proc, 1)
    )
    registry.watch("process_virtual_memory_bytes", "Virtual memory size in bytes.", lambda: _memory(proc, 0))
    started = _started(proc)
    registry.watch(
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        lambda: started,
    )


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _max_fds() -> float:
    return float(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _open_fds(proc: Path) -> float:
    return float(sum(1 for _ in (proc / "fd").iterdir()))


def _memory(proc: Path, field: int) -> float:
    return float(int((proc / "statm").read_text().split()[field]) * _PAGE_SIZE)


def _started(proc: Path) -> float:
    """Unix seconds: the kernel's boot time and the ticks from there."""
    after_name = (proc / "stat").read_text().rpartition(")")[2].split()
    boot = next(line for line in (proc.parent / "stat").read_text().splitlines() if line.startswith("btime"))
    return int(boot.split()[1]) + int(after_name[_STARTED_FIELD]) / _TICKS
