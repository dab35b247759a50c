"""The generator, what it makes of our types, and the files that must agree with it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from fairlead_operator import crds
from fairlead_operator.api.base import (
    Duration,
    Moment,
    Rule,
    SemanticVersion,
    Spec,
    parse_duration,
    to_duration,
)
from fairlead_operator.api.group import GROUP
from fairlead_operator.api.schema import NotStructuralError, Schema, structural_schema

REPO = Path(__file__).resolve().parents[4]
SCHEMAS: dict[str, Schema] = {
    crd["spec"]["names"]["kind"]: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for crd in crds.build_crds().values()
}


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
    rings: Annotated[
        int | None,
        Rule("self % 2 == 1", "must be odd"),
        Field(default=None, ge=1, le=999, description="Seen."),
    ]


LEAF: Schema = {
    "type": "object",
    "properties": {
        "size": {
            "description": "How big.",
            "type": "integer",
            "format": "int32",
            "default": 1,
            "minimum": 0,
            "maximum": 9,
        }
    },
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
                "items": {**LEAF, "description": "A leaf."},
            },
            id="a list has its objects, described by their first paragraph",
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
                "pattern": r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$",
                "maxLength": 32,
            },
            id="an optional string has bounds and no null",
        ),
        pytest.param(
            "number",
            {"description": "Counted.", "type": "integer", "format": "int64", "minimum": 0},
            id="an integer without an upper bound takes 64 bits",
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
        pytest.param(one_field(dict[str, int]), "a map", id="a map"),
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


def nodes(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """Every field below, with its path; items of a list too."""
    for name, node in schema.get("properties", {}).items():
        yield f"{path}.{name}", node
        yield from nodes(node, f"{path}.{name}")
    if "items" in schema:
        yield f"{path}[]", schema["items"]
        yield from nodes(schema["items"], f"{path}[]")


FIELDS = [
    (path, node)
    for kind, schema in SCHEMAS.items()
    for part in ("spec", "status")
    if part in schema["properties"]
    for path, node in nodes(schema["properties"][part], f"{kind}.{part}")
]


def test_every_field_has_a_description() -> None:
    assert [
        path for path, node in FIELDS if not path.endswith("]") and not node["description"]
    ] == []


def test_every_column_has_a_description() -> None:
    assert [
        (crd["spec"]["names"]["kind"], column["name"])
        for crd in crds.build_crds().values()
        for column in crd["spec"]["versions"][0]["additionalPrinterColumns"]
        if not column.get("description")
    ] == []


def default_in_words(node: Schema) -> str:
    """The default as a description names it."""
    match node["default"]:
        case bool() as switch:
            return str(switch).lower()
        case float() as number:
            return f"{number:g}"
        case list() as items:
            return f"[{', '.join(items)}]"
        case other:
            return str(other)


NAMED_DEFAULTS = {
    path: (named[1], default_in_words(node))
    for path, node in FIELDS
    if "default" in node
    and (named := re.search(r"Defaults to (\S+?)[,.]?(?: |$)", node["description"]))
}


def test_a_default_that_a_description_names_is_the_one_in_force() -> None:
    assert "Model.spec.rollout.patience" in NAMED_DEFAULTS
    assert {path: pair for path, pair in NAMED_DEFAULTS.items() if pair[0] != pair[1]} == {}


def is_bounded(path: str, node: Schema) -> bool:
    match node["type"]:
        case "string":
            return bool({"enum", "maxLength"} & node.keys()) or node.get("format") == "date-time"
        case "array":
            return "maxItems" in node
        case "integer" | "number" if ".spec." in path:
            return {"minimum", "maximum"} <= node.keys()
    return True  # yes or no; an object; what the operator counts


def test_every_field_has_a_bound() -> None:
    assert [path for path, node in FIELDS if not is_bounded(path, node)] == []


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_minimum_with_a_fraction_has_a_rule_for_whole_numbers(kind: str) -> None:
    """The API server holds a whole number against the whole part of the minimum."""
    open_to_whole_numbers = [
        f"{path}.{name}"
        for path, node in nodes(SCHEMAS[kind], kind)
        for name, field in node.get("properties", {}).items()
        if field.get("minimum", 0) % 1
        and not any(
            re.fullmatch(r"self >=? [0-9.]+", rule["rule"])
            for rule in field.get("x-kubernetes-validations", [])
        )
    ]

    assert open_to_whole_numbers == []


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_default_fits_its_own_field(kind: str) -> None:
    defaults = [
        (node, node["default"]) for _, node in nodes(SCHEMAS[kind], kind) if "default" in node
    ]

    for node, default in defaults:
        jsonschema.validate(default, closed(node))


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_rule_has_a_message_and_a_field_that_exists(kind: str) -> None:
    for _, node in nodes(SCHEMAS[kind], kind):
        for rule in node.get("x-kubernetes-validations", []):
            inner = node
            for name in rule.get("fieldPath", "").split(".")[1:]:
                inner = inner["properties"][name]
            assert rule["message"]


def closed(schema: Schema) -> Schema:
    """As the API server reads it with strict validation: no field but those named."""
    strict = dict(schema)
    if "properties" in schema:
        strict["properties"] = {name: closed(node) for name, node in schema["properties"].items()}
        strict["additionalProperties"] = False
    if "items" in schema:
        strict["items"] = closed(schema["items"])
    return strict


def documents(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every manifest of our kinds below a folder, with where it stands."""
    for file in sorted(folder.glob("**/*.yaml")):
        for number, document in enumerate(yaml.safe_load_all(file.read_text(encoding="utf-8"))):
            if str((document or {}).get("apiVersion", "")).startswith(f"{GROUP}/"):
                yield f"{file.relative_to(REPO)}#{number}", document


EXAMPLES = dict(documents(REPO / "examples"))


def test_there_are_examples() -> None:
    assert "Model" in {document["kind"] for document in EXAMPLES.values()}


@pytest.mark.parametrize("document", EXAMPLES.values(), ids=EXAMPLES)
def test_an_example_is_valid(document: dict[str, Any]) -> None:
    jsonschema.validate(
        document, closed(SCHEMAS[document["kind"]]) | {"additionalProperties": True}
    )


def blocks(document: Path) -> list[dict[str, Any]]:
    """The YAML that stands in a document."""
    text = document.read_text(encoding="utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]


@pytest.mark.parametrize("block", blocks(REPO / "docs" / "evidence.md"))
def test_what_the_page_on_evidence_shows_is_valid(block: dict[str, Any]) -> None:
    """It shows whole templates, and a Model's analysis alone."""
    whole = closed(SCHEMAS[block.get("kind", "Model")])
    schema = whole | {"additionalProperties": True}
    if "analysis" in block:
        schema = {"properties": whole["properties"]["spec"]["properties"]["rollout"]["properties"]}
        schema["additionalProperties"] = False

    jsonschema.validate(block, schema)


def test_the_committed_files_are_as_generated() -> None:
    assert crds.stale(crds.render(), REPO) == []


def test_check_names_what_differs_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert crds.main([], root=tmp_path) == 0
    models = tmp_path / "crds" / "models.yaml"
    models.write_text("edited by hand")
    (tmp_path / "docs" / "reference.md").unlink()

    code = crds.main(["--check"], root=tmp_path)

    assert code == 1
    assert "out of date: crds/models.yaml, docs/reference.md;" in capsys.readouterr().err
    assert models.read_text() == "edited by hand"


def test_the_reference_goes_where_it_is_wanted(tmp_path: Path) -> None:
    arguments = ["--reference", "fields.md"]

    written = crds.main(arguments, root=tmp_path)

    assert written == 0
    assert (tmp_path / "fields.md").read_text() == crds.render_reference()
    assert crds.main(["--check", *arguments], root=tmp_path) == 0


def test_the_files_need_no_knowledge_of_yaml_anchors() -> None:
    for text in crds.render().values():
        assert "&id" not in text
        assert "*id" not in text


def test_the_reference_names_every_field_of_every_spec() -> None:
    reference = crds.render_reference()

    for path, _ in FIELDS:
        field = path.partition(".")[2]
        if not field.endswith("]"):
            assert f"| `{field}` |" in reference


whole_seconds = st.integers(0, 999_999 * 3600).map(lambda seconds: timedelta(seconds=seconds))
number = st.integers(0, 999_999)


@given(whole_seconds)
def test_a_span_survives_being_written(span: timedelta) -> None:
    assert parse_duration(to_duration(span)) == span


@given(whole_seconds)
def test_a_written_span_is_what_the_crd_takes(span: timedelta) -> None:
    age = structural_schema(Tree)["properties"]["age"]

    jsonschema.validate(to_duration(span), age)


@given(number, number, number)
def test_the_parts_add_up(hours: int, minutes: int, seconds: int) -> None:
    text = f"{hours}h{minutes}m{seconds}s"

    assert parse_duration(text) == timedelta(hours=hours, minutes=minutes, seconds=seconds)
    jsonschema.validate(text, structural_schema(Tree)["properties"]["age"])


@given(st.text(alphabet="0159hms. -\n\u0661", max_size=12) | st.text(max_size=6))
def test_the_operator_reads_what_the_crd_takes_and_nothing_else(text: str) -> None:
    taken = jsonschema.Draft4Validator(structural_schema(Tree)["properties"]["age"]).is_valid(text)

    # Python's $ also matches before a last line break; that of the API server does not.
    assert is_duration(text) == (taken and not text.endswith("\n"))


def is_duration(text: str) -> bool:
    try:
        parse_duration(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        ("0s", timedelta(0)),
        ("007m", timedelta(minutes=7)),
    ],
)
def test_parse_duration(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span


@pytest.mark.parametrize(
    "text", ["", "s", "5", "5 s", "1.5h", "1d", "-5s", "30s1h", "5S", "9999999h", 90, None]
)
def test_what_is_no_duration_is_refused_by_its_words(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration such as 90s, 15m or 1h30m"):
        parse_duration(text)
