"""A real API server takes every object that the documentation shows, field by field."""

import json
from typing import Any

import pytest
import yaml

from cluster.control_plane import ControlPlane
from support.documents import PAGES, blocks, manifests
from support.kube_desk import create_namespace
from support.live_operator import until

pytestmark = pytest.mark.integration


def test_the_api_server_takes_what_the_documentation_shows(plane: ControlPlane) -> None:
    namespace = create_namespace(plane, "documents")
    shown = [(page, item) for page in PAGES if "charts/" not in page for item in manifests(page)]

    refused = [(page, words) for page, item in shown if (words := refusal(plane, namespace, item))]

    assert len(shown) > 10
    assert refused == []


def refusal(plane: ControlPlane, namespace: str, item: dict[str, Any]) -> str:
    """Return what the API server says against an object; nothing is stored."""
    metadata = {"name": item["metadata"]["name"], "namespace": namespace}
    done = plane.kubectl(
        "create",
        "--dry-run=server",
        "--validate=strict",
        "--filename=-",
        input=json.dumps({**item, "metadata": metadata}),
        check=False,
    )
    return done.stderr.strip()


async def test_the_policy_that_is_shown_asks_for_a_model_card(plane: ControlPlane) -> None:
    """It is tried where it is said to count, in a namespace that no other test has."""
    namespace = create_namespace(plane, "cards")
    policy, binding = (
        document
        for block in blocks("docs/versions.md", "yaml")
        for document in yaml.safe_load_all(block)
        if str(document.get("kind")).startswith("ValidatingAdmissionPolicy")
    )
    only_here = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    binding["spec"]["matchResources"] = {"namespaceSelector": only_here}
    said, *_ = (item for item in manifests("docs/versions.md") if "card" in item["spec"])
    unsaid = {**said, "spec": {key: said["spec"][key] for key in ("task", "data")}}

    try:
        for document in (policy, binding):
            plane.kubectl("apply", "--filename=-", input=json.dumps(document))

        async def in_force() -> bool:
            return "say intendedUse and owners" in refusal(plane, namespace, unsaid)

        await until(in_force, "the policy to be in force")
        assert refusal(plane, namespace, said) == ""
    finally:
        for document in (binding, policy):
            plane.kubectl(
                "delete", document["kind"], document["metadata"]["name"], "--ignore-not-found"
            )
