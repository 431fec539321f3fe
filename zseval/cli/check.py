"""`zseval check rules` and `zseval check config`: promtool's verdicts, words and exit codes.

Verdicts go to stdout, reasons to stderr. Source: prometheus cmd/promtool/main.go.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from zseval.cli.output import ExitCode, print_config_error
from zseval.errors import ConfigError

if TYPE_CHECKING:
    from zseval.config.schema import Section
    from zseval.model.labels import Labels
    from zseval.rules.rule import Group

__all__ = ["add_arguments", "run"]

_DUPLICATES = "duplicate-rules"
_LONG_INTERVAL = "too-long-scrape-interval"
_RULE_LINTS = ("all", _DUPLICATES, "none")
_CONFIG_LINTS = (*_RULE_LINTS, _LONG_INTERVAL)
_LOOKBACK_MS = 5 * 60_000
_EPILOG = """\
exit codes: 0 all well, 1 a file cannot be used, 2 wrong command line, 3 lint with --lint-fatal
"""


@dataclass(slots=True)
class Verdict:
    """What was found so far: failed at all, and by more than lint."""

    failed: bool = False
    errors: bool = False

    def error(self) -> None:
        self.failed = self.errors = True

    def exit_code(self, lint_fatal: bool) -> ExitCode:
        if self.errors:
            return ExitCode.FAILURE
        return ExitCode.LINT if self.failed and lint_fatal else ExitCode.SUCCESS


@dataclass(frozen=True, slots=True)
class Lint:
    """duplicates: look for rules of the same name and labels.  longest_ms: scrape interval, 0 for any."""

    duplicates: bool = False
    longest_ms: int = 0
    ignore_unknown_fields: bool = False

    @classmethod
    def of(cls, args: argparse.Namespace, known: Sequence[str]) -> Lint:
        options = args.lint.split(",") if args.lint else []
        for option in options:
            if option not in known:
                print(f'WARNING: unknown lint option: "{option}"')
        off = "none" in options and _LONG_INTERVAL in known  # for rules, none merely adds nothing
        return cls(
            duplicates=not off and any(option in ("all", _DUPLICATES) for option in options),
            longest_ms=0 if off or not {"all", _LONG_INTERVAL} & set(options) else args.lookback_ms,
            ignore_unknown_fields=args.ignore_unknown_fields,
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    rules = commands.add_parser("rules", help="check rule files", description="Check rule files.")
    rules.add_argument(
        "files", nargs="*", metavar="FILE", help="a rule file; standard input if there is none"
    )
    _add_lint(rules, _RULE_LINTS)
    rules.set_defaults(check=check_rules, lookback_ms=0)
    config = commands.add_parser(
        "config",
        help="check configuration files",
        description="Check configuration files and what they name.",
    )
    config.add_argument("files", nargs="+", metavar="FILE", help="a configuration file")
    config.add_argument("--syntax-only", action="store_true", help="look at the files given and no others")
    _add_lint(config, _CONFIG_LINTS)
    config.set_defaults(check=check_config, lookback_ms=_LOOKBACK_MS)


def _add_lint(parser: argparse.ArgumentParser, options: Sequence[str]) -> None:
    parser.add_argument(
        "--lint",
        default=_DUPLICATES,
        metavar="NAMES",
        help=f"comma-separated, of {', '.join(options)} (default: {_DUPLICATES})",
    )
    parser.add_argument("--lint-fatal", action="store_true", help="exit with code 3 on lint errors")
    parser.add_argument("--ignore-unknown-fields", action="store_true", help="let rule files have other keys")


def run(args: argparse.Namespace) -> int:
    check: Callable[[argparse.Namespace], ExitCode] = args.check
    return check(args)


# Rules --------------------------------------------------------------------------------------------


def check_rules(args: argparse.Namespace) -> ExitCode:
    lint, verdict = Lint.of(args, _RULE_LINTS), Verdict()
    if args.files:
        _check_rule_files(args.files, lint, verdict)
    else:
        print("Checking standard input", flush=True)
        text = sys.stdin.read()
        _check_rule_text(text, "<stdin>", lint, verdict)
    return verdict.exit_code(args.lint_fatal)


def _check_rule_files(files: Iterable[str], lint: Lint, verdict: Verdict) -> None:
    for file in files:
        print("Checking", file, flush=True)
        try:
            text = _read(file)
        except ConfigError as error:
            _fail(error, verdict)
        else:
            _check_rule_text(text, file, lint, verdict)


def _check_rule_text(text: str, file: str, lint: Lint, verdict: Verdict) -> None:
    from zseval.config.rule_files import parse_rule_file

    try:
        groups = parse_rule_file(text, file, 60_000, ignore_unknown_fields=lint.ignore_unknown_fields)
    except ConfigError as error:
        _fail(error, verdict, lambda _file: text)
        return
    twice = duplicates(groups) if lint.duplicates else []
    if twice:
        verdict.failed = True
        print("  FAILED:", file=sys.stderr)
        print(_duplicates_text(twice), file=sys.stderr, flush=True)
    else:
        print(f"  SUCCESS: {sum(len(group.rules) for group in groups)} rules found")
    print(flush=True)


def _fail(error: ConfigError, verdict: Verdict, read: Callable[[str], str] | None = None) -> None:
    verdict.error()
    print("  FAILED:", file=sys.stderr)
    print_config_error(error, read=read)
    sys.stderr.flush()
    print(flush=True)


def _read(file: str) -> str:
    from zseval.config.load import read_text

    try:
        return read_text(Path(file))
    except OSError as error:
        raise ConfigError(str(error.strerror or error), file=file) from error


def duplicates(groups: Iterable[Group]) -> list[tuple[str, Labels]]:
    """Names and labels that more than one rule has, each once, in order."""
    rules = sorted((rule.name, group.labels.merged(rule.labels)) for group in groups for rule in group.rules)
    return sorted({rule for rule, following in pairwise(rules) if rule == following})


def _duplicates_text(twice: list[tuple[str, Labels]]) -> str:
    lines = [f"lint error {len(twice)} duplicate rule(s) found."]
    for name, labels in twice:
        lines += [f"Metric: {name}", "Label(s):", *(f"\t{key}: {value}" for key, value in labels)]
    return "\n".join([*lines, "Might cause inconsistency while recording expressions"])


# Configuration ------------------------------------------------------------------------------------


def check_config(args: argparse.Namespace) -> ExitCode:
    lint, verdict = Lint.of(args, _CONFIG_LINTS), Verdict()
    for file in args.files:
        rule_files = _check_config_file(file, args.syntax_only, lint, verdict)
        _check_rule_files(rule_files, lint, verdict)
    return verdict.exit_code(args.lint_fatal)


def _check_config_file(file: str, syntax_only: bool, lint: Lint, verdict: Verdict) -> tuple[str, ...]:
    """Checks one file and what it names; returns the rule files it names."""
    from zseval.config.load import load_scrape_configs, read_document

    print("Checking", file, flush=True)
    rule_files: tuple[str, ...] = ()
    try:
        document = read_document(_read(file), file, Path(file).parent)
        scrapes: tuple[Section, ...] = document.root["scrape_configs"]
        if not syntax_only:
            rule_files = _rule_files(document.rule_patterns, file)
            scrapes = load_scrape_configs(document)
            for scrape in scrapes:
                _check_files_of(scrape, file)
                _check_targets_of(scrape, file)
    except ConfigError as error:
        _fail(error, verdict)
        return ()
    if rule_files:
        print(f"  SUCCESS: {len(rule_files)} rule files found")
    print(f" SUCCESS: {file} is valid prometheus config file syntax\n", flush=True)
    if not syntax_only:
        _lint_intervals(scrapes, lint, verdict)
    return rule_files


def _rule_files(patterns: Iterable[str], file: str) -> tuple[str, ...]:
    from zseval.config.load import expand_globs
    from zseval.model.labels import quote

    found: list[str] = []
    for pattern in patterns:
        matches = expand_globs((pattern,))
        if not matches and "*" not in pattern:
            raise ConfigError(f"{quote(pattern)} does not point to an existing file", file=file)
        found.extend(matches)
    return tuple(found)


_FILE_KEYS = (  # section, key, what promtool calls it, and whether promtool fails without it
    ("authorization", "credentials_file", "authorization credentials or bearer token file", True),
    ("tls_config", "cert_file", "client cert file", True),
    ("tls_config", "key_file", "client key file", True),
    ("tls_config", "ca_file", "CA file", False),
    ("basic_auth", "password_file", "password file", False),
    ("basic_auth", "username_file", "username file", False),
)


def _check_files_of(scrape: Section, file: str) -> None:
    """Raises ConfigError where promtool fails for a missing file; of others says that they are missing."""
    for key, name, what, needed in _FILE_KEYS:
        part = scrape[key]
        if part and part[name]:
            _check_exists(part[name], what, file, part, needed)
    if scrape["bearer_token_file"]:
        _check_exists(scrape["bearer_token_file"], _FILE_KEYS[0][2], file, scrape, needed=True)


def _check_exists(path: str, what: str, file: str, part: Section, needed: bool) -> None:
    if Path(path).exists():
        return
    if needed:
        message = f'error checking {what} "{path}": no such file or directory'
        raise ConfigError(message, file=file, position=part.position())
    print(f'  WARNING: {what} "{path}" does not exist')


def _check_targets_of(scrape: Section, file: str) -> None:
    """Raises ConfigError where a target that is listed cannot be one, once it is relabelled."""
    from zseval.config.load import scrape_config, target_group
    from zseval.scrape.target import targets_of_group

    config = scrape_config(scrape)
    listed = [(made, str(number), file) for number, made in enumerate(scrape["static_configs"])]
    for discovery in scrape["file_sd_configs"]:
        for pattern in discovery["files"]:
            listed += _listed_in_files(pattern, scrape["job_name"])
    for made, source, where in listed:
        failures = targets_of_group(config, target_group(made, source))[2]
        if failures:
            raise ConfigError(failures[0], file=where, position=made.position("targets"))


def _listed_in_files(pattern: str, job: str) -> list[tuple[Section, str, str]]:
    from zseval.config.load import expand_globs
    from zseval.config.target_files import read_target_file

    matches = expand_globs((pattern,))
    if not matches:
        print(f'  WARNING: file "{pattern}" for file_sd in scrape job "{job}" does not exist')
    return [
        (made, str(number), path) for path in matches for number, made in enumerate(read_target_file(path))
    ]


def _lint_intervals(scrapes: Iterable[Section], lint: Lint, verdict: Verdict) -> None:
    from zseval.model.duration import format_duration

    for scrape in scrapes:
        interval = scrape["scrape_interval"]
        if lint.longest_ms and interval >= lint.longest_ms:
            verdict.failed = True
            print(
                "  FAILED: too long scrape interval found, data point will be marked as stale - "
                f"job: {scrape['job_name']}, interval: {format_duration(interval)}",
                file=sys.stderr,
            )
            return
