"""One Optuna study that all workers of a training share, kept in PostgreSQL."""

import contextlib
import dataclasses
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import optuna
import sqlalchemy
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState

from fairlead_training.budget import Counts
from fairlead_training.config import TrainingConfig
from fairlead_training.database import (
    DRIVER,
    create_schema,
    engine_options,
    errors_named,
    locked,
)
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.metrics import greater_is_better
from fairlead_training.snapshot import Snapshot, read_snapshot

HEARTBEAT_SECONDS: Final = 2
GRACE_SECONDS: Final = 10  # silence after which a trial counts as left behind
_RETRIES: Final = 3
_SCHEMA_LOCK: Final = "fairlead/schema"

# User attributes of the study and of a trial.
_SNAPSHOT: Final = "fairlead.snapshot"
_STARTED: Final = "fairlead.started_at"
_PROMISE: Final = "fairlead.registers"
_BEGUN_WITH: Final = "fairlead.begun_with"
ERROR: Final = "fairlead.error"
LEARNED: Final = "fairlead.learned"  # what the final fit takes from the folds
_ROUNDS: Final = "fairlead.rounds"  # the same in studies that 0.1.0 searched


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SharedStudy:
    study: optuna.Study
    engine: sqlalchemy.Engine
    snapshot: Snapshot  # the rows every worker must use
    started_at: float  # seconds since 1970
    begun_with: str | None = None  # the training whose best it tried first


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What a search tries first."""

    points: Sequence[Mapping[str, Any]]  # as its study keeps them
    taken_from: str | None = None  # the training whose best are among them


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What a finishing pod is about to register: the study tells it to the pod after it."""

    digest: str  # of the artifact's files, as it computed it
    result: Mapping[str, Any]  # its result document, but for the number in the registry


def promise(study: optuna.Study, what: Promise) -> None:
    """Note what is about to be registered; what an earlier pod had noted counts no more."""
    study.set_user_attr(_PROMISE, {"digest": what.digest, "result": dict(what.result)})


def read_promise(study: optuna.Study) -> Promise | None:
    """Return what an earlier pod was about to register; None where none came so far."""
    noted = study.user_attrs.get(_PROMISE)
    return None if noted is None else Promise(digest=noted["digest"], result=noted["result"])


@contextlib.contextmanager
def open_storage(
    database_url: str, schema: str, *, file: Path | None = None
) -> Iterator[RDBStorage]:
    """Connect, and create the tables where they are missing.

    Args:
        file: where the address is as it is now.

    Raises:
        TrainingFailure: DatabaseUnavailable, also for what fails inside the block.
    """
    _join_logs()
    options = engine_options(database_url, schema, file=file)
    with errors_named(database_url), warnings.catch_warnings():
        # Heartbeats are marked experimental since Optuna 2.9; we rely on them and test them.
        warnings.simplefilter("ignore", ExperimentalWarning)
        engine = sqlalchemy.create_engine(DRIVER, **options)
        try:
            # Optuna's own creation of tables breaks when several workers begin at once.
            with locked(engine, f"{_SCHEMA_LOCK}/{schema}"):
                create_schema(engine, schema)
                storage = RDBStorage(
                    DRIVER,
                    engine_kwargs=options,
                    heartbeat_interval=HEARTBEAT_SECONDS,
                    grace_period=GRACE_SECONDS,
                    heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(
                        max_retry=_RETRIES
                    ),
                )
        finally:
            engine.dispose()
        try:
            yield storage
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _join_logs() -> None:
    """Let Optuna's warnings, and nothing less, take the way of all records."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna.logging.disable_default_handler()
    optuna.logging.enable_propagation()


def join_study(
    storage: RDBStorage,
    config: TrainingConfig,
    snapshot: Snapshot,
    *,
    sampler: optuna.samplers.BaseSampler,
    beginning: Beginning,
) -> SharedStudy:
    """Load the study; the first worker creates it and says which rows it is about."""
    with locked(storage.engine, config.study_name):
        study = optuna.create_study(
            storage=storage,
            study_name=config.study_name,
            direction="maximize" if greater_is_better(config.search.metric) else "minimize",
            load_if_exists=True,
            sampler=sampler,
            # Each learner's first trial is judged by its end: no other tells how it would be.
            pruner=optuna.pruners.MedianPruner(n_startup_trials=max(5, len(beginning.points))),
        )
        if _SNAPSHOT not in study.user_attrs:
            for point in beginning.points:
                study.enqueue_trial(dict(point))
            if beginning.taken_from is not None:
                study.set_user_attr(_BEGUN_WITH, beginning.taken_from)
            study.set_user_attr(_STARTED, time.time())
            study.set_user_attr(_SNAPSHOT, dataclasses.asdict(snapshot))
    return _shared(study, storage)


def load_study(storage: RDBStorage, config: TrainingConfig) -> SharedStudy:
    """Load the study of a search that has ended.

    Raises:
        TrainingFailure: SearchFoundNothing when there is none.
    """
    try:
        study = optuna.load_study(study_name=config.study_name, storage=storage)
    except KeyError as error:
        raise TrainingFailure(
            Reason.SEARCH_FOUND_NOTHING,
            f"there is no study {config.study_name} in the study database; run the search first",
        ) from error
    return _shared(study, storage)


def fail_left_behind(study: optuna.Study, engine: sqlalchemy.Engine) -> list[FrozenTrial]:
    """Fail the trials of workers that are gone, so that the budget has room again; return all.

    Optuna does so for a trial whose heartbeat fell silent.  A worker that was killed
    between recording its trial and the first beat left one that never had any.
    """
    optuna.storages.fail_stale_trials(study)
    trials = study.get_trials(deepcopy=False)
    earliest = datetime.now() - timedelta(seconds=GRACE_SECONDS)  # noqa: DTZ005  Optuna's are naive
    old = {
        trial._trial_id: trial.number  # noqa: SLF001  the heartbeats' table knows no other name
        for trial in trials
        if trial.state is TrialState.RUNNING
        and trial.datetime_start is not None
        and trial.datetime_start < earliest
    }
    if not old:
        return trials
    beats = sqlalchemy.text("SELECT trial_id FROM trial_heartbeats WHERE trial_id = ANY(:trials)")
    with engine.connect() as connection:
        heard = set(connection.execute(beats, {"trials": list(old)}).scalars())
    for trial_id, number in old.items():
        if trial_id not in heard:
            study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
    return study.get_trials(deepcopy=False)


def give_up_running(study: optuna.Study) -> None:
    """Fail what still counts as running: its worker is gone, as the search has ended."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        # A worker that is slow to die may have ended it in between.
        with contextlib.suppress(ValueError, optuna.exceptions.UpdateFinishedTrialError):
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)


def read_learned(trial: FrozenTrial) -> dict[str, Any]:
    """Return what the folds of a complete trial found, also where an older image searched."""
    learned = trial.user_attrs.get(LEARNED)
    return dict(learned) if learned is not None else {"rounds": trial.user_attrs[_ROUNDS]}


def find_best(study: optuna.Study, trials: Iterable[FrozenTrial]) -> float | None:
    """Return the best value so far, without asking the database again; None where there is none."""
    is_loss = study.direction is optuna.study.StudyDirection.MINIMIZE
    values = [
        trial.value
        for trial in trials
        if trial.state is TrialState.COMPLETE and trial.value is not None
    ]
    return (min if is_loss else max)(values, default=None)


def count(trials: Iterable[FrozenTrial]) -> Counts:
    """Count the trials by what they mean for the budget."""
    states = [TrialState.WAITING if _is_left_behind(trial) else trial.state for trial in trials]
    return Counts(
        complete=states.count(TrialState.COMPLETE),
        pruned=states.count(TrialState.PRUNED),
        failed=states.count(TrialState.FAIL),
        running=states.count(TrialState.RUNNING),
    )


def seconds_spent(trials: Iterable[FrozenTrial]) -> float:
    """Sum the seconds in which any finished trial ran; a pause between Jobs costs nothing."""
    spans = sorted(
        (trial.datetime_start, trial.datetime_complete)
        for trial in trials
        if trial.datetime_start and trial.datetime_complete and trial.state is not TrialState.FAIL
    )
    total, reached = 0.0, datetime.min  # noqa: DTZ901  Optuna's times are naive, as is this one
    for start, end in spans:
        total += max(0.0, (end - max(start, reached)).total_seconds())
        reached = max(reached, end)
    return total


def _is_left_behind(trial: FrozenTrial) -> bool:
    return trial.state is TrialState.FAIL and ERROR not in trial.user_attrs


def _shared(study: optuna.Study, storage: RDBStorage) -> SharedStudy:
    attributes: dict[str, Any] = study.user_attrs
    return SharedStudy(
        study=study,
        engine=storage.engine,
        snapshot=read_snapshot(attributes[_SNAPSHOT]),
        started_at=float(attributes[_STARTED]),
        begun_with=attributes.get(_BEGUN_WITH),
    )
