"""What the trials of a study mean: for the budget, for the time, and after the search."""

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from fairlead_training.budget import Counts
from fairlead_training.study import count, find_best, give_up_running, read_learned, seconds_spent
from support.optuna_trials import frozen_trial


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        pytest.param([], (0, 0, 0, 0), id="none"),
        pytest.param([frozen_trial(TrialState.COMPLETE)], (1, 0, 0, 0), id="came to its end"),
        pytest.param([frozen_trial(TrialState.PRUNED)], (0, 1, 0, 0), id="pruned"),
        pytest.param(
            [frozen_trial(TrialState.FAIL, error="bad parameter")],
            (0, 0, 1, 0),
            id="failed by an error of its own",
        ),
        pytest.param(
            [frozen_trial(TrialState.FAIL)], (0, 0, 0, 0), id="its worker was killed: a copy waits"
        ),
        pytest.param([frozen_trial(TrialState.RUNNING)], (0, 0, 0, 1), id="under way"),
        pytest.param([frozen_trial(TrialState.WAITING)], (0, 0, 0, 0), id="not begun"),
        pytest.param(
            [frozen_trial(state) for state in TrialState] + [frozen_trial(TrialState.COMPLETE)],
            (2, 1, 0, 1),
            id="one of each and another",
        ),
    ],
)
def test_trials_are_counted_by_what_they_mean_for_the_budget(
    trials: list[FrozenTrial], expected: tuple[int, int, int, int]
) -> None:
    complete, pruned, failed, running = expected

    assert count(trials) == Counts(complete=complete, pruned=pruned, failed=failed, running=running)


def test_a_pause_costs_no_search_time() -> None:
    trials = [
        frozen_trial(TrialState.COMPLETE, start=0, seconds=10),
        frozen_trial(TrialState.PRUNED, start=5, seconds=10),  # beside the first
        frozen_trial(TrialState.COMPLETE, start=1000, seconds=10),  # after a pause
        frozen_trial(TrialState.FAIL, start=15, seconds=900),  # left behind during the pause
    ]

    assert seconds_spent(trials) == 25


@pytest.mark.parametrize(
    ("direction", "best"), [("maximize", 0.9), ("minimize", 0.2)], ids=["a score", "a loss"]
)
def test_the_best_so_far_is_of_a_trial_that_came_to_its_end(direction: str, best: float) -> None:
    study = optuna.create_study(direction=direction)
    pruned = frozen_trial(TrialState.PRUNED, value=1.0)
    assert find_best(study, [pruned]) is None

    trials = [pruned, *(frozen_trial(TrialState.COMPLETE, value=v) for v in (0.5, 0.9, 0.2))]

    assert find_best(study, trials) == best


def test_a_search_that_has_ended_has_no_running_trial() -> None:
    study = optuna.create_study()
    study.tell(study.ask(), 1.0)
    study.ask()

    give_up_running(study)

    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE, TrialState.FAIL]
    assert count(study.trials) == Counts(complete=1, pruned=0, failed=0, running=0)


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({"fairlead.learned": {"rounds": 40}}, id="as it is now"),
        pytest.param({"fairlead.rounds": 40}, id="the image was upgraded after the search"),
    ],
)
def test_what_the_folds_found_is_read_whoever_searched(attributes: dict[str, object]) -> None:
    trial = frozen_trial(TrialState.COMPLETE)
    trial.user_attrs = attributes

    assert read_learned(trial) == {"rounds": 40}
