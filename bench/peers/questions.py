"""The questions that every server is asked, as issue and documentation name them."""

from __future__ import annotations

from dataclasses import dataclass

from bench.peers.client import Answer, Client

__all__ = ["INSTANT", "RANGE", "TINY", "Question"]

_STEPS = 240
_STEP_S = 15


@dataclass(frozen=True, slots=True)
class Question:
    """steps: 0 for an instant query.  same: VictoriaMetrics means the same by it, values and all.

    chosen: which series come out depends on the values, so that VictoriaMetrics may choose others.
    """

    name: str
    expr: str
    steps: int = _STEPS
    same: bool = False
    chosen: bool = False

    def ask(self, client: Client, end_s: float) -> Answer:
        if not self.steps:
            return client.get("/api/v1/query", query=self.expr, time=repr(end_s))
        start = end_s - self.steps * _STEP_S
        return client.get(
            "/api/v1/query_range", query=self.expr, start=repr(start), end=repr(end_s), step=str(_STEP_S)
        )


RANGE = (
    Question("sum by rate", "sum by (code) (rate(http_requests_total[5m]))"),
    Question(
        "histogram_quantile",
        "histogram_quantile(0.95, sum by (le, job) (rate(http_request_duration_seconds_bucket[5m])))",
    ),
    Question(
        "ratio of rates, matched",
        "max by (instance) (rate(rpc_bytes_total[5m]) / rate(rpc_calls_total[5m]))",
    ),
    Question(
        "ratio of sums of rates",
        'sum by (job) (rate(http_requests_total{code=~"5.."}[5m]))'
        " / sum by (job) (rate(http_requests_total[5m]))",
    ),
    Question("topk of rate", "topk(10, rate(rpc_bytes_total[5m]))", chosen=True),
    Question("max_over_time", "max by (job) (max_over_time(process_memory_bytes[10m]))", same=True),
    Question("avg_over_time", "avg by (job) (avg_over_time(queue_latency_seconds[10m]))", same=True),
    Question(
        "quantile_over_time", "max by (job) (quantile_over_time(0.9, queue_latency_seconds[10m]))", same=True
    ),
    Question("deriv", "sum by (job) (deriv(queue_latency_seconds[10m]))"),
    Question("predict_linear", "min by (job) (predict_linear(disk_free_bytes[10m], 3600))"),
    Question("count by", "count by (job, code) (http_requests_total)", same=True),
    Question("subquery", "max_over_time(sum(rate(rpc_calls_total[5m]))[604s:1m])"),
    Question("whole series", "cpu_busy_percent", same=True),
)

INSTANT = (
    Question("sum by rate", RANGE[0].expr, 0),
    Question("histogram_quantile", RANGE[1].expr, 0),
    Question("series listed", "http_requests_total", 0, same=True),
)

_ONE = 'instance="host-000.example:9100",method="GET",handler=~"/api/v1/item[0-3]"'  # 20 series
TINY = (
    Question("tiny, listed", f"http_requests_total{{{_ONE}}}", 0, same=True),
    Question("tiny, sum by rate", f"sum by (code) (rate(http_requests_total{{{_ONE}}}[5m]))", 0),
    Question("tiny, a graph", f"sum by (code) (rate(http_requests_total{{{_ONE}}}[5m]))", 40),
)
