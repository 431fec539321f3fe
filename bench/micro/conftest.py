"""Each benchmark is told how long the calibrated loop took right before and after it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.micro.calibration import calibrated


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Function) -> Generator[None, Any, Any]:
    before = calibrated()
    result = yield
    benchmark = item.funcargs.get("benchmark")
    if isinstance(benchmark, BenchmarkFixture):
        benchmark.extra_info["calibration_s"] = min(before, calibrated())
    return result
