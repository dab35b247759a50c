"""kopf's entry points: a shell that passes changes on, and nothing else.

``on.event`` needs no finalizer and writes no annotation, so that objects can be
deleted while the operator is away, and a quiet object costs nothing.
"""

from collections.abc import Mapping
from typing import Any, cast

import kopf

from fairlead_operator.kube.kinds import RESOURCES, Selector


async def changed(memo: kopf.Memo, event: kopf.RawEvent, **_: Any) -> None:
    """Tell the watches what changed."""
    memo.watches.tell(event["object"], event["type"])


class _NoDifferences(kopf.DiffBaseStorage):
    """Stores no last state: no handler compares, and comparing is two thirds of an event's cost."""

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        return None

    def build(self, **_: Any) -> kopf.BodyEssence:
        return cast("kopf.BodyEssence", {})

    def store(self, **_: Any) -> None:
        """Store nothing."""


def register(
    registry: kopf.OperatorRegistry,
    settings: kopf.OperatorSettings,
    kinds: Mapping[str, Selector],
) -> None:
    """Watch these kinds, and of other owners' kinds only the objects that are ours."""
    settings.persistence.diffbase_storage = _NoDifferences()
    for kind, selector in kinds.items():
        resource = RESOURCES[kind]
        group, _, version = resource.api_version.rpartition("/")
        kopf.on.event(group, version, resource.plural, registry=registry)(changed)
        name = f"{resource.plural}.{group}" if group else resource.plural
        if selector.labels:
            settings.watching.label_selectors[name] = selector.labels
        if selector.fields:
            settings.watching.field_selectors[name] = selector.fields
