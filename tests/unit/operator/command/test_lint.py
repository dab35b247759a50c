"""`fairlead lint`: files in, lines or a document out, and an exit code for pipelines."""

import json
import os
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner, Result

from fairlead_operator.command import lint
from fairlead_operator.command.failures import RefusedError
from fairlead_operator.command.lint import STANDARD_INPUT, read_texts
from fairlead_operator.command.main import fairlead

DOCS = (Path(__file__).resolve().parents[4] / "docs" / "command.md").read_text(encoding="utf-8")

MODEL = """\
apiVersion: fairlead.dev/v1alpha1
kind: Model
metadata:
  name: nsw-price
spec:
  task: binary-classification
  data:
    source: {uri: "https://data.example/nsw.csv"}
    timestampColumn: timestamp
    target: price_up
  rollout:
    steps: [{weight: 5}]
"""
BROKEN = MODEL.replace("timestampColumn", "timestampColum").replace("weight: 5", "weight: 0")
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(fairlead, ["lint", *arguments], input=given)


def test_a_manifest_that_is_right_is_counted_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_text(f"{MODEL}---\n{SECRET}")

    said = run(str(tmp_path / "model.yaml"))

    assert said.exit_code == 0
    assert said.stdout == ""
    assert said.stderr == "1 manifest checked, 0 problems; 1 of other kinds skipped\n"


def test_each_problem_is_a_line_as_the_docs_show_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.yaml").write_text(BROKEN)
    monkeypatch.chdir(tmp_path)

    said = run("model.yaml")

    assert isinstance(said.exception, RefusedError)
    assert f"{said.stdout}fairlead: {said.exception}\n" in DOCS


def test_standard_input_is_a_file_too() -> None:
    said = run(STANDARD_INPUT, given=f"{SECRET}---\n{BROKEN}")

    assert said.stdout.startswith('<stdin>:13: Model nsw-price: unknown field "spec.data')


def test_a_document_for_scripts_has_the_place_of_each(tmp_path: Path) -> None:
    file = tmp_path / "model.yaml"
    file.write_text(f"{SECRET}---\n{MODEL.replace('price_up', 'timestamp')}")

    said = run(str(file), "--output", "json")

    assert json.loads(said.stdout) == {
        "checked": 1,
        "skipped": 1,
        "problems": [
            {
                "file": str(file),
                "line": 14,
                "document": 2,
                "kind": "Model",
                "name": "nsw-price",
                "field": "spec.data.target",
                "message": "Invalid value: target and timestampColumn must be different columns",
                "hint": "",
            }
        ],
    }


def checked(bound: str) -> str:
    """Return a Model with one more check."""
    return f"{MODEL}    analysis:\n      checks: [{{name: a, query: x, {bound}}}]\n"


def as_list(text: str) -> str:
    """Make a list of Models as the API server gives it, whose items are of its kind."""
    head = "apiVersion: fairlead.dev/v1alpha1\nkind: ModelList\nitems:\n"
    models = [one.partition("metadata:\n")[2] for one in text.split("---\n")]
    return head + "".join(
        "- metadata:\n" + "".join(f"  {line}\n" for line in one.splitlines()) for one in models
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{MODEL}  serving:\n", id="an object of comments alone"),
        pytest.param(f"{MODEL}  serving:\n    requestTimeout:\n", id="a field left blank"),
        pytest.param(f"{MODEL}  training:\n    search:\n", id="deeper"),
        pytest.param(f"{MODEL}    analysis:\n", id="no analysis"),
        pytest.param(checked("atMost: 5, atLeast: "), id="in a list"),
        pytest.param(as_list(MODEL), id="in a ModelList"),
        pytest.param(f"apiVersion: v1\nkind: List\nitems:\n-\n---\n{MODEL}", id="an empty item"),
    ],
)
def test_what_the_api_server_takes_is_let_pass(text: str) -> None:
    said = run(STANDARD_INPUT, given=text)

    assert (said.exit_code, said.stdout, said.stderr) == (0, "", "1 manifest checked, 0 problems\n")


def test_several_json_objects_are_manifests() -> None:
    model = yaml.safe_load(MODEL)
    broken = yaml.safe_load(BROKEN) | {"metadata": {"name": "other"}}

    said = run(
        STANDARD_INPUT, given="\n".join(json.dumps(one, indent=2) for one in (model, broken))
    )

    assert said.stdout.startswith('<stdin>:37: Model other: unknown field "spec.data')


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(MODEL.replace("Model", "Modle"), "did you mean Model?", id="a kind"),
        pytest.param(
            MODEL.replace("v1alpha1", "v1"),
            'no matches for kind "Model" in version "fairlead.dev/v1"; this release has',
            id="a version",
        ),
        pytest.param(MODEL.partition("\n")[2], "apiVersion not set", id="no version"),
        pytest.param(MODEL.replace("kind: Model\n", ""), "kind not set", id="no kind"),
        pytest.param(
            MODEL.replace("kind: Model", "kind: [Model]"), "kind: Invalid value", id="kinds"
        ),
        pytest.param("kind: {Model: }", "apiVersion not set", id="an object as kind, no version"),
        pytest.param("apiVersion: v1\nkind: List\nitems: 5", "items: must be a list", id="items"),
        pytest.param("a: {<<: foo}", "map merge requires", id="a merge of text"),
        pytest.param("a: [", "model.yaml:1: document 1: error parsing YAML", id="no YAML"),
        pytest.param(MODEL.replace("name: nsw", "nane: nsw"), "name or generateName", id="name"),
        pytest.param(MODEL.replace("{", "{format: csv, format: csv, "), "already set", id="a key"),
        pytest.param(f"{MODEL}---\n{MODEL}", "is in model.yaml:1 already", id="the same twice"),
        pytest.param(f"{MODEL.replace('metadata:', 'metadata: 5')}", "", id="metadata"),
        pytest.param(checked(f"atMost: {'9' * 310}"), "of type number", id="310 digits"),
        pytest.param(checked(f"atMost: {2**64}"), "less than or equal to 1e+15", id="20 digits"),
        pytest.param(f"{MODEL}  serving: {{replicas: {2**63}}}", "type integer", id="64 bits"),
        pytest.param(
            as_list(f"{MODEL}---\n{BROKEN}"), "model.yaml:20: Model nsw-price", id="in a ModelList"
        ),
    ],
)
def test_what_no_cluster_is_needed_for_is_told(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)

    said = run("model.yaml")

    assert isinstance(said.exception, RefusedError)
    assert words in said.stdout


def in_b(text: str) -> str:
    return text.replace("  name: nsw-price", "  name: nsw-price\n  namespace: b")


TEMPLATE = """\
apiVersion: fairlead.dev/v1alpha1
kind: AnalysisTemplate
metadata: {name: orders, namespace: a}
spec:
  arguments: [{name: shop}]
  checks: [{name: orders, query: "x{s='{{arguments.shop}}'}", atLeast: 1}]
"""


@pytest.mark.parametrize(
    ("namespace", "problems"),
    [
        pytest.param("a", ["spec.rollout.analysis"], id="the template of its namespace"),
        pytest.param("b", [], id="a template that is not in the files"),
    ],
)
def test_a_model_is_judged_with_its_template(
    namespace: str, problems: list[str], tmp_path: Path
) -> None:
    analysis = "  rollout:\n    analysis: {templateRef: {name: orders}}"
    model = MODEL.replace("metadata:", f"metadata:\n  namespace: {namespace}")
    (tmp_path / "model.yaml").write_text(model.replace("  rollout:", analysis))
    (tmp_path / "template.yaml").write_text(TEMPLATE)

    said = run(str(tmp_path), "--output", "json")

    assert [problem["field"] for problem in json.loads(said.stdout)["problems"]] == problems


NO_NAMESPACE = TEMPLATE.replace(", namespace: a", "")
GOOD = NO_NAMESPACE.replace("{name: shop}", "{name: shop, value: a}")


@pytest.mark.parametrize(
    ("files", "problems"),
    [
        pytest.param({"b": NO_NAMESPACE}, 1, id="the only one"),
        pytest.param({"b": NO_NAMESPACE, "c": GOOD}, 0, id="one of two overlays: not judged"),
        pytest.param({"a": GOOD, "c": NO_NAMESPACE}, 0, id="that of its own file"),
        pytest.param({"a": NO_NAMESPACE, "c": GOOD}, 1, id="that of its own file is wrong"),
        pytest.param({"b": TEMPLATE}, 0, id="of a namespace"),
        pytest.param({"b": NO_NAMESPACE.replace("atLeast: 1", "")}, 1,
                     id="one that is wrong itself: it alone"),
    ],
)  # fmt: skip
def test_a_template_without_a_namespace_is_that_of_its_file(
    files: dict[str, str], problems: int, tmp_path: Path
) -> None:
    text = MODEL + "    analysis: {templateRef: {name: orders}}\n"
    for name, template in ({"a": ""} | files).items():
        model = text if name == "a" else ""
        (tmp_path / f"{name}.yaml").write_text(f"{model}---\n{template}")

    said = run(str(tmp_path), "--output", "json")

    assert len(json.loads(said.stdout)["problems"]) == problems


@pytest.mark.parametrize(
    ("first", "second", "problems"),
    [
        pytest.param(MODEL, MODEL, 0, id="neither names a namespace: overlays"),
        pytest.param(in_b(MODEL), in_b(MODEL), 1, id="both name it"),
        pytest.param(MODEL, in_b(MODEL), 0, id="one names it"),
        pytest.param(f"{MODEL}---\n{MODEL}", MODEL, 1, id="twice in one of them"),
    ],
)
def test_two_files_may_be_for_two_namespaces(
    first: str, second: str, problems: int, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(first)
    (tmp_path / "b.yaml").write_text(second)

    said = run(str(tmp_path), "--output", "json")

    assert len(json.loads(said.stdout)["problems"]) == problems


def test_the_same_name_in_two_namespaces_is_two(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{MODEL}---\n{in_b(MODEL)}")

    assert run(str(tmp_path)).exit_code == 0


def test_a_folder_is_read_as_kubectl_reads_it(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for name in ("b.yaml", "a.yml", "c.json", "notes.md", "below/d.yaml"):
        (tmp_path / name).write_text("")

    def read(*, recursive: bool) -> list[str]:
        texts = read_texts([str(tmp_path)], recursive=recursive)
        return [Path(name).name for name, _ in texts]

    assert read(recursive=False) == ["a.yml", "b.yaml", "c.json"]
    assert read(recursive=True) == ["a.yml", "b.yaml", "d.yaml", "c.json"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        pytest.param("none.yaml", None, "No such file", id="a file that is not there"),
        pytest.param("a.yaml", b"\xff\xfe", "no UTF-8 text", id="no text"),
        pytest.param("a" * 300, None, "name too long", id="a name that cannot be"),
        pytest.param("a.yaml", b"# nothing\n", "there is no manifest", id="no manifest"),
    ],
)
def test_what_cannot_be_read_is_wrong_usage(
    name: str, content: bytes | None, words: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    said = run(str(tmp_path / name))

    assert said.exit_code == click.UsageError.exit_code
    assert words in said.stderr


def test_standard_input_that_is_no_text_is_wrong_usage() -> None:
    said = CliRunner().invoke(fairlead, ["lint", STANDARD_INPUT], input=b"kind: \xff")

    assert said.exit_code == click.UsageError.exit_code
    assert "<stdin>: is no UTF-8 text" in said.stderr


@pytest.mark.parametrize(
    ("folder", "mode", "options", "is_read"),
    [
        pytest.param("below", 0o000, [], False, id="one below, which is not read"),
        pytest.param("below", 0o000, ["--recursive"], True, id="one below"),
        pytest.param("", 0o400, [], True, id="one whose files may not be looked at"),
    ],
)
def test_a_folder_that_may_not_be_read_is_wrong_usage(
    folder: str, mode: int, options: list[str], is_read: bool, tmp_path: Path
) -> None:
    (tmp_path / "model.yaml").write_text(MODEL)
    (tmp_path / "below").mkdir()
    (tmp_path / folder).chmod(mode)
    if os.access(tmp_path / folder, os.X_OK):
        pytest.skip("root may read everything")

    said = run(str(tmp_path), *options)

    (tmp_path / folder).chmod(0o700)
    assert said.exit_code == (click.UsageError.exit_code if is_read else 0)
    assert ("Permission denied" in said.stderr) is is_read


@pytest.mark.parametrize("part", ["read_documents", "check", "find_unfit"])
def test_a_fault_of_the_command_is_no_problem_of_a_manifest(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TypeError("unhashable type")

    monkeypatch.setattr(lint, part, fail)

    said = run(STANDARD_INPUT, given=MODEL)

    assert said.exit_code == click.UsageError.exit_code
    assert "cannot be checked: TypeError: unhashable type" in said.stderr
