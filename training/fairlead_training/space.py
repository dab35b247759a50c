"""What a search draws from: the learners it may use, and the parameters of each.

A study of one learner knows its parameters by their own names, as studies always did.  A study of
several draws the learner first, as the parameter ``algorithm``, and then the parameters of that
one, each under the learner's name: ``linear.alpha``.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from fairlead_training.learners.protocol import Learner, Parameters

_ALGORITHM: Final = "algorithm"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One point of the space."""

    learner: Learner
    parameters: Parameters


def draw(trial: optuna.Trial, learners: Sequence[Learner]) -> Choice:
    """Draw the learner of a trial, and its parameters."""
    if len(learners) == 1:
        return Choice(learner=learners[0], parameters=learners[0].suggest(trial))
    name = trial.suggest_categorical(_ALGORITHM, [learner.name for learner in learners])
    learner = _find(learners, name)
    return Choice(learner=learner, parameters=learner.suggest(_Part(trial, learner.name)))


def name_point(choice: Choice, learners: Sequence[Learner]) -> dict[str, Any]:
    """Return a point as a study of these learners keeps it."""
    if len(learners) == 1:
        return dict(choice.parameters)
    name = choice.learner.name
    return {_ALGORITHM: name} | {
        _name(name, parameter): value for parameter, value in choice.parameters.items()
    }


def has_point(learner: Learner, parameters: Mapping[str, Any]) -> bool:
    """Tell whether the learner could draw these: a study would take any others as they are."""
    given = _Given(parameters)
    try:
        drawn = learner.suggest(given)
        optuna.create_trial(params=dict(drawn), distributions=given.distributions, value=0.0)
    except (KeyError, TypeError, ValueError):
        return False
    return dict(drawn) == dict(parameters)


def read_choice(drawn: Mapping[str, Any], learners: Sequence[Learner]) -> Choice:
    """Read the parameters that a study keeps of a trial."""
    if len(learners) == 1:
        return Choice(learner=learners[0], parameters=dict(drawn))
    learner = _find(learners, drawn[_ALGORITHM])
    prefix = _name(learner.name, "")
    return Choice(
        learner=learner,
        parameters={
            name.removeprefix(prefix): value
            for name, value in drawn.items()
            if name.startswith(prefix)
        },
    )


class _Part:
    """A trial as one learner sees it, which knows its own names alone."""

    def __init__(self, trial: optuna.Trial, learner: str) -> None:
        self._trial = trial
        self._learner = learner

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        return self._trial.suggest_float(_name(self._learner, name), low, high, step=step, log=log)

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return self._trial.suggest_int(_name(self._learner, name), low, high, log=log)


class _Given:
    """A space of which a point is given, and the bounds that it must lie in."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self.distributions: dict[str, BaseDistribution] = {}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        self.distributions[name] = FloatDistribution(low, high, step=step, log=log)
        return float(self._parameters[name])

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        self.distributions[name] = IntDistribution(low, high, log=log)
        return int(self._parameters[name])


def _name(learner: str, parameter: str) -> str:
    return f"{learner}.{parameter}"


def _find(learners: Sequence[Learner], name: str) -> Learner:
    return next(learner for learner in learners if learner.name == name)
