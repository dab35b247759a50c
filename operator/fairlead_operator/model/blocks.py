"""How long a version is left alone that was rolled back, or was refused.  Pure and total.

Until someone says retry, or what asked for the version has changed:

    the target     the spec names it where it did not before: in ``version``, in
                   ``alternatives``, or anew after it had named another
    the recipe     trains another version, which no verdict has spoken of
    the artifact   it is another one, which spec.versionDigest names, or which a version that
                   never took traffic may still become; or MLflow has it at last, and only once
    its code       may run now, where it was refused because it might not

Nothing else in the spec counts, nor does a new release of Fairlead.  Who takes a version out of
the spec ends no block of it: nobody asks for it by that.
"""

from collections.abc import Collection, Mapping
from typing import Final

from fairlead_operator.api.model import BlockedVersion, RefusedTarget
from fairlead_operator.api.phases.rollout import UNRESOLVED, Reason

UNNAMED: Final = ""  # not in the spec: it was trained, or brought by a Rollout made by hand


def where_asked(version: str, *, pinned: str | None, alternatives: tuple[str, ...]) -> str:
    """Return the field of the spec that names the version; ``UNNAMED`` when none does."""
    if version == pinned:
        return "spec.version"
    return "spec.alternatives" if version in alternatives else UNNAMED


def renew_blocks(
    blocked: tuple[BlockedVersion, ...],
    *,
    pinned: str | None,
    alternatives: tuple[str, ...],
    artifacts: Mapping[str, str],
    allows_code: bool = False,
) -> tuple[BlockedVersion, ...]:
    """Return the blocks that last, each with where its version is asked for now.

    Args:
        artifacts: digest of each version of which MLflow was asked, and has the one that it may
            have: the spec names it, or the version never took traffic.
        allows_code: whether a version may bring code.
    """
    lasting = (
        _renew(
            entry,
            where_asked(entry.version, pinned=pinned, alternatives=alternatives),
            artifacts.get(entry.version),
        )
        for entry in blocked
        if not (allows_code and entry.reason == Reason.CODE_NOT_ALLOWED)
    )
    return tuple(entry for entry in lasting if entry is not None)


def _renew(entry: BlockedVersion, asked: str, digest: str | None) -> BlockedVersion | None:
    """Return the entry as it is now; None when its block is over."""
    before = entry.asked if entry.asked is not None else asked  # 0.1.0 did not write it
    untried = entry.reason in UNRESOLVED
    if asked not in {UNNAMED, before} or (untried and asked != before):
        return None
    if digest is not None and (untried or (entry.digest and digest != entry.digest)):
        return None
    return entry.model_copy(update={"asked": asked, "digest": digest or entry.digest})


def may_have_changed(entry: BlockedVersion, listed: Collection[str], *, expected: str) -> bool:
    """Tell whether it is worth asking MLflow for a version that is blocked.

    Args:
        listed: digests that registrations of the version had last; empty of one without.
        expected: the digest that the version must have; empty where none is known.
    """
    there = expected in listed or "" in listed if expected else len(listed) == 1
    untried = entry.reason in UNRESOLVED
    return there and (
        untried or (expected != entry.digest if expected else entry.digest not in listed)
    )


def renew_refusal(
    refused: RefusedTarget | None,
    *,
    target: str | None,
    pinned: str | None,
    alternatives: tuple[str, ...],
) -> RefusedTarget | None:
    """Return the refusal while the same target is asked for in the same way."""
    if refused is None or refused.version != target:
        return None
    asked = where_asked(refused.version, pinned=pinned, alternatives=alternatives)
    if refused.asked not in {None, asked}:
        return None
    return refused.model_copy(update={"asked": asked})
