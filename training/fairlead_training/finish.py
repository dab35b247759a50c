"""The finishing Job: refit the best, judge it on the hold-out, explain, and register it.

It may run twice: a version that this training has registered already is reported again, not made
again.  Which one that is its study says, in the database, and the files of the version: a tag in
MLflow can be written by others.
"""

import dataclasses
import json
import logging
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import mlflow
import numpy as np
import optuna
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from optuna.trial import FrozenTrial, TrialState

from fairlead_contract import profile, tags
from fairlead_contract.graph import SIGNATURE_TYPES
from fairlead_training import tracking
from fairlead_training.artifact import log_candidate, read_digest, read_signature_digest
from fairlead_training.card import build_card, to_html, to_markdown
from fairlead_training.champion import challenge
from fairlead_training.combine import Combination, combine
from fairlead_training.compute import count_threads
from fairlead_training.config import Environment, Task, TrainingConfig
from fairlead_training.data import check
from fairlead_training.database import locked
from fairlead_training.evaluate import Judgment, Rival, find_doubts, judge
from fairlead_training.explain import draw, explain
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.gates import Measured, Parts, Scored, measure, read_parts
from fairlead_training.learners.protocol import (
    FittedModel,
    Fitter,
    Parameters,
    Setting,
    UnfaithfulFormError,
)
from fairlead_training.learners.table import find_learners, refused_characters
from fairlead_training.metrics import Floats
from fairlead_training.naive import forecast
from fairlead_training.preparation.types import describe_types
from fairlead_training.prepared import find_gaps, fit_model, warn_of_suspicious
from fairlead_training.profile import take_profile
from fairlead_training.progress import Progress, Stage
from fairlead_training.report import render
from fairlead_training.result import Outcome, data_document, success_document
from fairlead_training.search import Folds, nothing_found
from fairlead_training.snapshot import restore
from fairlead_training.sources.address import public_uri
from fairlead_training.sources.table import read_frame, warn_of_source
from fairlead_training.space import read_choice
from fairlead_training.split import Split, name_draw, split, warn_of_rows
from fairlead_training.study import (
    Promise,
    SharedStudy,
    count,
    give_up_running,
    load_study,
    open_storage,
    promise,
    read_learned,
    read_promise,
)
from fairlead_training.tracking import Tracking
from fairlead_training.versioning import Existing, next_version
from fairlead_training.warm_start import remember

_MOST_FITTED: Final = 3  # trials, the best first, until one can be stored as it is
_MOST_COMPARED: Final = 10  # versions that name this training's run; it registers one

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What may be fitted."""

    fitter: Fitter
    what: str  # for people
    searched: Parameters
    learned: Parameters
    found: Mapping[str, Any]  # where it comes from, for ``best_hyperparameters.json``


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The final model and how it did on the hold-out."""

    plan: Plan
    model: FittedModel
    score: Floats  # of the hold-out
    judgment: Judgment
    gates: tuple[Measured, ...] = ()
    passed_over: tuple[str, ...] = ()  # what better trials were not taken for


def finish(config: TrainingConfig, environment: Environment, progress: Progress) -> dict[str, Any]:
    """Run the stage and return the result document."""
    mlflow.set_tracking_uri(environment.mlflow.address)
    record = Tracking(MlflowClient(environment.mlflow.address), config)
    # MLflow logs a model to the process's experiment, whatever experiment its run is in.
    mlflow.set_experiment(experiment_id=record.check())
    database = (environment.database_url, config.search_schema)
    with open_storage(*database, file=environment.database_file) as storage:
        shared = load_study(storage, config)
        promised = read_promise(shared.study)
        earlier = None
        if promised is not None:
            earlier = find_registered(
                record.versions(),
                config,
                promised,
                digest_of=lambda number: read_digest(
                    config.registered_model, number, scratch=environment.scratch
                ),
            )
        if earlier is not None:
            return earlier
        give_up_running(shared.study)
        remember(storage, config, rank_trials(shared.study))
        return _Finishing(config, environment, progress, record, shared).run()


class _Finishing:
    """The steps of one finishing Job, in order; each uses what the ones before it found."""

    def __init__(
        self,
        config: TrainingConfig,
        environment: Environment,
        progress: Progress,
        record: Tracking,
        shared: SharedStudy,
    ) -> None:
        self._config = config
        self._environment = environment
        self._progress = progress
        self._record = record
        self._shared = shared
        self._learners = find_learners(config.search.algorithms, config.search.metric)
        self._combination: Combination | None = None  # where the Model asks for one
        self._parts: Mapping[str, Parts] = {}  # of the hold-out, by which gates judge

    def run(self) -> dict[str, Any]:
        ranked = rank_trials(self._shared.study)
        frame = read_frame(self._config.data, self._environment)
        table = restore(
            check(frame, self._config, refused_in_names=refused_characters(self._learners)),
            self._shared.snapshot,
        )
        parts = split(table, self._config.validation)
        rival = challenge(
            self._config,
            frame,
            table=table,
            holdout=parts.holdout,
            learned=self._learned(),
            environment=self._environment,
        )
        self._parts = read_parts(frame.iloc[parts.holdout.rows], [*self._config.gates.columns])
        del frame, table  # the fit needs the room
        self._progress.enter(Stage.FIT)
        plans = [self._plan(trial) for trial in ranked[:_MOST_FITTED]]
        if self._config.search.ensemble:
            self._combination = self._combine(ranked, parts)
            plans = [*plan_ensemble(self._combination), *plans]
        fitted = self._fit(plans, parts, rival)
        self._progress.enter(Stage.EXPLAIN)
        importance = explain(fitted.model, parts.holdout, seed=self._config.search.seed)
        self._progress.enter(Stage.REGISTER)
        return self._register(fitted, parts, importance)

    def _combine(self, ranked: Sequence[FrozenTrial], parts: Split) -> Combination:
        folds = Folds(parts, self._setting(parts))
        return combine(ranked, self._learners, folds, self._config, units=parts.validated)

    def _plan(self, trial: FrozenTrial) -> Plan:
        choice = read_choice(trial.params, self._learners)
        return Plan(
            fitter=choice.learner,
            what=f"trial {trial.number} ({choice.learner.name})",
            searched=choice.parameters,
            learned=read_learned(trial),
            found={"trial": trial.number, "value": trial.value},
        )

    def _fit(self, plans: Sequence[Plan], parts: Split, rival: Rival | None) -> Fitted:
        """Fit the best whose model can be stored as it is."""
        passed_over: list[str] = []
        for plan in plans:
            try:
                fitted = self._fit_one(plan, parts, rival)
            except UnfaithfulFormError as error:
                passed_over.append(
                    f"{plan.what} was better by the search and is not taken: {error}"
                )
                continue
            return dataclasses.replace(fitted, passed_over=tuple(passed_over))
        raise TrainingFailure(
            Reason.SEARCH_FOUND_NOTHING,
            f"none of the {len(passed_over)} best trials can be stored in a form that is served "
            f"({passed_over[0]}); name other learners in spec.training.algorithms",
        )

    def _fit_one(self, plan: Plan, parts: Split, rival: Rival | None) -> Fitted:
        config = self._config
        model = fit_model(
            plan.fitter,
            parts.search,
            self._setting(parts),
            searched=plan.searched,
            learned=plan.learned,
        )
        model.verify(parts.holdout.features)
        self._progress.enter(Stage.EVALUATE)
        score = model.predict(parts.holdout.features)
        judgment = judge(
            config.task,
            config.search.metric,
            learned=parts.search.target,
            target=parts.holdout.target,
            score=score,
            rival=rival,
            seed=config.search.seed,
            units=parts.holdout.units,
            naive=forecast_naively(parts, config.task),
        )
        scored = Scored(
            task=config.task,
            metric=config.search.metric,
            learned=parts.search.target,
            target=parts.holdout.target,
            score=score,
            rival=rival,
            parts=self._parts,
            seed=config.search.seed,
            units=parts.holdout.units,
        )
        return Fitted(
            plan=plan,
            model=model,
            score=score,
            judgment=judgment,
            gates=measure(config.gates, scored),
        )

    def _setting(self, parts: Split) -> Setting:
        return Setting(
            task=self._config.task,
            metric=self._config.search.metric,
            classes=parts.classes,
            seed=self._config.search.seed,
            threads=count_threads(1),
        )

    def _learned(self) -> Mapping[str, Any] | None:
        champion = self._config.champion
        return None if champion is None else self._record.read_data(champion.registry_version)

    def _register(
        self, fitted: Fitted, parts: Split, importance: Mapping[str, float]
    ) -> dict[str, Any]:
        config = self._config
        model_id, signature, digest = log_candidate(
            fitted.model,
            parts.holdout,
            fitted.score,
            run_id=config.mlflow_run_id,
            scratch=self._environment.scratch,
            gaps=None if parts.search.is_plain else find_gaps(parts),
        )
        self._record.ensure_registered_model()
        warnings = self._warn(fitted, parts, importance)
        with locked(self._shared.engine, f"versions/{config.registered_model}"):
            version = next_version(
                self._existing(),
                signature=signature,
                recipe=config.recipe_digest,
                after=config.after,
            )
            result = self._result(fitted, parts, version=version, digest=digest, warnings=warnings)
            promise(self._shared.study, Promise(digest=digest, result=result))
            self._log(fitted, parts, importance, result)
            candidate = tracking.Candidate(
                model_id=model_id,
                tags={
                    tags.VERSION: version,
                    tags.DIGEST: digest,
                    tags.RECIPE: config.recipe_digest,
                    tags.SIGNATURE: signature,
                    tags.TRAINING_RUN: config.training_run_uid,
                    tags.DATA: json.dumps(result["data"]),
                    tags.RESULT: json.dumps(result),
                },
            )
            return {**result, "registryVersion": self._record.register(candidate)}

    def _existing(self) -> list[Existing]:
        """Read the tags of what is registered: they choose the next number and nothing more."""
        existing = []
        for version in self._record.versions():
            signature = version.tags.get(tags.SIGNATURE)
            if signature is None and tags.VERSION in version.tags:
                signature = read_signature_digest(version.name, version.version)
            existing.append(
                Existing(
                    version=version.tags.get(tags.VERSION, ""),
                    signature=signature,
                    recipe=version.tags.get(tags.RECIPE),
                )
            )
        return existing

    def _warn(
        self, fitted: Fitted, parts: Split, importance: Mapping[str, float]
    ) -> tuple[str, ...]:
        doubts = find_doubts(
            self._config.task,
            self._config.search.metric,
            {name: metric.value for name, metric in fitted.judgment.metrics.items()},
            trivial=fitted.judgment.trivial,
            leading=next(iter(importance)),
        )
        warnings = (
            *doubts,
            *fitted.passed_over,
            *warn_of_rows(parts, self._config.task),
            *warn_of_suspicious(parts.search, self._config),
            *warn_of_source(self._config.data, self._environment),
        )
        for warning in warnings:
            _log.warning("a person should look at this", extra={"why": warning})
        return warnings

    def _result(
        self,
        fitted: Fitted,
        parts: Split,
        *,
        version: str,
        digest: str,
        warnings: tuple[str, ...],
    ) -> dict[str, Any]:
        outcome = Outcome(
            version=version,
            digest=digest,
            judgment=fitted.judgment,
            warnings=warnings,
            gates=fitted.gates,
            counts=count(self._shared.study.get_trials(deepcopy=False)),
            begun_with=self._shared.begun_with,
            seconds=time.time() - self._shared.started_at,
            data=data_document(
                self._shared.snapshot,
                len(parts.holdout),
                trained_to=int(parts.search.times[-1]) if parts.search.by_time else None,
                task=self._config.task,
                unlabelled=parts.search.unlabelled,
                draw=name_draw(parts.search, self._config),
                columns=describe_types(parts.search.types),
            ),
        )
        return success_document(self._config, outcome)

    def _log(
        self,
        fitted: Fitted,
        parts: Split,
        importance: Mapping[str, float],
        result: Mapping[str, Any],
    ) -> None:
        config, plan = self._config, fitted.plan
        combined = {} if self._combination is None else {"ensemble": self._combination.said}
        parameters = {"algorithm": plan.fitter.name, **plan.searched}
        best = {
            "algorithm": plan.fitter.name,
            **plan.found,
            "metric": config.search.metric,
            **plan.learned,
            **combined,
            "params": plan.searched,
        }
        self._record.log_numbers(
            {**parameters, **plan.learned, **combined}, _metrics(fitted.judgment)
        )
        self._record.log_trials(self._shared.study.get_trials(deepcopy=False))
        typed = {} if parts.search.is_plain else parts.search.types
        self._record.log_data(
            result["data"],
            {
                **dict.fromkeys(map(str, parts.search.features), "double"),
                **{name: SIGNATURE_TYPES[kind] for name, kind in typed.items()},
                config.data.target: "double",
            },
        )
        title = f"{config.registered_model} {result['version']}"
        seen = take_profile(parts, fitted.score, config.task)
        page = render(
            title,
            result,
            metrics=fitted.judgment.metrics,
            parameters={**parameters, **combined},
            importance=importance,
            attribution=fitted.model.attribution,
            profile=seen,
            baseline=fitted.judgment.baseline,
            naive=fitted.judgment.naive,
        )
        card = build_card(
            config,
            result,
            judgment=fitted.judgment,
            learner=plan.fitter.name,
            importance=importance,
            profile=seen,
            sources=list(map(public_uri, config.data.uris)),
        )
        self._record.log_texts(
            {
                "best_hyperparameters.json": json.dumps(best, indent=1),
                "explanation.json": json.dumps(
                    {"method": fitted.model.attribution, "meanAbsoluteShap": importance}, indent=1
                ),
                "model_card.html": to_html(card),
                "model_card.md": to_markdown(card),
                profile.FILE: profile.write_profile(seen),
                "report.html": page,
            }
        )
        with tempfile.TemporaryDirectory(dir=self._environment.scratch) as folder:
            plot = Path(folder, "explanation.png")
            plot.write_bytes(draw(importance, of=fitted.model.attribution))
            self._record.log_file(str(plot))


def forecast_naively(parts: Split, task: Task) -> Mapping[str, Floats]:
    """Return what forecasts without a model say of the hold-out; none where rows have no times."""
    search, holdout = parts.search, parts.holdout
    if task is not Task.REGRESSION or not search.by_time:
        return {}
    return forecast(
        np.concatenate([search.times, holdout.times]),
        np.concatenate([search.target, holdout.target]),
        len(search),
    )


def plan_ensemble(combination: Combination) -> list[Plan]:
    """Return the ensemble, where several models are better together."""
    ensemble = combination.ensemble
    if ensemble is None:
        return []
    by_trial = dict(zip(combination.trials, ensemble.members, strict=True))
    members = [
        {
            "algorithm": member.learner.name,
            "trial": trial,
            "weight": member.weight,
            **member.learned,
            "params": member.searched,
        }
        for trial, member in by_trial.items()
    ]
    return [
        Plan(
            fitter=ensemble,
            what=f"the ensemble of trials {', '.join(map(str, by_trial))}",
            searched={
                f"trial {trial} {member.learner.name}": member.weight
                for trial, member in by_trial.items()
            },
            learned={},
            found={"members": members},
        )
    ]


def _metrics(judgment: Judgment) -> dict[str, float]:
    """Return what MLflow is told: each metric, its interval, and the baseline's."""
    told = {f"holdout_{name}": metric.value for name, metric in judgment.metrics.items()}
    for name, metric in judgment.metrics.items():
        bounds = {f"holdout_{name}_low": metric.low, f"holdout_{name}_high": metric.high}
        told |= {bound: value for bound, value in bounds.items() if math.isfinite(value)}
    told |= {f"trivial_{name}": value for name, value in judgment.baseline.items()}
    return told | {
        f"{forecast}_{name}": value
        for forecast, reached in judgment.naive.items()
        for name, value in reached.items()
        if math.isfinite(value)
    }


def rank_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that completed, the best first.

    Raises:
        TrainingFailure: SearchFoundNothing.
    """
    trials = study.get_trials(deepcopy=False)
    complete = [trial for trial in trials if trial.state is TrialState.COMPLETE]
    if not complete:
        raise nothing_found(trials)
    is_loss = study.direction is optuna.study.StudyDirection.MINIMIZE
    return sorted(complete, key=lambda trial: trial.value or 0.0, reverse=not is_loss)


def find_registered(
    versions: Iterable[ModelVersion],
    config: TrainingConfig,
    promised: Promise,
    *,
    digest_of: Callable[[str], str | None],
) -> dict[str, Any] | None:
    """Return the result of an earlier finishing pod that was killed after it had registered.

    Only a version of this training's own run counts whose files are those that the pod was about
    to register.  Where there is none, another one is registered.
    """
    numbers = [str(one.version) for one in versions if one.run_id == config.mlflow_run_id]
    for number in sorted(numbers, key=int)[:_MOST_COMPARED]:
        if digest_of(number) == promised.digest:
            return {**promised.result, "registryVersion": number}
    return None
