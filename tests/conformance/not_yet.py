"""Cases of upstream's suite that cannot pass yet, each with its reason: none at present."""

from __future__ import annotations

__all__ = ["NOT_YET", "WHOLE_FILES"]

WHOLE_FILES: dict[str, str] = {}
"""Files about one feature that is missing as a whole."""

NOT_YET: dict[str, dict[int, str]] = {}
"""File name -> line of the eval command -> reason."""
