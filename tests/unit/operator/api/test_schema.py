"""The generator: what it makes of our types, and what it refuses."""

from datetime import timedelta
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from fairlead_operator.api.base import (
    VERSION_PATTERN,
    Duration,
    Moment,
    Rule,
    SemanticVersion,
    Spec,
)
from fairlead_operator.api.schema import NotStructuralError, Schema, structural_schema


class Leaf(Spec):
    """A
    leaf.

    What a programmer has to know about it.
    """

    rules = (Rule("self.size > 0", "size must be positive", ".size"),)

    size: Annotated[int, Field(default=1, ge=0, le=9, description="How big.")]


class Tree(Spec):
    """A tree."""

    grown_at: Annotated[Moment | None, Field(default=None, description="When.")]
    best_leaf: Annotated[Leaf, Field(default=Leaf(), description="The best.")]
    spare_leaf: Annotated[Leaf | None, Field(default=None, description="Another.")]
    leaves: Annotated[
        tuple[Leaf, ...], Field(default=(Leaf(size=2),), max_length=3, description="All.")
    ]
    age: Annotated[Duration, Field(default=timedelta(minutes=90), description="How old.")]
    kind: Annotated[Literal["oak"], Field(description="Which.")]
    version: Annotated[SemanticVersion | None, Field(default=None, description="Which one.")]
    number: Annotated[int, Field(ge=0, description="Counted.")]
    uses: Annotated[
        dict[str, Literal["shade", "fruit"]],
        Field(default={}, max_length=5, description="What for."),
    ]
    rings: Annotated[
        int | None,
        Rule("self % 2 == 1", "must be odd"),
        Field(default=None, ge=1, le=999, description="Seen."),
    ]


SIZE: Schema = {
    "description": "How big.",
    "type": "integer",
    "format": "int32",
    "minimum": 0,
    "maximum": 9,
}
LEAF: Schema = {
    "type": "object",
    "properties": {"size": {**SIZE, "default": 1}},
    "x-kubernetes-validations": [
        {"rule": "self.size > 0", "message": "size must be positive", "fieldPath": ".size"}
    ],
}


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        pytest.param(
            "grownAt",
            {"description": "When.", "type": "string", "format": "date-time"},
            id="a moment is bounded by its format",
        ),
        pytest.param(
            "bestLeaf",
            {**LEAF, "description": "The best."},
            id="an object is inlined, with its rules, and left out by whoever leaves it out",
        ),
        pytest.param(
            "spareLeaf", {**LEAF, "description": "Another."}, id="an optional object has no default"
        ),
        pytest.param(
            "leaves",
            {
                "description": "All.",
                "type": "array",
                "default": [{"size": 2}],
                "maxItems": 3,
                "items": {**LEAF, "description": "A leaf.", "properties": {"size": SIZE}},
            },
            id="a list has its objects, described by their first paragraph, without defaults",
        ),
        pytest.param(
            "kind",
            {"description": "Which.", "type": "string", "enum": ["oak"]},
            id="the only choice is an enum",
        ),
        pytest.param(
            "version",
            {
                "description": "Which one.",
                "type": "string",
                "maxLength": 32,
                "x-kubernetes-validations": [
                    {
                        "rule": f"self.matches(r'{VERSION_PATTERN}')",
                        "message": "version must be three numbers with dots and no v before "
                        "them, for example 1.4.0",
                    }
                ],
            },
            id="a pattern is a rule, which can say an example",
        ),
        pytest.param(
            "number",
            {"description": "Counted.", "type": "integer", "format": "int64", "minimum": 0},
            id="an integer without an upper bound takes 64 bits",
        ),
        pytest.param(
            "uses",
            {
                "description": "What for.",
                "type": "object",
                "maxProperties": 5,
                "additionalProperties": {"type": "string", "enum": ["shade", "fruit"]},
            },
            id="a map has as many entries as it may, and values of one type",
        ),
        pytest.param(
            "rings",
            {
                "description": "Seen.",
                "type": "integer",
                "format": "int32",
                "minimum": 1,
                "maximum": 999,
                "x-kubernetes-validations": [
                    {"rule": "self % 2 == 1", "message": "rings must be odd"}
                ],
            },
            id="a field's own rule says the field's name",
        ),
    ],
)
def test_a_field(field: str, expected: Schema) -> None:
    assert structural_schema(Tree)["properties"][field] == expected


def test_a_duration_is_a_string_whose_default_is_written_as_one() -> None:
    age = structural_schema(Tree)["properties"]["age"]

    assert (age["type"], age["default"], "format" in age) == ("string", "1h30m", False)


def test_what_has_no_default_is_required() -> None:
    assert structural_schema(Tree)["required"] == ["kind", "number"]


class Itself(Spec):
    """Contains itself."""

    inner: Annotated["Itself | None", Field(default=None, description="Again.")]


def one_field(annotation: Any, description: str | None = "There.") -> type[Spec]:
    """A type with one field."""
    annotated = Annotated[annotation, Field(description=description)]
    return type("Odd", (Spec,), {"__annotations__": {"odd": annotated}, "__doc__": "Odd."})


@pytest.mark.parametrize(
    ("odd", "complaint"),
    [
        pytest.param(one_field(bool, None), "no description", id="no description"),
        pytest.param(one_field(str), "needs max_length", id="a string without end"),
        pytest.param(one_field(str | None), "needs max_length", id="an optional one"),
        pytest.param(one_field(tuple[int, ...]), "needs max_length", id="a list without end"),
        pytest.param(one_field(int | bool), "several types", id="two types"),
        pytest.param(one_field(Leaf | Tree), "several types", id="two objects"),
        pytest.param(one_field(Literal["a", 1]), "no single type", id="choices of two types"),
        pytest.param(one_field(Any), "no single type", id="anything"),
        pytest.param(one_field(dict[str, int]), "a map", id="a map without end"),
        pytest.param(
            one_field(Annotated[dict[str, str], Field(max_length=2)]),
            r"\{\}: a string needs",
            id="a map to strings without end",
        ),
        pytest.param(
            one_field(Annotated[dict[str, Leaf], Field(max_length=2)]),
            "a map of lists or objects",
            id="a map to objects",
        ),
        pytest.param(
            one_field(Annotated[int, Field(gt=0)]), "exclusiveMinimum", id="an open bound"
        ),
        pytest.param(one_field(Annotated[int, Field(multiple_of=2)]), "multipleOf", id="a step"),
        pytest.param(
            one_field(Annotated[tuple[tuple[int, ...], ...], Field(max_length=2)]),
            r"\[\]: a list needs",
            id="a list of lists without end",
        ),
        pytest.param(
            one_field(
                Annotated[
                    tuple[Annotated[tuple[int, ...], Field(max_length=2)], ...], Field(max_length=2)
                ]
            ),
            "list of lists",
            id="a list of lists",
        ),
    ],
)
def test_what_a_crd_cannot_express_is_an_error(odd: type[Spec], complaint: str) -> None:
    with pytest.raises(NotStructuralError, match=rf"^spec\.odd.*{complaint}"):
        structural_schema(odd, path="spec")


def test_an_object_that_contains_itself_is_an_error() -> None:
    with pytest.raises(NotStructuralError, match=r"^spec\.inner: Itself contains itself"):
        structural_schema(Itself, path="spec")
