"""Secrets that we make: their names and labels, and what is in them as Kubernetes has it.  Pure."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from fairlead_operator.api.group import LABEL_COMPONENT, LABEL_MANAGED_BY, MANAGED_BY


def name_secret(name: str, namespace: str, *, component: str) -> dict[str, Any]:
    """Build the manifest of a Secret of ours, without its content."""
    labels = {LABEL_MANAGED_BY: MANAGED_BY, LABEL_COMPONENT: component}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
    }


def encode(contents: Mapping[str, str]) -> dict[str, str]:
    """Write texts as `data`: of `stringData`, a key that is left out later would stay."""
    return {key: b64encode(text.encode()).decode() for key, text in contents.items()}


def read_text(secret: Mapping[str, Any] | None, key: str) -> str:
    """Return a value of a Secret; empty where there is none, or none that is text."""
    try:
        return b64decode(((secret or {}).get("data") or {}).get(key) or "").decode()
    except ValueError:
        return ""
