"""What autoscalers say of themselves when they cannot scale.  Pure.

A HorizontalPodAutoscaler, KEDA's ScaledObject, and the HorizontalPodAutoscaler that KEDA makes of
one, which has its labels.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from fairlead_operator.text import shorten

KINDS: Final = frozenset({"HorizontalPodAutoscaler", "ScaledObject"})
_LONGEST_WORDS: Final = 500  # characters, of one autoscaler
# The pods do not follow the load.
_STOPPED: Final = frozenset({
    ("AbleToScale", "False"), ("ScalingActive", "False"),
    ("Ready", "False"), ("Paused", "True"), ("Fallback", "True"),
})  # fmt: skip
_LIMITED: Final = ("ScalingLimited", "True")
_AT_MOST: Final = "TooManyReplicas"  # would be needed; at the fewest it is limited every quiet hour


def keep_troubles(scaler: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the conditions that people should hear of, without moments.

    All else in the status of an autoscaler follows the load, every few seconds.
    """
    conditions = (scaler.get("status") or {}).get("conditions") or []
    return [
        {key: each.get(key, "") for key in ("type", "status", "reason", "message")}
        for each in conditions
        if _is_stopped(each) or _is_limited(each)
    ]


def find_stopped(scalers: Iterable[Mapping[str, Any]]) -> str | None:
    """Say why the pods of a version do not follow the load, in the cluster's words; or None."""
    return next(_words(scalers, _is_stopped), None)


def find_limited(scalers: Iterable[Mapping[str, Any]]) -> str | None:
    """Say that more pods would be needed than are allowed; None while they are not."""
    return next(_words(scalers, _is_limited), None)


def _words(scalers: Iterable[Mapping[str, Any]], is_meant: Any) -> Iterator[str]:
    for scaler in scalers:
        for each in (scaler.get("status") or {}).get("conditions") or []:
            if is_meant(each):
                name = f"{scaler['kind']} {scaler['metadata']['name']}"
                state = f"{each['type']} is {each['status']}"
                why = ": ".join(filter(None, (each.get("reason"), each.get("message"))))
                yield shorten(f"{name}: {state}: {why}", _LONGEST_WORDS)


def _is_stopped(condition: Mapping[str, Any]) -> bool:
    return (condition.get("type"), condition.get("status")) in _STOPPED


def _is_limited(condition: Mapping[str, Any]) -> bool:
    state = condition.get("type"), condition.get("status")
    return state == _LIMITED and condition.get("reason") == _AT_MOST
