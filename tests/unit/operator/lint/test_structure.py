"""The structure is judged as the API server judges it, also where nobody would guess.

That it does is shown by tests/integration/operator/test_crds.py, which asks one.
"""

from typing import Any

import pytest

from fairlead_operator.lint.structure import complete, find_problems, find_repeated, prune

WHOLE = {"type": "integer", "format": "int32", "minimum": 1, "maximum": 32}
SHARE = {"type": "number", "minimum": 0.01, "maximum": 0.99}
WORD = {"type": "string", "minLength": 1, "maxLength": 3}
MOMENT = {"type": "string", "format": "date-time"}
CHOICE = {"type": "string", "enum": ["a", "b"]}
LIST = {"type": "array", "items": WORD, "minItems": 1, "maxItems": 2}
OBJECT = {"type": "object", "properties": {"x": WHOLE, "y": WORD}, "required": ["x"]}
ANY = {"x-kubernetes-preserve-unknown-fields": True, "enum": ["5%", 0.05, 1]}

TOO_WIDE = '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in f'


def said(schema: dict[str, Any], value: Any) -> list[str]:
    return [f"{problem.field}: {problem.message}" for problem in find_problems(schema, value, "f")]


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        pytest.param(
            WHOLE, "4", 'Invalid value: "string": f in body must be of type integer: "string"',
            id="text for a number",
        ),
        pytest.param(
            WHOLE, True, 'Invalid value: "": f in body must be of type int32: ""', id="a truth"
        ),
        pytest.param(
            WHOLE, None, 'Invalid value: "null": f in body must be of type integer: "null"',
            id="nothing",
        ),
        pytest.param(
            WHOLE, 33, "Invalid value: 33: f in body should be less than or equal to 32", id="much"
        ),
        pytest.param(
            WHOLE, 0, "Invalid value: 0: f in body should be greater than or equal to 1",
            id="little",
        ),
        pytest.param(
            SHARE, 0.001, "Invalid value: 0.001: f in body should be greater than or equal to 0.01",
            id="a small share",
        ),
        pytest.param(
            SHARE, 1, "Invalid value: 1: f in body should be less than or equal to 0",
            id="a bound is cut for a whole number",
        ),
        pytest.param(
            WORD, 5, 'Invalid value: "integer": f in body must be of type string: "integer"',
            id="a number for text",
        ),
        pytest.param(WORD, "four", "Too long: may not be more than 3 bytes", id="long"),
        pytest.param(
            WORD, "", 'Invalid value: "": f in body should be at least 1 chars long', id="empty"
        ),
        pytest.param(
            MOMENT, "2026-12-20",
            'Invalid value: "2026-12-20": f in body must be of type date-time: "2026-12-20"',
            id="only a day",
        ),
        pytest.param(
            MOMENT, ["a"], 'Invalid value: "array": f in body must be of type string: "array"',
            id="a list for a moment",
        ),
        *(
            pytest.param(
                MOMENT, moment,
                f'Invalid value: "{moment}": Invalid date-time formatted string {moment}',
                id=f"{moment}: only the structure takes it",
            )
            for moment in ("2026-12-20t00:00:00z", "2026-12-20T00:00:00,5Z")
        ),
        pytest.param(
            MOMENT, 5, 'Invalid value: "int64": f in body must be of type date-time: "int64"',
            id="a number for a moment",
        ),
        pytest.param(
            CHOICE, "c", 'Unsupported value: "c": supported values: "a", "b"', id="choice"
        ),
        pytest.param(
            ANY, {"a": 1}, 'Unsupported value: {"a":1}: supported values: "5%", "0.05", "1"',
            id="a choice of several types",
        ),
        pytest.param(ANY, True, 'Unsupported value: true: supported values: "5%", "0.05", "1"',
                     id="true is not one"),
        pytest.param(
            LIST, [], "Invalid value: 0: f in body should have at least 1 items", id="no items"
        ),
        pytest.param(
            LIST, ["a", "b", "c"], "Too many: 3: must have at most 2 items", id="many items"
        ),
        pytest.param(
            LIST, {}, 'Invalid value: "object": f in body must be of type array: "object"',
            id="an object for a list",
        ),
        pytest.param(
            OBJECT, [], 'Invalid value: "array": f in body must be of type object: "array"',
            id="a list for an object",
        ),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit(schema: dict[str, Any], value: Any, words: str) -> None:
    assert said(schema, value) == [f"f: {words}"]


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        pytest.param(
            WHOLE, 1.5,
            ['f: Invalid value: "float64": f in body must be of type int32: "float64"',
             TOO_WIDE],
            id="a fraction",
        ),
        pytest.param(
            WHOLE, 2**31,
            [TOO_WIDE,
             "f: Invalid value: 2147483648: f in body should be less than or equal to 32"],
            id="more than 32 bits",
        ),
        pytest.param(
            CHOICE, 5,
            ['f: Invalid value: "integer": f in body must be of type string: "integer"',
             'f: Unsupported value: 5: supported values: "a", "b"'],
            id="neither the type nor a choice",
        ),
        pytest.param(
            LIST, ["", 5],
            ['f[0]: Invalid value: "": f[0] in body should be at least 1 chars long',
             'f[1]: Invalid value: "integer": f[1] in body must be of type string: "integer"'],
            id="two items",
        ),
        pytest.param(OBJECT, {"y": "four"},
                     ["f.y: Too long: may not be more than 3 bytes", "f.x: Required value"],
                     id="two fields"),
    ],
)  # fmt: skip
def test_all_that_is_wrong_is_said(schema: dict[str, Any], value: Any, words: list[str]) -> None:
    assert said(schema, value) == words


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param(WHOLE, 32, id="a bound"),
        pytest.param(WHOLE, 4.0, id="a fraction that is whole"),
        pytest.param(SHARE, 0, id="a whole number above a bound without its fraction"),
        pytest.param(SHARE, 0.99, id="a share"),
        pytest.param(WORD, "üüü", id="letters are counted, not bytes"),
        pytest.param(ANY, 1.0, id="one of several types"),
        *(
            pytest.param(MOMENT, moment, id=moment)
            for moment in ("2026-12-20T00:00:00Z", "2026-12-20T23:59:59.5+10:00")
        ),
    ],
)
def test_what_fits_is_let_pass(schema: dict[str, Any], value: Any) -> None:
    assert said(schema, value) == []


@pytest.mark.parametrize(
    ("schema", "value", "is_told"),
    [
        pytest.param(WORD, True, True, id="y, yes or on"),
        pytest.param(WORD, 1.0, True, id="a number"),
        pytest.param(MOMENT, 2026, True, id="a year"),
        pytest.param(WORD, ["a"], False, id="a list"),
        pytest.param(WHOLE, "4", False, id="text for a number"),
    ],
)
def test_what_yaml_takes_for_no_text_is_told_with_the_way_out(
    schema: dict[str, Any], value: Any, is_told: bool
) -> None:
    (problem,) = find_problems(schema, value, "f")

    assert problem.hint == ("write it in quotes, so that YAML takes it as text" if is_told else "")


@pytest.mark.parametrize(
    "moment",
    [
        "2026-02-30T00:00:00Z",
        "2026-12-20T24:00:00Z",
        "2026-12-20T00:00:00",
        "20261220T00:00:00Z",
        "",
    ],
)
def test_what_is_no_moment(moment: str) -> None:
    assert len(said(MOMENT, moment)) == 1


def test_defaults_are_filled_in_where_their_object_is() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "default": 5},
            "b": {"type": "object", "properties": {"c": {"type": "string", "default": "d"}}},
            "e": {"type": "string"},
        },
    }

    assert complete(schema, {}) == {"a": 5}
    assert complete(schema, {"b": {}}) == {"a": 5, "b": {"c": "d"}}
    assert complete(schema, {"a": None, "b": None, "e": None}) == {"a": 5}
    assert complete({"type": "array", "items": schema}, [{}, None]) == [{"a": 5}, None]


@pytest.mark.parametrize(
    ("written", "field", "meant"),
    [
        pytest.param({"spce": {}}, "spce", "spec", id="at the top"),
        pytest.param({"spec": {"Weight": 5}}, "spec.Weight", "spec.weight", id="a capital"),
        pytest.param(
            {"spec": {"steps": [{"holds": 1}]}}, "spec.steps[0].holds", "spec.steps[0].hold",
            id="in a list",
        ),
        pytest.param({"spec": {"qqq": 1}}, "spec.qqq", "", id="nothing that is near"),
    ],
)  # fmt: skip
def test_an_unknown_field_is_told_with_the_one_that_was_meant(
    written: dict[str, Any], field: str, meant: str
) -> None:
    step = {"type": "object", "properties": {"hold": {"type": "string"}}}
    fields = {"weight": WHOLE, "steps": {"type": "array", "items": step}}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}

    left, (problem,) = prune(schema, {"apiVersion": "a", "kind": "b", "metadata": {}} | written)

    assert problem.message == f'unknown field "{field}"'
    assert problem.hint == (f'did you mean "{meant}"?' if meant else "")
    assert field.rpartition(".")[2] not in str(left)


@pytest.mark.parametrize(
    ("list_type", "value", "repeated"),
    [
        pytest.param({"x-kubernetes-list-type": "set"}, ["a", "b", "a", "a"],
                     ['f[2]: Duplicate value: "a"'], id="a set"),
        pytest.param({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["a", "b"]},
                     [{"a": 1}, {"a": 1, "b": 2}, {"a": 1, "c": 3}],
                     ['f[2]: Duplicate value: {"a":1}'], id="a map"),
        pytest.param({}, ["a", "a"], [], id="a list"),
    ],
)  # fmt: skip
def test_what_is_twice(list_type: dict[str, Any], value: Any, repeated: list[str]) -> None:
    schema = {"type": "array", "items": {}} | list_type
    problems = find_repeated(schema, value, "f")

    assert [f"{problem.field}: {problem.message}" for problem in problems] == repeated
