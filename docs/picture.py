"""Make docs/demo.svg, README's picture: `python docs/picture.py` runs the demo for half a minute."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

from rich.console import Console

from zseval.cli.live import render
from zseval.node.snapshot import Transition
from zseval.zerostate.demo import demo

_WIDTH, _HEIGHT, _SECONDS = 132, 30, 28.0


async def main() -> None:
    history: list[Transition] = []
    async with demo(on_transition=history.append) as running:
        await asyncio.sleep(_SECONDS)
        snapshot = running.node.snapshot()
    console = Console(record=True, width=_WIDTH, height=_HEIGHT, file=io.StringIO(), force_terminal=True)
    console.print(render("zseval demo, 30 times as fast", snapshot, history, height=_HEIGHT))
    picture = Path(__file__).with_name("demo.svg")
    picture.write_text(console.export_svg(title="zseval demo"), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
