"""The checks in force: a policy's own, those of its template, and whether they fit the Model."""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import ValidationError

from fairlead_operator.api.checks import (
    DEFAULT_CHECKS,
    FOR_CLASSES,
    FOR_NUMBERS,
    Check,
    TemplateReference,
)
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.template import AnalysisTemplateSpec
from fairlead_operator.ports import Kube
from fairlead_operator.rollout.decision.plan import Plan, compile_plan

_KIND: Final = "AnalysisTemplate"
_OPEN: Final = "{{arguments."


class ChecksError(ValueError):
    """The checks are not known, or cannot be answered; the message names the field."""


async def resolve_checks(
    policy: RolloutPolicy, spec: ModelSpec, namespace: str, kube: Kube
) -> tuple[Check, ...]:
    """The checks of every step: the policy's, then the template's.

    Raises:
        ChecksError: there is no such template, an argument is missing or unknown, or a check
            does not fit the Model.
        TransientError: the cluster did not answer.
    """
    analysis = policy.analysis
    checks = analysis.checks or ()
    if analysis.template_ref is not None:
        reference = analysis.template_ref
        body = await kube.get(_KIND, namespace, reference.name)
        if body is None:
            raise ChecksError(
                f"analysis.templateRef.name: there is no {_KIND} {reference.name} in {namespace}; "
                "create it, or name another"
            )
        try:
            template = AnalysisTemplateSpec.model_validate(body["spec"])
        except ValidationError as error:
            raise ChecksError(f"{_KIND} {reference.name}: {error}") from error
        checks = (*checks, *fill_template(template, reference))
    elif not checks:
        checks = DEFAULT_CHECKS
    own = tuple(check for step in policy.steps or () for check in step.checks)
    _require_sound(checks, own, spec)
    _require_planned(checks, compile_plan(policy))
    return checks


def fill_template(
    template: AnalysisTemplateSpec, reference: TemplateReference
) -> tuple[Check, ...]:
    """The template's checks with their arguments.  Pure.

    Raises:
        ChecksError: an argument is missing, or the template has none of that name.
    """
    where = f"analysis.templateRef {reference.name}"
    given = {argument.name: argument.value for argument in reference.arguments}
    known = {parameter.name: parameter.value for parameter in template.arguments}
    if unknown := sorted(given.keys() - known.keys()):
        raise ChecksError(
            f"{where}: the template has no argument {unknown[0]}; it has "
            f"{', '.join(sorted(known)) or 'none'}"
        )
    values = {name: given.get(name, default) for name, default in known.items()}
    if missing := sorted(name for name, value in values.items() if value is None):
        raise ChecksError(f"{where}: the argument {missing[0]} has no value; give it in arguments")
    texts = {name: value for name, value in values.items() if value is not None}
    return tuple(_fill(check, texts, where) for check in template.checks)


def _fill(check: Check, values: Mapping[str, str], where: str) -> Check:
    filled = {}
    for field in ("query", "total"):
        text = getattr(check, field)
        for name, value in values.items():
            text = text and text.replace(f"{_OPEN}{name}}}}}", value)
        if text and _OPEN in text:
            name = text.partition(_OPEN)[2].partition("}}")[0][:63]
            raise ChecksError(
                f"{where}: check {check.name} uses {{{{arguments.{name}}}}}, which the template "
                "does not declare"
            )
        filled[field] = text
    return check.model_copy(update=filled)


def _require_sound(checks: Sequence[Check], own: Sequence[Check], spec: ModelSpec) -> None:
    """What the API server cannot see where a template or a Rollout's own policy is used."""
    names = [check.name for check in checks]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ChecksError(
            f"analysis: {twice[0]} is a check of the policy and of the template; rename one"
        )
    if all(check.dry_run for check in checks):
        raise ChecksError("analysis: every check is a dry run; let one decide")
    if taken := sorted({check.name for check in own} & set(names)):
        raise ChecksError(f"steps: {taken[0]} is a check of a step and of the analysis; rename one")
    for check in (*checks, *own):
        if check.is_recorded and not spec.serving.prediction_log.enabled:
            raise ChecksError(
                f"check {check.name}: {check.builtin} needs the record of predictions; set "
                "serving.predictionLog.enabled of the Model"
            )
        fits = FOR_CLASSES if spec.task == "regression" else FOR_NUMBERS
        if check.builtin in fits:
            raise ChecksError(
                f"check {check.name}: {check.builtin} does not fit a {spec.task} model"
            )


def _require_planned(checks: Sequence[Check], plan: Plan) -> None:
    """Hold a template's checks to what the plan brings about, as ``RolloutPolicy`` does its own."""
    for check in checks:
        if check.builtin == "prediction-agreement" and not plan.copies:
            raise ChecksError(
                f"check {check.name}: prediction-agreement needs strategy shadow, or blueGreen "
                "with a mirror"
            )
        beside = check.relative is not None or check.builtin == "prediction-drift"
        if beside and not plan.compares:
            raise ChecksError(
                f"check {check.name}: it compares with the stable version, which does not run "
                "beside the candidate under recreate"
            )
