"""Annotations of our group by which nobody asks for anything: a slip, or of another kind.  Pure.

Silence would be taken for a request that is under way.
"""

from collections.abc import Mapping
from typing import Any, Final

from fairlead_operator.api.conditions import ANNOTATIONS_READ
from fairlead_operator.api.group import (
    ANNOTATION_ACCOUNT,
    ANNOTATION_ALERT,
    ANNOTATION_APPLIED,
    ANNOTATION_ASKED,
    ANNOTATION_AUTOSCALER,
    ANNOTATION_BUILT,
    ANNOTATION_REQUEST,
    ANNOTATION_TOLD,
    ANNOTATION_TRIED,
    GROUP,
)
from fairlead_operator.report import read_condition
from fairlead_operator.requests import Action

# The operator's own notes, which ask for nothing.
_NOTES: Final = frozenset({
    ANNOTATION_ACCOUNT, ANNOTATION_APPLIED, ANNOTATION_ASKED, ANNOTATION_AUTOSCALER,
    ANNOTATION_BUILT, ANNOTATION_TOLD, ANNOTATION_TRIED,
})  # fmt: skip
_OF_MODELS: Final = (Action.RETRAIN, Action.RETRY)
_OF_ROLLOUTS: Final = (
    Action.ABORT, Action.PAUSE, Action.PROMOTE, Action.APPROVE, Action.RESUME,
)  # fmt: skip
_OF_A_ROLLOUT_ALONE: Final = frozenset({ANNOTATION_ALERT, ANNOTATION_REQUEST})
_SHOWN: Final = 5
_WAYS: Final = (
    f"{' and '.join(_OF_MODELS)} are asked of a Model, {', '.join(_OF_ROLLOUTS)} of a Rollout; "
    "`fairlead --help` tells more"
)


def find_unread(kind: str, annotations: Mapping[str, str]) -> tuple[str, ...]:
    """Name the annotations of an object of this kind that get no answer otherwise."""
    return tuple(
        name
        for name in sorted(annotations)
        if name.startswith(f"{GROUP}/") and name not in _NOTES and not _is_read(kind, name)
    )


def _is_read(kind: str, name: str) -> bool:
    """Tell whether a kind reads the annotation.  A Model refuses what is asked of Rollouts."""
    asks = any(name == action.annotation for action in Action)
    return (asks and kind != "TrainingRun") or (kind == "Rollout" and name in _OF_A_ROLLOUT_ALONE)


def explain_unread(kind: str, annotations: Mapping[str, str]) -> str | None:
    """Say which annotations ask for nothing, and what could be asked; None where there is none."""
    names = find_unread(kind, annotations)
    if not names:
        return None
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"nobody reads {', '.join(names[:_SHOWN])}{more} of a {kind}: {_WAYS}"


def is_told(body: Mapping[str, Any]) -> bool:
    """Tell whether the status says of these annotations already that nobody reads them."""
    words = explain_unread(body["kind"], body["metadata"].get("annotations") or {})
    said = read_condition(body.get("status") or {}, ANNOTATIONS_READ)
    return words is None or (said is not None and (said.status, said.message) == ("False", words))
