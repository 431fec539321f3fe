"""What the kernel says of this process, under the names that every Prometheus client gives it.

Source: the process collector of client_golang; a file of /proc that cannot be read leaves its metrics out.
"""

from __future__ import annotations

import os
import resource
from functools import cache
from pathlib import Path
from typing import Any

from zseval.metrics import Registry

__all__ = ["give_back_memory", "keep_freed_memory", "watch_process"]

_PROC = Path("/proc/self")
_PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_STARTED_FIELD = 19  # starttime of /proc/self/stat, counted from the state after the command's name

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # of glibc's malloc.h
_KEPT_BYTES = 16 << 20
_LARGEST_KEPT = 4 << 20


def keep_freed_memory() -> None:
    """Have what is freed serve what is asked for next, where the C library can (glibc).

    By itself it hands large arrays back to the system at once, which gives the next one of that size pages
    that have to be cleared first: up to a seventh of the time of a query. Now it keeps 16 MiB of it, until
    `give_back_memory`; in one heap for all threads, which take turns anyway, rather than in one for each.
    To be called before there are any.
    """
    library = _c_library()
    if hasattr(library, "mallopt"):
        library.mallopt(_M_ARENA_MAX, 1)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def give_back_memory() -> None:
    """Hand the system the memory that was freed but is still held, where the C library can (glibc).

    It keeps what lies between pieces in use, some tenth of a node's memory. A call takes some milliseconds.
    """
    library = _c_library()
    if hasattr(library, "malloc_trim"):
        library.malloc_trim(0)


@cache
def _c_library() -> Any:
    """What the process was linked with; None where that cannot be asked."""
    import ctypes  # numpy has loaded it already

    try:
        return ctypes.CDLL(None)
    except (OSError, TypeError):
        return None


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
