"""The labels a scraped series is stored under: the target's merged in, relabelled, within limits.

Source: prometheus scrape/scrape.go (mutateSampleLabels, verifyLabelLimits).
"""

from __future__ import annotations

from collections.abc import Mapping

from zseval.errors import ScrapeError
from zseval.model.labels import Labels, quote
from zseval.model.relabel import relabel_in_place
from zseval.scrape.config import ScrapeConfig

__all__ = ["final_labels"]


def final_labels(exposed: Mapping[str, str], target: Labels, config: ScrapeConfig) -> Labels | None:
    """The labels to store a series under, or None where metric relabelling drops it.

    Raises ScrapeError, which fails the scrape, for a series without a name or beyond a limit.
    """
    labels = _merged(exposed, target, honor=config.honor_labels)
    if config.metric_relabel and not relabel_in_place(labels, config.metric_relabel):
        return None
    made = Labels(labels)
    if not made:
        return None
    if not made.name:
        raise ScrapeError("missing metric name (__name__ label)")
    if "" in labels:
        raise ScrapeError(f"invalid metric name or label names: {made}")
    _check_limits(made, config)
    return made


def _merged(exposed: Mapping[str, str], target: Labels, *, honor: bool) -> dict[str, str]:
    """Exposed labels and the target's; of a conflict the exposed one wins or is renamed `exported_…`."""
    labels = {name: value for name, value in exposed.items() if value}
    if honor:
        # An exposed label stays even where it is empty, which means that the series has no such label.
        return labels | {name: value for name, value in target if name not in exposed}
    conflicts = [(name, labels[name]) for name, _ in target if name in labels]
    labels.update(target)
    for name, value in sorted(conflicts, key=lambda pair: len(pair[0])):
        renamed = f"exported_{name}"
        while renamed in labels:
            renamed = f"exported_{renamed}"
        labels[renamed] = value
    return labels


def _check_limits(labels: Labels, config: ScrapeConfig) -> None:
    name = labels.name[:50]
    if 0 < config.label_limit < len(labels):
        raise ScrapeError(
            f"label_limit exceeded (metric: {name}, number of labels: {len(labels)}, "
            f"limit: {config.label_limit})"
        )
    longest_name, longest_value = config.label_name_length_limit, config.label_value_length_limit
    if not longest_name and not longest_value:
        return
    for label, value in labels:
        length = len(label.encode())
        if 0 < longest_name < length:
            raise ScrapeError(
                f"label_name_length_limit exceeded (metric: {name}, label name: {label[:50]}, "
                f"length: {length}, limit: {longest_name})"
            )
        length = len(value.encode())
        if 0 < longest_value < length:
            raise ScrapeError(
                f"label_value_length_limit exceeded (metric: {name}, label name: {label[:50]}, "
                f"value: {quote(value[:50])}, length: {length}, limit: {longest_value})"
            )
