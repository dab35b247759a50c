"""What earlier Models of the same namespace and name left: which version was in charge.  Pure.

A Model is its namespace and name.  One that is applied again after it was deleted has an empty
status, but history and registry still know of it.  What was in charge is taken up before
anything else is tried:

    no version is pinned         the version in charge, in place of a training
    the pinned version was on    the version in charge first, then the pinned one as a
    trial or taken back last,    candidate, as it would have been before
    or a person left it
    another version is pinned    the pinned version: the spec names it

What cannot be taken up, or is not known, is told.

The history is believed: the operator's login alone may write it.  It says which artifact each
version was.  Of the registry only a registration with that digest is taken, and of the tags the
recipe, which at most starts a training too many or too few.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Final

from pydantic import ValidationError

from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.history import HistoryEntry
from fairlead_operator.api.phases.model import Reason
from fairlead_operator.api.phases.rollout import Transition, Trigger
from fairlead_operator.api.registered import RegisteredVersion
from fairlead_operator.text import shorten
from fairlead_operator.versions import Refusal, choose, find_known

_TROUBLE: Final = 300  # characters of another's message


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is known of earlier Models; a new name has none."""

    stable: VersionReference | None = None  # what was in charge last, as it can be taken up
    known: tuple[VersionReference, ...] = ()  # which artifacts its versions were, newest first
    recipe: str = ""  # that it was trained by; empty when the registry does not say
    # Versions that were on trial or taken back last, or from which a person went back.
    unproven: frozenset[str] = frozenset()
    reason: Reason | None = None  # why nothing is taken up, though something may have been
    message: str = ""

    def takes_up(self, pinned: str | None, alternatives: Sequence[str]) -> bool:
        """Tell whether the version that was in charge goes before what the spec asks for."""
        if self.stable is None:
            return False
        return pinned is None or bool({pinned, *alternatives} & self.unproven)


def last_promotion(history: Sequence[HistoryEntry]) -> HistoryEntry | None:
    """Return the entry, of a history with the newest first, whose promotion holds."""
    in_charge = next((name for name in map(_in_charge_after, history) if name), None)
    promotions = (
        entry
        for entry in history
        if entry.transition == Transition.PROMOTED and entry.version == in_charge
    )
    return next(promotions, None)


def recall(
    history: Sequence[HistoryEntry],
    registered: Sequence[RegisteredVersion],
    *,
    model: str,
    registered_model: str,
) -> Past:
    """Return what was in charge, if one of ``registered``, of its version, is still that."""
    promoted = last_promotion(history)
    if promoted is None:
        return Past()
    known = tuple(read_known(history))
    unproven = _unproven(history) - {promoted.version}
    found = _find(promoted, registered, find_known(promoted.version, known), registered_model)
    if isinstance(found, str):
        message = (
            f"{promoted.version} was in charge of an earlier Model {model} and cannot be taken "
            f"up: {found}"
        )
        return Past(
            known=known, unproven=unproven, reason=Reason.STABLE_VERSION_GONE, message=message
        )
    recipes = {one.registry_version: one.recipe for one in registered}
    return Past(
        stable=found,
        known=known,
        recipe=recipes.get(found.registry_version, ""),
        unproven=unproven,
    )


def read_known(history: Sequence[HistoryEntry]) -> Iterator[VersionReference]:
    """Yield which artifacts versions were that took traffic, newest first."""
    for entry in history:
        number, digest = (entry.numbers.get(name) for name in ("registryVersion", "digest"))
        tried = entry.began is not None or entry.transition == Transition.PROMOTED
        if tried and isinstance(number, str) and isinstance(digest, str) and digest:
            with contextlib.suppress(ValidationError):
                yield VersionReference(
                    version=entry.version, registry_version=number, digest=digest
                )


def unknown_past(trouble: str, *, model: str) -> Past:
    """Return that history or registry did not answer."""
    message = (
        f"it is not known whether a version was in charge of an earlier Model {model}: "
        f"{shorten(trouble, _TROUBLE)}; it is asked again, and a spec.version that names a "
        "registered version does not need to know"
    )
    return Past(reason=Reason.HISTORY_UNAVAILABLE, message=message)


def _in_charge_after(entry: HistoryEntry) -> str:
    """Return which version was in charge after this entry; empty when none was."""
    return entry.version if entry.transition == Transition.PROMOTED else entry.stable


def _unproven(history: Sequence[HistoryEntry]) -> frozenset[str]:
    """Return the versions whose latest entry is no promotion, or from which a person went back."""
    holds: dict[str, bool] = {}
    for entry in history:
        is_promoted = entry.transition == Transition.PROMOTED
        holds.setdefault(entry.version, is_promoted)
        if is_promoted and entry.trigger == Trigger.ROLLBACK:
            holds.setdefault(entry.stable, False)
    return frozenset(version for version, is_held in holds.items() if version and not is_held)


def _find(
    promoted: HistoryEntry,
    registered: Sequence[RegisteredVersion],
    known: VersionReference | None,
    registered_model: str,
) -> VersionReference | str:
    """Return the version that was promoted, or say why it cannot be had."""
    again = "register it again, or pin another version with spec.version"
    if not registered:
        return f"MLflow has no version {promoted.version} of it any more; {again}"
    if known is None and not any(one.digest for one in registered):
        return f"its registration in MLflow has no digest; {again}"
    found = choose(promoted.version, registered, model=registered_model, known=known)
    if isinstance(found, Refusal):
        return found.message
    at = {one.registry_version: one.registered_at for one in registered}.get(found.registry_version)
    if known is None and at is not None and at > promoted.at:  # of releases that kept no digest
        as_is = f"spec.version: {promoted.version} serves it as it is"
        return f"MLflow's {promoted.version} was registered after that, so it is another; {as_is}"
    return found
