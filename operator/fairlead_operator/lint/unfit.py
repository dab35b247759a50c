"""What the operator refuses though the API server takes it: checks that cannot be asked.

All of it is asked of what the API server keeps: without nulls, and with defaults.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.template import AnalysisTemplateSpec
from fairlead_operator.errors import InvalidSpecError
from fairlead_operator.lint.problem import Problem
from fairlead_operator.rollout.decision.plan import compile_plan
from fairlead_operator.rollout.evidence.checks import ChecksError, resolve_checks

Object = Mapping[str, Any]


def find_unfit(model: Object, templates: Mapping[str, Object]) -> Iterator[Problem]:
    """Yield why the checks of a Model cannot be asked.

    Args:
        templates: those of its namespace, by name; what refers to another one is not judged.
    """
    try:
        spec = ModelSpec.model_validate(model["spec"])
    except ValidationError as error:
        yield from _unreadable(error)
        return
    try:
        reference = spec.rollout.analysis.template_ref
        template = None
        if reference is not None:
            if reference.name not in templates:
                return
            template = AnalysisTemplateSpec.model_validate(templates[reference.name]["spec"])
        plan = compile_plan(spec.rollout, candidates=1 + len(spec.alternatives))
        resolve_checks(spec.rollout, spec, plan, template)
    except ValidationError:
        return  # of the template, of which it is told
    except InvalidSpecError as error:
        yield Problem(field="spec", message=str(error))
    except ChecksError as error:
        yield Problem(field="spec.rollout.analysis", message=str(error))


def find_unfit_template(template: Object) -> Iterator[Problem]:
    """Yield what the operator cannot read of an AnalysisTemplate."""
    try:
        AnalysisTemplateSpec.model_validate(template["spec"])
    except ValidationError as error:
        yield from _unreadable(error)


def _unreadable(error: ValidationError) -> Iterator[Problem]:
    for one in error.errors():
        yield Problem(field=_path(one["loc"]), message=one["msg"])


def _path(places: Iterable[str | int]) -> str:
    """Write pydantic's place in a spec as the API server writes a path."""
    parts = (f"[{place}]" if isinstance(place, int) else f".{place}" for place in places)
    return f"spec{''.join(parts)}"
