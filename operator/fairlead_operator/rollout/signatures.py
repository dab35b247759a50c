"""What the candidates change for callers, asked of MLflow once, before they have traffic."""

import asyncio
from collections.abc import Sequence
from typing import Final

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.group import name_registered_model
from fairlead_operator.api.phases.rollout import Phase, SignatureReason
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Registry
from fairlead_operator.rollout.case import Case
from fairlead_operator.rollout.seen import SIGNATURE_CHANGED, Signatures
from fairlead_operator.signature import describe_change, find_change
from fairlead_operator.text import write_list

_TOO_LATE: Final = frozenset({Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.SUCCEEDED})


async def compare_signatures(
    case: Case, candidates: Sequence[VersionReference], registry: Registry
) -> Signatures | None:
    """Compare each candidate with the stable version; None where there is nothing to say now.

    MLflow is asked again while it does not answer and nobody waits for it.
    """
    stable = case.stable
    told = any(condition.type == SIGNATURE_CHANGED for condition in case.status.conditions)
    others = [reference for reference in candidates if reference.version != case.stable_version]
    if stable is None or told or not others or case.phase in _TOO_LATE:
        return None
    if not case.has_turn:  # another may be in charge by then
        return None
    name = name_registered_model(case.namespace, case.spec.model)
    try:
        signatures = await asyncio.gather(
            *(registry.signature(name, one.registry_version) for one in (stable, *others))
        )
    except TransientError as error:
        return None if case.phase is Phase.PENDING else _unreadable(str(error))
    except ValueError as error:
        return _unreadable(str(error))
    before, *after = signatures
    changes = [find_change(before, signature) for signature in after]
    return Signatures(
        reason=SignatureReason.CHANGED
        if any(change.words for change in changes)
        else SignatureReason.UNCHANGED,
        message=write_list(
            describe_change(change, stable=stable.version, candidate=reference.version)
            for reference, change in zip(others, changes, strict=True)
        ),
        refuses=any(change.refuses for change in changes),
    )


def _unreadable(why: str) -> Signatures:
    message = f"what the versions take is not compared: {why}"
    return Signatures(reason=SignatureReason.UNREADABLE, message=message)
