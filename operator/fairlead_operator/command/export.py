"""What ``export`` writes: the manifest of a Model with a version and its digest pinned.  Pure.

Only what a person wrote is kept: the status, the cluster's fields, requests, and the marks of the
tools that applied the manifest belong to the object in the cluster and not to its source.
"""

import copy
from collections.abc import Iterable, Sequence
from typing import Any, Final

from fairlead_operator.api.group import GROUP
from fairlead_operator.command.failures import RefusedError
from fairlead_operator.command.refusals import Object, status_of

# Prefixes of the labels and annotations of kubectl, Argo CD, Flux and Helm, and of requests.
_MARKS: Final = (
    "kubectl.kubernetes.io/",
    "argocd.argoproj.io/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    "meta.helm.sh/",
    f"{GROUP}/",
)


def split_target(text: str) -> tuple[str, str | None]:
    """Return the Model's name and the version of ``MODEL@VERSION``; without one, None."""
    name, _, version = text.partition("@")
    return name, version or None


def export(
    model: Object, rollouts: Sequence[Object], runs: Sequence[Object], version: str | None
) -> dict[str, Any]:
    """Build the manifest that pins the version; by default the one in charge.

    Raises:
        RefusedError: it is not known, no digest of it is, or there are two.
    """
    name = model["metadata"]["name"]
    wanted, digests = find_version(model, rollouts, runs, version)
    if len(digests) != 1:
        said = " and ".join(sorted(digests)) or "none"
        raise RefusedError(
            f"version {wanted} of {name} cannot be pinned by one digest; known are: {said}; "
            "set spec.version and spec.versionDigest by hand"
        )
    spec = copy.deepcopy(dict(model["spec"])) | {"version": wanted, "versionDigest": min(digests)}
    return {
        "apiVersion": model["apiVersion"],
        "kind": model["kind"],
        "metadata": _metadata(model["metadata"]),
        "spec": spec,
    }


def find_version(
    model: Object, rollouts: Sequence[Object], runs: Sequence[Object], version: str | None
) -> tuple[str, set[str]]:
    """Return the version, by default the one in charge, with the digests that are known of it.

    Raises:
        RefusedError: it is not known, or none is in charge.
    """
    name = model["metadata"]["name"]
    wanted = version or (status_of(model).get("stable") or {}).get("version")
    if wanted is None:
        raise RefusedError(
            f"{name} serves no version yet; wait for its first, or name one: {name}@1.0.0"
        )
    known = _known(model, rollouts, runs)
    if wanted not in known:
        versions = ", ".join(sorted(known, key=_order)) or "none"
        raise RefusedError(f"no version {wanted} of {name} is known here; known are: {versions}")
    return wanted, known[wanted]


def _known(
    model: Object, rollouts: Sequence[Object], runs: Sequence[Object]
) -> dict[str, set[str]]:
    """Return each version's digests, of the best source that has one.

    The Model's own word, which decides what is served, goes before that of Rollouts, and theirs
    before that of trainings.
    """
    status = status_of(model)
    sources = [
        [*(status.get("versions") or ()), status.get("stable"), status.get("candidate")],
        [status_of(rollout).get(role) for rollout in rollouts for role in ("stable", "candidate")],
        [status_of(run).get("trained") for run in runs],
    ]
    known: dict[str, set[str]] = {}
    for references in sources:
        for version, digests in _digests(references).items():
            known[version] = known.get(version) or digests
    return known


def _digests(references: Iterable[Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for reference in filter(None, references):
        digests = found.setdefault(reference["version"], set())
        if reference.get("digest"):
            digests.add(reference["digest"])
    return found


def _metadata(meta: Object) -> dict[str, Any]:
    kept: dict[str, Any] = {key: meta[key] for key in ("name", "namespace")}
    for key in ("labels", "annotations"):
        written = {k: v for k, v in (meta.get(key) or {}).items() if not k.startswith(_MARKS)}
        if written:
            kept[key] = written
    return kept


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
