"""YAML is read as kubectl reads it, and each field keeps its line."""

from typing import Any

import pytest

from fairlead_operator.lint.documents import Document, read_documents, split_list


def bodies(text: str) -> list[Any]:
    return [document.body for document in read_documents(text)]


def messages(text: str) -> list[str]:
    return [problem.message for document in read_documents(text) for problem in document.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("18:00", "18:00", id="a time of day is no number"),
        pytest.param("2026-12-20", "2026-12-20", id="a day is text"),
        pytest.param("2026-12-20T00:00:00Z", "2026-12-20T00:00:00Z", id="a moment is text"),
        pytest.param("1.4.0", "1.4.0", id="a version is text"),
        pytest.param("1.0", 1, id="a fraction that is whole"),
        pytest.param("1e3", 1000, id="an exponent without a point"),
        pytest.param("5e-3", 0.005, id="a small number"),
        pytest.param("1_000", 1000, id="with underscores"),
        pytest.param("010", 8, id="octal"),
        pytest.param("08", 8, id="no octal"),
        pytest.param("0x10", 16, id="hexadecimal"),
        pytest.param("yes", True, id="yes"),
        pytest.param("Off", False, id="Off"),
        pytest.param("n", False, id="n"),
        pytest.param("oN", "oN", id="no word of YAML"),
        pytest.param("~", None, id="a tilde"),
        pytest.param('"yes"', "yes", id="in quotes"),
        pytest.param("!!str 5", "5", id="a number that is to be text"),
        pytest.param('"\\ud83d\\ude00"', "\U0001f600", id="a character in two halves"),
        pytest.param('"\\ud83d"', "\ufffd", id="a half alone"),
        pytest.param("9223372036854775807", 2**63 - 1, id="the greatest of 64 bits"),
        pytest.param("9223372036854775808", 2.0**63, id="one more is a fraction"),
        pytest.param("-9223372036854775809", -(2**63), id="one less than the least is the least"),
        pytest.param("1" * 300, float("1" * 300), id="a number of many digits"),
        pytest.param("1e300", 1e300, id="whole, and beyond 64 bits"),
        pytest.param("01777777777777777777777", 2.0**64, id="octal, beyond 63 bits"),
        pytest.param("0x10000000000000000", "0x10000000000000000", id="hexadecimal, beyond 64"),
        pytest.param("1" * 5000, "1" * 5000, id="a number beyond all bounds is text"),
        pytest.param("-1e400", "-1e400", id="an exponent beyond all bounds"),
        pytest.param("-", [None], id="an empty item"),
        pytest.param("- a", ["a"], id="a list"),
        pytest.param("-a", "-a", id="a dash is no sign"),
    ],
)
def test_a_scalar_is_what_kubectl_takes_it_for(text: str, value: Any) -> None:
    (body,) = bodies(f"a:\n  {text}")

    assert body == {"a": value}
    assert type(body["a"]) is type(value)


LIST = "apiVersion: v1\nkind: List\n"
OF_MODELS = "apiVersion: fairlead.dev/v1alpha1\nkind: ModelList\n"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param("a: 1\n---\n---\nb: 2\n", [{"a": 1}, {"b": 2}], id="empty ones are left out"),
        pytest.param("# nothing\n", [], id="only a comment"),
        pytest.param('{\n\t"a": [1, "b"]\n}', [{"a": [1, "b"]}], id="JSON with tabs"),
        pytest.param(
            "v: &v {a: 1, b: 2}\nw: {<<: *v, b: 3}",
            [{"v": {"a": 1, "b": 2}, "w": {"a": 1, "b": 3}}],
            id="a merge",
        ),
        pytest.param("on: 1\n2: 3", [{"true": 1, "2": 3}], id="keys are text"),
        pytest.param(
            "apiVersion: v1\nkind: List\nitems: [{a: 1}, {b: 2}]", [{"a": 1}, {"b": 2}], id="a List"
        ),
        pytest.param(f"{LIST}items:\n-\n- a: 1\n-", [{"a": 1}], id="empty items of a List"),
        pytest.param(f"{LIST}items:", [], id="a List of nothing"),
        pytest.param(LIST, [], id="a List without items"),
        pytest.param(
            f"{LIST}items: [{{apiVersion: v1, kind: List, items: [{{a: 1}}]}}, {{b: 2}}]",
            [{"a": 1}, {"b": 2}],
            id="a List within one",
        ),
        pytest.param(
            f"{OF_MODELS}items: [{{spec: 1}}, {{kind: Secret}}, {{apiVersion: v1}}, text]",
            [
                {"spec": 1, "apiVersion": "fairlead.dev/v1alpha1", "kind": "Model"},
                {"kind": "Secret"},
                {"apiVersion": "v1"},
                "text",
            ],
            id="a list of our group: its items are of its kind, where they say nothing",
        ),
        pytest.param(
            OF_MODELS,
            [{"apiVersion": "fairlead.dev/v1alpha1", "kind": "ModelList"}],
            id="without items it is none",
        ),
        pytest.param(
            "apiVersion: apps/v1\nkind: DeploymentList\nitems: [{a: 1}]",
            [{"apiVersion": "apps/v1", "kind": "DeploymentList", "items": [{"a": 1}]}],
            id="a list of others is one document",
        ),
        pytest.param('{"a": 1}{"b": 2}\n\n {"c":\t3}', [{"a": 1}, {"b": 2}, {"c": 3}], id="JSONs"),
        pytest.param('{"a": 1}\n---\nb: 2', [{"a": 1}, {"b": 2}], id="JSON, then YAML"),
        pytest.param("{a: 1}\n---\n{b: 2}", [{"a": 1}, {"b": 2}], id="braces that are no JSON"),
        pytest.param("\ufeffa: 1", [{"a": 1}], id="a mark of the byte order"),
        pytest.param(f"a: [{'1, ' * 1500}]", [{"a": [1] * 1500}], id="many values, no alias"),
        pytest.param(
            f"a: &a [{'1, ' * 50}]\nb: [{'*a, ' * 50}]",
            [{"a": [1] * 50, "b": [[1] * 50] * 50}],
            id="an alias that is used often",
        ),
    ],
)  # fmt: skip
def test_a_file_is_its_manifests(text: str, read: list[Any]) -> None:
    assert bodies(text) == read


MODEL = """\
kind: Model
spec:
  data:
    target: a
  rollout:
    steps:
      - weight: 5
      - weight: 5
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        pytest.param("spec.data.target", 4, id="a field"),
        pytest.param("spec.rollout.steps[1].weight", 8, id="in a list"),
        pytest.param("spec.rollout.steps[1]", 8, id="an item"),
        pytest.param("spec.data.source.uri", 3, id="what is missing is where it should be"),
        pytest.param("spec.rollout.steps[7].hold", 6, id="no such item"),
        pytest.param("metadata.name", 1, id="nothing of it is there"),
        pytest.param("", 1, id="the whole"),
    ],
)
@pytest.mark.parametrize("before", [0, 3])
def test_a_field_has_its_line(path: str, line: int, before: int) -> None:
    text = f"a: 1\n{'#' * (before - 2)}\n---\n{MODEL}" if before else MODEL

    *_, document = read_documents(text)

    assert document.line(path) == line + before
    assert document.number == (2 if before else 1)


def test_a_field_within_a_list_has_its_line() -> None:
    listed = "apiVersion: v1\nkind: List\nitems:\n- a: 1\n- spec:\n    b: 2\n    b: 3\n"

    _, second = read_documents(listed)

    assert second.line("spec.b") == 7
    assert [problem.field for problem in second.problems] == ["spec.b"]


def test_a_field_of_a_later_json_object_has_its_line() -> None:
    *_, last = read_documents('{"a": 1}\n{\n "b": 2}\n\n{"c":\n {"d":\n 3}}')

    assert (last.number, last.line(""), last.line("c.d")) == (3, 5, 6)


def test_a_mistake_after_json_objects_has_its_line() -> None:
    *_, broken = read_documents('{"a": 1}\n{"b": 2}\n{"c": [}')

    assert (broken.number, broken.body, broken.line("")) == (3, None, 3)


def test_a_long_list_is_read_at_once() -> None:
    """Its lines were gone through once for each item, which took minutes of some thousands."""
    fields = {f"items[{index}].a": index for index in range(30_000)}
    body = {"apiVersion": "v1", "kind": "List", "items": [{"a": 1}] * 30_000}
    listing = Document(number=1, body=body, lines=fields)

    *_, last = split_list(listing)

    assert dict(last.lines) == {"a": 29_999}


BOMB = "a: &a0 [1]\n" + "".join(f"b{n}: &a{n} [{f'*a{n - 1}, ' * 9}]\n" for n in range(1, 9))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a: 1\na: 2", 'key "a" already set in map', id="a key twice"),
        pytest.param("a: {b: 1, b: 1}", 'key "b" already set in map', id="deeper"),
        pytest.param("a: [1", "error parsing YAML: ", id="not closed"),
        pytest.param("a: {{ .Values.a }}", "error parsing YAML: ", id="a template of Helm"),
        pytest.param("a: *b", "undefined alias", id="no such anchor"),
        pytest.param("a: &a [*a]", "nested too deeply", id="an anchor within itself"),
        pytest.param("\x00", "error parsing YAML: ", id="no text"),
        pytest.param('a: "\\UFFFFFFFF"', "error parsing YAML: ", id="no character"),
        pytest.param("a: {<<: }", "map merge requires map", id="a merge of nothing"),
        pytest.param("a: {<<: foo}", "map merge requires map", id="a merge of text"),
        pytest.param("a: {<<: [{b: 1}, 5]}", "map merge requires map", id="of a number"),
        pytest.param("a: {<<: [[{b: 1}]]}", "map merge requires map", id="of a list in a list"),
        pytest.param(f"{LIST}items: 5", "must be a list", id="items that are a number"),
        pytest.param(f"{LIST}items: {{a: 1}}", "must be a list", id="items that are an object"),
        pytest.param(f"{OF_MODELS}items: x", "must be a list", id="items of a list of ours"),
        pytest.param(f"{LIST}items: []\nitems: []", "already set", id="items twice"),
        pytest.param(
            BOMB,
            "excessive aliasing",
            id="a few lines that stand for millions",
        ),
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_said(text: str, message: str) -> None:
    assert message in " ".join(messages(text))


@pytest.mark.parametrize("mistake", ["[\n", "\n  <<: foo"])
def test_what_comes_before_a_mistake_is_read(mistake: str) -> None:
    *whole, broken = read_documents(f"a: 1\n---\nb: {mistake}")

    assert [document.body for document in whole] == [{"a": 1}]
    assert (broken.number, broken.body, broken.line("")) == (2, None, 4)
