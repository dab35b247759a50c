"""kopf entry points.  A shell: what changed becomes keys in the queue, and nothing else.

``on.event`` needs no finalizer and writes no annotation, so that objects can be
deleted while the operator is away, and a quiet object costs nothing.
"""

from typing import Any

import kopf

from fairlead_operator.api.group import GROUP, LABEL_MANAGED_BY, MANAGED_BY, VERSION
from fairlead_operator.wakeup import sort_keys

_OWNED = (
    ("apps", "v1", "deployments"),
    ("batch", "v1", "jobs"),
    ("", "v1", "pods"),
    ("", "v1", "configmaps"),
)
_KINDS = ("models", "trainingruns", "rollouts")


async def changed(memo: kopf.Memo, body: kopf.Body, type: str | None, **_: Any) -> None:  # noqa: A002  kopf's name
    """Wake whoever this object's change concerns."""
    for key in sort_keys(memo.wakeup.keys_for(body, deleted=type == "DELETED")):
        memo.queue.add(key)


def register(registry: kopf.OperatorRegistry, settings: kopf.OperatorSettings) -> None:
    """Watch our kinds, and of the others only what carries our label."""
    for plural in _KINDS:
        kopf.on.event(GROUP, VERSION, plural, registry=registry)(changed)
    for group, version, plural in _OWNED:
        kopf.on.event(group, version, plural, registry=registry)(changed)
        resource = f"{plural}.{group}" if group else plural
        settings.watching.label_selectors[resource] = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
