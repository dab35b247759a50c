"""Manifests that are nearly right, sent to a real API server with all its rules.

It refuses by the field, or takes what the operator can read; nothing is left for a
reconcile to stumble over.
"""

import functools
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from cluster.control_plane import ControlPlane
from fairlead_operator.api.base import Spec
from fairlead_operator.api.group import API_VERSION
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.rollout import RolloutSpec
from support.fuzz import mutations, to_json
from support.kube_desk import admin_of, create_namespace
from support.specs import SPECS

pytestmark = pytest.mark.integration

_COUNT = 1000  # for each kind


@pytest.mark.parametrize(
    ("kind", "plural", "spec"),
    [("Model", "models", ModelSpec), ("Rollout", "rollouts", RolloutSpec)],
)
def test_what_the_api_server_takes_can_be_read(
    plane: ControlPlane, kind: str, plural: str, spec: type[Spec]
) -> None:
    server, context = admin_of(plane.kubeconfig)
    namespace = create_namespace(plane, "nearly-right")
    path = f"/apis/{API_VERSION}/namespaces/{namespace}/{plural}"
    taken = refused = 0
    with (
        httpx.Client(base_url=server, verify=context, params={"dryRun": "All"}, timeout=60) as api,
        ThreadPoolExecutor(4) as senders,
    ):
        for document in SPECS[kind]:
            first = send(api, path, kind, document)
            assert first is not None
            assert first.status_code == 201, first.text
            mutants = list(mutations(document, count=_COUNT // len(SPECS[kind]), seed=17))
            answers = senders.map(functools.partial(send, api, path, kind), mutants)
            for sent, answer in zip(mutants, answers, strict=True):
                if answer is None:
                    continue
                if answer.status_code == 201:
                    spec.model_validate(answer.json()["spec"])  # raises when it cannot be read
                    taken += 1
                else:
                    assert answer.status_code == 422, (sent, answer.text)
                    causes = answer.json()["details"]["causes"]
                    assert causes
                    assert any("spec" in cause["field"] + cause["message"] for cause in causes)
                    refused += 1

    assert taken > _COUNT // 20
    assert refused > _COUNT // 2


def send(api: httpx.Client, path: str, kind: str, spec: object) -> httpx.Response | None:
    """The answer; None for a spec that JSON cannot say."""
    meta = {"name": "nsw-price"}
    body = to_json({"apiVersion": API_VERSION, "kind": kind, "metadata": meta, "spec": spec})
    if body is None:
        return None
    return api.post(path, content=body, headers={"Content-Type": "application/json"})
