"""Matchers, and that their fast paths accept what RE2 itself accepts."""

from __future__ import annotations

import pytest
import re2
from hypothesis import example, given
from hypothesis import strategies as st

from zseval.model.matcher import Matcher, MatchType, RegexError, compile_anchored

PATTERNS = [
    "", "foo", "foo|bar", "(foo|bar)", "()", "(|a)", "a|b|", "|", "(a)|(b)", "(a|b", "a|b)", ")(", "((a))",
    "(a|b)|(c|d)", ".*", ".+", ".?", "foo.*", "foo.+", ".*foo", ".+foo", ".*foo.*", ".+foo.+", "foo\n.*",
    ".*\n", "é.*", ".*é", "a|b.*", ".*a|b", "(a|b.*)", r"a\.b", r"a\.*", r"\.*", "^foo", "foo$", "^foo$",
    "^$", "(?i)foo", "(?i:foo|BAR)", "(?-s:.*)", "(?-s:foo.+)", "f.o", ".", "..", ".*.*", ".+.+", "[.]*",
    "a{2}",
    "a**", "*", "+a", "a|*", r"\bfoo\b", r"\d+", r"\pL+", "[[:alpha:]]+", "😀.*", ".*😀", "a\\", "(?=a)",
    r"\Z", "(?P<n>a)b", "foo|(bar)", "x*", "a|", "(?:a|b)", "(?:)", "{", "}", "a]", "[", "a-b", "/", "a b",
    "#", "&",
]  # fmt: skip
VALUES = [
    "", "a", "b", "c", "ab", "foo", "bar", "foo\n", "\nfoo", "foo\nbar", "xfoo", "foox", "fo", "FOO", "Bar",
    "\n", "é", "éa", "aé", "a.b", "axb", "a.", ".", "a|b", "(a|b)", "a|b)", "(a", "aa", "aaa", "1", "😀",
    "x😀", "😀x", "{", "}", "a]", "a-b", "/", "a b", "#", "&", "\x00", "foo\x00",
]  # fmt: skip


def _re2(pattern: str, value: str) -> bool | None:
    """RE2's own verdict on `^(?s:pattern)$`; None where it refuses the pattern."""
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)  # on its own: `a)(b` must not be mended by what is put around it
        return re2.search(rf"\A(?s:{pattern})\z", value, options) is not None
    except re2.error:
        return None


def _ours(pattern: str, value: str) -> bool | None:
    try:
        return compile_anchored(pattern)(value)
    except RegexError:
        return None


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_kind_of_pattern_accepts_what_re2_accepts(pattern: str) -> None:
    assert [_ours(pattern, value) for value in VALUES] == [_re2(pattern, value) for value in VALUES]


@given(
    st.lists(
        st.sampled_from(["a", "b", "é", "\n", "|", "(", ")", ".*", ".+", ".", "?", "\\", "^", "$"]),
        max_size=7,
    ),
    st.text("abé\n|().", max_size=5),
)
@example(["(", "a", ")", "|", "(", "b", ")"], "a")
@example(["a", "|", "b", ")"], "b)")
@example(["(", "a", "|", "b"], "(a")
def test_any_pattern_of_pieces_accepts_what_re2_accepts(pieces: list[str], value: str) -> None:
    pattern = "".join(pieces)
    assert _ours(pattern, value) == _re2(pattern, value)


@given(st.text(max_size=5), st.text(max_size=8))
def test_any_text_is_a_pattern_or_an_error(pattern: str, value: str) -> None:
    assert _ours(pattern, value) == _re2(pattern, value)


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        ("foo", ("foo",)),
        ("a|b|", ("a", "b", "")),
        ("(a|b)", ("a", "b")),
        ("", ("",)),
        ("(a)|(b)", None),
        ("a.*", None),
        ("(?i)a", None),
    ],
)
def test_a_list_of_literals_is_known_as_such(pattern: str, literals: tuple[str, ...] | None) -> None:
    assert Matcher(MatchType.REGEX, "l", pattern).literals == literals


@pytest.mark.parametrize(
    ("type_", "pattern", "accepts", "refuses"),
    [
        (MatchType.EQUAL, "a", "a", "b"),
        (MatchType.NOT_EQUAL, "a", "b", "a"),
        (MatchType.REGEX, "a.*", "ab", "ba"),
        (MatchType.NOT_REGEX, "a.*", "ba", "ab"),
    ],
)
def test_each_kind_of_matcher_decides(type_: MatchType, pattern: str, accepts: str, refuses: str) -> None:
    matcher = Matcher(type_, "l", pattern)
    assert matcher.matches(accepts)
    assert not matcher.matches(refuses)


def test_the_empty_value_stands_for_an_absent_label() -> None:
    assert Matcher(MatchType.EQUAL, "l", "").matches_empty
    assert Matcher(MatchType.REGEX, "l", ".*").matches_empty
    assert Matcher(MatchType.NOT_EQUAL, "l", "a").matches_empty
    assert not Matcher(MatchType.REGEX, "l", ".+").matches_empty
    assert not Matcher(MatchType.NOT_REGEX, "l", "a|").matches_empty


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("a(b", "missing closing ): `a(b`"),
        ("[z", "missing closing ]: `[z`"),
        (")", "unexpected ): `)`"),
        ("*", "missing argument to repetition operator: `*`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a{2,1}", "invalid repeat count: `{2,1}`"),
        ("(?=x)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?P<n", "invalid named capture: `(?P<n`"),
        ("\\8", "invalid escape sequence: `\\8`"),
        ("[b-a]", "invalid character class range: `b-a`"),
        ("a\\", "trailing backslash at end of expression: ``"),
    ],
)
def test_a_pattern_that_re2_refuses_is_refused_in_go_words(pattern: str, reason: str) -> None:
    with pytest.raises(RegexError) as caught:
        Matcher(MatchType.REGEX, "l", pattern)
    assert str(caught.value) == f"error parsing regexp: {reason}"


def test_a_matcher_prints_as_it_is_written() -> None:
    assert str(Matcher(MatchType.NOT_REGEX, "job", 'a"b')) == r'job!~"a\"b"'
    assert str(Matcher(MatchType.EQUAL, "my.label", "x")) == '"my.label"="x"'
    assert str(Matcher.metric("up")) == '__name__="up"'


def test_matchers_are_equal_by_what_they_say() -> None:
    assert Matcher(MatchType.REGEX, "a", "b.*") == Matcher(MatchType.REGEX, "a", "b.*")
    assert len({Matcher(MatchType.REGEX, "a", "b.*"), Matcher(MatchType.REGEX, "a", "b.*")}) == 1
    assert Matcher(MatchType.REGEX, "a", "b") != Matcher(MatchType.EQUAL, "a", "b")


def test_a_pattern_that_would_take_exponential_time_elsewhere_is_linear() -> None:
    assert not Matcher(MatchType.REGEX, "l", "(a*)*b").matches("a" * 100_000)
