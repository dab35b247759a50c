"""A real API server takes every object that the documentation shows, field by field."""

import json
from typing import Any

import pytest

from cluster.control_plane import ControlPlane
from support.documents import PAGES, manifests
from support.kube_desk import create_namespace

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
