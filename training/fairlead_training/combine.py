"""Let the best trials of a search answer together, where that is better."""

import dataclasses
import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from optuna.trial import FrozenTrial

from fairlead_training.blending import Blending, blend
from fairlead_training.config import TrainingConfig
from fairlead_training.evaluate import Units
from fairlead_training.learners.ensemble import Ensemble, Member
from fairlead_training.learners.protocol import Learner, OutOfTimeError, PreparedFold
from fairlead_training.metrics import Floats
from fairlead_training.space import Choice, read_choice
from fairlead_training.study import read_learned

_MOST_TRIED: Final = 8  # trials, of which those that help are taken
_PATIENCE: Final = 300.0  # seconds, of a Job that has 900 for more than its search

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """What came of the attempt."""

    said: str  # for people
    ensemble: Ensemble | None  # None: the best trial stays alone
    trials: Sequence[int] = ()  # of the members


def combine(
    ranked: Sequence[FrozenTrial],
    learners: Sequence[Learner],
    folds: Callable[[Learner], Sequence[PreparedFold]],
    config: TrainingConfig,
    *,
    units: Units = None,
) -> Combination:
    """Try the best trials together, each as it answered in the folds.

    Args:
        ranked: the trials that completed, the best first.
        units: of the rows that the folds validate on.
    """
    deadline = time.monotonic() + _PATIENCE
    tried: list[FrozenTrial] = []
    answers: list[list[Floats]] = []
    targets = [fold.target for fold in folds(read_choice(ranked[0].params, learners).learner)]
    if len(targets) < 2:
        return Combination(said="not tried, as there is one fold", ensemble=None)
    for trial in pick(ranked, [read_choice(one.params, learners) for one in ranked]):
        choice = read_choice(trial.params, learners)
        errors: tuple[type[Exception], ...] = (OutOfTimeError, *choice.learner.errors)
        try:
            answered = [
                fold.train(choice.parameters, deadline=deadline).score
                for fold in folds(choice.learner)
            ]
        except errors as error:
            _log.warning("a trial is left out of the ensemble", extra={"why": repr(error)})
            continue
        tried.append(trial)
        answers.append(answered)
    if not tried or tried[0] is not ranked[0]:
        return Combination(said="not tried, as there was no time", ensemble=None)
    found = blend(
        answers,
        targets,
        config.task,
        config.search.metric,
        seed=config.search.seed,
        units=units,
    )
    members = {
        trial.number: Member(
            learner=choice.learner,
            searched=choice.parameters,
            learned=read_learned(trial),
            weight=weight,
        )
        for trial, weight in zip(tried, found.weights, strict=True)
        if weight and (choice := read_choice(trial.params, learners))
    }
    if len(members) < 2 or not found.is_kept:
        return Combination(said=f"not kept: {_say(found)}", ensemble=None)
    return Combination(
        said=_say(found),
        ensemble=Ensemble(members=tuple(members.values())),
        trials=tuple(members),
    )


def pick(ranked: Sequence[FrozenTrial], choices: Sequence[Choice]) -> list[FrozenTrial]:
    """Return the trials to try: the best of each learner, and the best of the others."""
    seen: set[str] = set()
    first = []
    for trial, choice in zip(ranked, choices, strict=True):
        if choice.learner.name not in seen:
            seen.add(choice.learner.name)
            first.append(trial)
    rest = [trial for trial in ranked if trial not in first]
    picked = (first + rest)[:_MOST_TRIED]
    return [trial for trial in ranked if trial in picked]


def _say(found: Blending) -> str:
    gain = found.gain
    return (
        f"better than the best model alone by {gain.value:.3g} in the folds "
        f"(95 % interval {gain.low:.3g} to {gain.high:.3g})"
    )
