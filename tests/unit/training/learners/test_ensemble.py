"""Several models answer as one graph."""

import numpy as np
import pandas as pd
import pytest

from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.learners.ensemble import Ensemble, Member
from fairlead_training.learners.protocol import Setting, UnfaithfulFormError
from fairlead_training.learners.table import LEARNERS

ROWS = 90
WEIGHTS = {"xgboost": 0.5, "linear": 0.3, "baseline": 0.2}
LEARNED = {"xgboost": {"rounds": 5}}


def table(task: Task) -> Table:
    signal = np.random.default_rng(1).random(ROWS)
    target = {
        Task.BINARY: (signal > 0.5).astype(np.float64),
        Task.MULTICLASS: np.floor(signal * 3),
        Task.REGRESSION: signal * 100 + 1e4,
    }[task]
    noise = np.where(np.arange(ROWS) % 7 == 0, np.nan, np.arange(ROWS) % 5)
    features = pd.DataFrame({"signal": signal, "noise": noise})
    return Table(times=np.arange(ROWS), features=features, target=target, rows=np.arange(ROWS))


def member(name: str) -> Member:
    learner = LEARNERS[name]
    return Member(
        learner=learner,
        searched=learner.starting_point,
        learned=LEARNED.get(name, {}),
        weight=WEIGHTS[name],
    )


@pytest.mark.parametrize("task", list(Task))
def test_a_graph_answers_as_the_weighted_mean_of_its_members(task: Task) -> None:
    rows = table(task)
    setting = Setting(task=task, metric="", classes=3, seed=7, threads=1)
    members = [member(name) for name in WEIGHTS]

    model = Ensemble(members=members).fit(rows, setting, searched={}, learned={})

    model.verify(rows.features)
    alone = [
        one.learner.fit(rows, setting, searched=one.searched, learned=one.learned).predict(
            rows.features
        )
        * one.weight
        for one in members
    ]
    assert model.predict(rows.features) == pytest.approx(np.sum(alone, axis=0), rel=1e-5, abs=1e-5)
    parts = np.abs(model.attribute(rows.features)).reshape(-1, 2).mean(axis=0)
    assert parts[0] > parts[1], "the target follows the first feature"


def test_a_member_without_a_graph_ends_the_ensemble() -> None:
    class Native:
        def to_onnx(self, names: object) -> None:
            return None

    class Stubborn:
        def fit(self, *told: object, **more: object) -> Native:
            return Native()

    odd = Member(learner=Stubborn(), searched={}, learned={}, weight=1.0)  # type: ignore[arg-type]
    setting = Setting(task=Task.BINARY, metric="", classes=2, seed=7, threads=1)

    with pytest.raises(UnfaithfulFormError, match="no form as an ONNX graph"):
        Ensemble(members=[odd]).fit(table(Task.BINARY), setting, searched={}, learned={})
