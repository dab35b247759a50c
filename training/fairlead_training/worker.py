"""The search stage: from the source to a worker that has done its part of the trials."""

import logging

from fairlead_training.compute import count_threads
from fairlead_training.config import Environment, TrainingConfig
from fairlead_training.data import check
from fairlead_training.learners.protocol import Setting
from fairlead_training.learners.table import find_learner
from fairlead_training.progress import Progress, Stage
from fairlead_training.search import SearchProgress, Worker, build_sampler
from fairlead_training.snapshot import restore, take_snapshot
from fairlead_training.sources.table import read_frame
from fairlead_training.split import split
from fairlead_training.study import join_study, open_storage

_log = logging.getLogger(__name__)


def search(config: TrainingConfig, environment: Environment, progress: Progress) -> None:
    """Run the search stage in this worker.

    Raises:
        TrainingFailure: with its reason and what to do about it.
    """
    learner = find_learner(config.search.algorithm)
    table = check(
        read_frame(config.data, environment), config, refused_in_names=learner.refused_in_names
    )
    progress.enter(Stage.FEATURES)
    split(table, config.validation)  # bad data ends here, before it becomes a study
    with open_storage(environment.database_url, config.search_schema) as storage:
        shared = join_study(
            storage,
            config,
            take_snapshot(table),
            sampler=build_sampler(config, environment.worker),
            starting_point=learner.starting_point,
        )
        parts = split(restore(table, shared.snapshot), config.validation)
        setting = Setting(
            task=config.task,
            metric=config.search.metric,
            classes=parts.classes,
            seed=config.search.seed,
            threads=count_threads(config.search.parallelism),
        )
        folds = [learner.prepare_fold(parts.search, fold, setting) for fold in parts.folds]

        def report(now: SearchProgress) -> None:
            progress.enter(
                Stage.SEARCH,
                trial=now.trial,
                best=now.best,
                secondsLeft=round(now.seconds_left),
            )

        worker = Worker(config, shared, learner=learner, folds=folds, report=report)
        counts = worker.run()
    _log.info(
        "search ended: %d complete, %d pruned, %d failed",
        counts.complete,
        counts.pruned,
        counts.failed,
    )
