"""When applying would change nothing; in doubt it is applied."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.kube.applied import is_applied, sign, signature

MANIFEST: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "d", "namespace": "energy", "labels": {"a": "1"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"a": "1"}},
        "template": {
            "spec": {
                "imagePullSecrets": [],
                "containers": [
                    {"name": "server", "args": ["x", "y"], "env": [{"name": "E", "value": ""}]}
                ],
            }
        },
    },
}


def live() -> dict[str, Any]:
    """As the API server keeps it: with defaults, without what is empty."""
    body = copy.deepcopy(sign(MANIFEST))
    pod = body["spec"]["template"]["spec"]
    del pod["imagePullSecrets"]
    del pod["containers"][0]["env"][0]["value"]
    pod["containers"][0]["terminationMessagePath"] = "/dev/termination-log"
    pod["dnsPolicy"] = "ClusterFirst"
    body["status"] = {"replicas": 2}
    body["metadata"]["labels"]["another"] = "controller's"
    return body


def test_signing_changes_nothing_it_is_given() -> None:
    before = copy.deepcopy(MANIFEST)
    signed = sign(MANIFEST)

    assert before == MANIFEST
    assert signature(MANIFEST) is None
    assert signature(signed) == signature(sign(MANIFEST)) is not None
    assert signature(sign({**MANIFEST, "spec": {}})) != signature(signed)


def test_what_the_server_made_of_it_is_known_again() -> None:
    assert is_applied(sign(MANIFEST), live())


def _containers(body: dict[str, Any]) -> list[dict[str, Any]]:
    containers: list[dict[str, Any]] = body["spec"]["template"]["spec"]["containers"]
    return containers


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda body: body["spec"].update(replicas=0), id="a value is another"),
        pytest.param(lambda body: body["spec"].update(replicas=True), id="of another type"),
        pytest.param(lambda body: body["spec"].pop("replicas"), id="a field is gone"),
        pytest.param(lambda body: body.update(spec=None), id="a part is gone"),
        pytest.param(lambda body: _containers(body).clear(), id="an item is gone"),
        pytest.param(lambda body: _containers(body)[0].update(args=["y", "x"]), id="order"),
        pytest.param(lambda body: _containers(body)[0].update(args=["x"]), id="length"),
        pytest.param(lambda body: _containers(body)[0].update(args="x"), id="no list any more"),
        pytest.param(
            lambda body: body["spec"]["selector"]["matchLabels"].update(b="2"),
            id="a key more where the whole is replaced",
        ),
        pytest.param(
            lambda body: body["metadata"]["annotations"].clear(), id="applied by another program"
        ),
    ],
)
def test_a_difference_is_seen(change: Any) -> None:
    body = live()
    change(body)

    assert not is_applied(sign(MANIFEST), body)


def test_a_field_left_out_since_is_applied_although_the_rest_is_there() -> None:
    """The live object has all of it, and something more that only applying would remove."""
    manifest = copy.deepcopy(MANIFEST)
    del manifest["spec"]["replicas"]

    assert not is_applied(sign(manifest), live())


def test_an_item_that_others_added_is_theirs() -> None:
    body = live()
    _containers(body).append({"name": "sidecar"})

    assert is_applied(sign(MANIFEST), body)


_json = st.recursive(
    st.one_of(st.booleans(), st.integers(-3, 3), st.text("ab", max_size=2)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("abcd"), _json, max_size=3), st.data())
def test_everything_is_applied_that_differs_in_a_value(
    spec: dict[str, Any], data: st.DataObject
) -> None:
    manifest = {**MANIFEST, "spec": {**spec, "replicas": data.draw(st.integers(0, 3))}}
    signed = sign(manifest)
    body = copy.deepcopy(signed)
    assert is_applied(signed, body)

    body["spec"]["replicas"] += 1
    assert not is_applied(signed, body)
