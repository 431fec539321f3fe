"""Rehearsal: rules driven over the simulated network in simulated time, without network, tasks or waiting.

Each step moves the network on, scrapes every node at that moment, and evaluates every group at the same
moment: what a network does in an hour takes seconds, and happens in the same way each time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from zseval.errors import ScrapeError
from zseval.model.labels import Labels
from zseval.promql.engine import Engine
from zseval.rules.evaluate import GroupState, Surroundings
from zseval.rules.rule import Group
from zseval.rules.state import ActiveAlert, AlertState
from zseval.rules.templates import expander
from zseval.scrape.config import ScrapeConfig
from zseval.scrape.ingest import Ingest
from zseval.tsdb.db import TSDB
from zseval.zerostate.simulator.members import MEMBERS, Member
from zseval.zerostate.simulator.network import Network, Unreachable
from zseval.zerostate.simulator.server import CONTENT_TYPE

__all__ = ["Change", "Rehearsal"]

_SCRAPE_SECONDS = 0.01  # what `scrape_duration_seconds` says; nothing is fetched

AlertKey = tuple[str, Labels]
"""An alert's name and all its labels."""


@dataclass(frozen=True, slots=True)
class Change:
    """An alert in another state than at the evaluation before. seconds: of the simulation."""

    seconds: float
    alert: str
    labels: Labels
    annotations: Labels
    before: AlertState
    after: AlertState


class Rehearsal:
    """One run over one network. Its samples stay, for queries through `engine`.

    groups: rule groups, all evaluated at every step whatever their interval.
    changes: every change of an alert's state so far.  errors: what rules and templates complained of.
    """

    START_S = 1_760_000_000.0
    """The Unix time at which the simulation begins; any would do."""

    def __init__(self, network: Network, groups: Iterable[Group], step_seconds: float = 15.0) -> None:
        self.network = network
        self.changes: list[Change] = []
        self.errors: list[str] = []
        self._step = step_seconds
        self._steps = 0
        self._store = TSDB()
        self.engine = Engine(self._store)
        self._targets = [(member, self._ingest(member)) for member in MEMBERS]
        surroundings = self._surroundings()
        self._groups = [GroupState(group, surroundings) for group in groups]
        self._active: dict[AlertKey, ActiveAlert] = {}

    @property
    def seconds(self) -> float:
        """The time of the latest step."""
        return self.network.now

    @property
    def active(self) -> dict[AlertKey, AlertState]:
        """The alerts that are pending or firing."""
        return {key: alert.state for key, alert in self._active.items()}

    def time_ms(self, seconds: float) -> int:
        """The timestamp of a time of the simulation."""
        return round((self.START_S + seconds) * 1000)

    def run(self, until_seconds: float) -> None:
        """Go on by steps up to this time, itself included; the first step is at 0."""
        while self._steps * self._step <= until_seconds:
            self._at(self._steps * self._step)
            self._steps += 1

    def _surroundings(self) -> Surroundings:
        def failed() -> None:
            self.errors.append(f"at {self.seconds:g} s: a template failed")

        expand = expander(self.engine, Labels(), "", failed)
        return Surroundings(self.engine, self._store, expand, generator_url=lambda _: "")

    def _ingest(self, member: Member) -> Ingest:
        labels = Labels({"job": member.job, "instance": member.name})
        return Ingest(self._store, f"scrape:{member.name}", labels, ScrapeConfig(member.job))

    def _at(self, seconds: float) -> None:
        self.network.advance(seconds)
        now_ms = self.time_ms(seconds)
        for member, ingest in self._targets:
            self._scrape(member, ingest, now_ms)
        for group in self._groups:
            errors = group.evaluate(now_ms).errors
            self.errors += [f"at {seconds:g} s: {rule}: {why}" for rule, why in errors]
        self._note_changes(seconds)

    def _scrape(self, member: Member, ingest: Ingest, now_ms: int) -> None:
        try:
            page = self.network.page(member.name)
        except Unreachable:
            ingest.fail(ScrapeError("the node does not answer"), now_ms, lambda: _SCRAPE_SECONDS)
        else:
            ingest.store(ingest.read(page, CONTENT_TYPE), now_ms, lambda: _SCRAPE_SECONDS)

    def _note_changes(self, seconds: float) -> None:
        """Pending alerts that went away included, of which a group itself says nothing."""
        now = {
            (rule.rule.name, alert.labels): alert
            for group in self._groups
            for rule in group.rules
            if rule.book is not None
            for alert in rule.book.active
        }
        for key in dict.fromkeys((*self._active, *now)):
            before, after = self._active.get(key), now.get(key)
            states = tuple(alert.state if alert else AlertState.INACTIVE for alert in (before, after))
            if states[0] is not states[1] and (latest := after or before) is not None:
                self.changes.append(Change(seconds, *key, latest.annotations, *states))
        self._active = now
