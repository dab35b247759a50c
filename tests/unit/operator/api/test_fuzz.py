"""Manifests that are nearly right: taken, or refused by the field; nothing else ever happens."""

from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from fairlead_operator import crds
from fairlead_operator.api.base import Spec
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.rollout import RolloutSpec
from support.fuzz import mutations

_SCHEMAS = {
    crd["spec"]["names"]["kind"]: crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for crd in crds.build_crds().values()
}
_CHECKS = [
    {"name": "success", "builtin": "success-rate", "atLeast": 0.99, "window": "30s"},
    {"name": "own", "query": "sum(x)", "atMost": 3.5, "failureLimit": 2},
]
_POLICY = {
    "strategy": "canary",
    "steps": [{"weight": 10, "hold": "1m"}, {"weight": 50, "hold": "5m", "pause": True}],
    "analysis": {"interval": "10s", "checks": _CHECKS},
    "guard": {"duration": "5m"},
    "patience": "10m",
    "onNewTarget": "queue",
}
_MODEL = {
    "task": "binary-classification",
    "data": {
        "source": {"uri": "https://data/rows.csv", "format": "csv"},
        "timestampColumn": "timestamp",
        "target": "price_up",
        "features": ["demand", "price"],
    },
    "training": {"search": {"trials": 10, "timeout": "5m", "metric": "roc_auc"}},
    "promotion": {"minImprovement": 0.001},
    "version": "1.0.0",
    "serving": {"replicas": 2, "requestTimeout": "10s", "resources": {"limits": {"cpu": "1"}}},
    "rollout": _POLICY,
}
_ROLLOUT = {"model": "nsw-price", "version": "1.1.0", "trigger": "hand", "policy": _POLICY}


@pytest.mark.parametrize(
    ("kind", "spec", "document"),
    [pytest.param("Model", ModelSpec, _MODEL), pytest.param("Rollout", RolloutSpec, _ROLLOUT)],
)
def test_ten_thousand_specs_that_are_nearly_right(
    kind: str, spec: type[Spec], document: Mapping[str, Any]
) -> None:
    """What the schema lets in can be read, and what cannot be read is refused by its field."""
    schema = jsonschema.Draft4Validator(_SCHEMAS[kind]["properties"]["spec"])
    outcomes = []
    for number, sent in enumerate(mutations(document, count=10_000, seed=11)):
        problem = refusal(spec, sent)
        outcomes.append(problem is None)
        if number % 20 == 0 and problem is not None and isinstance(sent, dict):
            # The API server prunes what no schema knows, and holds its rules against the rest.
            assert not schema.is_valid(sent) or "Extra inputs" in problem, (sent, problem)

    assert 0 < sum(outcomes) < len(outcomes)


def refusal(spec: type[Spec], sent: Any) -> str | None:
    """The fields that are wrong, with what is wrong about them; None when it is taken."""
    try:
        spec.model_validate(sent)
    except ValidationError as error:
        return "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'spec'}: {problem['msg']}"
            for problem in error.errors()
        )
    return None
