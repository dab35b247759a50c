"""Where each kind is found in the API, and which of them are watched."""

import pytest

from fairlead_operator.kube.kinds import OPTIONAL, RESOURCES, UNSTORED, WATCHED


@pytest.mark.parametrize(
    ("kind", "namespace", "name", "path"),
    [
        pytest.param(
            "Pod", "energy", "p", "/api/v1/namespaces/energy/pods/p", id="one of the core"
        ),
        pytest.param(
            "Deployment",
            "energy",
            "d",
            "/apis/apps/v1/namespaces/energy/deployments/d",
            id="one of a group",
        ),
        pytest.param(
            "Model",
            "energy",
            "",
            "/apis/fairlead.dev/v1alpha1/namespaces/energy/models",
            id="those of a namespace",
        ),
        pytest.param("Model", "", "", "/apis/fairlead.dev/v1alpha1/models", id="those of all"),
    ],
)
def test_path(kind: str, namespace: str, name: str, path: str) -> None:
    assert RESOURCES[kind].path(namespace, name) == path


def test_what_is_watched_has_a_place_in_the_api() -> None:
    assert WATCHED.keys() | OPTIONAL.keys() <= RESOURCES.keys()
    assert WATCHED.keys().isdisjoint(OPTIONAL)
    assert OPTIONAL.keys() >= UNSTORED


@pytest.mark.parametrize("kind", sorted(WATCHED))
def test_of_what_others_use_too_only_ours_is_watched(kind: str) -> None:
    is_ours = RESOURCES[kind].api_version.startswith("fairlead.dev/")
    selector = WATCHED[kind]

    assert bool(selector.labels or selector.fields) is not is_ours
