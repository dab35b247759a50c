"""What every pod we create needs so that Pod Security ``restricted`` admits it.  Pure."""

from typing import Any, Final

from fairlead_operator.api.common import ResourceList, Resources

_USER: Final = 65532


def pod_security() -> dict[str, Any]:
    return {
        "runAsNonRoot": True,
        "runAsUser": _USER,
        "runAsGroup": _USER,
        "fsGroup": _USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> dict[str, Any]:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def resources(
    asked: Resources, *, requests: dict[str, str], limits: dict[str, str]
) -> dict[str, Any]:
    """Merge what the user asked for over our defaults."""
    return {
        "requests": requests | _amounts(asked.requests),
        "limits": limits | _amounts(asked.limits),
    }


def _amounts(amounts: ResourceList) -> dict[str, str]:
    return amounts.model_dump(exclude_none=True)


def environment(values: dict[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def secret_variable(name: str, secret: str, key: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
