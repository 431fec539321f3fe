"""Explanation: a query that was run, node by node, as text for a person and as JSON."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from zseval.model.labels import METRIC_NAME, Labels
from zseval.model.number import format_f
from zseval.promql.result import Result

__all__ = ["Explanation", "NodeReport", "Value"]

_VALUES = 5  # series of a node that the text shows
_WIDEST = 100


@dataclass(frozen=True, slots=True)
class Value:
    """A series of a node at the step shown.

    samples: in its window, where the node is a range vector, and value the last of them.
    histogram: the text of a native histogram, which then is the value; else "".
    """

    labels: Labels
    value: float
    samples: int | None = None
    histogram: str = ""

    @property
    def text(self) -> str:
        return self.histogram or format_f(self.value)

    def __str__(self) -> str:
        rest = self.labels.without(METRIC_NAME)
        series = f"{self.labels.name}{rest if rest or not self.labels.name else ''}"
        if self.samples is None:
            return f"{series} {self.text}"
        return f"{series} {_some(self.samples)}, the last {self.text}"


@dataclass(frozen=True, slots=True)
class NodeReport:
    """A node of the plan and what it did.

    kind: of the node, as the plan calls it.  expr: its text in the query.  series: with a sample at some
    step; shown: at the step that is shown, of which `values` are the first.  samples: it touched.
    seconds: without its inputs.  reason: why it is empty, where it is the first to be.
    """

    kind: str
    expr: str
    series: int = 0
    shown: int = 0
    samples: int = 0
    seconds: float = 0.0
    values: tuple[Value, ...] = ()
    reason: str = ""
    error: str = ""
    was_run: bool = True
    inputs: tuple[NodeReport, ...] = ()

    def walk(self) -> Iterator[NodeReport]:
        """This node and all below, inputs first."""
        for each in self.inputs:
            yield from each.walk()
        yield self

    def to_json(self) -> dict[str, object]:
        made: dict[str, object] = {"node": self.kind, "expr": self.expr}
        if self.was_run:
            made |= {"series": self.series, "shown": self.shown, "samples": self.samples}
            made |= {"seconds": self.seconds, "values": [_value_json(each) for each in self.values]}
        if self.reason:
            made["reason"] = self.reason
        if self.error:
            made["error"] = self.error
        if self.inputs:
            made["inputs"] = [each.to_json() for each in self.inputs]
        return made


@dataclass(frozen=True, slots=True)
class Explanation:
    """A query and what became of it at each node. `print` it, or take `reasons`.

    time_ms: the step whose values are shown.  reads: the selections from the store.
    result: None where the query failed; error says why.
    """

    expr: str
    time_ms: int
    steps: int
    reads: tuple[str, ...]
    root: NodeReport
    result: Result | None
    error: str = ""

    @property
    def reasons(self) -> list[str]:
        """Why parts are empty, from the inside out."""
        return [node.reason for node in self.root.walk() if node.reason]

    def __str__(self) -> str:
        lines = [self.expr, f"at {_moment(self.time_ms)}{self._of_steps()}: {self._outcome()}", ""]
        lines += _table(self.root)
        if self.reads:
            lines += ["", *(f"read {number}: {read}" for number, read in enumerate(self.reads))]
        return "\n".join(lines)

    def _of_steps(self) -> str:
        return f" ({self.steps} steps)" if self.steps > 1 else ""

    def _outcome(self) -> str:
        if self.error:
            return f"failed: {self.error}"
        count = self.root.shown
        return f"{count} series" if count else "no series"

    def to_json(self) -> dict[str, object]:
        """The answer of /api/v1/zseval/explain; `text` is what `print` shows."""
        made: dict[str, object] = {
            "query": self.expr,
            "time": self.time_ms / 1000,
            "steps": self.steps,
            "reads": list(self.reads),
            "reasons": self.reasons,
            "root": self.root.to_json(),
            "text": str(self),
        }
        if self.error:
            made["error"] = self.error
        return made


def _value_json(value: Value) -> dict[str, object]:
    made: dict[str, object] = {"metric": value.labels.to_dict(), "value": value.text}
    return made if value.samples is None else {**made, "samples": value.samples}


def _moment(time_ms: int) -> str:
    try:
        moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(milliseconds=time_ms)
    except OverflowError:
        return f"{time_ms} ms"
    return moment.isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds").replace("+00:00", "Z")


# The tree as text: an outline on the left, figures on the right -----------------------------------


def _table(root: NodeReport) -> list[str]:
    rows = list(_rows(root, "", ""))
    width = min(_WIDEST, max((len(left) for left, right, _ in rows if right), default=0))
    lines = []
    for left, right, below in rows:
        lines.append(f"{left:<{width}}  {right}".rstrip())
        lines += below
    return lines


def _rows(node: NodeReport, head: str, rest: str) -> Iterator[tuple[str, str, list[str]]]:
    """The outline of a node, its figures, and the lines below it; then those of its inputs."""
    bar = "│ " if node.inputs else "  "
    below = [f"{rest}{bar}  {line}" for line in _details(node)]
    yield f"{head}{node.expr}", _figures(node), below
    for number, each in enumerate(node.inputs):
        last = number == len(node.inputs) - 1
        yield from _rows(each, f"{rest}{'└─ ' if last else '├─ '}", f"{rest}{'   ' if last else '│  '}")


def _figures(node: NodeReport) -> str:
    if not node.was_run:
        return ""
    if node.kind == "Number":
        return "·"
    counts = f"{node.shown} series" if node.shown == node.series else f"{node.shown} of {node.series} series"
    return f"{counts}, {_some(node.samples)}, {node.seconds * 1000:.2f} ms"


def _details(node: NodeReport) -> list[str]:
    lines = []
    if node.error:
        lines.append(f"◀ failed: {node.error}")
    if node.reason:
        lines.append(f"◀ empty: {node.reason}")
    if node.kind != "Number":
        lines += [str(value) for value in node.values[:_VALUES]]
        more = node.shown - len(node.values[:_VALUES])
        if more > 0:
            lines.append(f"… and {more} more")
    return lines


def _some(samples: int) -> str:
    return "1 sample" if samples == 1 else f"{samples} samples"
