"""Reconciles what the Models of a namespace share: today its gateway."""

from fairlead_operator.namespace.tidy import tidy_gateway
from fairlead_operator.ports import Ports


async def reconcile_namespace(namespace: str, ports: Ports) -> None:
    """Remove what no Model of the namespace needs anymore.

    Raises:
        TransientError: the cluster did not answer.
    """
    await tidy_gateway(namespace, ports.kube)
