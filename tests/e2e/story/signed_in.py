"""MLflow asks everyone to sign in: tests do so as its administrator, whose password is a Secret.

MLflow's own client, and what is started from here, reads it from the environment.
"""

import base64
import json
import os
from collections.abc import Mapping

from cluster.api import Cluster
from e2e.story import installation
from fairlead_contract.mlflow import ADDRESS, PASSWORD, USERNAME, read_access

ADMINISTRATOR = "admin"
SECRET = "fairlead-mlflow-admin"


def sign_in(cluster: Cluster) -> None:
    """Sign in, for this process and those that it starts."""
    found = cluster.kubectl(
        "get", "secret", SECRET, f"--namespace={installation.NAMESPACE}", "--output=json"
    )
    password = base64.b64decode(json.loads(found.stdout)["data"]["admin-password"]).decode()
    os.environ.update({USERNAME: ADMINISTRATOR, PASSWORD: password})


def headers() -> Mapping[str, str]:
    """Return the headers of who has signed in."""
    return read_access({**os.environ, ADDRESS: "http://mlflow"}).headers
