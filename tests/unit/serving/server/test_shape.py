"""What a body may hold, told from its bytes."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_serving.server.instances import BadInputError, TooLargeError
from fairlead_serving.server.shape import (
    MAX_ANSWER_VALUES,
    MAX_DEPTH,
    MAX_VALUES,
    SMALL_BYTES,
    Limits,
    check_answer,
    check_shape,
    count_values,
)
from fairlead_serving.server.signature import Column, Kind

COLUMNS = [Column(name=name, kind=Kind.NUMBER) for name in ("price", "load")]
TEXT = Column(name="note", kind=Kind.TEXT)
MOST = 32 * 1024 * 1024
LIMITS = Limits.of(COLUMNS, most=MOST)
WIDE = Limits(body_bytes=MOST, columns=1000)
ROW = '{"price":1,"load":2}'


def body_of(*instances: str) -> bytearray:
    return bytearray(f'{{"instances":[{",".join(instances)}]}}'.encode())


@pytest.mark.parametrize(
    ("columns", "most", "expected"),
    [
        pytest.param(COLUMNS, MOST, 10_000 * (7 + 6 + 2 * 64), id="names and 64 bytes a number"),
        pytest.param([TEXT], MOST, 10_000 * (6 + 1024), id="1024 bytes a string"),
        pytest.param([TEXT] * 100, MOST, MOST, id="never more than is set"),
        pytest.param([], MOST, SMALL_BYTES, id="never less than a small body"),
    ],
)
def test_the_bytes_follow_from_the_columns(columns: list[Column], most: int, expected: int) -> None:
    assert Limits.of(columns, most=most).body_bytes == expected


@pytest.mark.parametrize(
    ("body", "limits"),
    [
        pytest.param(body_of(*[ROW] * 10_000), LIMITS, id="as many rows as may be"),
        pytest.param(body_of('"' + "{[,:" * 100_000 + '"'), LIMITS, id="structure in a string"),
        pytest.param(body_of('"' + '\\"{' * 100_000 + '"'), LIMITS, id="quotes in a string"),
        pytest.param(body_of('"' + "\\\\" * 100_000 + '"'), LIMITS, id="backslashes in a string"),
        pytest.param(body_of('"' + "\\u0000" * 100_000 + '"'), LIMITS, id="escapes in a string"),
        pytest.param(
            bytearray(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH), LIMITS, id="nested to the end"
        ),
        pytest.param(bytearray(b"\xff" * 100_000), LIMITS, id="no text: the parser refuses it"),
    ],
)
def test_what_fits_passes(body: bytearray, limits: Limits) -> None:
    check_shape(body, limits)


@pytest.mark.parametrize(
    ("body", "limits", "kind", "message"),
    [
        pytest.param(
            body_of(*["{}"] * 100_000),
            LIMITS,
            TooLargeError,
            "more than 10000 objects and lists; send at most 10000 instances",
            id="empty objects",
        ),
        pytest.param(
            body_of(*["[]"] * 100_000), LIMITS, TooLargeError, "objects and lists", id="empty lists"
        ),
        pytest.param(
            body_of(*["0"] * 100_000), LIMITS, TooLargeError, "values in 2 objects", id="numbers"
        ),
        pytest.param(
            body_of("{" + ",".join(f'"k{at}":0' for at in range(100_000)) + "}"),
            LIMITS,
            TooLargeError,
            "give each instance the 2 columns of the model alone",
            id="keys of one object",
        ),
        pytest.param(
            body_of("{" + '"k":0,' * 100_000 + '"k":0}'),
            LIMITS,
            TooLargeError,
            "2 columns",
            id="one key again and again",
        ),
        pytest.param(
            body_of(*["{" + "1," * 1000 + "1}"] * 2002),
            WIDE,
            TooLargeError,
            f"more than {MAX_VALUES} values",
            id="values of a wide model",
        ),
        pytest.param(
            bytearray(b"[" * (MAX_DEPTH + 1)), LIMITS, BadInputError, "deeper than 8", id="deep"
        ),
        pytest.param(
            bytearray(b'{"a":' * 990 + b"0" + b"}" * 990), LIMITS, BadInputError, "deeper", id="990"
        ),
        pytest.param(
            body_of('"' + "x" * 300_000 + '"', *["{}"] * 20_000),
            LIMITS,
            TooLargeError,
            "objects and lists",
            id="after a long string",
        ),
    ],
)
def test_what_cannot_be_rows_is_refused(
    body: bytearray, limits: Limits, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        check_shape(body, limits)


def walk(value: Any, depth: int = 1) -> Iterator[int]:
    """Give the depth of each object and list."""
    if isinstance(value, dict | list):
        yield depth
        for inner in value.values() if isinstance(value, dict) else value:
            yield from walk(inner, depth + 1)


@given(
    document=st.recursive(
        st.one_of(st.integers(), st.text('{}[]",\\\u00e9', max_size=8)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.text('{}"\\', max_size=3), inner, max_size=3),
        ),
        max_leaves=12,
    ),
    lists=st.integers(0, 12),
    size=st.integers(1, 40),
)
def test_a_document_passes_exactly_if_it_nests_no_deeper_than_allowed(
    document: Any, lists: int, size: int
) -> None:
    for _ in range(lists):
        document = [document]
    body = bytearray(json.dumps(document, ensure_ascii=False).encode())
    is_deep = max(walk(document), default=0) > MAX_DEPTH

    refused = refusal_of(body, size=size)

    assert is_deep == ("deeper" in refused)


@given(body=st.binary(max_size=200), size=st.integers(1, 40))
def test_any_bytes_pass_or_are_refused_in_words(body: bytes, size: int) -> None:
    refused = refusal_of(bytearray(body), size=size)

    assert refused == "" or refused.startswith("body ")


def refusal_of(body: bytearray, *, size: int) -> str:
    try:
        check_shape(body, LIMITS, size=size)
    except BadInputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("rows", "answer", "most"),
    [
        pytest.param(10_000, np.zeros(10_000), None, id="a number a row"),
        pytest.param(10_000, np.zeros((10_000, 25)), None, id="as many values as fit"),
        pytest.param(10_000, np.zeros((10_000, 26)), 9615, id="one output too many"),
        pytest.param(1000, np.zeros((1000, 1000)), 250, id="a thousand classes"),
        pytest.param(10_000, [0.5] * 10_000, None, id="a list"),
        pytest.param(1000, [[0.5] * 768] * 1000, 325, id="embeddings"),
        pytest.param(1000, [[[0.5] * 20] * 20] * 1000, 625, id="lists in lists"),
        pytest.param(1000, [{"scores": [0.5] * 499}] * 1000, 500, id="objects"),
        pytest.param(1000, [{"k" * 9960: 1}] * 1000, 500, id="names in objects"),
        pytest.param(10, ["x" * 4_999_900] * 10, 1, id="long texts"),
        pytest.param(10_000, ["rise"] * 10_000, None, id="labels"),
    ],
)
def test_an_answer_is_no_larger_than_can_be_sent(rows: int, answer: Any, most: int | None) -> None:
    """A request of 10,000 rows to a model of 1,000 classes was answered with 106 MB."""
    if most is None:
        check_answer(rows, answer)
        return

    with pytest.raises(
        TooLargeError, match=f"more than {MAX_ANSWER_VALUES} values; send at most {most} at"
    ):
        check_answer(rows, answer)
    check_answer(most, answer[:most])


@pytest.mark.parametrize(
    ("names", "most"),
    [
        pytest.param(["yes", "no"], None, id="two words: every row"),
        pytest.param([f"class-{n}" for n in range(25)], 5000, id="many: half as many rows"),
        pytest.param(["x" * 200] * 25, 833, id="long names"),
    ],
)
def test_the_names_of_classes_in_each_row_are_part_of_an_answer(
    names: list[str], most: int | None
) -> None:
    answer, beside = np.zeros((10_000, len(names))), count_values(names)

    if most is None:
        check_answer(10_000, answer, beside=beside)
        return
    with pytest.raises(TooLargeError, match=f"send at most {most} at once"):
        check_answer(10_000, answer, beside=beside)


def test_a_model_that_answers_one_row_with_too_much_is_said_to() -> None:
    with pytest.raises(TooLargeError, match="this model answers too much to be asked"):
        check_answer(1, np.zeros((1, MAX_ANSWER_VALUES + 1)))
