"""Everything that is wrong with one manifest, in the order in which the API server looks."""

import difflib
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fairlead_operator.api.group import API_VERSION, GROUP
from fairlead_operator.api.schema import Schema
from fairlead_operator.crds import build_crds
from fairlead_operator.lint.metadata import find_metadata_problems, name_of, unknown_metadata
from fairlead_operator.lint.problem import NOWHERE, Problem, invalid, quoted
from fairlead_operator.lint.rules import find_broken_rules
from fairlead_operator.lint.structure import complete, find_problems, find_repeated, prune

# What the API server says in place of the rules that it did not evaluate.
UNCHECKED: Final = Problem(
    field=NOWHERE,
    message="Invalid value: null: some validation rules were not checked because the object was "
    "invalid; correct the existing errors to complete validation",
)


def is_ours(body: Any) -> bool:
    """Tell whether a document is a manifest of our group, or of our kinds and of no group.

    Where there is no group and the kind is no text, it may have been meant to be ours.
    """
    if not isinstance(body, Mapping):
        return False
    if not body.get("apiVersion"):
        kind = body.get("kind")
        return kind in _schemas() if isinstance(kind, str) else bool(kind)
    return str(body["apiVersion"]).partition("/")[0] == GROUP


def check(body: Mapping[str, Any]) -> list[Problem]:
    """Return what the API server refuses of a manifest of ours, if it were created."""
    if missing := [field for field in ("apiVersion", "kind") if not body.get(field)]:
        return [Problem(field="", message=f"{missing[0]} not set")]
    schemas, kind = _schemas(), body["kind"]
    if not isinstance(kind, str):
        return [invalid("kind", kind, "must be text")]
    if body["apiVersion"] != API_VERSION or kind not in schemas:
        return [_no_such_kind(str(body["apiVersion"]), kind)]
    return list(_find(schemas[kind], body))


def as_kept(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a manifest without problems as the API server keeps it, which the operator reads."""
    return _keep(_schemas()[body["kind"]], body)[0]


def _find(schema: Schema, body: Mapping[str, Any]) -> Iterator[Problem]:
    metadata = body.get("metadata") or {}
    if not isinstance(metadata, Mapping):
        yield Problem(field="metadata", message="must be an object with a name")
        return
    whole, unknown = _keep(schema, body)
    yield from unknown
    yield from unknown_metadata(metadata)
    refused = [
        *find_metadata_problems(metadata),
        *find_problems(schema, whole),
        *find_repeated(schema, whole),
    ]
    yield from refused
    if any(problem.blocking for problem in refused):
        yield UNCHECKED
    else:
        yield from find_broken_rules(schema, whole)


def _keep(schema: Schema, body: Mapping[str, Any]) -> tuple[Mapping[str, Any], Sequence[Problem]]:
    """Return what the API server makes of an object, and the fields that it leaves out."""
    pruned, unknown = prune(schema, body)
    # Who creates an object cannot set its status.
    written = {name: value for name, value in pruned.items() if name != "status"}
    name = name_of(body.get("metadata") or {})
    return complete(schema, written | {"metadata": {"name": name}}), unknown


def _no_such_kind(version: str, kind: str) -> Problem:
    """Say it as kubectl does."""
    field = "kind" if version == API_VERSION else "apiVersion"
    close = difflib.get_close_matches(kind, _schemas(), n=1)
    meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(_schemas())}"
    return Problem(
        field=field,
        message=f"no matches for kind {quoted(kind)} in version {quoted(version)}",
        hint=meant if field == "kind" else f"this release has {API_VERSION}",
    )


@functools.cache
def _schemas() -> Mapping[str, Schema]:
    """Return the schema of each of our kinds."""
    specs = [crd["spec"] for crd in build_crds().values()]
    return {
        spec["names"]["kind"]: spec["versions"][0]["schema"]["openAPIV3Schema"] for spec in specs
    }
