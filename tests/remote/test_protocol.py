"""What a request says of itself, and its body. The texts are Prometheus'."""

from __future__ import annotations

import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.remote.writing import snappy
from zseval.errors import ConfigError
from zseval.remote.protocol import Message, RefusedError, decoded, message_of, require_packages


@pytest.mark.parametrize(
    ("content_type", "message"),
    [
        ("", Message.V1),
        ("application/x-protobuf", Message.V1),
        (" application/x-protobuf ", Message.V1),
        ("application/x-protobuf;proto=prometheus.WriteRequest", Message.V1),
        ("application/x-protobuf;charset=x;proto=prometheus.WriteRequest", Message.V1),
        ("application/x-protobuf;proto=io.prometheus.write.v2.Request", Message.V2),
    ],
)
def test_the_content_type_names_the_message(content_type: str, message: Message) -> None:
    assert message_of(content_type) is message


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        (
            "text/plain",
            "expected application/x-protobuf as the first (media) part, got text/plain content-type",
        ),
        (
            "application/x-protobuf;proto",
            (
                "as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be "
                "key-values, got proto in application/x-protobuf;proto content-type"
            ),
        ),
        (
            "application/x-protobuf;proto=what",
            (
                "got application/x-protobuf;proto=what content type; unknown type for remote write protobuf "
                "message what, supported: prometheus.WriteRequest, io.prometheus.write.v2.Request"
            ),
        ),
    ],
)
def test_another_content_type_is_unsupported(content_type: str, text: str) -> None:
    with pytest.raises(RefusedError) as refused:
        message_of(content_type)
    assert (refused.value.status, str(refused.value)) == (415, text)


@given(content=st.binary(max_size=300), encoding=st.sampled_from(["", "snappy"]))
def test_a_body_comes_out_as_it_went_in(content: bytes, encoding: str) -> None:
    assert decoded(snappy(content), encoding) == content


@given(body=st.binary(max_size=60))
def test_any_bytes_are_a_body_or_refused(body: bytes) -> None:
    try:
        length = len(decoded(body, "snappy", limit=1000))
    except RefusedError as error:
        length = error.status - 400
    assert 0 <= length <= 1000


def test_another_encoding_is_unsupported() -> None:
    with pytest.raises(RefusedError, match="gzip encoding") as refused:
        decoded(b"", "gzip")
    assert refused.value.status == 415


def test_a_body_that_is_too_long_is_refused() -> None:
    with pytest.raises(RefusedError, match="request body exceeds the 10 bytes limit") as refused:
        decoded(bytes(11), "snappy", limit=10)
    assert refused.value.status == 413


def test_a_length_beyond_the_limit_is_refused_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = snappy(bytes(100_000))
    assert len(bomb) < 10_000
    monkeypatch.setattr("cramjam.snappy.decompress_raw", None)
    with pytest.raises(RefusedError, match="decoded size exceeds the 99999 bytes limit") as refused:
        decoded(bomb, "snappy", limit=99_999)
    assert refused.value.status == 400


@pytest.mark.parametrize("body", [b"", b"\xff\xff\xff\xff\xff", b"\xff\xff\xff\xff\x7f", b"\x05\x00"])
def test_a_broken_body_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError, match="snappy: corrupt input"):
        decoded(body, "snappy")


def test_a_missing_package_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "cramjam" else real(name))
    with pytest.raises(ConfigError, match=r"needs cramjam.*pip install 'zseval\[remote\]'"):
        require_packages()
