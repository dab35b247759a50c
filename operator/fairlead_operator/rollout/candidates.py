"""The candidates' registrations, looked up once and kept: a deleted one changes nothing.

What is kept is what the cluster knows (``versions.choose``); of MLflow's tags a version is
believed once, at its first use, and its model server compares the files with what is kept.
"""

import asyncio
import dataclasses
from typing import Final

from fairlead_operator.api.common import VersionReference, digest_field
from fairlead_operator.api.group import name_registered_model
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Registry
from fairlead_operator.rollout.case import Case
from fairlead_operator.rollout.decision.states import Resolution
from fairlead_operator.versions import Problem, Refusal, choose, exchanged, find_known

_RESOLUTIONS: Final = {
    Problem.MISSING: Resolution.MISSING,
    Problem.AMBIGUOUS: Resolution.AMBIGUOUS,
    Problem.CHANGED: Resolution.CHANGED,
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """What the registry says."""

    references: tuple[VersionReference, ...]  # in order; empty unless every one was found
    resolution: Resolution
    message: str = ""


async def resolve(case: Case, registry: Registry) -> Candidates:
    """Find every candidate; one that is missing is missing for all."""
    resolved = {
        arm.version: VersionReference(
            version=arm.version, registry_version=arm.registry_version, digest=arm.digest
        )
        for arm in case.status.arms
        if arm.digest
    }
    if case.status.candidate is not None:
        resolved.setdefault(case.status.candidate.version, case.status.candidate)
    missing = [version for version in case.spec.versions if version not in resolved]
    if missing and case.is_begun_by_model and not case.has_turn:
        # The Model names it in the same write as what it knows of the versions.
        return _unavailable("not asked before the Model names this Rollout")
    try:
        answers = await asyncio.gather(*(_find(version, case, registry) for version in missing))
    except TransientError as error:
        return _unavailable(str(error))
    refusals = [answer for answer in answers if isinstance(answer, Refusal)]
    if refusals:
        resolution = _RESOLUTIONS[refusals[0].problem]
        return Candidates(references=(), resolution=resolution, message=refusals[0].message)
    resolved |= {
        answer.version: answer for answer in answers if isinstance(answer, VersionReference)
    }
    references = tuple(resolved[version] for version in case.spec.versions)
    return Candidates(references=references, resolution=Resolution.FOUND)


def _unavailable(message: str) -> Candidates:
    return Candidates(references=(), resolution=Resolution.UNAVAILABLE, message=message)


async def _find(version: str, case: Case, registry: Registry) -> VersionReference | Refusal:
    """Ask MLflow for the registrations of a version, and choose."""
    name = name_registered_model(case.namespace, case.spec.model)
    pinned = case.pinned_digest(version)
    field = digest_field(version, case.spec.alternatives)
    in_charge = exchanged(case.stable, version=version, pinned=pinned, field=field)
    if in_charge:
        return Refusal(problem=Problem.CHANGED, message=in_charge)
    return choose(
        version,
        await registry.find_versions(name, version),
        model=name,
        known=find_known(version, case.known),
        pinned=pinned,
        field=field,
    )
