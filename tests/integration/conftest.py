"""What integration tests share: a real API server without a node, PostgreSQL and MLflow."""

import os
from collections.abc import Iterator

import pytest

from cluster.control_plane import ControlPlane, control_plane
from support import quiet_mlflow
from support.mlflow_server import mlflow_server
from support.patience import patient_record
from support.postgres import postgres

# Fixtures, and an import that is quiet.  A test module that imported one would have it anew.
__all__ = ["mlflow_server", "patient_record", "postgres", "quiet_mlflow"]


@pytest.fixture(name="control_plane", scope="session")
def _control_plane() -> Iterator[ControlPlane]:
    """An API server for the session; tests keep apart by namespaces of their own."""
    with control_plane(os.environ) as plane:
        yield plane
