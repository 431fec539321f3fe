"""Time against the number of series held, as SVG."""

from __future__ import annotations

import statistics
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "zseval", "svg.fonttype": "none", "font.size": 9})

from matplotlib.figure import Figure  # noqa: E402 - the backend has to be chosen first

from bench.peers.results import Store  # noqa: E402
from bench.peers.servers import PROMETHEUS, VICTORIA, ZSEVAL  # noqa: E402

__all__ = ["draw"]

_STYLES = {
    ZSEVAL: ("#d1495b", "o", "zseval"),
    PROMETHEUS: ("#e6a117", "s", "Prometheus"),
    VICTORIA: ("#4059ad", "^", "VictoriaMetrics"),
}
_ROWS = {
    "range": "Range queries against series held",
    "instant": "Instant queries against series held",
    "memory": "Memory against series held",
}
_COLUMNS = 4


def draw(store: Store, folder: Path) -> dict[str, str]:
    """A picture a row measured at two scales or more; title and file, as docs/ names it."""
    drawn = {}
    for row, title in _ROWS.items():
        measurements = store.of(row)
        if len(measurements) < 2:
            continue
        names = [case.name for case in measurements[-1].cases]
        figure = _figure(names)
        for axes, name in zip(figure.axes, names, strict=True):
            for server, (color, marker, label) in _STYLES.items():
                found = [(each.scale, each.case(name)) for each in measurements]
                points = [
                    (scale, statistics.median(case.samples[server]))
                    for scale, case in found
                    if case is not None and case.samples.get(server)
                ]
                if points:
                    axes.plot(
                        *zip(*points, strict=True), color=color, marker=marker, label=label, markersize=4
                    )
            unit = next(case.unit for case in measurements[-1].cases if case.name == name)
            axes.set(xscale="log", yscale="log", title=name, xlabel="series", ylabel=unit)
            axes.grid(visible=True, which="major", alpha=0.3)
        figure.axes[0].legend(frameon=False)
        file = f"performance-{row}.svg"
        figure.savefig(folder / file, metadata={"Date": None})
        drawn[title] = file
    return drawn


def _figure(names: list[str]) -> Figure:
    columns = min(_COLUMNS, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(3 * columns, 2.5 * rows), layout="constrained")
    for number in range(len(names)):
        figure.add_subplot(rows, columns, number + 1)
    return figure
