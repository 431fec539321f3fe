"""AlertTexts: labels and annotations of one rule's alerts, expanded only where they may have changed.

An alert that goes on has the same labels at each evaluation, and most of its texts say nothing else. What
a template depends on is told from its text; one that asks for the time or for queries is expanded always.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from zseval.model.labels import METRIC_NAME, Labels

__all__ = ["AlertTexts", "Expand", "Expanded", "Lasting"]


class Lasting(enum.IntEnum):
    """As long as what a text stays the same, for one rule of one configuration."""

    NOW = 0  # this evaluation
    VALUE = 1  # labels and value
    LABELS = 2  # labels


class Expanded(NamedTuple):
    """What came of a template."""

    text: str
    lasting: Lasting = Lasting.NOW


Expand = Callable[[str, Labels, float], Expanded]
"""A template, the labels and the value of a result, to text. Never raises: an error becomes the text."""


@dataclass(frozen=True, slots=True)
class _Made:
    """What one result was made to. texts: of the templates, in their order."""

    labels: Labels
    annotations: Labels
    value: float
    texts: list[Expanded]
    lasting: Lasting


class AlertTexts:
    """labels: templates of what every alert gets; an empty one takes the label off.  name: of the rule."""

    def __init__(self, name: str, labels: Mapping[str, str], annotations: Labels) -> None:
        self._name = name
        self._labels = tuple(sorted(labels.items()))
        self._annotations = annotations.pairs
        self._templates = [text for _, text in (*self._labels, *self._annotations)]
        self._made: dict[Labels, _Made] = {}

    def of(
        self, metrics: Sequence[Labels], values: Sequence[float], expand: Expand
    ) -> Iterator[tuple[Labels, Labels]]:
        """Labels and annotations for each result of an evaluation, given by its labels and value.

        What was made for results that are not among them is forgotten at the end.
        """
        known: dict[Labels, _Made] = {}
        for metric, value in zip(metrics, values, strict=True):
            made = self._made.get(metric)
            if made is None or made.lasting is not Lasting.LABELS:
                made = self._of_one(metric, value, made, expand)
            known[metric] = made
            yield made.labels, made.annotations
        self._made = known

    def _of_one(self, metric: Labels, value: float, before: _Made | None, expand: Expand) -> _Made:
        lasting = Lasting.VALUE if before is not None and _is_same(value, before.value) else Lasting.LABELS
        if before is not None and before.lasting >= lasting:
            return before
        old = [Expanded("")] * len(self._templates) if before is None else before.texts
        texts = [
            was if was.lasting >= lasting else _expanded(text, metric, value, expand)
            for text, was in zip(self._templates, old, strict=True)
        ]
        lasting = min((each.lasting for each in texts), default=Lasting.LABELS)
        if before is not None and texts == old:
            return _Made(before.labels, before.annotations, value, texts, lasting)
        labels = dict(metric.without(METRIC_NAME).pairs)
        split = len(self._labels)
        labels.update((name, each.text) for (name, _), each in zip(self._labels, texts, strict=False))
        labels["alertname"] = self._name
        annotations = {
            name: each.text for (name, _), each in zip(self._annotations, texts[split:], strict=True)
        }
        return _Made(Labels(labels), Labels(annotations), value, texts, lasting)


def _expanded(text: str, metric: Labels, value: float, expand: Expand) -> Expanded:
    return expand(text, metric, value) if "{{" in text else Expanded(text, Lasting.LABELS)


def _is_same(value: float, before: float) -> bool:
    """Templates tell -0 from 0; whether they tell NaNs apart need not be known."""
    return value == before and math.copysign(1.0, value) == math.copysign(1.0, before)
