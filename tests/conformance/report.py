"""How much of the conformance suite passes: `python -m tests.conformance.report [-v] [FILE…]`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.conformance.runner import run_file

SUITE = Path(__file__).parents[2].parent / "shared" / "conformance" / "promqltest"


def main(arguments: list[str]) -> int:
    verbose = "-v" in arguments
    names = [each for each in arguments if not each.startswith("-")]
    paths = [Path(each) if "/" in each else SUITE / f"{each}.test" for each in names] or sorted(
        SUITE.glob("*.test")
    )
    passed = total = 0
    for path in paths:
        outcomes = run_file(path)
        failed = [each for each in outcomes if each.problem]
        with_histograms = sum(each.histograms for each in failed)
        total += len(outcomes)
        passed += len(outcomes) - len(failed)
        print(
            f"{path.stem:24} {len(outcomes) - len(failed):4} of {len(outcomes):4}"
            f"   failed: {len(failed) - with_histograms} float, {with_histograms} with native histograms"
        )
        for each in failed if verbose else []:
            mark = " (native histograms)" if each.histograms else ""
            print(f"  {path.name}:{each.line}{mark} {each.expr}\n      {each.problem}")
    print(f"{'all':24} {passed:4} of {total:4}")
    return 0 if passed == total else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
