"""Target: one endpoint to scrape; its labels before and after relabelling, its URL, its health.

Source: prometheus scrape/target.go.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
from dataclasses import dataclass, field
from urllib.parse import quote as percent_quoted
from urllib.parse import quote_plus

from zseval.errors import ScrapeError
from zseval.model.duration import DurationError, format_duration, parse_duration
from zseval.model.labels import Labels, quote
from zseval.model.relabel import relabel_in_place
from zseval.scrape.config import ScrapeConfig, TargetGroup

__all__ = ["DroppedTarget", "Health", "Target", "TargetStatus", "targets_of_group"]

_FLAGS = {  # settings of a job that a target's label can change
    "__convert_classic_histograms_to_nhcb__": "convert_classic_histograms_to_nhcb",
    "__always_scrape_classic_histograms__": "always_scrape_classic_histograms",
    "__scrape_native_histograms__": "scrape_native_histograms",
}
_BOOLEANS = {  # as strconv.ParseBool reads them
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}

_PATH_SAFE = "/:@!$&'()*+,;=~-._"


class Health(enum.StrEnum):
    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


@dataclass(slots=True)
class TargetStatus:
    """What the latest scrape was like. Written by the target's loop only.

    last_scrape_ms: wall time, 0 before the first scrape.
    """

    health: Health = Health.UNKNOWN
    last_error: str = ""
    last_scrape_ms: int = 0
    last_duration_s: float = 0.0
    last_samples: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """discovered: labels before relabelling.  all_labels: after it, with those that start with `__`.

    Equal targets have the same labels after relabelling and the same URL.
    """

    job: str
    discovered: Labels = field(compare=False)
    all_labels: Labels
    url: str
    interval_ms: int
    timeout_ms: int
    status: TargetStatus = field(default_factory=TargetStatus, compare=False)

    @property
    def labels(self) -> Labels:
        """The labels its series get."""
        return Labels.from_sorted(tuple(pair for pair in self.all_labels if not pair[0].startswith("__")))

    @property
    def key(self) -> int:
        """A 64-bit number that identifies the target, the same in every process."""
        text = repr((self.all_labels.pairs, self.url)).encode("utf-8", "surrogateescape")
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")

    def config(self, job: ScrapeConfig) -> ScrapeConfig:
        """The job's configuration, with what relabelling said of how to scrape this target."""
        flags = {
            field: _BOOLEANS[value]
            for label, field in _FLAGS.items()
            if (value := self.all_labels.get(label)) in _BOOLEANS
        }
        return dataclasses.replace(job, **flags)  # type: ignore[arg-type]  # names are fields of it

    def offset_ms(self, now_ms: int, seed: int) -> int:
        """How long to wait before the first scrape, so that scrapes are spread over the interval.

        Pinned to absolute time: a restarted process scrapes at the same moments again. Processes with other
        seeds scrape at other moments.
        """
        due = (self.key ^ seed) % self.interval_ms
        return (due - now_ms) % self.interval_ms


@dataclass(frozen=True, slots=True)
class DroppedTarget:
    """A target that relabelling dropped."""

    job: str
    discovered: Labels


def targets_of_group(
    config: ScrapeConfig, group: TargetGroup
) -> tuple[list[Target], list[DroppedTarget], list[str]]:
    """Targets, what was dropped, and what is wrong with the others."""
    targets: list[Target] = []
    dropped: list[DroppedTarget] = []
    failures: list[str] = []
    for number, own in enumerate(group.targets):
        discovered = _discovered(config, own, group.labels)
        try:
            target = _relabelled(config, discovered)
        except ScrapeError as error:
            failures.append(f"instance {number} in group {group.source}: {error}")
            continue
        if target is None:
            dropped.append(DroppedTarget(config.job_name, discovered))
        else:
            targets.append(target)
    return targets, dropped, failures


def _discovered(config: ScrapeConfig, own: Labels, shared: Labels) -> Labels:
    """All a target starts with; what it has itself goes before the group's, and that before the job's."""
    labels = {
        "job": config.job_name,
        "__scrape_interval__": format_duration(config.scrape_interval_ms),
        "__scrape_timeout__": format_duration(config.scrape_timeout_ms),
        "__metrics_path__": config.metrics_path,
        "__scheme__": config.scheme,
    }
    labels.update({label: str(getattr(config, field)).lower() for label, field in _FLAGS.items()})
    labels.update({f"__param_{name}": values[0] for name, values in config.params if values})
    labels.update(shared)
    labels.update(own)
    return Labels(labels)


def _relabelled(config: ScrapeConfig, discovered: Labels) -> Target | None:
    labels = dict(discovered)
    if not relabel_in_place(labels, config.relabel):
        return None
    address = labels.get("__address__", "")
    if not address:
        raise ScrapeError("no address")
    if "/" in address:
        raise ScrapeError(f"{quote(address)} is not a valid hostname")
    interval_ms = _duration(labels, "__scrape_interval__", "scrape interval")
    timeout_ms = _duration(labels, "__scrape_timeout__", "scrape timeout")
    if timeout_ms > interval_ms:
        timeout, interval = quote(labels["__scrape_timeout__"]), quote(labels["__scrape_interval__"])
        raise ScrapeError(f"scrape timeout cannot be greater than scrape interval ({timeout} > {interval})")
    for label, setting in _FLAGS.items():
        text = labels.get(label, "")
        if text and text not in _BOOLEANS:
            what = setting.replace("_", " ")
            raise ScrapeError(
                f"error parsing {what}: strconv.ParseBool: parsing {quote(text)}: invalid syntax"
            )
    labels = {name: value for name, value in labels.items() if not name.startswith("__meta_")}
    labels.setdefault("instance", address)
    if all(name.startswith("__") for name in labels):
        return None
    made = Labels(labels)
    return Target(config.job_name, discovered, made, _url(made, config), interval_ms, timeout_ms)


def _duration(labels: dict[str, str], name: str, what: str) -> int:
    try:
        duration = parse_duration(labels.get(name, ""))
    except DurationError as error:
        raise ScrapeError(f"error parsing {what}: {error}") from error
    if duration == 0:
        raise ScrapeError(f"{what} cannot be 0")
    return duration


def _url(labels: Labels, config: ScrapeConfig) -> str:
    params = {name: list(values) for name, values in config.params}
    for name, value in labels:
        if name.startswith("__param_"):
            params.setdefault(name.removeprefix("__param_"), [""])[:1] = [value]
    query = "&".join(
        f"{quote_plus(name)}={quote_plus(value)}"
        for name, values in sorted(params.items())
        for value in values
    )
    path = percent_quoted(labels.get("__metrics_path__"), safe=_PATH_SAFE)
    path = path if path.startswith("/") or not path else f"/{path}"
    base = f"{labels.get('__scheme__')}://{labels['__address__']}{path}"
    return f"{base}?{query}" if query else base
