"""`python -m bench.micro save|compare`: has something become slower?

Runs the benchmarks of this folder and divides each by a numpy loop that is timed beside it, so that neither
the machine nor what else it does counts for much. save: keep the ratios as the baseline of this kind of
processor. compare: exit with 1 where one is more than 20 % above it; what seems so is run again before it is
believed. A processor without a baseline is an error, which says how to save one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.micro.ratios import ALLOWED, Ratios, best_of, changes, ratios_of, read, write
from bench.processor import processor

__all__ = ["main"]

_FOLDER = Path(__file__).resolve().parent
_ROOT = _FOLDER.parents[1]
_BASELINE = _FOLDER / "baseline.json"
_SHOWN = 15


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.micro", description=__doc__)
    parser.add_argument("action", choices=("save", "compare"))
    parser.add_argument(
        "--rounds", type=int, default=3, help="how often all of them are run; the best counts"
    )
    parser.add_argument("--again", type=int, default=3, help="how often what seems slower is run again")
    parser.add_argument("--baseline", type=Path, default=_BASELINE)
    parser.add_argument("-k", default="", metavar="WORDS", help="pytest's choice of benchmarks")
    args = parser.parse_args(argv)
    chosen, kind = ["-k", args.k] if args.k else [], processor()
    kept = read(args.baseline, kind)
    if args.action == "compare" and not kept:
        print(
            f"there is no baseline of a {kind} in {args.baseline}: at the commit to compare with, run"
            " `python -m bench.micro save`",
            file=sys.stderr,
        )
        return 2
    now = best_of(*(_run(chosen) for _ in range(args.rounds)))
    if args.action == "save":
        write(args.baseline, kind, (kept if args.k else {}) | now)
        print(f"{len(now)} ratios of a {kind} are in {args.baseline}")
        return 0
    return _compare(kept, now, args.again)


def _compare(before: Ratios, now: Ratios, again: int) -> int:
    for _ in range(again):
        suspects = [change.name for change in changes(before, now) if change.is_regression]
        if not suspects:
            break
        now = best_of(now, _run([f"bench/micro/{name}" for name in suspects]))
    found = changes(before, now)
    for change in found[:_SHOWN]:
        mark = "slower" if change.is_regression else ""
        print(f"{change.factor:6.2f} x {change.before:9.4g} -> {change.now:9.4g}  {change.name} {mark}")
    for name in sorted(now.keys() - before.keys()):
        print(f"   new             -> {now[name]:9.4g}  {name}")
    slower = sum(change.is_regression for change in found)
    print(f"{len(found)} compared, {slower} of them more than {ALLOWED - 1:.0%} slower")
    return 1 if slower or not found else 0


def _run(arguments: Sequence[str]) -> Ratios:
    """All benchmarks, or those that the arguments of pytest choose."""
    where = [] if any("::" in each for each in arguments) else ["bench/micro"]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            sys.executable, "-m", "pytest", *where, *arguments, "-q", "--no-header", "-p", "no:cacheprovider",
            "-o", "python_files=bench_*.py", "-o", "python_functions=bench_* test_*",
            "--benchmark-only", "--benchmark-disable-gc", "--benchmark-max-time=0.1",
            "--benchmark-min-rounds=3", "--benchmark-warmup=off",
            f"--benchmark-json={report}", "--benchmark-columns=min",
        ]  # fmt: skip
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"the benchmarks failed:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
        return ratios_of(json.loads(report.read_text()))


if __name__ == "__main__":
    sys.exit(main())
