"""`fairlead lint`: files in, lines or a document out, and an exit code for pipelines."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

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
        pytest.param("a: [", "model.yaml:1: document 1: error parsing YAML", id="no YAML"),
        pytest.param(MODEL.replace("name: nsw", "nane: nsw"), "name or generateName", id="name"),
        pytest.param(MODEL.replace("{", "{format: csv, format: csv, "), "already set", id="a key"),
        pytest.param(f"{MODEL}---\n{MODEL}", "is in model.yaml:1 already", id="the same twice"),
        pytest.param(f"{MODEL.replace('metadata:', 'metadata: 5')}", "", id="metadata"),
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


def test_the_same_name_in_two_namespaces_is_two(tmp_path: Path) -> None:
    other = MODEL.replace("  name: nsw-price", "  name: nsw-price\n  namespace: b")
    (tmp_path / "a.yaml").write_text(f"{MODEL}---\n{other}")

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
