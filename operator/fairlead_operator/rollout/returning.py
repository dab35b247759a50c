"""Which candidates come back: they were in charge of this Model before, with these bytes.

Their code has run already, so they may run it again: going back always works.  Who asks for it
is not believed.  It is told by what only the operator writes: status and history, with the digest.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.history import ENTRIES, HistoryEntry
from fairlead_operator.api.phases.rollout import BEFORE_TRAFFIC, Phase, Transition
from fairlead_operator.api.rollout import RolloutStatus
from fairlead_operator.errors import TransientError
from fairlead_operator.ports import Ports, Record
from fairlead_operator.rollout.case import Case


async def find_returning(
    case: Case, candidates: Sequence[VersionReference], ports: Ports
) -> frozenset[str]:
    """Return the candidates that were in charge; what the record does not tell is not known.

    Raises:
        TransientError: the cluster did not answer.
    """
    # Later nothing asks for it.
    if case.phase not in BEFORE_TRAFFIC or not case.has_turn or not candidates:
        return frozenset()
    before = {_identify(case.stable)} if case.stable is not None else set()
    asked = {_identify(candidate) for candidate in candidates if candidate.digest}
    if case.spec.goes_back and not asked <= before:
        siblings = await ports.kube.children("Rollout", case.namespace, case.spec.model)
        before |= {_identify(one) for each in siblings for one in were_in_charge(each)}
    if case.spec.goes_back and not asked <= before:
        before |= await _recall(case, ports.record)
    return frozenset(version for version, _ in asked & before)


def were_in_charge(rollout: Mapping[str, Any]) -> tuple[VersionReference, ...]:
    """Return the versions of which a Rollout says that they were in charge."""
    status = RolloutStatus.model_validate(rollout.get("status") or {})
    known = (status.stable, status.candidate if status.phase == Phase.SUCCEEDED else None)
    return tuple(reference for reference in known if reference is not None)


async def _recall(case: Case, record: Record) -> set[tuple[str, str]]:
    """Read from the record what was promoted: of Rollouts that are gone, or an earlier Model's."""
    try:
        history = await record.history(case.namespace, case.spec.model, ENTRIES)
    except TransientError:
        return set()
    return {
        (entry.version, _digest_of(entry))
        for entry in history
        if entry.transition == Transition.PROMOTED
    }


def _digest_of(entry: HistoryEntry) -> str:
    return str(entry.numbers.get("digest", ""))


def _identify(reference: VersionReference) -> tuple[str, str]:
    return reference.version, reference.digest
