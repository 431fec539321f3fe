"""What a plan is built for: the times a query was asked for, and the settings it is read under."""

from __future__ import annotations

from dataclasses import dataclass

from zseval.promql.plan.steps import Steps

__all__ = ["Evaluation", "Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """lookback_ms: how old the sample of an instant selector may be.

    default_step_ms: the step of a subquery without one (the global evaluation interval).
    start_times: use-start-timestamps is on.
    """

    lookback_ms: int
    default_step_ms: int
    start_times: bool = False


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a query was asked for: from start to end (which need not be a step), or once (step_ms 0)."""

    start_ms: int
    end_ms: int
    step_ms: int

    @classmethod
    def instant(cls, time_ms: int) -> Evaluation:
        return cls(time_ms, time_ms, 0)

    @property
    def steps(self) -> Steps:
        if self.step_ms == 0:
            return Steps.at(self.start_ms)
        return Steps.between(self.start_ms, self.end_ms, self.step_ms)
