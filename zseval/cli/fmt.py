"""`zseval fmt`: expressions, and those in rule files, in their normal layout."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from zseval.cli.output import print_config_error
from zseval.errors import ConfigError, PromQLError, ZsevalError, caret
from zseval.promql.errors import ParseError

__all__ = ["add_arguments", "run"]

_EPILOG = """\
examples:
  zseval fmt 'sum(rate(x[5m]))by(job)'     prints: sum by (job) (rate(x[5m]))
  zseval fmt rules.yml                     lays out the expressions in a rule file, in place
  zseval fmt --check rules/*.yml           changes nothing; exit 1 where something would change
  echo 'up==0' | zseval fmt -              an expression from standard input

An argument that names a file, or ends in .yml or .yaml, is a rule file; any other is an expression. In a rule
file only the text of `expr:` changes. Expressions with comments are left as they are, and named.

exit codes: 0 unchanged or written, 1 something would change (--check), 2 a file or expression cannot be read
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="EXPR|FILE",
        help="an expression or a rule file; - or nothing is standard input",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a layout differs")
    parser.add_argument("--diff", action="store_true", help="write nothing; print what would change")


def run(args: argparse.Namespace) -> int:
    """The worst of: 0, 1 something would change, 2 an error."""
    worst = 0
    for source in args.sources or ["-"]:
        if _is_file(source):
            code = _format_file(source, args)
        else:
            code = _format_expression(sys.stdin.read() if source == "-" else source, args)
        worst = max(worst, code)
    return worst


def _is_file(source: str) -> bool:
    if source.endswith((".yml", ".yaml")):
        return True
    try:
        return Path(source).is_file()
    except (OSError, ValueError):  # too long for a name, or with a NUL: an expression
        return False


# One expression -----------------------------------------------------------------------------------


def _format_expression(text: str, args: argparse.Namespace) -> int:
    from zseval.config.format import has_comment
    from zseval.promql.syntax.parser import parse
    from zseval.promql.syntax.printer import pretty

    try:
        made = pretty(parse(text, features=_all_features()))
    except ParseError as error:
        print(f"zseval fmt: {error}\n{caret(error.query, error.position)}", file=sys.stderr)
        return 2
    if has_comment(text):
        print("zseval fmt: comments in the expression are not kept", file=sys.stderr)
    if args.diff:
        _print_diff(text.strip() + "\n", made + "\n", "expression")
    elif not args.check:
        print(made)
    return int(args.check and made != text.strip())


# Rule files ---------------------------------------------------------------------------------------


def _format_file(file: str, args: argparse.Namespace) -> int:
    from zseval.config.format import format_rules

    try:
        before = Path(file).read_bytes().decode("utf-8")
        formatted = format_rules(before, file, _all_features())
    except OSError as error:
        return _fail(ConfigError(str(error.strerror or error), file=file))
    except UnicodeDecodeError:
        return _fail(ConfigError("not valid UTF-8", file=file))
    except ConfigError as error:
        return _fail(error)
    except (PromQLError, ZsevalError) as error:
        return _fail(ConfigError(str(error), file=file))
    for position in formatted.commented:
        print(f"{file}:{position}: left as it is: it has a comment", file=sys.stderr)
    if formatted.text == before:
        return 0
    if args.diff:
        _print_diff(before, formatted.text, file)
    if args.check:
        print(f"would reformat {file}", file=sys.stderr)
        return 1
    if args.diff:
        return 0
    try:
        Path(file).write_bytes(formatted.text.encode("utf-8"))
    except OSError as error:
        return _fail(ConfigError(str(error.strerror or error), file=file))
    print(f"reformatted {file}", file=sys.stderr)
    return 0


def _fail(error: ConfigError) -> int:
    print_config_error(error)
    return 2


def _print_diff(before: str, after: str, name: str) -> None:
    from difflib import unified_diff

    lines = unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), name, f"{name} (formatted)"
    )
    sys.stdout.writelines(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _all_features() -> frozenset[str]:
    """What an expression may use says nothing about how it is laid out."""
    from zseval.promql.engine import FEATURES

    return FEATURES
