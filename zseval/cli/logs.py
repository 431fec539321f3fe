"""Log lines for a service manager: logfmt or JSON, a line an event, on standard error."""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime

__all__ = ["set_up_logging"]

_BARE = re.compile(r'[^\s"=]+\Z')
_LEVELS = {"DEBUG": "debug", "INFO": "info", "WARNING": "warn", "ERROR": "error", "CRITICAL": "error"}


class _Formatter(logging.Formatter):
    """Events as (key, value) pairs; a record's `fields` (from `extra`) follow the message."""

    def pairs(self, record: logging.LogRecord) -> dict[str, str]:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, object] = getattr(record, "fields", {})
        pairs = {
            "time": time.replace("+00:00", "Z"),
            "level": _LEVELS.get(record.levelname, record.levelname.lower()),
            "source": record.name,
            "msg": record.getMessage(),
            **{key: str(value) for key, value in fields.items()},
        }
        if record.exc_info:
            pairs["exception"] = self.formatException(record.exc_info)
        return pairs


class _Logfmt(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return " ".join(
            f"{key}={value if _BARE.match(value) else json.dumps(value, ensure_ascii=False)}"
            for key, value in self.pairs(record).items()
        )


class _Json(_Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(self.pairs(record), ensure_ascii=False)


def set_up_logging(level: str, layout: str) -> None:
    """Send zseval's log to standard error. level: debug, info, warn or error; layout: logfmt or json."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if layout == "json" else _Logfmt())
    log = logging.getLogger("zseval")
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel("WARNING" if level == "warn" else level.upper())
