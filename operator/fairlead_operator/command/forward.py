"""A connection to an operator pod, through the API server's port-forward.

The person needs the right to ``pods/portforward`` in the operator's namespace.
"""

import contextlib
import json
import socket
from collections.abc import Callable
from typing import Final

import urllib3
from kubernetes import client
from kubernetes.stream import portforward

from fairlead_operator.command.cluster import Cluster, explain
from fairlead_operator.command.failures import CommandError

DEFAULT_NAMESPACE: Final = "fairlead-system"
_SELECTOR: Final = "app.kubernetes.io/component=operator"
_PORT_NAME: Final = "history"
_HANDSHAKE_PART: Final = " -+-+- "  # as the websocket client joins status, headers and body


def forwarded(cluster: Cluster, namespace: str) -> Callable[[], socket.socket]:
    """Return a function that connects to the history port of a ready operator pod."""

    def connect() -> socket.socket:
        api = client.CoreV1Api(cluster.connection)
        try:
            pods = api.list_namespaced_pod(namespace, label_selector=_SELECTOR).items
            place = next(filter(None, map(_history_port, pods)), None)
            if place is None:
                raise CommandError(
                    f"no operator pod is ready in namespace {namespace}; if the operator runs in "
                    "another namespace, choose it with --operator-namespace"
                )
            name, port = place
            forward = portforward(
                api.connect_get_namespaced_pod_portforward, name, namespace, ports=str(port)
            )
            opened: socket.socket = forward.socket(port)
        except client.ApiException as error:
            raise CommandError(f"cannot reach the operator: {_words(error)}") from error
        except urllib3.exceptions.HTTPError as error:
            raise CommandError(f"cannot reach the operator: {error}") from error
        return opened

    return connect


def _words(error: client.ApiException) -> str:
    """Return what the API server said; a refused handshake hides its answer in the reason."""
    if error.status:
        return explain(error)
    handshake, _, answer = str(error.reason).partition(_HANDSHAKE_PART)
    body = answer.rpartition(_HANDSHAKE_PART)[2]
    with contextlib.suppress(ValueError, KeyError):
        return str(json.loads(body[body.index("{") : body.rindex("}") + 1])["message"])
    return handshake.strip()


def _history_port(pod: client.V1Pod) -> tuple[str, int] | None:
    """Return name and port of a ready pod that serves histories, or None."""
    conditions = pod.status.conditions or []
    if not any(entry.type == "Ready" and entry.status == "True" for entry in conditions):
        return None
    for container in pod.spec.containers:
        for port in container.ports or []:
            if port.name == _PORT_NAME:
                return pod.metadata.name, port.container_port
    return None
