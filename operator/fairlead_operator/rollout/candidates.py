"""The candidates' registrations, looked up once and kept: a deleted one changes nothing."""

import asyncio
import dataclasses
from collections.abc import Sequence

from fairlead_contract import tags
from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.rollout import RolloutStatus
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Ports, Registry
from fairlead_operator.rollout.decision.states import Resolution


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """What the registry says."""

    references: tuple[VersionReference, ...]  # in order; empty unless every one was found
    resolution: Resolution
    message: str = ""


async def resolve(
    versions: Sequence[str], status: RolloutStatus, registered_model: str, ports: Ports
) -> Candidates:
    """Find every candidate; one that is missing is missing for all."""
    resolved = {
        arm.version: VersionReference(
            version=arm.version, registry_version=arm.registry_version, digest=arm.digest
        )
        for arm in status.arms
        if arm.digest
    }
    if status.candidate is not None:
        resolved.setdefault(status.candidate.version, status.candidate)
    try:
        answers = await asyncio.gather(
            *(
                _find(version, registered_model, ports.registry)
                for version in versions
                if version not in resolved
            )
        )
    except TransientError as error:
        return Candidates(references=(), resolution=Resolution.UNAVAILABLE, message=str(error))
    problems = [answer for answer in answers if isinstance(answer, str)]
    if problems:
        return Candidates(references=(), resolution=Resolution.MISSING, message=problems[0])
    resolved |= {
        answer.version: answer for answer in answers if isinstance(answer, VersionReference)
    }
    references = tuple(resolved[version] for version in versions)
    return Candidates(references=references, resolution=Resolution.FOUND)


async def _find(version: str, registered_model: str, registry: Registry) -> VersionReference | str:
    """Return the registration, or what is wrong with it."""
    registration = await registry.find_version(registered_model, version)
    if registration is None:
        return (
            f"MLflow has no version of {registered_model} with the tag "
            f"{tags.VERSION}={version}; register it or choose another"
        )
    if not registration.digest:
        return (
            f"{registered_model} {version} (registry version {registration.registry_version}) "
            f"has no tag {tags.DIGEST}; set it to the artifact's digest"
        )
    return VersionReference(
        version=version,
        registry_version=registration.registry_version,
        digest=registration.digest,
    )
