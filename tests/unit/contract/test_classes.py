"""The classes of a version: in its artifact, for people, and in the record."""

import json
from typing import Any

import pytest

from fairlead_contract.classes import (
    KEY,
    InvalidClassesError,
    Label,
    name_in_record,
    read_classes,
    spell,
    write_classes,
)


@pytest.mark.parametrize(
    "classes",
    [
        pytest.param(("no", "yes"), id="words"),
        pytest.param((-1, 1), id="whole numbers"),
        pytest.param((False, True), id="truths"),
        pytest.param((0.5, 1.5, 2), id="numbers"),
        pytest.param(('"a"', "b,c", "ä", "日本"), id="any letters"),
    ],
)
def test_what_is_written_is_read(classes: tuple[Label, ...]) -> None:
    read = read_classes(write_classes(classes))

    assert read == classes
    assert [type(label) for label in read] == [type(label) for label in classes]


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param(None, id="no metadata"),
        pytest.param({}, id="none of ours"),
        pytest.param({"other": "x"}, id="another's"),
        pytest.param(write_classes(()), id="of plain classes"),
        pytest.param("words", id="no mapping"),
    ],
)
def test_an_artifact_that_names_no_classes(metadata: Any) -> None:
    assert read_classes(metadata) == ()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("[", id="no JSON"),
        pytest.param(7, id="no text"),
        pytest.param("{}", id="no list"),
        pytest.param('["yes"]', id="one class"),
        pytest.param("[]", id="no class"),
        pytest.param('["yes", "yes"]', id="one twice"),
        pytest.param('["1", 1]', id="one twice in the record"),
        pytest.param('["", "yes"]', id="an empty one"),
        pytest.param('["no", null]', id="null"),
        pytest.param("[0, NaN]", id="not a number"),
        pytest.param('["no", ["yes"]]', id="a list"),
        pytest.param(json.dumps(["no", "y" * 201]), id="a long one"),
        pytest.param(json.dumps(list(range(1001))), id="too many"),
        pytest.param("[" * 100_000, id="too deep"),
    ],
)
def test_what_cannot_be_the_classes_is_refused(said: Any) -> None:
    with pytest.raises(InvalidClassesError):
        read_classes({KEY: said})


@pytest.mark.parametrize(
    ("label", "spelled", "recorded"),
    [
        pytest.param("yes", "yes", "yes", id="a word"),
        pytest.param(1, "1", "1", id="a whole number"),
        pytest.param(1.0, "1", "1", id="the same as a float"),
        pytest.param(-1, "-1", "-1", id="a negative one"),
        pytest.param(0.5, "0.5", "0.5", id="a part"),
        pytest.param(True, "true", "1", id="true, which is 1 in the record"),
        pytest.param(False, "false", "0", id="false"),
        pytest.param("a\x00b", "ab", "ab", id="a character that the record cannot hold"),
        pytest.param(1e300, "1e+300", "1e+300", id="a large number"),
        pytest.param(float("inf"), "inf", "inf", id="infinite"),
    ],
)
def test_a_class_has_one_name(label: Label, spelled: str, recorded: str) -> None:
    assert (spell(label), name_in_record(label)) == (spelled, recorded)
