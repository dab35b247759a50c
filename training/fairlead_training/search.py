"""One search worker: run trials until all workers together have finished enough.

The budget is counted in the database, under a lock that a worker holds from the count until its
next trial is recorded as running.  So no worker starts one trial too many, and none is counted
that a killed worker left behind: after ``study.GRACE_SECONDS`` of silence it is tried again.
"""

import contextlib
import dataclasses
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState

from fairlead_training.budget import Counts, Step, decide, estimate_left
from fairlead_training.config import TrainingConfig
from fairlead_training.database import locked
from fairlead_training.failure import Reason, TrainingFailure, first_line
from fairlead_training.learners.protocol import (
    Learner,
    OutOfTimeError,
    Parameters,
    PreparedFold,
    Setting,
)
from fairlead_training.metrics import compute
from fairlead_training.prepared import prepare_fold
from fairlead_training.space import Choice, draw
from fairlead_training.split import Split
from fairlead_training.study import (
    ERROR,
    LEARNED,
    SharedStudy,
    count,
    fail_left_behind,
    find_best,
    seconds_spent,
)

_POLL_SECONDS: Final = 0.5
_STARTUP_TRIALS: Final = 10  # drawn at random before the sampler has something to learn from


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SearchProgress:
    trial: int  # finished in all
    best: float | None
    seconds_left: float  # estimate


def build_sampler(config: TrainingConfig, worker: int) -> optuna.samplers.BaseSampler:
    """Build a TPE sampler, seeded by worker so that workers do not repeat each other.

    Where there are several learners, those parameters are drawn together that one of them has.
    """
    startup = max(2, min(_STARTUP_TRIALS, config.search.trials // 3))
    if len(config.search.algorithms) == 1:
        return optuna.samplers.TPESampler(
            seed=config.search.seed + worker, n_startup_trials=startup
        )
    with warnings.catch_warnings():
        # Marked experimental since Optuna 2.8; we rely on both and test them.
        warnings.simplefilter("ignore", ExperimentalWarning)
        return optuna.samplers.TPESampler(
            seed=config.search.seed + worker,
            n_startup_trials=max(startup, len(config.search.algorithms)),
            multivariate=True,
            group=True,
        )


class TrialFailedError(Exception):
    """The learner of a trial failed, which costs that trial."""


class Folds:
    """The folds in each learner's form, made when its first trial begins."""

    def __init__(self, parts: Split, setting: Setting) -> None:
        self._parts = parts
        self._setting = setting
        self._tables = [prepare_fold(parts.search, fold, setting) for fold in parts.folds]
        self._prepared: dict[str, list[PreparedFold]] = {}

    def __call__(self, learner: Learner) -> Sequence[PreparedFold]:
        """Return the folds of that learner."""
        if learner.name not in self._prepared:
            self._prepared[learner.name] = [
                learner.prepare_fold(table, fold, self._setting)
                for table, fold in zip(self._tables, self._parts.folds, strict=True)
            ]
        return self._prepared[learner.name]


class Worker:
    """Runs trials of one shared study in this process."""

    def __init__(
        self,
        config: TrainingConfig,
        shared: SharedStudy,
        *,
        learners: Sequence[Learner],
        folds: Callable[[Learner], Sequence[PreparedFold]],
        report: Callable[[SearchProgress], None],
    ) -> None:
        self._config = config
        self._study = shared.study
        self._engine = shared.engine
        self._learners = learners
        self._folds = folds
        self._report = report
        self._turn = contextlib.ExitStack()
        spent = seconds_spent(shared.study.get_trials(deepcopy=False))
        self._deadline = time.monotonic() + config.search.timeout_seconds - spent

    def run(self) -> Counts:
        """Search until the budget of trials or time is used up.

        Raises:
            TrainingFailure: SearchFoundNothing when no trial came to its end.
        """
        while (step := self._take_turn()) is not Step.STOP:
            if step is Step.WAIT:
                time.sleep(_POLL_SECONDS)
            self._say()
        trials = self._study.get_trials(deepcopy=False)
        counts = count(trials)
        if not counts.complete and not counts.running:
            raise nothing_found(trials)
        return counts

    def _take_turn(self) -> Step:
        with contextlib.ExitStack() as self._turn:
            self._turn.enter_context(locked(self._engine, self._config.study_name))
            counts = count(fail_left_behind(self._study, self._engine))
            left = self._deadline - time.monotonic()
            step = decide(counts, trials=self._config.search.trials, seconds_left=left)
            if step is Step.TRY:
                # An error of the learner, such as a parameter it refuses, costs one trial.
                self._study.optimize(self._try, n_trials=1, catch=TrialFailedError)
        return step

    def _try(self, trial: optuna.Trial) -> float:
        # Here and nowhere else can the lock be released.  Optuna records the trial as running and
        # starts its heartbeat within ``optimize``, which returns when the trial has ended: released
        # before the call, another worker would count without this trial and start one too many;
        # released after it, only one worker at a time would train.  ``ask`` and ``tell`` would let
        # us release in between, but start no heartbeat.
        self._turn.close()
        choice = draw(trial, self._learners)
        try:
            return self._validate(trial, choice)
        except choice.learner.errors as error:
            trial.set_user_attr(ERROR, first_line(error))
            raise TrialFailedError(first_line(error)) from error
        except OutOfTimeError as error:
            raise optuna.TrialPruned("the search's time is over") from error

    def _validate(self, trial: optuna.Trial, choice: Choice) -> float:
        values: list[float] = []
        learned: list[Parameters] = []
        task, metric = self._config.task, self._config.search.metric
        folds = self._folds(choice.learner)
        for number, fold in enumerate(folds):
            result = fold.train(choice.parameters, deadline=self._deadline)
            values.append(compute(task, metric, fold.target, result.score))
            learned.append(result.learned)
            if np.isnan(values[-1]):
                trial.set_user_attr(ERROR, f"{metric} is undefined in fold {number}")
                return float("nan")
            if number + 1 < len(folds):
                trial.report(float(np.mean(values)), step=number)
                if trial.should_prune():
                    raise optuna.TrialPruned
        trial.set_user_attr(LEARNED, dict(choice.learner.combine(learned)))
        return float(np.mean(values))

    def _say(self) -> None:
        trials = self._study.get_trials(deepcopy=False)
        counts = count(trials)
        left = estimate_left(
            counts,
            trials=self._config.search.trials,
            spent=seconds_spent(trials),
            seconds_left=max(0.0, self._deadline - time.monotonic()),
        )
        best = find_best(self._study, trials)
        self._report(SearchProgress(trial=counts.finished, best=best, seconds_left=left))


def nothing_found(trials: Sequence[optuna.trial.FrozenTrial]) -> TrainingFailure:
    """Explain why no trial completed, with the first error if there was one."""
    errors = [str(trial.user_attrs[ERROR]) for trial in trials if ERROR in trial.user_attrs]
    began = sum(trial.state is not TrialState.WAITING for trial in trials)
    said = f" (first error: {errors[0]})" if errors else ""
    return TrainingFailure(
        Reason.SEARCH_FOUND_NOTHING,
        f"none of {began} trials completed{said}; "
        "raise spec.training.search.timeout or give the trainer more CPU",
    )
