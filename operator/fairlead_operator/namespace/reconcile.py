"""Reconciles what the Models of a namespace share: its gateway, and its logins elsewhere."""

from fairlead_operator.errors import ClusterRefusalError, TransientError
from fairlead_operator.kube.database_secret import Logins
from fairlead_operator.namespace.login import tidy_login
from fairlead_operator.namespace.tidy import tidy_gateway
from fairlead_operator.ports import Ports


async def reconcile_namespace(namespace: str, ports: Ports, *, logins: Logins) -> None:
    """Remove what no Model of the namespace needs anymore.

    Raises:
        TransientError: the cluster, the database or MLflow did not answer.
    """
    await tidy_gateway(namespace, ports.kube)
    try:
        await tidy_login(namespace, ports, logins=logins)
    except (ClusterRefusalError, TransientError):
        await _dismiss(namespace, ports)  # whatever the database does, nobody stays signed in
        raise
    await _dismiss(namespace, ports)


async def _dismiss(namespace: str, ports: Ports) -> None:
    if not await ports.kube.list("Model", namespace, {}):
        await ports.logins.dismiss(namespace, ports.kube)
