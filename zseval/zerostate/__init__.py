"""What ZeroState needs out of the box: its rules, its metrics, and a simulated network to try them on."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

__all__ = ["RULES", "bundled"]

RULES = "alerts.yml"
"""The rule file of the bundle."""


def bundled(name: str) -> Path:
    """The path of a file of the bundle, such as `RULES`."""
    return Path(str(files(__name__) / name))
