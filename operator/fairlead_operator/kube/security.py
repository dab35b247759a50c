"""What every pod we create needs so that Pod Security ``restricted`` admits it.  Pure."""

import math
from decimal import Decimal
from typing import Any, Final

from fairlead_operator.api.common import ResourceList, Resources

_USER: Final = 65532
_LEAST_SCRATCH: Final = 2  # GiB
_FACTORS: Final = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{prefix: Decimal(1000) ** power for power, prefix in enumerate("kMGT", start=1)},
    **{f"{prefix}i": Decimal(1024) ** power for power, prefix in enumerate("KMGT", start=1)},
}


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
    """Merge what the user asked for over our defaults, which give way where the two collide.

    The API server refuses a pod that requests more than its limit.
    """
    asked_requests, asked_limits = _amounts(asked.requests), _amounts(asked.limits)
    raised = {
        name: max(limit, asked_requests.get(name, limit), key=_size)
        for name, limit in limits.items()
    }
    lowered = {
        name: min(request, asked_limits.get(name, request), key=_size)
        for name, request in requests.items()
    }
    return {"requests": lowered | asked_requests, "limits": raised | asked_limits}


def scratch(memory_limit: str) -> dict[str, Any]:
    """Build the volume that a pod may write to: twice its memory, and at least 2 GiB.

    A pod that goes beyond is evicted.  What ours write is what they also hold in memory: a model.
    """
    # In whole GiB, as the API server writes it: written otherwise, it would differ at each look.
    gibibytes = max(math.ceil(2 * _size(memory_limit) / 1024**3), _LEAST_SCRATCH)
    return {"name": "tmp", "emptyDir": {"sizeLimit": f"{gibibytes}Gi"}}


def _amounts(amounts: ResourceList) -> dict[str, str]:
    return amounts.model_dump(exclude_none=True)


def _size(quantity: str) -> Decimal:
    """Return the amount that a quantity of our CRDs stands for."""
    number = quantity.rstrip("mkKMGTi")
    return Decimal(number) * _FACTORS[quantity[len(number) :]]


def environment(values: dict[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def secret_variable(name: str, secret: str, key: str, *, optional: bool = False) -> dict[str, Any]:
    """Build a variable of a container from a key of a Secret, without which it does not start."""
    reference: dict[str, Any] = {"name": secret, "key": key}
    if optional:
        reference["optional"] = True
    return {"name": name, "valueFrom": {"secretKeyRef": reference}}
