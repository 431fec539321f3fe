"""zseval: scrape, keep, query and alert on Prometheus metrics in one small process.

The public names are loaded on first use, so that `import zseval` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "TSDB": "zseval.tsdb.db",
    "Engine": "zseval.promql.engine",
    "STALE_NAN": "zseval.model.staleness",
    "PromQLError": "zseval.errors",
    "ZsevalError": "zseval.errors",
    "ConfigError": "zseval.errors",
    "Histogram": "zseval.model.histogram",
    "Labels": "zseval.model.labels",
    "Node": "zseval.node.node",
    "NodeOptions": "zseval.node.options",
    "ThreadedNode": "zseval.node.threaded",
}

__all__ = [
    "STALE_NAN",
    "TSDB",
    "ConfigError",
    "Engine",
    "Histogram",
    "Labels",
    "Node",
    "NodeOptions",
    "PromQLError",
    "ThreadedNode",
    "ZsevalError",
    "__version__",
]

if TYPE_CHECKING:
    from zseval.errors import ConfigError, PromQLError, ZsevalError
    from zseval.model.histogram import Histogram
    from zseval.model.labels import Labels
    from zseval.model.staleness import STALE_NAN
    from zseval.node.node import Node
    from zseval.node.options import NodeOptions
    from zseval.node.threaded import ThreadedNode
    from zseval.promql.engine import Engine
    from zseval.tsdb.db import TSDB


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
