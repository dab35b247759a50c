"""Manifests that are nearly right: taken, or refused by the field; nothing else ever happens."""

from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from fairlead_operator import crds
from fairlead_operator.api.base import Spec
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.rollout import RolloutSpec
from support.forms import with_patterns
from support.fuzz import mutations, to_json
from support.specs import SPECS

_SCHEMAS = {
    crd["spec"]["names"]["kind"]: with_patterns(
        crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    )
    for crd in crds.build_crds().values()
}
_COUNT = 10_000


@pytest.mark.parametrize(("kind", "spec"), [("Model", ModelSpec), ("Rollout", RolloutSpec)])
def test_ten_thousand_specs_that_are_nearly_right(kind: str, spec: type[Spec]) -> None:
    """What the schema lets in can be read, and what cannot be read is refused by its field."""
    schema = jsonschema.Draft4Validator(_SCHEMAS[kind]["properties"]["spec"])
    documents = SPECS[kind]
    assert [refusal(spec, document) for document in documents] == [None] * len(documents)
    outcomes = []
    for document in documents:
        for sent in mutations(document, count=_COUNT // len(documents) + 1, seed=11):
            problem = refusal(spec, sent)
            outcomes.append(problem is None)
            if len(outcomes) % 20 or problem is None or to_json(sent) is None:
                continue
            if isinstance(sent, dict):
                # The API server prunes what no schema knows, and holds its rules against the rest.
                assert not schema.is_valid(sent) or "Extra inputs" in problem, (sent, problem)

    assert len(outcomes) >= _COUNT
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
