"""Documents that are nearly right: a good one with a few places changed, the same each time."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any, Final

_ODD: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, -1, 1, 2, 10**30, -0.0, 1e308, float("inf"), float("nan"), 0.5),
    *("", " ", "a", "A", "0", "1.0.0", "v1", "../x", "a?b=c", "\x00", "\ud800", "é" * 300),
    *("10s", "1h", "0s", "-1s", "999999999h", "firing", "4", "x" * 5000, "{{", "}}", "rollback"),
    *([], {}, [[]], [{}], {"": None}, [None] * 50, {"a": {"b": {"c": []}}}),
)
_MOST_CHANGES: Final = 4


def mutations(document: Any, *, count: int, seed: int) -> Iterator[Any]:
    """``count`` copies of the document, each with one to four changes."""
    chance = random.Random(seed)
    for _ in range(count):
        mutant = copy.deepcopy(document)
        for _ in range(chance.randint(1, _MOST_CHANGES)):
            mutant = _changed(mutant, chance)
        yield mutant


def to_json(document: Any) -> str | None:
    """Return the text that would be sent; None for a number that JSON cannot say."""
    try:
        return json.dumps(document, allow_nan=False)
    except ValueError:
        return None


def _changed(document: Any, chance: random.Random) -> Any:
    """Remove, replace, add to or swap one place of the document."""
    places = list(_places(document))
    if not places:
        return copy.deepcopy(chance.choice(_ODD))
    holder, key = chance.choice(places)
    match chance.randrange(4):
        case 0:
            del holder[key]
        case 1:
            other, name = chance.choice(places)
            holder[key] = copy.deepcopy(other[name])
        case 2 if isinstance(holder, dict):
            holder[chance.choice(["unknown", "", "weight", "query", "\x00"])] = _odd(chance)
        case _:
            holder[key] = _odd(chance)
    return document


def _odd(chance: random.Random) -> Any:
    return copy.deepcopy(chance.choice(_ODD))


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container with each key of it, at any depth."""
    if isinstance(node, dict):
        keys: list[Any] = list(node)
    elif isinstance(node, list):
        keys = list(range(len(node)))
    else:
        return
    for key in keys:
        yield node, key
        yield from _places(node[key])
