"""Which candidate would run code that it may not: said before it has a pod."""

from collections.abc import Collection, Sequence

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.group import name_registered_model
from fairlead_operator.api.phases.rollout import BEFORE_TRAFFIC
from fairlead_operator.artifact_code import explain_refusal
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Registry
from fairlead_operator.rollout.case import Case


async def find_refused_code(
    case: Case,
    candidates: Sequence[VersionReference],
    registry: Registry,
    *,
    running: Collection[str],
    returning: Collection[str],
    by_operator: bool,
) -> str | None:
    """Say why a candidate may not run its code; None where all may, or bring none.

    Where MLflow does not say it, the candidate's server does: it looks at the bytes themselves.

    Args:
        running: versions that have a server.
        returning: versions that were in charge before with the same digest.
        by_operator: whether the operator's values allow code.
    """
    by_model = case.model.serving.allow_artifact_code
    if case.phase not in BEFORE_TRAFFIC or not case.has_turn or (by_model and by_operator):
        return None
    name = name_registered_model(case.namespace, case.spec.model)
    for reference in candidates:
        if reference.version in running or reference.version in returning:
            continue
        try:
            code = await registry.code(name, reference.registry_version)
        except (TransientError, ValueError):
            continue
        if code:
            return explain_refusal(
                reference.version, code, by_model=by_model, by_operator=by_operator
            )
    return None
