"""The search stage: from the source to a worker that has done its part of the trials."""

import logging

from fairlead_training.compute import count_threads
from fairlead_training.config import Environment, TrainingConfig
from fairlead_training.examine import examine
from fairlead_training.learners.protocol import Setting
from fairlead_training.learners.table import find_learners, refused_characters
from fairlead_training.preparation.types import describe_types
from fairlead_training.prepared import refusing
from fairlead_training.progress import Progress, Stage
from fairlead_training.search import Folds, SearchProgress, Worker, build_sampler
from fairlead_training.snapshot import restore, take_snapshot
from fairlead_training.sources.table import read_frame
from fairlead_training.split import split
from fairlead_training.study import join_study, open_storage
from fairlead_training.warm_start import begin

_log = logging.getLogger(__name__)


def search(config: TrainingConfig, environment: Environment, progress: Progress) -> None:
    """Run the search stage in this worker.

    Raises:
        TrainingFailure: with its reason and what to do about it.
    """
    learners = find_learners(config.search.algorithms, config.search.metric)
    database = (environment.database_url, config.search_schema)
    # First, so that nothing is read while the database is waited for.
    with open_storage(*database, file=environment.database_file) as storage:
        frame = read_frame(config.data, environment)
        # Bad data ends here, before it becomes a study.
        table, _ = examine(
            frame,
            config,
            refused_in_names=refused_characters(learners),
            find_suspicious=refusing(config),
        ).usable()
        del frame  # the search needs the room
        progress.enter(Stage.FEATURES)
        types = describe_types(table.types) or "numbers"
        _log.info("read %d features: %s", len(table.types), types)
        shared = join_study(
            storage,
            config,
            take_snapshot(table),
            sampler=build_sampler(config, environment.worker),
            beginning=begin(storage, config, learners),
        )
        parts = split(restore(table, shared.snapshot), config.validation)
        setting = Setting(
            task=config.task,
            metric=config.search.metric,
            classes=parts.classes,
            seed=config.search.seed,
            threads=count_threads(config.search.parallelism),
        )

        def report(now: SearchProgress) -> None:
            progress.enter(
                Stage.SEARCH,
                trial=now.trial,
                best=now.best,
                secondsLeft=round(now.seconds_left),
            )

        worker = Worker(
            config, shared, learners=learners, folds=Folds(parts, setting), report=report
        )
        counts = worker.run()
    _log.info(
        "search ended: %d complete, %d pruned, %d failed",
        counts.complete,
        counts.pruned,
        counts.failed,
    )
