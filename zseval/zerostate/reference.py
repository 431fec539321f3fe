"""The alerts as documentation: writes each rule's comment, expression and fault into `docs/zerostate.md`.

`python -m zseval.zerostate.reference docs/zerostate.md` brings the page up to date; a test compares.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

from zseval.zerostate import RULES, bundled
from zseval.zerostate.simulator.faults import FAULTS, Fault

__all__ = ["alerts_section", "updated"]

_BEGIN = "<!-- alerts: made by zseval.zerostate.reference -->\n"
_END = "<!-- end of alerts -->\n"
_GROUP = re.compile(r"^  - name: zerostate-(\w+)$", re.MULTILINE)
_RULE = re.compile(
    r"(?P<why>(?: {6}# [^\n]*\n)+) {6}- alert: (?P<name>\w+)\n {8}expr: \|\n(?P<expr>(?: {10}[^\n]*\n)+)"
    r" {8}for: (?P<hold>\w+)\n {8}labels:\n {10}severity: (?P<severity>\w+)\n"
)


def alerts_section() -> str:
    """Markdown: a heading a group, then for each alert its expression, why it is so, and its fault."""
    text = bundled(RULES).read_text("utf-8")
    _, *parts = _GROUP.split(text)
    sections = [f"### {name}\n\n{_alerts(body)}" for name, body in zip(parts[::2], parts[1::2], strict=True)]
    return "\n".join(sections)


def updated(page: str) -> str:
    """The page with its section of alerts made anew."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{alerts_section()}\n{_END}{after}"


def _alerts(body: str) -> str:
    return "\n".join(_alert(match) for match in _RULE.finditer(body))


def _alert(rule: re.Match[str]) -> str:
    why = " ".join(line.strip().removeprefix("# ") for line in rule["why"].splitlines())
    expr = textwrap.dedent(rule["expr"])
    head = f"**{rule['name']}**: {rule['severity']}, for {rule['hold']}. {why}"
    return f"{head}\n\n```promql\n{expr}```\n\n{_fault(FAULTS[rule['name']])}\n"


def _fault(fault: Fault) -> str:
    implied = f" Also fires {', '.join(fault.implies)}." if fault.implies else ""
    return f"Fault: {fault.story}.{implied}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(updated(path.read_text("utf-8")), "utf-8")
