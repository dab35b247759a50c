"""The checks in force: a policy's own, those of its template, and whether they can be asked.  Pure.

Three rules tell whether a check can be asked: the Model must have what it needs, the plan of the
rollout must bring that about at some time, and the present step must have it now.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from fairlead_operator.api.builtins import Needs
from fairlead_operator.api.checks import (
    ALL_DRY,
    DEFAULT_CHECKS,
    DEFAULT_VETO,
    Check,
    TemplateReference,
)
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.policy import (
    COPIES_NEEDED,
    ONCE_IN_STEPS,
    STABLE_IS_STOPPED,
    RolloutPolicy,
)
from fairlead_operator.api.template import AnalysisTemplateSpec
from fairlead_operator.rollout.decision.plan import Plan
from fairlead_operator.rollout.evidence.scene import Scene

_OPEN: Final = "{{arguments."


class ChecksError(ValueError):
    """The checks are not known, or cannot be answered; the message names the field."""


def resolve_checks(
    policy: RolloutPolicy,
    spec: ModelSpec,
    plan: Plan,
    template: AnalysisTemplateSpec | None,
) -> tuple[Check, ...]:
    """Return the checks of every step: the policy's, those of its template, and the default veto.

    Raises:
        ChecksError: an argument is missing or unknown, or a check does not fit the Model or the
            plan.
    """
    analysis = policy.analysis
    checks = analysis.checks or ()
    if template is not None and analysis.template_ref is not None:
        checks = (*checks, *fill_template(template, analysis.template_ref))
    elif not checks:
        checks = DEFAULT_CHECKS
    own = tuple(check for step in policy.steps or () for check in step.checks)
    _require_sound(checks, own)
    _require_fit((*checks, *own), spec)
    _require_planned(checks, plan)
    return _with_veto(checks, own)


def _with_veto(checks: tuple[Check, ...], own: Sequence[Check]) -> tuple[Check, ...]:
    """Add the default veto, unless one of the checks is of its kind and takes its place."""
    if any(check.builtin == DEFAULT_VETO.builtin for check in checks):
        return checks
    taken = {check.name for check in (*checks, *own)}
    name = DEFAULT_VETO.name
    while name in taken:
        name += "-default"
    return (*checks, DEFAULT_VETO.model_copy(update={"name": name}))


def fill_template(
    template: AnalysisTemplateSpec, reference: TemplateReference
) -> tuple[Check, ...]:
    """Return the template's checks with their arguments.

    Raises:
        ChecksError: an argument is missing, or the template has none of that name.
    """
    where = f"analysis.templateRef {reference.name}"
    given = {argument.name: argument.value for argument in reference.arguments}
    declared = {parameter.name: parameter.value for parameter in template.arguments}
    if unknown := sorted(given.keys() - declared.keys()):
        raise ChecksError(
            f"{where}: the template has no argument {unknown[0]}; it has "
            f"{', '.join(sorted(declared)) or 'none'}"
        )
    values = {name: given.get(name, default) for name, default in declared.items()}
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


def answerable(checks: Iterable[Check], scene: Scene) -> tuple[Check, ...]:
    """Return the checks that can be asked now; where none can prove anything, the default too.

    At 100 % a user's comparison goes as well: a query cannot say what was before.
    """
    asked = tuple(_asked_now(checks, scene))
    if all(check.is_veto for check in asked):
        return (*DEFAULT_CHECKS, *asked)
    return asked


def _asked_now(checks: Iterable[Check], scene: Scene) -> Iterable[Check]:
    present = {Needs.COPIES: scene.mirrored, Needs.TRAFFIC: not scene.is_alone}
    for check in checks:
        needs = check.builtin.needs if check.builtin else None
        if needs is not None and not present[needs]:
            continue
        if check.query is not None and check.relative is not None and scene.is_alone:
            if check.at_least is None and check.at_most is None:
                continue
            yield check.model_copy(update={"relative": None})
            continue
        yield check


def _require_sound(checks: Sequence[Check], own: Sequence[Check]) -> None:
    """Hold a template's checks and those of steps to what the API server cannot see of them."""
    names = [check.name for check in checks]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ChecksError(
            f"analysis: check {twice[0]} is in analysis.checks and in the template; rename one"
        )
    if all(check.dry_run for check in checks):
        raise ChecksError(f"analysis: {ALL_DRY}")
    if taken := sorted({check.name for check in own} & set(names)):
        raise ChecksError(
            f"steps: check {taken[0]} of a step has the same name as a check in {ONCE_IN_STEPS}"
        )


def _require_fit(checks: Sequence[Check], spec: ModelSpec) -> None:
    """Hold checks to what the Model has."""
    for check in checks:
        builtin = check.builtin
        if builtin is None:
            continue
        if builtin.is_recorded and not spec.serving.prediction_log.enabled:
            raise ChecksError(
                f"check {check.name}: {builtin.name} reads the prediction log: set "
                "serving.predictionLog.enabled: true in the Model"
            )
        if not builtin.fits(spec.task):
            raise ChecksError(
                f"check {check.name}: {builtin.name} is for {builtin.tasks}, and the Model has "
                f"task: {spec.task}"
            )


def _require_planned(checks: Sequence[Check], plan: Plan) -> None:
    """Hold checks to what the stable version does in the course of the plan."""
    for check in checks:
        needs = check.builtin.needs if check.builtin else None
        if check.builtin is not None and needs is Needs.COPIES and not plan.copies:
            raise ChecksError(f"check {check.name}: {check.builtin.name} {COPIES_NEEDED}")
        if (check.relative is not None or needs is Needs.TRAFFIC) and not plan.compares:
            raise ChecksError(f"check {check.name}: it compares with {STABLE_IS_STOPPED}")
