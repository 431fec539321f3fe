"""`zseval check`: verdicts, words and exit codes; the same verdicts as the real promtool."""
# ruff: noqa: E501 - whole files on one line

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from zseval.cli.main import main

CONFORMANCE = Path(__file__).parents[3] / "shared" / "conformance" / "promtool"
PROMTOOL = shutil.which("promtool")

needs_files = pytest.mark.skipif(not CONFORMANCE.is_dir(), reason="../shared/conformance is not here")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


def rules_file(folder: Path, text: str, name: str = "rules.yml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def one_rule(expr: str) -> str:
    return f"groups:\n- name: g\n  rules:\n  - record: a\n    expr: {expr}\n"


def test_a_good_file_is_a_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = rules_file(tmp_path, one_rule("sum(up)"))
    assert main(["check", "rules", file]) == 0
    out, err = capsys.readouterr()
    assert out == f"Checking {file}\n  SUCCESS: 1 rules found\n\n"
    assert err == ""


def test_a_bad_file_fails_with_a_caret_below_the_character(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = rules_file(tmp_path, one_rule("sum(up"))
    assert main(["check", "rules", file]) == 1
    out, err = capsys.readouterr()
    assert out == f"Checking {file}\n\n"
    failed, reason, line, pointer = err.splitlines()
    assert failed == "  FAILED:"
    assert reason.startswith(f'{file}:5:17: group "g", rule 1, "a": could not parse expression: 1:')
    assert (line, pointer) == ("    expr: sum(up", "                ^")


def test_one_bad_file_fails_the_run_and_the_others_are_still_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = rules_file(tmp_path, "x: 1", "a.yml"), rules_file(tmp_path, one_rule("up"), "b.yml")
    assert main(["check", "rules", bad, str(tmp_path / "none.yml"), good]) == 1
    out, err = capsys.readouterr()
    assert "SUCCESS: 1 rules found" in out
    assert "none.yml: No such file or directory" in err


def test_rules_come_from_standard_input_where_no_file_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(one_rule("up")))
    assert main(["check", "rules"]) == 0
    assert capsys.readouterr().out == "Checking standard input\n  SUCCESS: 1 rules found\n\n"


DUPLICATES = """
groups:
- name: g
  labels: {x: y}
  rules:
  - {record: a, expr: up}
  - {record: a, expr: down}
- name: h
  rules:
  - {record: a, expr: up, labels: {x: y}}
  - {record: b, expr: up}
"""


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 0),
        (["--lint-fatal"], 3),
        (["--lint=none", "--lint-fatal"], 0),
        (["--lint=all", "--lint-fatal"], 3),
    ],
)
def test_duplicates_are_lint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int
) -> None:
    assert main(["check", "rules", *options, rules_file(tmp_path, DUPLICATES)]) == code
    err = capsys.readouterr().err
    expected = (
        "  FAILED:\nlint error 1 duplicate rule(s) found.\nMetric: a\nLabel(s):\n\tx: y\n"
        "Might cause inconsistency while recording expressions\n"
    )
    assert err == ("" if "--lint=none" in options else expected)


def test_an_error_outweighs_lint(tmp_path: Path) -> None:
    files = [rules_file(tmp_path, DUPLICATES), rules_file(tmp_path, one_rule("up)"), "b.yml")]
    assert main(["check", "rules", "--lint-fatal", *files]) == 1


def test_a_wrong_command_line_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 2
    assert main(["check", "nonsense"]) == 2
    assert main(["check", "config"]) == 2
    assert "usage: zseval check" in capsys.readouterr().err


def test_a_configuration_is_checked_with_the_rule_files_it_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules_file(tmp_path, one_rule("up"))
    config = rules_file(tmp_path, "rule_files: [rules.yml]", "prometheus.yml")
    assert main(["check", "config", config]) == 0
    assert capsys.readouterr().out == (
        f"Checking {config}\n  SUCCESS: 1 rule files found\n"
        f" SUCCESS: {config} is valid prometheus config file syntax\n\n"
        f"Checking {tmp_path / 'rules.yml'}\n  SUCCESS: 1 rules found\n\n"
    )
    rules_file(tmp_path, one_rule("up)"))
    assert main(["check", "config", config]) == 1
    assert main(["check", "config", "--syntax-only", config]) == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("rule_files: [none.yml]", 'none.yml" does not point to an existing file'),
        (
            "scrape_configs: [{job_name: a, bearer_token_file: none}]",
            "error checking authorization credentials or bearer token file",
        ),
        (
            "scrape_configs: [{job_name: a, tls_config: {cert_file: none, key_file: none}}]",
            "error checking client cert file",
        ),
        (
            "scrape_configs: [{job_name: a, file_sd_configs: [{files: [bad.json]}]}]",
            "not valid JSON",
        ),
    ],
)
def test_files_a_configuration_needs_must_be_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, reason: str
) -> None:
    rules_file(tmp_path, "[", "bad.json")
    config = rules_file(tmp_path, text, "prometheus.yml")
    assert main(["check", "config", config]) == 1
    assert reason in capsys.readouterr().err
    assert main(["check", "config", "--syntax-only", config]) == 0


def test_a_missing_file_of_targets_is_only_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "scrape_configs: [{job_name: a, file_sd_configs: [{files: [none.json]}]}]"
    assert main(["check", "config", rules_file(tmp_path, text, "p.yml")]) == 0
    assert "WARNING: file" in capsys.readouterr().out


def test_a_long_scrape_interval_is_lint_where_asked_for(tmp_path: Path) -> None:
    config = rules_file(tmp_path, "scrape_configs: [{job_name: a, scrape_interval: 5m}]", "p.yml")
    assert main(["check", "config", "--lint-fatal", config]) == 0
    assert main(["check", "config", "--lint-fatal", "--lint=too-long-scrape-interval", config]) == 3
    assert main(["check", "config", "--lint-fatal", "--lint=all,none", config]) == 0


# Against the real thing ---------------------------------------------------------------------------


def promtool(*args: str) -> int:
    assert PROMTOOL is not None
    return subprocess.run([PROMTOOL, *args], capture_output=True, timeout=60, check=False).returncode


def upstream_files() -> list[str]:
    return sorted(path.name for path in CONFORMANCE.glob("*.yml")) if CONFORMANCE.is_dir() else []


@needs_files
@needs_promtool
@pytest.mark.parametrize("options", [["--lint-fatal"], ["--lint=none", "--lint-fatal"]])
@pytest.mark.parametrize("name", upstream_files())
def test_upstreams_rule_files_get_promtools_verdict(name: str, options: list[str]) -> None:
    file = str(CONFORMANCE / name)
    assert main(["check", "rules", *options, file]) == promtool("check", "rules", *options, file)


RULE_CASES = {
    "empty file": "",
    "no groups": "groups:",
    "group without a name": "groups: [{rules: []}]",
    "group twice": "groups: [{name: a}, {name: a}]",
    "unknown key": "groups: [{name: a, nope: 1}]",
    "bad interval": "groups: [{name: a, interval: 1x}]",
    "interval as a number": "groups: [{name: a, interval: 1}]",
    "bad limit": "groups: [{name: a, limit: x}]",
    "record and alert": "groups: [{name: a, rules: [{record: a, alert: b, expr: up}]}]",
    "neither": "groups: [{name: a, rules: [{expr: up}]}]",
    "no expr": "groups: [{name: a, rules: [{record: a}]}]",
    "expr a number": "groups: [{name: a, rules: [{record: a, expr: 1}]}]",
    "for in a recording rule": "groups: [{name: a, rules: [{record: a, expr: up, for: 5m}]}]",
    "for of zero in a recording rule": "groups: [{name: a, rules: [{record: a, expr: up, for: 0s}]}]",
    "keep_firing_for": "groups: [{name: a, rules: [{alert: a, expr: up, keep_firing_for: 5m}]}]",
    "annotations in a recording rule": "groups: [{name: a, rules: [{record: a, expr: up, annotations: {a: b}}]}]",
    "name as a label": "groups: [{name: a, rules: [{record: a, expr: up, labels: {__name__: b}}]}]",
    "label twice": "groups: [{name: a, rules: [{record: a, expr: up, labels: {x: b, x: c}}]}]",
    "label value a number": "groups: [{name: a, rules: [{record: a, expr: up, labels: {x: 012}}]}]",
    "label value yes": "groups: [{name: a, rules: [{record: a, expr: up, labels: {x: yes}}]}]",
    "type error": "groups: [{name: a, rules: [{record: a, expr: sum(1)}]}]",
    "unknown function": "groups: [{name: a, rules: [{record: a, expr: nope(up)}]}]",
    "range vector": "groups: [{name: a, rules: [{record: a, expr: 'up[5m]'}]}]",
    "tab": "groups:\n\t- name: a",
    "not a mapping": "- a",
    "a second document": "groups: []\n---\nfoo: 1\n",
    "a second document that is no YAML": "groups: []\n--- }\n",
    "null group": "groups: [null]",
    "null rule": "groups: [{name: a, rules: [null]}]",
    "limit with a fraction": "groups: [{name: a, limit: 1.5}]",
    "limit in quotes": "groups: [{name: a, limit: '5'}]",
    "limit in hexadecimal": "groups: [{name: a, limit: 0x10}]",
    "limit far too large": "groups: [{name: a, limit: 99999999999999999999}]",
    "anchors": "groups: [{name: a, rules: [&r {record: a, expr: up}, {<<: *r, record: b}]}]",
}


DIFFERENT_IN_3 = {
    "expr null": ("groups: [{name: a, rules: [{record: a, expr: null}]}]", "2.42 reads a metric named null"),
    "query_offset": ("groups: [{name: a, query_offset: 1m}]", "new in 2.53"),
    "labels of a group": ("groups: [{name: a, labels: {a: b}}]", "new in 3.0"),
    "UTF-8 name": ("groups: [{name: a, rules: [{record: é, expr: up}]}]", "names are UTF-8 since 3.0"),
    "braces in a name": (
        "groups: [{name: a, rules: [{record: 'a{}', expr: up}]}]",
        "a message of its own since 3.0",
    ),
}
"""A rule file, and why 3.x judges it otherwise than 2.42 (or the same for another reason)."""


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("expr null", 1),
        ("query_offset", 0),
        ("labels of a group", 0),
        ("UTF-8 name", 0),
        ("braces in a name", 1),
    ],
)
def test_where_the_versions_differ_the_verdict_is_that_of_3(case: str, code: int, tmp_path: Path) -> None:
    assert main(["check", "rules", rules_file(tmp_path, DIFFERENT_IN_3[case][0])]) == code


@needs_promtool
@pytest.mark.parametrize("case", RULE_CASES)
def test_small_rule_files_get_promtools_verdict(case: str, tmp_path: Path) -> None:
    file = rules_file(tmp_path, RULE_CASES[case])
    assert main(["check", "rules", file]) == promtool("check", "rules", file)


CONFIG_CASES = {
    "empty": "",
    "one job": "scrape_configs: [{job_name: a, static_configs: [{targets: ['a:1']}]}]",
    "job without a name": "scrape_configs: [{}]",
    "job twice": "scrape_configs: [{job_name: a}, {job_name: a}]",
    "timeout above interval": "scrape_configs: [{job_name: a, scrape_interval: 5s, scrape_timeout: 6s}]",
    "unknown key": "scrape_configs: [{job_name: a, nope: 1}]",
    "bad regex": "scrape_configs: [{job_name: a, relabel_configs: [{regex: '('}]}]",
    "target is a URL": "scrape_configs: [{job_name: a, static_configs: [{targets: ['http://a/b']}]}]",
    "two passwords": "scrape_configs: [{job_name: a, basic_auth: {password: a, password_file: b}}]",
    "missing rule file": "rule_files: [none.yml]",
    "missing rule files of a pattern": "rule_files: ['none*.yml']",
    "pattern inside a folder": "rule_files: ['*/x.yml']",
    "bad size": "scrape_configs: [{job_name: a, body_size_limit: 10}]",
    "size": "scrape_configs: [{job_name: a, body_size_limit: 10MB}]",
    "boolean of YAML 1.1": "scrape_configs: [{job_name: a, honor_labels: yes}]",
    "null replacement": "scrape_configs: [{job_name: a, relabel_configs: [{target_label: a, replacement: }]}]",
    "missing token file": "scrape_configs: [{job_name: a, bearer_token_file: none}]",
    "missing target file": "scrape_configs: [{job_name: a, file_sd_configs: [{files: [none.yml]}]}]",
    "alertmanager": "alerting: {alertmanagers: [{static_configs: [{targets: ['a:1']}]}]}",
    "alertmanager with a bad version": "alerting: {alertmanagers: [{api_version: v9}]}",
    "external labels": "global: {external_labels: {a: b, c: '${HOME}'}}",
    "global timeout above interval": "global: {scrape_interval: 5s, scrape_timeout: 6s}",
    "alert relabelling": "alerting: {alert_relabel_configs: [{action: labeldrop, regex: x}]}",
    "boolean in quotes": "scrape_configs: [{job_name: a, honor_labels: 'true'}]",
    "number in quotes": "scrape_configs: [{job_name: a, sample_limit: '5'}]",
    "number with a fraction": "scrape_configs: [{job_name: a, sample_limit: 1.5}]",
    "number in hexadecimal": "scrape_configs: [{job_name: a, sample_limit: 0x10}]",
    "number with underscores": "scrape_configs: [{job_name: a, sample_limit: 1_000}]",
    "number with an exponent": "scrape_configs: [{job_name: a, sample_limit: 1e3}]",
    "number that looks octal": "scrape_configs: [{job_name: a, sample_limit: 089}]",
    "largest number": "scrape_configs: [{job_name: a, sample_limit: 18446744073709551615}]",
    "negative number": "scrape_configs: [{job_name: a, sample_limit: -1}]",
    "target without an address": "scrape_configs: [{job_name: a, static_configs: [{targets: ['']}]}]",
    "null target": "scrape_configs: [{job_name: a, static_configs: [{targets: [null]}]}]",
    "target that relabelling makes one": "scrape_configs: [{job_name: a, static_configs: [{targets: ['a/b']}], relabel_configs: [{target_label: __address__, replacement: c}]}]",
    "target that relabelling breaks": "scrape_configs: [{job_name: a, static_configs: [{targets: [b]}], relabel_configs: [{target_label: __address__, replacement: c/d}]}]",
    "proxy without a scheme": "scrape_configs: [{job_name: a, proxy_url: '::bad'}]",
    "space in a host": "scrape_configs: [{job_name: a, http_sd_configs: [{url: 'http://a b'}]}]",
    "pattern of no form": "scrape_configs: [{job_name: a, file_sd_configs: [{files: ['[a.json']}]}]",
    "rule pattern of no form": "rule_files: ['[a*']",
    "regex of a single byte": "scrape_configs: [{job_name: a, relabel_configs: [{regex: '\\C', target_label: b}]}]",
    "regex quoted to its end": "scrape_configs: [{job_name: a, relabel_configs: [{regex: '\\Qa', target_label: b}]}]",
    "regex quoted in part": "scrape_configs: [{job_name: a, relabel_configs: [{regex: '\\Qa\\E.*', target_label: b}]}]",
    "second document": "global: {}\n---\nfoo: {}",
    "negative port": "scrape_configs: [{job_name: a, dns_sd_configs: [{names: [a], type: A, port: -1}]}]",
    "null job": "scrape_configs: [null]",
    "key twice": "global: {}\nglobal: {}",
}
"""Files that 2.42 and 3.x judge alike. They differ where 3.x has new keys (query_offset,
scrape_config_files, fallback_scrape_protocol …), takes UTF-8 names, and has dropped api_version v1."""


@needs_promtool
@pytest.mark.parametrize("case", CONFIG_CASES)
def test_small_configurations_get_promtools_verdict(case: str, tmp_path: Path) -> None:
    file = rules_file(tmp_path, CONFIG_CASES[case], "prometheus.yml")
    assert main(["check", "config", file]) == promtool("check", "config", file)


TARGET_FILES = {
    "empty": "",
    "null": "null",
    "a mapping": "{}",
    "null group": "[null]",
    "good": '[{"targets": ["a:1"], "labels": {"x": "y"}}]',
    "label that is a number": '[{"targets": ["a:1"], "labels": {"x": 1}}]',
    "target that is a number": '[{"targets": [1]}]',
    "target with a path": '[{"targets": ["a/b"]}]',
    "target without an address": '[{"targets": [""]}]',
    "unknown key": '[{"targets": ["a:1"], "extra": 1}]',
    "no list": '[{"targets": "a"}]',
    "something after it": '[{"targets": ["a:1"]}] x',
}


@needs_promtool
@pytest.mark.parametrize("suffix", ["json", "yaml"])
@pytest.mark.parametrize("case", TARGET_FILES)
def test_files_of_targets_get_promtools_verdict(case: str, suffix: str, tmp_path: Path) -> None:
    rules_file(tmp_path, TARGET_FILES[case], f"targets.{suffix}")
    text = f"scrape_configs: [{{job_name: a, file_sd_configs: [{{files: [targets.{suffix}]}}]}}]"
    file = rules_file(tmp_path, text, "prometheus.yml")
    assert main(["check", "config", file]) == promtool("check", "config", file)
