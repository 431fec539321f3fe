"""The command table: which module answers to which word.

`zseval rules.yml` runs a node; any other first word must be a command. A command's module is
imported only when it is asked for, so `check` and `query` do not pay for the server.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import NoReturn

from zseval import __version__
from zseval.errors import ZsevalError

__all__ = ["COMMANDS", "main", "run"]


@dataclass(frozen=True, slots=True)
class Command:
    """A module with `add_arguments(parser)` and `run(args) -> int`, its exit code."""

    module: str
    help: str


COMMANDS = {
    "run": Command("zseval.cli.run", "scrape, evaluate rules, alert and serve (the default command)"),
    "check": Command("zseval.cli.check", "check rule and configuration files"),
    "query": Command("zseval.cli.query", "evaluate one expression, over HTTP or a metrics file"),
    "explain": Command("zseval.cli.explain", "show what each part of a query gives, and why it is empty"),
    "fmt": Command("zseval.cli.fmt", "lay out expressions, and those in rule files"),
    "demo": Command("zseval.cli.demo", "a simulated ZeroState network, scraped, with alerts firing live"),
    "simulate": Command(
        "zseval.zerostate.simulator.command", "serve the simulated ZeroState network's metrics"
    ),
}

_USAGE = "zseval RULES.yml [options] | zseval COMMAND [options]"
_EPILOG = """\
the first five minutes:
  zseval demo                                    see it work, without any set-up
  zseval rules.yml --target http://host:8080/metrics
  zseval check rules rules.yml
  zseval query 'up == 0' --url http://localhost:9090

`zseval COMMAND --help` explains a command; `zseval run --help` is about running a node.
"""


def run() -> NoReturn:
    """The `zseval` script."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal or locale may lack a label value's letters
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Carry out one command line; returns the exit code (2 for a usage error)."""
    if not argv or argv[0] in ("-h", "--help"):
        _overview().print_help()
        return 0 if argv else 2
    if argv[0] == "--version":
        print(f"zseval {__version__}")
        return 0
    name, rest = (argv[0], argv[1:]) if argv[0] in COMMANDS else ("run", argv)
    meant = "" if argv[0] in COMMANDS else _misspelt(argv[0])
    if meant:
        print(
            f'zseval: error: "{argv[0]}" is no command and no file; did you mean "{meant}"?', file=sys.stderr
        )
        return 2
    command = COMMANDS[name]
    module = import_module(command.module)
    parser = argparse.ArgumentParser(
        prog=f"zseval {name}",
        description=command.help[0].upper() + command.help[1:] + ".",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    try:
        args = parser.parse_args(rest)
    except SystemExit as exit_:
        return int(exit_.code or 0)
    return _carry_out(module.run, args)


def _misspelt(word: str) -> str:
    """The command that someone meant who wrote `word`, which is none and no file either; or ""."""
    if word.startswith("-") or os.path.exists(word):  # noqa: PTH110 - pathlib is slow to import
        return ""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, COMMANDS, n=1)), "")


def _carry_out(command: Callable[[argparse.Namespace], int], args: argparse.Namespace) -> int:
    try:
        return command(args)
    except ZsevalError as error:
        print(f"zseval: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away; nothing to say and nobody to say it to
        return 141


def _overview() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="zseval",
        usage=_USAGE,
        description="Scrape, keep, query and alert on Prometheus metrics in one small process.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_argument_group("commands")
    for name, command in COMMANDS.items():
        commands.add_argument(name, help=command.help, nargs="?")
    parser.add_argument("--version", action="version", version=f"zseval {__version__}")
    return parser
