"""Answers and feedback in the words of a version's labels, where it names its classes.  Pure."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import orjson

from fairlead_contract.classes import Label, name_in_record, spell

_TWO: Final = 2


class OtherClassesError(Exception):
    """The model does not tell apart what its artifact says."""


@dataclass(frozen=True, kw_only=True)
class Classes:
    """What a version tells apart; without labels, its answers are the predictions themselves."""

    labels: tuple[Label, ...] = ()  # in the order of the probabilities

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return how answers call each class."""
        return tuple(map(spell, self.labels))

    @cached_property
    def recorded(self) -> tuple[str, ...]:
        """Return how the record calls each class."""
        return tuple(map(name_in_record, self.labels))

    def tell(self, predictions: Any) -> Any:
        """Return what clients are told: for each row its label and the probability of each class.

        Raises:
            OtherClassesError: the model tells other classes apart.
        """
        if not self.labels:
            return predictions
        scores, chosen = self._spread(predictions)
        # Each row is written at once: as objects, those of many rows and classes fill the memory.
        return [
            orjson.Fragment(
                orjson.dumps(
                    {
                        "label": self.labels[number],
                        "probabilities": dict(zip(self.names, row, strict=True)),
                    },
                    option=orjson.OPT_SERIALIZE_NUMPY,
                )
            )
            for number, row in zip(chosen, scores, strict=True)
        ]

    def choose(self, predictions: Any) -> list[str]:
        """Return the name of the class that each row is told; nothing without labels.

        Raises:
            OtherClassesError: as `tell`.
        """
        if not self.labels:
            return []
        return [self.names[number] for number in self._spread(predictions)[1]]

    def find(self, given: object) -> str | None:
        """Return how the record calls the class that a client means; None where it is none."""
        if isinstance(given, str) and given in self.names:
            return self.recorded[self.names.index(given)]
        if isinstance(given, str | int | float):
            name = name_in_record(given)
            return name if name in self.recorded else None
        return None

    def _spread(self, predictions: Any) -> tuple[Any, list[int]]:
        """Return the probability of each class, and which class is told; of two, by the second."""
        try:
            scores = np.asarray(predictions)
            if scores.ndim == 1 and len(self.labels) == _TWO:
                return np.stack([1 - scores, scores], axis=1), (scores >= 0.5).astype(int).tolist()
        except (TypeError, ValueError):
            scores = np.empty(0)
        if scores.ndim != _TWO or scores.shape[1] != len(self.labels):
            raise OtherClassesError(
                f"the model gives no probability of each of the classes {', '.join(self.names)}"
            )
        return scores, scores.argmax(axis=1).tolist()


PLAIN: Final = Classes()
