"""Which processor this is: figures of different ones are not compared."""

from __future__ import annotations

import platform
from pathlib import Path

__all__ = ["processor"]

_CPUINFO = Path("/proc/cpuinfo")


def processor() -> str:
    """The model's name, or that of the architecture where the system does not tell."""
    if _CPUINFO.exists():
        for line in _CPUINFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
