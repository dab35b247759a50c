"""The Models by which an editor of one namespace tries to read what is not hers."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

RIVAL = "rival"  # her namespace
MARKET = "postgresql://market-db.energy:5432/market"
SINK = "postgresql://sink.rival:5432/market"  # where Rita would listen
# By what it is: the address, the Secret, the reason of the refusal and a word of its message.
SOURCES: Mapping[str, tuple[str, str | None, str, str]] = {
    "a Secret that names no hosts": (SINK, "silent", "SecretNotAllowed", "Secret silent"),
    "a Secret for other hosts": (SINK, "elsewhere", "SecretNotAllowed", "sink.rival:5432"),
    "what signs in to MLflow": (SINK, "fairlead-mlflow", "SecretNotAllowed", "fairlead-mlflow"),
    "metadata of a cloud, as a number": (
        f"http://{int(ipaddress.ip_address('169.254.169.254'))}/latest/meta-data/",
        None, "SourceNotAllowed", "link-local",
    ),
    "the API server, by another name": (
        "https://api.rival/api", None, "SourceNotAllowed", "the cluster's API",
    ),
    "another's database": (MARKET, "market-reader", "SourceNotAllowed", "another namespace"),
    "another's database, by another name": (
        "postgresql://market.rival:5432/market", None, "SourceNotAllowed", "another namespace",
    ),
}  # fmt: skip
PLAIN = ("http://169.254.169.254/latest/meta-data/", "https://kubernetes.default.svc/api")


def name_model(title: str) -> str:
    return f"spy-{list(SOURCES).index(title)}"


def models() -> Iterator[dict[str, Any]]:
    """Build a Model for each source; their trainings end before they read a row."""
    for title, (uri, credentials, _, _) in SOURCES.items():
        yield model(name_model(title), uri, credentials)


def model(name: str, uri: str, credentials: str | None = None) -> dict[str, Any]:
    source: dict[str, Any] = {"uri": uri}
    if uri.startswith("postgresql:"):
        source["query"] = "select * from half_hours"
    else:
        source["format"] = "csv"  # neither address ends in one
    if credentials is not None:
        source["credentials"] = {"name": credentials}
    small = {"requests": {"cpu": "20m", "memory": "160Mi"}, "limits": {"memory": "1Gi"}}
    return {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "Model",
        "metadata": {"name": name, "namespace": RIVAL},
        "spec": {
            "task": "binary-classification",
            "data": {"source": source, "target": "price_up", "timestampColumn": "timestamp"},
            "training": {"search": {"trials": 1}, "retries": 0, "resources": small},
        },
    }
