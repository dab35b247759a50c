"""What an MLmodel file says, and what a new version changes for its callers."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fairlead_contract.classes import write_classes
from fairlead_operator.signature import (
    Change,
    Column,
    Signature,
    describe_change,
    find_change,
    read_signature,
)
from support import baits


def mlmodel(**signature: Any) -> str:
    """Write the file as MLflow does."""
    parts = {name: part and json.dumps(part) for name, part in signature.items()}
    return yaml.dump({"flavors": {}, "signature": parts or None, "utc_time_created": "now"})


def test_columns_are_read_as_mlflow_writes_them() -> None:
    text = mlmodel(
        inputs=[
            {"type": "double", "name": "price", "required": True},
            {"type": "string", "name": "kind", "required": False},
            {"type": "array", "items": {"type": "long"}, "name": "days"},
        ],
        outputs=[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1]}}],
    )

    assert read_signature(text) == Signature(
        inputs=(
            Column(name="price", type="double"),
            Column(name="kind", type="string", required=False),
            Column(name="days", type='{"items": {"type": "long"}, "type": "array"}'),
        ),
        outputs=(Column(name="", type="tensor of float32 [-1]"),),
    )


def test_classes_are_read_as_the_trainer_writes_them() -> None:
    inputs = json.dumps([{"type": "double", "name": "price"}])
    said = {"signature": {"inputs": inputs}, "metadata": write_classes((False, True))}

    assert read_signature(yaml.dump(said)).classes == ("false", "true")


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        pytest.param((), (), "", id="numbers both"),
        pytest.param(("no", "yes"), ("no", "yes"), "", id="the same words"),
        pytest.param(
            (), ("no", "yes"), "its answers were numbers and are labels of no, yes", id="words now"
        ),
        pytest.param(
            ("a", "b"),
            ("a", "b", "c"),
            "were labels of a, b and are labels of a, b, c",
            id="one more",
        ),
        pytest.param(("a", "b"), ("b", "a"), "a, b and are labels of b, a", id="another order"),
    ],
)
def test_other_answers_are_told_and_refuse_nobody(
    before: tuple[str, ...], now: tuple[str, ...], words: str
) -> None:
    change = find_change(Signature(classes=before), Signature(classes=now))

    assert words in change.words
    assert bool(change.words) is bool(words)
    assert not change.refuses


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(mlmodel(), "without a signature", id="no signature"),
        pytest.param(mlmodel(inputs=None), "without a signature", id="no inputs"),
        pytest.param("", "without a signature", id="empty"),
        pytest.param("[1]", "without a signature", id="a list"),
        pytest.param("{", "cannot be read", id="not YAML"),
        pytest.param("signature: {inputs: '{'}", "cannot be read", id="inputs are no JSON"),
        pytest.param("signature: {inputs: '[1]'}", "cannot be read", id="no columns"),
        pytest.param(
            "a: &a [x, x]\nb: &b [*a, *a]\nsignature: {inputs: [{type: *b, name: y}]}",
            "no JSON text",
            id="YAML that shares what it holds, and would not end if it were written out",
        ),
        pytest.param(
            "signature: {inputs: '[]'}\nmetadata: {fairlead.classes: '[1]'}",
            "does not name 2 to",
            id="one class",
        ),
        pytest.param(baits.MERGES, "cannot be read", id="merge keys that would not end"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_signature(text)


@given(st.text())
def test_any_text_is_a_signature_or_refused(text: str) -> None:
    try:
        read_signature(text)
    except ValueError:
        return


def takes(*columns: str, gives: str = "double") -> Signature:
    """Write columns as ``name type``, with a question mark behind those that may be missing."""
    return Signature(
        inputs=tuple(
            Column(
                name=column.split()[0],
                type=column.split()[1].removesuffix("?"),
                required=not column.endswith("?"),
            )
            for column in columns
        ),
        outputs=(Column(name="", type=gives),),
    )


BASE = takes("a double", "y double", "z long")


@pytest.mark.parametrize(
    ("candidate", "words", "refuses"),
    [
        pytest.param(BASE, "", False, id="the same"),
        pytest.param(takes("z long", "a double", "y double"), "", False, id="another order"),
        pytest.param(
            takes("a double", "y double", "z long", "x double"),
            "adds x (double)",
            True,
            id="a column more",
        ),
        pytest.param(
            takes("a double", "y double", "z long", "x string?"),
            "adds x (string, optional)",
            False,
            id="one more that may be missing",
        ),
        pytest.param(takes("a double", "z long"), "drops y", True, id="a column less"),
        pytest.param(
            takes("a double", "y double", "z double"),
            "z was long and is double",
            False,
            id="a wider type",
        ),
        pytest.param(
            takes("a long", "y double", "z long"),
            "a was double and is long",
            True,
            id="a narrower type",
        ),
        pytest.param(
            takes("a double", "y double", "z string"),
            "z was long and is string",
            True,
            id="another type",
        ),
        pytest.param(
            takes("a double", "y double?", "z long"),
            "no longer requires y",
            False,
            id="one may be missing now",
        ),
        pytest.param(
            takes("a double", "x double", "z double"),
            "adds x (double), drops y, z was long and is double",
            True,
            id="all at once",
        ),
        pytest.param(
            takes("a double", "y double", "z long", gives="string"),
            "its predictions were double and are string",
            False,
            id="other predictions",
        ),
    ],
)
def test_what_changes_for_callers(candidate: Signature, words: str, *, refuses: bool) -> None:
    assert find_change(BASE, candidate) == Change(words=words, refuses=refuses)


def test_a_column_that_must_be_there_now_refuses_those_who_left_it_out() -> None:
    change = find_change(takes("a double", "y double?"), takes("a double", "y double"))

    assert change == Change(words="now requires y", refuses=True)


def test_of_many_columns_the_first_few_are_named() -> None:
    more = takes("a double", *(f"x{number} double" for number in range(500)))

    words = find_change(takes("a double"), more).words

    assert words.startswith("adds x0 (double), x1 (double), ")
    assert words.endswith("x7 (double) and 492 more")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(
            Change(words="adds x (double)", refuses=True),
            "1.1.0 against 1.0.0: adds x (double); callers who send what 1.0.0 takes are refused",
            id="refused",
        ),
        pytest.param(
            Change(words="z was long and is double", refuses=False),
            "1.1.0 against 1.0.0: z was long and is double; callers who send what 1.0.0 takes are "
            "still answered",
            id="answered",
        ),
        pytest.param(
            Change(words="", refuses=False), "1.1.0 takes and gives what 1.0.0 does", id="the same"
        ),
    ],
)
def test_a_change_in_a_sentence(change: Change, sentence: str) -> None:
    assert describe_change(change, stable="1.0.0", candidate="1.1.0") == sentence


columns = st.builds(
    Column, name=st.text(max_size=3), type=st.sampled_from(["long", "double", "string"]),
    required=st.booleans(),
)  # fmt: skip
signatures = st.builds(
    Signature,
    inputs=st.lists(columns, max_size=12, unique_by=lambda column: column.name).map(tuple),
    outputs=st.lists(columns, max_size=3).map(tuple),
)


@given(signatures, signatures)
def test_whatever_is_another_is_said_in_words_a_status_can_hold(
    stable: Signature, candidate: Signature
) -> None:
    change = find_change(stable, candidate)

    assert find_change(stable, stable) == Change(words="", refuses=False)
    assert change.words or not change.refuses
    assert bool(change.words) >= (set(stable.inputs) != set(candidate.inputs))
    assert change.words.isprintable()
