"""Which cluster this machine gets."""

import os
from collections.abc import Mapping

from cluster.api import Cluster
from cluster.command import Run, run
from cluster.errors import ClusterError
from cluster.existing import ExistingCluster
from cluster.kind import KindCluster
from cluster.layout import layout
from cluster.native import NativeCluster

KUBECONFIG_VARIABLE = "FAIRLEAD_KUBECONFIG"
KIND_OF_CLUSTER_VARIABLE = "FAIRLEAD_CLUSTER"


def choose(environ: Mapping[str, str] = os.environ, run: Run = run) -> Cluster:
    """Choose the cluster the user named, else kind where Docker answers, else a native one.

    ``KUBECONFIG`` is not looked at: it may well mean somebody's production.

    Raises:
        ClusterError: the user named something that does not exist.
    """
    if named := environ.get(KUBECONFIG_VARIABLE):
        return ExistingCluster(named, layout(environ, "existing"), run)
    native = NativeCluster(layout(environ), environ, run)
    kind = KindCluster(layout(environ, "kind"), run)
    match environ.get(KIND_OF_CLUSTER_VARIABLE, ""):
        case "native":
            return native
        case "kind":
            return kind
        case "":
            return kind if _docker_answers(run) else native
        case other:
            raise ClusterError(f"{KIND_OF_CLUSTER_VARIABLE} is {other}; set it to native or kind")


def _docker_answers(run: Run) -> bool:
    try:
        return run(["docker", "info"], check=False, timeout=10).returncode == 0
    except ClusterError:
        return False
