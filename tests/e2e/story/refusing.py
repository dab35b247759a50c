"""A policy of the cluster that refuses Deployments of one namespace, for a while."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from cluster.api import Cluster
from e2e.story.waiting import wait_for

_RULE: Final = {
    "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"],
    "operations": ["CREATE", "UPDATE"],
}  # fmt: skip


@contextlib.contextmanager
def refusing(
    cluster: Cluster,
    *,
    name: str,
    namespace: str,
    unless: str,
    sentence: str,
    resources: Mapping[str, Any],
    say: Callable[[str], None],
) -> Iterator[None]:
    """Refuse Deployments of the namespace for the block.

    Args:
        name: of the policy and of its binding.
        unless: what CEL must find true of a Deployment that is let through.
        sentence: what the API server says to the others.
        resources: of the container of one that is refused: with it the policy is tried.

    Raises:
        StoryError: the policy is not in force within two minutes.
    """
    kubectl = cluster.kubectl
    kind = "ValidatingAdmissionPolicy"
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [_RULE]},
            "validations": [{"expression": unless, "message": sentence}],
        },
    }
    only_there = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}Binding",
        "metadata": {"name": name},
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": only_there},
        },
    }
    refused = json.dumps(_deployment(namespace, resources))
    try:
        for manifest in (policy, binding):
            kubectl("apply", "--filename=-", input=json.dumps(manifest))
        wait_for(
            "the policy to be in force",
            lambda: kubectl(
                "create", "--dry-run=server", "--filename=-", input=refused, check=False
            ),
            lambda done: sentence in done.stderr,
            describe=lambda done: done.stderr.strip() or "not yet",
            say=say,
            timeout=120,
        )
        yield
    finally:
        for each in (f"{kind}Binding", kind):
            kubectl("delete", each, name, "--ignore-not-found")


def _deployment(namespace: str, resources: Mapping[str, Any]) -> dict[str, Any]:
    labels = {"app": "refused"}
    container = {"name": "main", "image": "none", "resources": dict(resources)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "refused", "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
