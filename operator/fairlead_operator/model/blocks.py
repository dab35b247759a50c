"""How long a version is left alone that was rolled back, or was refused.  Pure and total.

Until someone says retry, or what asked for the version has changed:

    the target     the spec names it where it did not before: in ``version``, in
                   ``alternatives``, or anew after it had named another
    the recipe     trains another version, which no verdict has spoken of
    the artifact   MLflow has another digest of it, or has it at last
    its code       may run now, where it was refused because it might not

Nothing else in the spec counts, nor does a new release of Fairlead.  Who takes a version out of
the spec ends no block of it: nobody asks for it by that.
"""

from collections.abc import Mapping
from typing import Final

from fairlead_operator.api.model import BlockedVersion, RefusedTarget
from fairlead_operator.api.phases.rollout import Reason

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
        artifacts: digest of each version of which MLflow was asked and has one.
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
    missing = entry.reason == Reason.VERSION_NOT_FOUND
    if asked not in {UNNAMED, before} or (missing and asked != before):
        return None
    if digest is not None and digest != entry.digest and (entry.digest or missing):
        return None
    return entry.model_copy(update={"asked": asked, "digest": digest or entry.digest})


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
