"""The CustomResourceDefinitions, and their reference, from the types in ``api``.

``python -m fairlead_operator.crds`` writes them; ``--check`` names those that differ.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import yaml

from fairlead_operator.api import model, rollout, template, training_run
from fairlead_operator.api.base import INT_OR_STRING, Rule, Spec, Status
from fairlead_operator.api.group import API_VERSION, GATEWAY_NAME, GROUP, VERSION
from fairlead_operator.api.schema import Schema, structural_schema

_ROOT: Final = Path(__file__).parents[2]
_FOLDERS: Final = ("crds", "charts/fairlead/crd-files")
_REFERENCE: Final = Path("docs/reference.md")
_SOURCE: Final = "Generated from operator/fairlead_operator/api by `make crds`; do not edit."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One kind that we define."""

    name: str
    plural: str
    short: str
    module: ModuleType
    spec: type[Spec]
    status: type[Status] | None
    naming: tuple[Rule, ...] = ()


_MANY: Final = 12  # choices, of which more are not spelled out
_KINDS: Final = (
    _Kind(
        name="Model",
        plural="models",
        short="mdl",
        module=model,
        spec=model.ModelSpec,
        status=model.ModelStatus,
        # Children add a suffix to a Model's name, and everything must fit 63 characters.
        naming=(
            Rule(
                "self.metadata.name.matches('^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$')",
                "metadata.name must be 1 to 40 lower-case letters, digits and dashes, and start "
                "with a letter, for example nsw-price: it becomes the name of a Service",
                ".metadata.name",
            ),
            Rule(
                f"self.metadata.name != '{GATEWAY_NAME}'",
                f"metadata.name must not be {GATEWAY_NAME}: the namespace's gateway has that name",
                ".metadata.name",
            ),
        ),
    ),
    _Kind(
        name="TrainingRun",
        plural="trainingruns",
        short="trun",
        module=training_run,
        spec=training_run.TrainingRunSpec,
        status=training_run.TrainingRunStatus,
        naming=(
            Rule(
                "self.metadata.name.size() <= 63",
                "metadata.name must have at most 63 characters: it becomes a label of the Jobs",
                ".metadata.name",
            ),
        ),
    ),
    _Kind(
        name="Rollout",
        plural="rollouts",
        short="mro",
        module=rollout,
        spec=rollout.RolloutSpec,
        status=rollout.RolloutStatus,
    ),
    _Kind(
        name="AnalysisTemplate",
        plural="analysistemplates",
        short="mat",
        module=template,
        spec=template.AnalysisTemplateSpec,
        status=None,
    ),
)


def build_crds() -> dict[str, dict[str, Any]]:
    """Build the manifests, by file name."""
    return {f"{kind.plural}.yaml": _crd(kind) for kind in _KINDS}


def _crd(kind: _Kind) -> dict[str, Any]:
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        **({"subresources": {"status": {}}} if kind.status else {}),
        **_selectable(kind),
        "additionalPrinterColumns": list(kind.module.COLUMNS),
        "schema": {"openAPIV3Schema": _schema(kind)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.name.lower(),
                "shortNames": [kind.short],
                "categories": ["fairlead"],
            },
            "versions": [version],
        },
    }


def _selectable(kind: _Kind) -> dict[str, Any]:
    """Name the fields that ``kubectl get --field-selector`` takes."""
    paths = [
        *([".spec.model"] if "model" in kind.spec.model_fields else ()),
        *([".status.phase"] if kind.status else ()),
    ]
    return {"selectableFields": [{"jsonPath": path} for path in paths]} if paths else {}


def _schema(kind: _Kind) -> Schema:
    """Build the schema of a whole object."""
    schema: Schema = {
        "type": "object",
        "description": " ".join((kind.module.__doc__ or "").split()),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural_schema(kind.spec, path="spec"),
            **({"status": structural_schema(kind.status, path="status")} if kind.status else {}),
        },
    }
    if kind.naming:
        # Only a field that is in the schema can be named as the one that is wrong.
        schema["properties"]["metadata"]["properties"] = {"name": {"type": "string"}}
        schema["x-kubernetes-validations"] = [
            {"rule": rule, "message": message, "fieldPath": path}
            for rule, message, path in kind.naming
        ]
    return schema


def render_reference() -> str:
    """Render every field of every kind for people."""
    lines = [f"<!-- {_SOURCE} -->", "# Reference", "", f"All kinds are `{API_VERSION}`."]
    for kind in _KINDS:
        schema = _schema(kind)
        lines += ["", f"## {kind.name}", "", schema["description"]]
        for part in ("spec", "status") if kind.status else ("spec",):
            lines += ["", "| Field | Type | Default | Meaning |", "| --- | --- | --- | --- |"]
            lines += _rows(schema["properties"][part], part)
        lines += ["", "Rules that the API server enforces:", ""]
        lines += [f"- {message}" for message in _messages(schema)]
    return "\n".join(lines) + "\n"


def _rows(schema: Schema, path: str) -> Iterator[str]:
    """Yield the fields below a node in the order written, each with its whole path."""
    for name, node in schema.get("properties", {}).items():
        where = f"{path}.{name}"
        default = "required" if name in schema.get("required", ()) else _default(node)
        yield f"| `{where}` | {_type_name(node)} | {default} | {node['description']} |"
        yield from _rows(node, where)
        yield from _rows(node.get("items", {}), f"{where}[]")


def _default(node: Schema) -> str:
    """Return the default; leave that of an object to the fields within."""
    if "default" not in node or node.get("type") == "object":
        return ""
    return f"`{json.dumps(node['default'])}`"


def _type_name(node: Schema) -> str:
    """Describe type and bounds in a few words."""
    if len(node.get("enum", ())) > _MANY:
        return f"`{node['enum'][0]}` to `{node['enum'][-1]}`"
    if "enum" in node:
        return " or ".join(f"`{value}`" for value in node["enum"])
    if INT_OR_STRING in node:
        return "integer or string"
    if node["type"] == "array":
        return f"list of {_type_name(node['items'])}, at most {node['maxItems']}"
    if "additionalProperties" in node:
        values = _type_name(node["additionalProperties"])
        return f"map to {values}, at most {node['maxProperties']}"
    words = str(node["type"]) if node.get("format") != "date-time" else "time"
    low, high = node.get("minimum"), node.get("maximum")
    return words if low is None or high is None else f"{words}, {low:,.15g} to {high:,.15g}"


def _messages(schema: Schema) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield rule["message"]
    for node in schema.get("properties", {}).values():
        yield from _messages(node)
    if "items" in schema:
        yield from _messages(schema["items"])


class _Plain(yaml.SafeDumper):
    """YAML without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def render(reference: Path = _REFERENCE) -> dict[Path, str]:
    """Render every copy, by its path below the repository."""
    texts = {
        name: f"# {_SOURCE}\n" + yaml.dump(crd, Dumper=_Plain, sort_keys=False, width=100)
        for name, crd in build_crds().items()
    }
    copies = {Path(folder, name): text for folder in _FOLDERS for name, text in texts.items()}
    return {**copies, reference: render_reference()}


def stale(files: dict[Path, str], root: Path) -> list[Path]:
    """Return the files that are missing or differ from what is generated."""
    return [
        path
        for path, text in files.items()
        if not (root / path).exists() or (root / path).read_text(encoding="utf-8") != text
    ]


def main(arguments: Sequence[str] | None = None, *, root: Path = _ROOT) -> int:
    parser = argparse.ArgumentParser(prog="python -m fairlead_operator.crds")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; name the files that differ"
    )
    parser.add_argument(
        "--reference", type=Path, default=_REFERENCE, help="where the field tables go"
    )
    options = parser.parse_args(arguments)
    files = render(options.reference)
    differing = stale(files, root)
    if differing and options.check:
        sys.stderr.write(f"out of date: {', '.join(map(str, differing))}; run `make crds`\n")
        return 1
    for path in differing:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(files[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
