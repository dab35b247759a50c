"""The CRDs, and the files that must agree with them."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args, get_origin

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from fairlead_operator import crds
from fairlead_operator.api.base import to_duration
from fairlead_operator.api.group import GROUP
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.schema import Schema
from fairlead_operator.api.template import AnalysisTemplateSpec

REPO = Path(__file__).resolve().parents[3]
SCHEMAS: dict[str, Schema] = {
    crd["spec"]["names"]["kind"]: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for crd in crds.build_crds().values()
}


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


def test_no_default_is_within_a_list() -> None:
    """A tool that compares lists as a whole would find a difference to Git for ever."""
    within = {path: node for path, node in FIELDS if "[]." in path}

    assert {
        "AnalysisTemplate.spec.checks[].relative.alpha",
        "Model.spec.freezeWindows[].why",
        "Model.spec.rollout.steps[].checks[].dryRun",
        "Rollout.spec.policy.steps[].pause",
        "TrainingRun.status.conditions[].message",
    } <= within.keys()
    assert [path for path, node in within.items() if "default" in node] == []


def settings_within_lists(model: type[BaseModel], *, listed: bool) -> Iterator[tuple[str, Any]]:
    """The description and the default of every optional field of a list's objects."""
    for field in model.model_fields.values():
        inner = inner_model(field.annotation)
        if inner:
            yield from settings_within_lists(inner, listed=listed or is_list(field.annotation))
        elif listed and not field.is_required() and field.default not in (None, "", ()):
            yield field.description or "", field.default


def inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(inner_model, get_args(annotation))), None)


def is_list(annotation: Any) -> bool:
    return get_origin(annotation) is tuple or any(map(is_list, get_args(annotation)))


def test_a_default_within_a_list_is_named_by_its_description() -> None:
    """The schema does not hold it, so that nothing else tells people."""
    settings = [
        setting
        for spec in (ModelSpec, AnalysisTemplateSpec)
        for setting in settings_within_lists(spec, listed=False)
    ]

    assert len(settings) > 5
    for description, default in settings:
        words = to_duration(default) if isinstance(default, timedelta) else f"{default}".lower()
        assert description.endswith(f"Defaults to {words}."), description


def is_bounded(path: str, node: Schema) -> bool:
    match node.get("type"):
        case None:  # of several types: each value is said, or a text has a bound
            return bool({"enum", "maxLength"} & node.keys())
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
        strict["properties"] = {
            # The API server knows the rest of an object's metadata by itself.
            name: node if name == "metadata" else closed(node)
            for name, node in schema["properties"].items()
        }
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


@pytest.mark.parametrize(
    ("plural", "paths"),
    [
        ("models", [".status.phase"]),
        ("rollouts", [".spec.model", ".status.phase"]),
        ("trainingruns", [".spec.model", ".status.phase"]),
    ],
)
def test_objects_can_be_selected_by_model_and_phase(plural: str, paths: list[str]) -> None:
    (version,) = crds.build_crds()[f"{plural}.yaml"]["spec"]["versions"]

    assert [field["jsonPath"] for field in version["selectableFields"]] == paths


def test_a_model_shows_whether_it_is_ready_where_it_answers_and_what_moves() -> None:
    (version,) = crds.build_crds()["models.yaml"]["spec"]["versions"]
    columns = {column["name"]: column["jsonPath"] for column in version["additionalPrinterColumns"]}

    assert columns["Ready"] == ".status.conditions[?(@.type=='Ready')].status"
    assert (columns["URL"], columns["Weight"]) == (".status.url", ".status.weight")
