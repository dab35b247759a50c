"""Takes an answered request off its object, so that the same words can be said again.

While an annotation stands, writing the same words changes nothing: nobody hears of it.  What is
part of a manifest stays, for whoever applies that would put it back, and be heard each time.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from fairlead_operator.api.group import FIELD_MANAGER
from fairlead_operator.errors import ClusterRefusalError, TransientError
from fairlead_operator.ports import Kube
from fairlead_operator.requests import Action, parse_request
from fairlead_operator.unread import find_unread, is_told

_LOGGER: Final = logging.getLogger(__name__)
_TRIES: Final = 3
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
# They put back what is missing, and say so neither by ``Apply`` nor by the annotation above.
_DECLARERS: Final = ("helm", "terraform", "pulumi")


async def take_off(body: Mapping[str, Any], status: Mapping[str, Any], kube: Kube) -> None:
    """Remove the annotations that the new status answers, unless a manifest has them.

    What cannot be removed stays: it is answered, and only the same words are not heard again.
    """
    place = body["kind"], body["metadata"]["namespace"], body["metadata"]["name"]
    for action, text in newly_answered(body.get("status") or {}, status):
        try:
            await _take_off(place, action, text, kube)
        except (TransientError, ClusterRefusalError) as error:
            _LOGGER.debug("answered request stays", extra={"error": str(error)})


async def _take_off(place: tuple[str, str, str], action: Action, text: str, kube: Kube) -> None:
    for left in reversed(range(_TRIES)):
        body = await kube.reread(*place)
        annotations = ((body or {}).get("metadata") or {}).get("annotations") or {}
        said = annotations.get(action.annotation)
        if body is None or said is None or parse_request(action, said).text != text:
            return
        if is_declared(body, action.annotation):
            return
        version = body["metadata"]["resourceVersion"]
        try:
            await kube.annotate(*place, {action.annotation: None}, version=version)
        except TransientError:  # it has changed meanwhile, and may say something else now
            if not left:
                raise
        else:
            return


async def take_off_unread(body: Mapping[str, Any], kube: Kube) -> None:
    """Remove annotations that ask for nothing, when that is told, unless a manifest has them."""
    place = body["kind"], body["metadata"]["namespace"], body["metadata"]["name"]
    if is_told(body):
        return
    try:
        live = await kube.reread(*place)
        annotations = ((live or {}).get("metadata") or {}).get("annotations") or {}
        told = set(find_unread(body["kind"], body["metadata"].get("annotations") or {}))
        gone = [name for name in sorted(told & annotations.keys()) if not _stays(live or {}, name)]
        if live is not None and gone:
            version = live["metadata"]["resourceVersion"]
            await kube.annotate(*place, dict.fromkeys(gone), version=version)
    except (TransientError, ClusterRefusalError) as error:
        _LOGGER.debug("annotation that nobody reads stays", extra={"error": str(error)})


def _stays(body: Mapping[str, Any], annotation: str) -> bool:
    """Tell whether it is part of a manifest, or of what an operator of a later release wrote."""
    return is_declared(body, annotation) or any(
        entry.get("manager") == FIELD_MANAGER for entry in _owners(body["metadata"], annotation)
    )


def newly_answered(
    old: Mapping[str, Any], new: Mapping[str, Any]
) -> tuple[tuple[Action, str], ...]:
    """Return action and words of what the new status answers and the old one did not.

    What the operator asks itself is left out: that it was asked is what it goes by.
    """
    known = [_identity(entry) for entry in old.get("requests") or ()]
    return tuple(
        (Action(entry["action"]), entry["text"])
        for entry in new.get("requests") or ()
        if _identity(entry) not in known and entry["action"] != Action.SUPERSEDE
    )


def _identity(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    return entry["action"], entry["text"], entry.get("answeredAt")


def is_declared(body: Mapping[str, Any], annotation: str) -> bool:
    """Tell whether the annotation is part of what someone applies again; in doubt it is."""
    meta = body["metadata"]
    owners = _owners(meta, annotation)
    applied = (meta.get("annotations") or {}).get(_LAST_APPLIED)
    return (
        not owners
        or any(entry.get("operation") == "Apply" for entry in owners)
        or any(entry.get("manager", "").lower().startswith(_DECLARERS) for entry in owners)
        or (applied is not None and annotation in _annotations(applied))
    )


def _owners(meta: Mapping[str, Any], annotation: str) -> list[Mapping[str, Any]]:
    """Return who wrote the annotation, of the object's field managers."""
    return [
        entry
        for entry in meta.get("managedFields") or ()
        if f"f:{annotation}" in _fields(entry, "f:metadata", "f:annotations")
    ]


def _fields(entry: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    fields = entry.get("fieldsV1") or {}
    for name in path:
        fields = fields.get(name) or {}
    return fields


def _annotations(manifest: str) -> Mapping[str, Any]:
    try:
        return dict(json.loads(manifest)["metadata"]["annotations"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
