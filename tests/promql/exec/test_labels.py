"""Templates of label_replace expand as Go's Regexp.Expand does."""

from __future__ import annotations

import pytest

from zseval.promql.exec.labels import expand_template

GROUPS = {"0": "whole", "1": "one", "2": "", "name": "one", "1st": "first"}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("plain", "plain"),
        ("$1", "one"),
        ("${1}st", "onest"),
        ("$1st", "first"),
        ("$1x", ""),  # the longest name counts: there is no group 1x
        ("$name-${name}", "one-one"),
        ("$0/$2/$9", "whole//"),
        ("$$1", "$1"),
        ("a$", "a$"),
        ("$-$ {1}", "$-$ {1}"),
        ("${open", "${open"),
    ],
)
def test_expansion(template: str, expected: str) -> None:
    assert expand_template(template, GROUPS) == expected
