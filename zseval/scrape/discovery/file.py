"""file_sd_configs: target groups from JSON and YAML files, read again when they change.

Files are polled: their stat every few seconds, their content when that differs and at each refresh
interval. A file that cannot be read keeps the groups it had. Source: prometheus discovery/file/file.go.
"""

from __future__ import annotations

import asyncio
import glob
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zseval.errors import ScrapeError
from zseval.scrape.config import FileDiscovery, TargetGroup
from zseval.scrape.discovery.discoverer import Refreshed
from zseval.scrape.discovery.groups import groups_of
from zseval.transport.secrets import file_stamps

__all__ = ["FileDiscoverer"]

_POLL_S = 5.0


def _yaml(text: str) -> Any:
    """The first document, as Prometheus reads it."""
    import yaml

    try:
        return next(yaml.load_all(text, Loader=_strict_loader()), None)
    except yaml.YAMLError as error:
        raise ScrapeError(f"invalid YAML: {error}") from error


def _strict_loader() -> Any:
    """A safe loader that refuses a key that is there twice, and leaves scalars such as `on` and `1` texts."""
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 - PyYAML's own way to say it

    def mapping(loader: Any, node: Any) -> dict[Any, Any]:
        pairs = loader.construct_pairs(node, deep=True)
        made = dict(pairs)
        if len(made) != len(pairs):
            raise ScrapeError(f"invalid YAML: a key is there twice{node.start_mark}")
        return made

    Loader.add_constructor("tag:yaml.org,2002:map", mapping)
    return Loader


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ScrapeError(f"invalid JSON: {error}") from error


def _matching(pattern: str) -> list[str]:
    """Existing paths; `*` matches leading dots, as in Go."""
    return sorted(glob.glob(pattern, include_hidden=True))  # noqa: PTH207 - absolute patterns


_READERS: dict[str, Callable[[str], Any]] = {".json": _json, ".yml": _yaml, ".yaml": _yaml}


class FileDiscoverer:
    def __init__(self, config: FileDiscovery) -> None:
        self._config = config
        self._known: dict[str, tuple[object, tuple[TargetGroup, ...], str]] = {}
        self.interval_s = min(_POLL_S, config.refresh_interval_ms / 1000)

    async def close(self) -> None:
        return None

    async def refresh(self) -> Refreshed:
        return await asyncio.to_thread(self._refresh)

    def _refresh(self) -> Refreshed:
        paths = dict.fromkeys(path for pattern in self._config.files for path in _matching(pattern))
        known = {path: self._file(path) for path in paths}
        self._known = known
        groups = tuple(group for _, found, _ in known.values() for group in found)
        return Refreshed(groups, tuple(error for _, _, error in known.values() if error))

    def _file(self, path: str) -> tuple[object, tuple[TargetGroup, ...], str]:
        stamp = file_stamps((path,))
        before = self._known.get(path)
        if before is not None and before[0] == stamp:
            return before
        try:
            return stamp, self._read(path), ""
        except (OSError, UnicodeDecodeError, ScrapeError) as error:
            return stamp, before[1] if before is not None else (), f"{path}: {error}"

    def _read(self, path: str) -> tuple[TargetGroup, ...]:
        reader = _READERS.get(Path(path).suffix.lower())
        if reader is None:
            raise ScrapeError("not a .json, .yml or .yaml file")
        return groups_of(reader(Path(path).read_text(encoding="utf-8")), path, {"__meta_filepath": path})
