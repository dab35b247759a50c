"""A whole manifest is judged in the API server's order; more than here is asked of a real one.

tests/integration/operator/test_crds.py compares every sentence with an API server's.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.api.group import API_VERSION
from fairlead_operator.lint.check import UNCHECKED, as_kept, check, is_ours
from support.documents import manifests


def model(**spec: Any) -> dict[str, Any]:
    data = {"source": {"uri": "https://a"}, "timestampColumn": "t", "target": "y"}
    return {
        "apiVersion": API_VERSION,
        "kind": "Model",
        "metadata": {"name": "m"},
        "spec": {"task": "regression", "data": data} | spec,
    }


def said(body: dict[str, Any]) -> list[str]:
    return [f"{problem.field}: {problem.message}" for problem in check(body)]


@pytest.mark.parametrize(
    ("body", "ours"),
    [
        pytest.param({"apiVersion": API_VERSION, "kind": "Model"}, True, id="a Model"),
        pytest.param({"apiVersion": "fairlead.dev/v9", "kind": "A"}, True, id="of our group"),
        pytest.param({"kind": "Rollout"}, True, id="a kind of ours, of no group"),
        pytest.param({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout"}, False, id="Argo's"),
        pytest.param({"apiVersion": "v1", "kind": "Secret"}, False, id="a Secret"),
        pytest.param({"services": {}}, False, id="no manifest"),
        pytest.param({"kind": ["Model"]}, True, id="a kind that is a list, of no group"),
        pytest.param({"kind": {"Model": None}}, True, id="a kind that is an object, of no group"),
        pytest.param({"apiVersion": "v1", "kind": ["Secret"]}, False, id="of another group"),
        pytest.param([], False, id="a list"),
        pytest.param("text", False, id="text"),
    ],
)
def test_what_is_ours_to_check(body: Any, ours: bool) -> None:
    assert is_ours(body) is ours


def test_a_manifest_that_is_right_has_no_problem() -> None:
    assert said(model()) == []


QUOTES = "write it in quotes, so that YAML takes it as text"
DURATION = "must be a duration in hours, minutes and seconds, for example 90s or 1h30m"


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        pytest.param(
            {"rollout": {"steps": [{"weight": 5, "hold": 2}]}},
            f"hold {DURATION}, and must be at most 168h; {QUOTES}",
            id="a duration without its unit",
        ),
        pytest.param(
            {"rollout": {"patience": True}},
            f"patience {DURATION}, and must be between 10s and 168h; {QUOTES}",
            id="a truth for a duration",
        ),
        pytest.param(
            {"version": 1.0},
            "version must be three numbers with dots and no v before them, for example 1.4.0; "
            + QUOTES,
            id="a version of two numbers",
        ),
        pytest.param(
            {"alternatives": [1.0]},
            "alternatives must be three numbers with dots and no v before them, for example "
            f"1.4.0; {QUOTES}",
            id="one in a list",
        ),
        pytest.param(
            {"data": model()["spec"]["data"] | {"missingLabels": 5}},
            f"missingLabels must be a whole percent from 0% to 90%, for example 5%; {QUOTES}",
            id="a percentage without its sign",
        ),
        pytest.param(
            {"training": {"resources": {"requests": {"cpu": 0.5}}}},
            "cpu must be an amount, for example 500m or 2 of cpu, 512Mi or 2Gi of memory; "
            + QUOTES,
            id="a fraction, where a whole number may stand",
        ),
        pytest.param(
            {"data": model()["spec"]["data"] | {"source": {"uri": "s3://b/x", "query": 5}}},
            QUOTES,
            id="a field without a form of its own",
        ),
    ],
)
def test_a_number_or_a_truth_for_text_is_told_with_the_form_of_its_field(
    spec: dict[str, Any], hint: str
) -> None:
    mistyped = [one for one in check(model(**spec)) if " in body must be of type " in one.message]

    assert [one.hint for one in mistyped] == [hint]


@pytest.mark.parametrize("kind", [["Model"], {"Model": None}, 5, True])
def test_a_kind_is_text(kind: Any) -> None:
    (line,) = said(model() | {"kind": kind})

    assert line.startswith("kind: Invalid value: ")
    assert line.endswith(": must be text")


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**400, 1e300])
def test_a_number_beyond_64_bits_is_told_and_no_rule_is_asked_of_it(number: float) -> None:
    lines = said(model(serving={"replicas": number}))

    assert '<nil>: Invalid value: "": Checked value must be of type integer with format' in lines[0]
    assert lines[-1] == f"{UNCHECKED.field}: {UNCHECKED.message}"


def test_a_null_is_not_kept_and_a_default_is() -> None:
    rollout = {"steps": [{"weight": 5}]}
    body = model(serving=None, rollout=rollout | {"analysis": None, "guard": None})
    body["spec"]["data"]["minRows"] = None

    kept = as_kept(body | {"status": {"phase": "Ready"}})

    spec = kept["spec"]
    assert spec["data"]["minRows"] == 200
    assert not {"analysis", "guard"} & spec["rollout"].keys()
    assert "serving" not in spec
    assert "status" not in kept


def test_no_rule_is_evaluated_where_the_structure_is_wrong() -> None:
    steps = [{"weight": 50}, {"weight": 5}]

    assert said(model(rollout={"steps": steps, "strategy": "rainbow"}))[1:] == [
        f"{UNCHECKED.field}: {UNCHECKED.message}"
    ]
    (line,) = said(model(rollout={"steps": steps}))
    assert line.startswith("spec.rollout.steps: Invalid value: steps must not decrease in weight")


def test_a_bound_that_is_passed_stops_no_rule() -> None:
    fields = [problem.field for problem in check(model(rollout={"steps": [{"weight": 0}] * 2}))]

    assert UNCHECKED.field not in fields


def test_what_an_unknown_field_hides_is_told_with_it() -> None:
    body = model(task=None, tsak="regression")

    assert said(body)[:2] == [
        'spec.tsak: unknown field "spec.tsak"',
        "spec.task: Required value",
    ]


def test_who_creates_an_object_says_nothing_of_its_status() -> None:
    assert said(model() | {"status": {"phase": 5}}) == []


def test_a_name_that_is_to_be_generated_is_judged_by_its_beginning() -> None:
    long = model() | {"metadata": {"generateName": "n" * 36}}

    assert said(model() | {"metadata": {"generateName": "m-"}}) == []
    assert [problem.field for problem in check(long)] == ["metadata.name"]


@pytest.mark.parametrize("spec", [None, 5, "a", []])
def test_a_spec_that_is_none_is_told(spec: Any) -> None:
    assert any(line.startswith("spec: ") for line in said(model() | {"spec": spec}))


@pytest.mark.parametrize(
    ("metadata", "line"),
    [
        pytest.param(None, "metadata.name: Required value: name or generateName", id="none"),
        pytest.param([], "metadata.name: Required value", id="an empty list"),
        pytest.param("m", "metadata: must be an object", id="text"),
    ],
)
def test_metadata_that_is_none_is_told(metadata: Any, line: str) -> None:
    assert said(model() | {"metadata": metadata})[0].startswith(line)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything in a manifest."""
    yield path
    if isinstance(node, dict | list):
        for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
            yield from places(inner, (*path, key))


def with_(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy that differs in one place."""
    if not path:
        return value
    copy = dict(node) if isinstance(node, dict) else list(node)
    copy[path[0]] = with_(node[path[0]], path[1:], value)
    return copy


SHOWN = next(item for item in manifests("README.md") if item["kind"] == "Model")
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from([path for path in places(SHOWN) if path]), ANYTHING)
def test_whatever_is_written_is_judged(path: tuple[Any, ...], value: Any) -> None:
    """Whatever stands anywhere in a manifest, there is an answer, and it is text."""
    assert all(isinstance(problem.message, str) for problem in check(with_(SHOWN, path, value)))
