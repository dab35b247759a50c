"""What a Model's search leaves to its next one, in a database that is real."""

import asyncio
import dataclasses
import json

import optuna

from fairlead_operator.record.client import RecordClient
from fairlead_training.config import parse_config
from fairlead_training.learners.table import find_learners
from fairlead_training.search import build_sampler
from fairlead_training.snapshot import Snapshot
from fairlead_training.space import draw
from fairlead_training.study import join_study, open_storage
from fairlead_training.warm_start import begin, remember
from support.postgres import Postgres
from support.trainer_config import config_document

CONFIG = parse_config(
    json.dumps(
        config_document(
            search__algorithms=["linear", "extra-trees"],
            search__trials=24,
            search__warmStart=True,
        )
    )
)
LEARNERS = find_learners(CONFIG.search.algorithms)
BEST = {"algorithm": "linear", "linear.alpha": 0.5, "linear.l1_ratio": 0.25}


async def test_it_outlives_the_study_it_is_of(postgres: Postgres, patient_record: None) -> None:
    url = postgres.uri(postgres.create_database("search"))
    await asyncio.to_thread(_search, url)
    record = RecordClient(url)

    await record.forget_study(CONFIG.namespace, CONFIG.training_run_uid)
    await record.close()

    await asyncio.to_thread(_see_what_the_next_one_tries, url)


def _search(url: str) -> None:
    with open_storage(url, CONFIG.search_schema) as storage:
        shared = join_study(
            storage,
            CONFIG,
            Snapshot(rows=2, first=0, last=1, digest="sha256:1"),
            sampler=build_sampler(CONFIG, 0),
            beginning=begin(storage, CONFIG, LEARNERS),
        )
        assert shared.begun_with is None
        shared.study.enqueue_trial(BEST)
        shared.study.optimize(_try, n_trials=3)
        ranked = [shared.study.best_trial]
        for _ in range(2):  # a finishing pod may be there twice
            remember(storage, CONFIG, ranked)


def _try(trial: optuna.Trial) -> float:
    choice = draw(trial, LEARNERS)
    return float(choice.parameters["alpha"]) if choice.learner.name == "linear" else 0.0


def _see_what_the_next_one_tries(url: str) -> None:
    second = dataclasses.replace(CONFIG, training_run="nsw-price-2", training_run_uid="uid-2")
    with open_storage(url, CONFIG.search_schema) as storage:
        assert {each.study_name for each in storage.get_all_studies()} == {"energy/nsw-price"}
        shared = join_study(
            storage,
            second,
            Snapshot(rows=2, first=0, last=1, digest="sha256:1"),
            sampler=build_sampler(second, 0),
            beginning=begin(storage, second, LEARNERS),
        )
        assert shared.begun_with == CONFIG.training_run
        tried = [trial.system_attrs["fixed_params"] for trial in shared.study.trials]
    assert tried[0] == BEST
    assert [each["algorithm"] for each in tried] == ["linear", "extra-trees"]
