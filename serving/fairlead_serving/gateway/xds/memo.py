"""What was worked out for a thousand Models is not worked out again when one of them changes."""

from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

_Argument = TypeVar("_Argument", bound=Hashable)
_Result = TypeVar("_Result")


class Memo(Generic[_Argument, _Result]):
    """Calls a pure function once for each argument, and forgets those it is not asked for again."""

    def __init__(self, function: Callable[[_Argument], _Result]) -> None:
        self._function = function
        self._results: dict[_Argument, _Result] = {}

    def map(self, arguments: Iterable[_Argument]) -> list[_Result]:
        """Return the results in the order of the arguments; remember them until the next call."""
        before, now, results = self._results, {}, []
        for argument in arguments:
            result = before.get(argument)
            if result is None:
                result = self._function(argument)
            now[argument] = result
            results.append(result)
        self._results = now
        return results
