"""Instances taken out of a body, in one go or in pieces."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_serving.server.instances import BadInputError, TooLargeError
from fairlead_serving.server.question import parse_in_pieces, parse_instances
from fairlead_serving.server.shape import SMALL_BYTES

# What cuts have to be kept out of: brackets, quotes and escapes in strings.
CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.sampled_from('ab{}[]",:\\\u00e9\u0000\n'), max_size=12),
)
ROWS = st.lists(st.dictionaries(st.text('ab}"\\', max_size=3), CELLS, max_size=4), max_size=12)


@pytest.mark.parametrize(
    ("body", "instances"),
    [
        pytest.param(b'{"instances": [1]}', [1], id="whatever they are: the reader checks them"),
        pytest.param(b'{"instances": null}', None, id="null"),
        pytest.param(b'{"instances": [{"a": 1, "a": 2}]}', [{"a": 2}], id="the last of a name"),
    ],
)
def test_instances_are_taken_out_as_they_are(body: bytes, instances: object) -> None:
    assert parse_instances(bytearray(body)) == instances


FORMS = [
    pytest.param(b"{", "not JSON", id="cut off"),
    pytest.param(b'{"instances": [{"a": NaN}]}', "send null for a missing value", id="NaN"),
    pytest.param(b'{"instances": [{"a": -Infinity}]}', "send null for a", id="infinity"),
    pytest.param(b'{"instances": [{"a": nan}]}', "no NaN or Infinity", id="NaN in small letters"),
    pytest.param(b'{"instances": [{"a": -NaN}]}', "no NaN or Infinity", id="NaN with a sign"),
    pytest.param(b'{"instances": [{"a": inf}]}', "no NaN or Infinity", id="infinity cut short"),
    pytest.param(b'{"instances": [{"a": 1e400}]}', "infinity when parsed", id="a huge number"),
    pytest.param(b'{"instances": [{"a": %b}]}' % (b"9" * 999), "infinity", id="huge digits"),
    pytest.param(b'{"instances": ["\xff"]}', "not valid UTF-8", id="not UTF-8"),
    pytest.param(b'{"instances": ["\\ud800"]}', "low surrogate", id="half a character"),
    pytest.param(b"[" * 60_000, "depth limit", id="nested beyond the parser"),
    pytest.param(b"[]", "no instances", id="a list"),
    pytest.param(b'{"rows": []}', "no instances", id="another field"),
    pytest.param(b'{"instances": [], "x": 1, "y": 2}', "unknown fields x, y", id="more"),
    pytest.param(b'{"instances": [{}],}', "not JSON", id="a comma too many"),
    pytest.param(b"", "not JSON", id="nothing"),
]


@pytest.mark.parametrize(("body", "message"), FORMS)
def test_a_body_of_another_form_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        parse_instances(bytearray(body))


@pytest.mark.parametrize(("body", "message"), FORMS)
@pytest.mark.parametrize("size", [1, 16, 4096])
def test_pieces_refuse_the_same(size: int, body: bytes, message: str) -> None:
    with pytest.raises(BadInputError):
        parse_in_pieces(bytearray(body), size=size)


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        pytest.param('{"a":1},', "no instance after the comma", id="a comma at the end"),
        pytest.param('{"a":1}{"a":2}', "no comma", id="a comma missing"),
        pytest.param(',{"a":1}', "JSON", id="a comma at the start"),
        pytest.param('{"a":1},,{"a":1}', "JSON", id="two commas"),
        pytest.param('{"a":{"b":1}}', "plain objects", id="an object in an object"),
        pytest.param('{"a":1},{"a":"', "plain objects", id="a string that does not end"),
        pytest.param('{"a":1}],"instances":[{"a":1}', "JSON", id="instances twice"),
    ],
)
def test_pieces_say_what_is_wrong(inner: str, message: str) -> None:
    body = bytearray(b'{"instances":[%b]}' % inner.encode())

    with pytest.raises(BadInputError, match=message):
        parse_in_pieces(body, size=1)


@given(rows=ROWS, size=st.integers(1, 60), indent=st.sampled_from([None, 0, 2]))
def test_pieces_say_what_the_whole_says(
    rows: list[dict[str, Any]], size: int, indent: int | None
) -> None:
    body = bytearray(json.dumps({"instances": rows}, indent=indent).encode())

    assert parse_in_pieces(body, size=size) == orjson.loads(body)["instances"]


@given(
    body=st.one_of(
        st.binary(max_size=80),
        st.text('{}[]",:\\ 1ae', max_size=40).map(
            lambda inner: b'{"instances":[%b]}' % inner.encode()
        ),
    ),
    size=st.integers(1, 40),
)
def test_of_any_bytes_pieces_accept_only_what_the_parser_does(body: bytes, size: int) -> None:
    try:
        instances = parse_in_pieces(bytearray(body), size=size)
    except BadInputError:
        return
    assert orjson.loads(body) == {"instances": instances}


def test_a_large_body_goes_in_pieces() -> None:
    rows = [{"a": at, "b": "x}],[{"} for at in range(40_000)]
    body = bytearray(json.dumps({"instances": rows}).encode())

    assert len(body) > SMALL_BYTES
    assert parse_instances(body) == rows


@pytest.mark.parametrize(
    "instance",
    [
        pytest.param(b'"%b"' % (b"x" * 2_000_000), id="a string"),
        pytest.param(b'{"a":"%b"}' % (b"x" * 2_000_000), id="a cell"),
        pytest.param(b'{"a":"}%b"}' % (b"x" * 2_000_000), id="a cell, with a brace at its start"),
    ],
)
def test_an_instance_has_a_length(instance: bytes) -> None:
    with pytest.raises(TooLargeError, match="longer than 1048576 bytes"):
        parse_instances(bytearray(b'{"instances":[%b,{}]}' % instance))
