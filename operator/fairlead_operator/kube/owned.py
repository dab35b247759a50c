"""Nothing is taken that is not ours: every write of a child names the object it is meant for.

A manifest says whom its object is for by its owner and its labels.  An object of that name
which has neither that owner nor those labels belongs to somebody else.  Between the look and
the write another may put one there, so the API server is told what was seen: the uid of the
object, or that there was none.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from fairlead_contract.cluster import ROUTE, SERVER, route_name
from fairlead_operator.api.group import (
    LABEL_COMPONENT,
    LABEL_MANAGED_BY,
    LABEL_MODEL,
    LABEL_STAGE,
    LABEL_TRAINING_RUN,
    LABEL_VERSION,
    MANAGED_BY,
)
from fairlead_operator.errors import ConflictError, SealedError, TakenError
from fairlead_operator.kube.applied import is_sealed
from fairlead_operator.kube.metadata import Owner, component_labels, preview_name, version_name
from fairlead_operator.ports import Kube
from fairlead_operator.text import write_list

_MARKS: Final = (
    LABEL_MANAGED_BY, LABEL_COMPONENT, LABEL_MODEL, LABEL_VERSION, LABEL_TRAINING_RUN, LABEL_STAGE
)  # fmt: skip
# Applying with this resourceVersion creates, or conflicts: no object ever has it, since what
# etcd writes first gets 2.  A POST would create too, but as another field manager's work, and
# what a later manifest leaves out would stay.
_NOTHING: Final = "1"


def is_marked(manifest: Mapping[str, Any]) -> bool:
    """Tell whether a manifest says whom its object is for; an Event is nobody's."""
    return bool(owners(manifest) or _marks(manifest))


def is_ours(manifest: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Tell whether the object belongs to whom the manifest is for; owner or labels suffice."""
    if owners(manifest) & owners(live):
        return True
    marks = _marks(manifest)
    return bool(marks) and marks == _marks(live)


def owners(body: Mapping[str, Any]) -> set[str]:
    """Return the uids of what owns the object."""
    return {owner["uid"] for owner in body["metadata"].get("ownerReferences") or []}


def is_made_by(body: Mapping[str, Any], maker: Mapping[str, Any]) -> bool:
    """Tell whether that very object controls this one: anybody may write labels, or a name."""
    return any(
        owner.get("controller") and owner["uid"] == maker["metadata"]["uid"]
        for owner in body["metadata"].get("ownerReferences") or []
    )


async def apply_owned(
    manifest: Mapping[str, Any], live: Mapping[str, Any] | None, api: Kube
) -> dict[str, Any]:
    """Apply to nothing or to what is ours; ``live`` is what is known of the object.

    What is ours and was made immutable is exchanged, also where we write nothing into it: a route
    or reports that could not be written any more would leave the traffic where it is.

    Raises:
        TakenError: an object of that name is not ours.
        ConflictError: it was exchanged in this very moment.
    """
    if live is None or is_ours(manifest, live):
        with contextlib.suppress(ConflictError):
            return await _write(manifest, live, api)
    meta = manifest["metadata"]
    live = await api.get(manifest["kind"], meta["namespace"], meta["name"])  # what we knew not of
    refuse_taken(manifest, live)
    return await _write(manifest, live, api)


async def _write(
    manifest: Mapping[str, Any], live: Mapping[str, Any] | None, api: Kube
) -> dict[str, Any]:
    try:
        applied = await api.apply(_bound(manifest, live))
    except SealedError:
        if live is None:
            raise
    else:
        if not is_sealed(manifest, applied):
            return applied
        live = applied
    meta = live["metadata"]
    await api.delete(manifest["kind"], meta["namespace"], meta["name"], uid=meta["uid"])
    return await api.apply(_bound(manifest, None))


async def create_once(
    manifest: Mapping[str, Any], kube: Kube, *, beside: Iterable[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Create what may not change once it is there; what we created before stays as it is.

    ``beside`` is what else may be left behind of an earlier owner: all of it is named at once.

    A look that was cut off may have created it.  To apply what it would be by now, of a spec that
    has changed since, would be refused for ever.

    Raises:
        TakenError: an object of that name is not this owner's.
        ConflictError: the one that is there goes with its owner, which is gone already; or the
            cluster is too busy to say.
    """
    meta = manifest["metadata"]
    try:
        return await kube.create(manifest)
    except ConflictError:
        live = await kube.reread(manifest["kind"], meta["namespace"], meta["name"])
        if live is None:
            raise
    refuse_taken(manifest, live)
    if owners(manifest) & owners(live):
        return live
    what = f"{manifest['kind']} {meta['name']}"
    earlier = f"an earlier {meta['ownerReferences'][0]['kind']} of this name"
    if owners(live):
        raise ConflictError(f"{what} is of {earlier}, and goes with it")
    others = (f"{item['kind']} {item['metadata']['name']}" for item in beside)
    names = list(dict.fromkeys((what, *others)))
    be, them = ("is", "it") if len(names) == 1 else ("are", "them")
    raise TakenError(
        f"{write_list(names, between=', ')} {be} what {earlier} left behind: delete {them}"
    )


def is_left_behind(manifest: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Tell whether an object was made for an earlier owner of this name, and nobody owns it now."""
    return is_ours(manifest, live) and not owners(live)


async def check_names(manifests: Iterable[Mapping[str, Any]], kube: Kube) -> None:
    """Look for others' objects of these names before anything is applied; name all at once.

    Raises:
        TakenError: there are some.
    """
    taken = []
    for manifest in manifests:
        meta = manifest["metadata"]
        place = (manifest["kind"], meta["namespace"], meta["name"])
        live = await kube.get(*place)
        try:
            refuse_taken(manifest, live or await kube.reread(*place))
        except TakenError as error:
            taken.append(str(error))
    if taken:
        raise TakenError(write_list(taken))


async def remove_owned(manifest: Mapping[str, Any], kube: Kube) -> None:
    """Delete the object of the manifest's kind and name if it is ours."""
    meta = manifest["metadata"]
    place = (manifest["kind"], meta["namespace"], meta["name"])
    live = await kube.get(*place)
    if live is not None and is_ours(manifest, live):
        await kube.delete(*place, uid=live["metadata"]["uid"])


def refuse_taken(manifest: Mapping[str, Any], live: Mapping[str, Any] | None) -> None:
    """Refuse an object of this name that is not ours; none is nobody's.

    Raises:
        TakenError: there is one.
    """
    if live is None or is_ours(manifest, live):
        return
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    ours, theirs = _marks(manifest), _marks(live)
    model, other = ours.get(LABEL_MODEL), theirs.get(LABEL_MODEL)
    fairleads = theirs.get(LABEL_MANAGED_BY) == MANAGED_BY
    if fairleads and model is not None and other not in {None, model}:
        raise TakenError(
            f"{kind} {name} belongs to Model {other}, whose name or version makes the same name: "
            f"rename Model {model}, or delete Model {other}"
        )
    labels = ", ".join(f"{key}: {value}" for key, value in ours.items())
    way_out = f"delete or rename the {kind}"
    for owner in manifest["metadata"].get("ownerReferences") or ():
        way_out = f"rename the {owner['kind']}, or delete the {kind}"
    raise TakenError(
        f"{kind} {name} exists and is not ours: it carries neither our owner reference nor the "
        f"labels {labels}; {way_out}"
    )


def bind_to_state(manifest: Mapping[str, Any], live: Mapping[str, Any] | None) -> dict[str, Any]:
    """Bind the manifest to the state that was seen: a change since then makes a conflict."""
    version = _NOTHING if live is None else live["metadata"]["resourceVersion"]
    return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": version}}


def name_route(owner: Owner, *, built_in: bool, preview: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the names that a Model's route takes, as manifests without content."""
    kind = "ConfigMap" if built_in else "HTTPRoute"
    route = component_labels(ROUTE, owner.name)
    yield {"kind": kind, "metadata": owner.metadata(route_name(owner.name), route)}
    if preview:
        labels = component_labels("address", owner.name) if built_in else route
        yield {
            "kind": "Service" if built_in else "HTTPRoute",
            "metadata": owner.metadata(preview_name(owner.name), labels),
        }


def name_server(
    owner: Owner, version: str, *, autoscaler: str | None = None, budget: bool = False
) -> Iterator[dict[str, Any]]:
    """Yield the names that the server of a version takes, as manifests without content."""
    meta = owner.metadata(
        version_name(owner.name, version), component_labels(SERVER, owner.name, version)
    )
    for kind in ("Service", "Deployment", autoscaler, "PodDisruptionBudget" if budget else None):
        if kind is not None:
            yield {"kind": kind, "metadata": meta}


def _bound(manifest: Mapping[str, Any], live: Mapping[str, Any] | None) -> dict[str, Any]:
    """Bind the manifest to the object that was seen, or to there being none."""
    seen = {"resourceVersion": _NOTHING} if live is None else {"uid": live["metadata"]["uid"]}
    return {**manifest, "metadata": {**manifest["metadata"], **seen}}


def _marks(body: Mapping[str, Any]) -> dict[str, str]:
    labels = body["metadata"].get("labels") or {}
    return {key: labels[key] for key in _MARKS if key in labels}
