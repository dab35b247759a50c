"""The three CustomResourceDefinitions, from the types in ``api``.

``python -m fairlead_operator.crds`` writes them, ``--check`` tells which differ.
"""

import argparse
import sys
from pathlib import Path
from typing import Any, Final

import yaml

from fairlead_operator.api import model, rollout, training_run
from fairlead_operator.api.base import Spec, Status
from fairlead_operator.api.group import GROUP, VERSION
from fairlead_operator.api.schema import structural_schema

_FOLDERS: Final = ("crds", "charts/fairlead/crd-files")
_HEADER: Final = "# Generated from operator/fairlead_operator/api by `make crds`; do not edit.\n"
# Children add a suffix to a Model's name, and everything must fit 63 characters.
_MODEL_NAME: Final = {
    "rule": "self.metadata.name.matches('^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$')",
    "message": "metadata.name must be 1 to 40 lower-case letters, digits and dashes, and start "
    "with a letter: it becomes a Service's name",
}


def build_crds() -> dict[str, dict[str, Any]]:
    """File name → manifest."""
    return {
        f"{plural}.yaml": _crd(kind, plural, short, spec, status, columns, rules)
        for kind, plural, short, spec, status, columns, rules in (
            ("Model", "models", "mdl", model.ModelSpec, model.ModelStatus, model.COLUMNS,
             [_MODEL_NAME]),
            ("TrainingRun", "trainingruns", "trun", training_run.TrainingRunSpec,
             training_run.TrainingRunStatus, training_run.COLUMNS, []),
            ("Rollout", "rollouts", "mro", rollout.RolloutSpec, rollout.RolloutStatus,
             rollout.COLUMNS, []),
        )
    }  # fmt: skip


def _crd(  # noqa: PLR0917  one row of the table above
    kind: str,
    plural: str,
    short: str,
    spec: type[Spec],
    status: type[Status],
    columns: tuple[dict[str, Any], ...],
    rules: list[dict[str, str]],
) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "description": " ".join((sys.modules[spec.__module__].__doc__ or "").split()),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural_schema(spec, path="spec"),
            "status": structural_schema(status, path="status"),
        },
    }
    if rules:
        schema["x-kubernetes-validations"] = rules
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": list(columns),
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
                "categories": ["fairlead"],
            },
            "versions": [version],
        },
    }


class _Plain(yaml.SafeDumper):
    """YAML without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def render() -> dict[Path, str]:
    """Path below the repository → text, for every copy."""
    texts = {
        name: _HEADER + yaml.dump(crd, Dumper=_Plain, sort_keys=False, width=100)
        for name, crd in build_crds().items()
    }
    return {Path(folder, name): text for folder in _FOLDERS for name, text in texts.items()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fairlead_operator.crds")
    parser.add_argument("--check", action="store_true", help="write nothing, name what differs")
    options = parser.parse_args()
    root = Path(__file__).parents[2]
    stale = []
    for path, text in render().items():
        file = root / path
        if file.exists() and file.read_text() == text:
            continue
        stale.append(str(path))
        if not options.check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    if stale and options.check:
        sys.stderr.write(f"not as generated: {', '.join(stale)}; run `make crds`\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
