"""The metrics of the execution layer. Tasks are stopped at 30 s and at 128 MB; buckets reach past both."""

from __future__ import annotations

from zseval.zerostate.simulator.distributions import Lognormal, Mixture, lognormal
from zseval.zerostate.simulator.families import (
    ALONE,
    Counter,
    Family,
    Gauge,
    Histogram,
    Key,
    Share,
    Spread,
    divided,
    scaled,
    shares,
)
from zseval.zerostate.simulator.members import Condition, Member, Role

__all__ = ["execution_families"]

_MB = 2.0**20
_TIME_LIMIT = 30.0
_MEMORY_LIMIT = 128 * _MB

_TASK_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 45.0, 60.0)
_MEMORY = tuple(mb * _MB for mb in (1, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128, 160, 256))
_WAIT_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
_SIZES = (256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0, 16_384.0, 65_536.0)
_COST = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)

_TYPES = ("inference", "transform")
_PRIORITIES = ("high", "normal", "low")
_OPERATIONS = ("create", "join", "dissolve")


def execution_families(member: Member) -> list[Family]:
    return [*_tasks(), *_guilds(member), *_wasm(), *_receipts(), *_costs(), *_resources(), *_errors()]


def _task_seconds(now: Condition) -> Mixture:
    """Tasks that end by themselves, and those that are stopped a little after their limit."""
    ended = Lognormal(now.task_seconds, now.task_spread, limit=_TIME_LIMIT)
    stopped = Lognormal(_TIME_LIMIT * 1.02, 0.005)
    return Mixture(((1.0 - now.task_timeout, ended), (now.task_timeout, stopped)))


def _memory(now: Condition) -> Mixture:
    return lognormal(now.memory_bytes, now.memory_spread, limit=_MEMORY_LIMIT)


def _work(now: Condition) -> float:
    return now.guilds * now.task_load


def _per_type(spread: Spread) -> dict[Key, tuple[Share, Spread]]:
    return {(name,): (part, spread) for name, part in divided(_TYPES).items()}


def _tasks() -> list[Family]:
    return [
        Counter(
            "execution_tasks_total",
            "tasks",
            {
                ("success",): lambda now: 1.0 - now.task_failure - now.task_timeout,
                ("failure",): lambda now: now.task_failure,
                ("timeout",): lambda now: now.task_timeout,
            },
        ),
        Histogram("execution_task_duration_seconds", "tasks", _TASK_SECONDS, {ALONE: (1.0, _task_seconds)}),
        Histogram("execution_memory_bytes", "tasks", _MEMORY, {ALONE: (1.0, _memory)}),
        Gauge(
            "execution_tasks_active",
            {(name,): scaled(4 * part, _work) for name, part in divided(_TYPES).items()},
        ),
        Gauge(
            "execution_task_queue_depth",
            {(name,): scaled(3 * part, _work) for name, part in divided(_PRIORITIES).items()},
            swing=0.5,
        ),
        Histogram(
            "execution_task_queue_latency_seconds",
            "tasks",
            _WAIT_SECONDS,
            {(name,): (part, lognormal(0.1 / part, 0.9)) for name, part in divided(_PRIORITIES).items()},
        ),
    ]


def _guilds(member: Member) -> list[Family]:
    names = [f"guild-{member.name}-{n}" for n in (1, 2, 3)] if member.role is Role.EDGE else []
    dissolved = 40.0 if names else 0.0
    return [
        Gauge(
            "execution_guilds_total",
            {("created",): 0.0, ("dissolved",): dissolved, ("active",): lambda now: now.guilds},
            swing=0.0,
            total=("created",),
        ),
        Gauge(
            "execution_guild_members",
            {(name,): scaled(1.0 + n / 2, lambda now: now.guilds) for n, name in enumerate(names)},
        ),
        Gauge(
            "execution_guild_total",
            {("forming",): lambda now: now.guilds / 3, ("active",): lambda now: now.guilds},
            swing=0.0,
        ),
        Counter(
            "execution_guild_operations_total",
            "guilds",
            {
                (name, status): share
                for name in _OPERATIONS
                for status, share in (("ok", 0.32), ("error", 0.01))
            },
        ),
        Histogram(
            "execution_guild_operation_duration_seconds",
            "guilds",
            _WAIT_SECONDS,
            {(name,): (0.33, lognormal(0.4, 0.6)) for name in _OPERATIONS},
        ),
    ]


def _wasm() -> list[Family]:
    return [
        Counter(
            "execution_wasm_exit_codes_total",
            "tasks",
            {
                ("0",): lambda now: 1.0 - now.task_failure - now.task_timeout,
                ("1",): lambda now: now.task_failure * 0.7,
                ("124",): lambda now: now.task_timeout,
                ("134",): lambda now: now.task_failure * 0.3,
            },
        ),
        Counter(
            "execution_wasm_executions_total",
            "tasks",
            {
                ("success",): lambda now: 1.0 - now.task_failure - now.task_timeout,
                ("error",): lambda now: now.task_failure + now.task_timeout,
            },
        ),
        Histogram(
            "execution_wasm_execution_duration_seconds", "tasks", _TASK_SECONDS, {ALONE: (1.0, _task_seconds)}
        ),
        Histogram("execution_wasm_memory_bytes", "tasks", _MEMORY, {ALONE: (1.0, _memory)}),
        Histogram(
            "execution_wasm_validation_duration_seconds",
            "tasks",
            _QUICK,
            {ALONE: (1.0, lognormal(0.006, 0.5))},
        ),
        Counter("execution_manifests_created_total", "tasks", shares(_TYPES)),
        Counter("execution_manifest_validation_total", "tasks", {("valid",): 0.995, ("invalid",): 0.005}),
        Histogram("execution_manifest_size_bytes", "tasks", _SIZES, {ALONE: (1.0, lognormal(1800.0, 0.6))}),
    ]


def _receipts() -> list[Family]:
    return [
        Counter(
            "execution_receipts_total", "tasks", {("signed",): 0.99, ("verified",): 0.98, ("failed",): 0.002}
        ),
        Counter("execution_receipts_generated_total", "tasks", {ALONE: 0.99}),
        Counter("execution_receipts_signed_total", "tasks", {("executor",): 0.99, ("requester",): 0.98}),
        Counter("execution_receipts_verified_total", "tasks", {("valid",): 0.98, ("invalid",): 0.002}),
        Histogram("execution_receipt_size_bytes", "tasks", _SIZES, {ALONE: (0.99, lognormal(900.0, 0.3))}),
    ]


def _costs() -> list[Family]:
    return [
        Histogram("execution_task_cost", "tasks", _COST, {ALONE: (1.0, lognormal(4.0, 0.8))}),
        Histogram("execution_task_cost_estimated_units", "tasks", _COST, _per_type(lognormal(4.5, 0.8))),
        Histogram("execution_task_cost_actual_units", "tasks", _COST, _per_type(lognormal(4.0, 0.8))),
        Counter("execution_task_cost_capped_total", "tasks", shares(_TYPES, 0.02)),
        Histogram("execution_task_cost_savings_units", "tasks", _COST, {ALONE: (0.6, lognormal(0.6, 0.7))}),
    ]


def _resources() -> list[Family]:
    return [
        Histogram(
            "execution_cpu_seconds",
            "tasks",
            _TASK_SECONDS,
            _per_type(lambda now: lognormal(now.task_seconds * 0.8, now.task_spread, limit=_TIME_LIMIT)),
        ),
        Histogram("execution_memory_allocated_bytes", "tasks", _MEMORY, _per_type(_memory)),
        Gauge(
            "execution_storage_used_bytes",
            {("modules",): 180 * _MB, ("results",): lambda now: now.guilds * 220 * _MB},
        ),
    ]


def _errors() -> list[Family]:
    return [
        Counter(
            "execution_errors_total",
            "tasks",
            {
                ("wasm", "trap"): lambda now: now.task_failure * 0.5,
                ("wasm", "out_of_memory"): lambda now: now.task_failure * 0.2,
                ("host", "io"): lambda now: now.task_failure * 0.3,
            },
        ),
        Counter(
            "execution_validation_errors_total",
            "tasks",
            {("manifest", "schema"): 0.004, ("module", "imports"): 0.001},
        ),
        Counter(
            "execution_timeout_errors_total",
            "tasks",
            {(name,): scaled(part, lambda now: now.task_timeout) for name, part in divided(_TYPES).items()},
        ),
    ]
