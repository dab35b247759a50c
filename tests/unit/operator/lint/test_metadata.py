"""What is wrong with metadata, before any field of the spec."""

from typing import Any

import pytest

from fairlead_operator.lint.metadata import find_metadata_problems, name_of, unknown_metadata


@pytest.mark.parametrize(
    ("metadata", "field", "words"),
    [
        pytest.param({}, "metadata.name", "Required value: name or generateName", id="no name"),
        pytest.param({"name": ""}, "metadata.name", "Required value", id="an empty name"),
        pytest.param({"name": "A"}, "metadata.name", "RFC 1123", id="a capital"),
        pytest.param({"name": "a_b"}, "metadata.name", "RFC 1123", id="an underscore"),
        pytest.param({"name": "a" * 254}, "metadata.name", "no more than 253", id="too long"),
        pytest.param({"generateName": "A-"}, "metadata.name", "RFC 1123", id="a bad beginning"),
        pytest.param({"name": 5}, "metadata.name", 'write "5"', id="a number for a name"),
        pytest.param({"name": ["A"]}, "metadata.name", "must be text", id="a list for a name"),
        pytest.param(
            {"name": "a", "namespace": True}, "metadata.namespace", 'write "true"', id="a namespace"
        ),
        pytest.param(
            {"name": "a", "labels": {"tier": 1}}, "metadata.labels.tier", 'write "1"', id="a number"
        ),
        pytest.param(
            {"name": "a", "annotations": {"on": True}},
            "metadata.annotations.on",
            'write "true"',
            id="a truth",
        ),
    ],
)
def test_a_mistake_is_told(metadata: dict[str, Any], field: str, words: str) -> None:
    (problem,) = find_metadata_problems(metadata)

    assert problem.field == field
    assert words in problem.message


@pytest.mark.parametrize(
    "metadata",
    [
        pytest.param({"name": "a"}, id="a name"),
        pytest.param({"name": "a.b-1"}, id="a name with dots"),
        pytest.param({"generateName": "a-"}, id="a name to be generated"),
        pytest.param({"name": "a", "labels": None}, id="labels without any"),
        pytest.param({"name": "a", "labels": {"a/b": "c"}, "annotations": {"d": ""}}, id="labels"),
    ],
)
def test_what_is_right_is_let_pass(metadata: dict[str, Any]) -> None:
    assert list(find_metadata_problems(metadata)) == []


def test_a_name_to_be_generated_is_as_long_as_it_will_be() -> None:
    assert len(name_of({"generateName": "a-"})) == len("a-x7k2p")


def test_a_field_that_there_is_not_is_told_with_the_one_that_was_meant() -> None:
    (problem,) = unknown_metadata({"name": "a", "lables": {}})

    assert problem.message == 'unknown field "metadata.lables"'
    assert problem.hint == 'did you mean "metadata.labels"?'
