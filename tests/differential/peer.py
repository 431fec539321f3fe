"""One question to both: the real Prometheus over kept connections, and zseval in this process."""

from __future__ import annotations

import http.client
import json
import threading
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass

from tests.differential.compare import Answer
from tests.differential.dataset import Series
from zseval import TSDB, Engine, PromQLError

__all__ = ["Peers", "When", "engine_with"]


@dataclass(frozen=True, slots=True)
class When:
    """At one time (`step` 0), or from start to end; Unix seconds."""

    start: float
    end: float
    step: float = 0

    def __str__(self) -> str:
        return f"at {self.start}" if self.step == 0 else f"from {self.start} to {self.end} by {self.step}"


def engine_with(dataset: Sequence[Series]) -> Engine:
    """An engine over a store that holds the data set."""
    db = TSDB(retention=None)
    for series in dataset:
        labels = dict(series.labels)
        for time, value in series.samples:
            db.append(labels, value, time)
    return Engine(db)


class Peers:
    """Usable from several threads; each keeps a connection."""

    def __init__(self, base: str, engine: Engine) -> None:
        self._address = base.removeprefix("http://")
        self._engine = engine
        self._local = threading.local()
        self._connections: list[http.client.HTTPConnection] = []

    def theirs(self, expr: str, when: When) -> Answer:
        """Prometheus' answer."""
        if when.step == 0:
            path, form = "query", {"query": expr, "time": str(when.start)}
        else:
            path = "query_range"
            form = {"query": expr, "start": str(when.start), "end": str(when.end), "step": str(when.step)}
        connection = self._connection()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", f"/api/v1/{path}", urllib.parse.urlencode(form), headers)
        body = json.loads(connection.getresponse().read())
        if body["status"] == "success":
            data: Answer = body["data"]
            return data
        return {"error": body["error"]}

    def ours(self, expr: str, when: When) -> Answer:
        """zseval's answer. Anything but a PromQLError goes on: it is a bug."""
        try:
            if when.step == 0:
                result = self._engine.instant(expr, float(when.start))
            else:
                result = self._engine.range(expr, float(when.start), float(when.end), float(when.step))
        except PromQLError as error:
            return {"error": str(error)}
        return result.to_json()

    def _connection(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = http.client.HTTPConnection(self._address, timeout=60)
            self._connections.append(found)
        return found

    def close(self) -> None:
        """Close the connections of all threads. They open again where they are needed."""
        while self._connections:
            self._connections.pop().close()
        self._local = threading.local()
