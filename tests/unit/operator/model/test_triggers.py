"""What starts a training, and what does not."""

import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.api.phases.training_run import Trigger
from fairlead_operator.api.training_run import TrainingRunSpec
from fairlead_operator.model.states import Observed, RunState
from fairlead_operator.model.triggers import find_start
from fairlead_operator.requests import Action, Request
from support.model_builders import RETRAIN, RETRY, observed, training

OTHER = "sha256:other"
ADA = (Request(action=Action.RETRAIN, text="Ada: new tariff", by="Ada", why="new tariff"),)


@pytest.mark.parametrize(
    ("about", "trigger"),
    [
        pytest.param(observed(), None, id="the recipe was trained"),
        pytest.param(observed(trained_recipe=None), Trigger.INITIAL, id="nothing was trained"),
        pytest.param(observed(trained_recipe=None, pinned="1.0.0"), None,
                     id="pinned from the start: others register its versions"),
        pytest.param(observed(recipe=OTHER), Trigger.RECIPE, id="another recipe"),
        pytest.param(observed(recipe=OTHER, pinned="1.0.0"), Trigger.RECIPE,
                     id="another recipe of a pinned Model"),
        pytest.param(observed(recipe=OTHER, training=training(RunState.FAILED)), Trigger.RECIPE,
                     id="another recipe after a training that failed"),
        pytest.param(observed(training=training(RunState.FAILED)), None,
                     id="a training that failed is not repeated by itself"),
        pytest.param(observed(training=training(RunState.FAILED), task=OTHER), Trigger.RECIPE,
                     id="a training that failed is repeated when what it was told is corrected"),
        pytest.param(observed(training=training(RunState.FAILED, task=None), task=OTHER), None,
                     id="what a training of an earlier release was told is not known"),
        pytest.param(observed(training=training(RunState.SUCCEEDED), task=OTHER), None,
                     id="another Secret or limit after a training that succeeded"),
        pytest.param(observed(requests=RETRAIN), Trigger.REQUEST, id="a person asks"),
        pytest.param(observed(requests=RETRAIN, trained_recipe=None, pinned="1.0.0"),
                     Trigger.REQUEST, id="a person asks though a version is pinned"),
        pytest.param(observed(requests=RETRAIN, recipe=OTHER), Trigger.REQUEST,
                     id="a request goes before the recipe"),
        pytest.param(observed(requests=RETRY), None, id="a retry is of a rollout"),
        pytest.param(observed(requests=RETRAIN, recipe=OTHER, training=training()), None,
                     id="one training at a time"),
    ],
)  # fmt: skip
def test_what_starts_a_training(about: Observed, trigger: Trigger | None) -> None:
    start = find_start(about)

    assert (start.trigger if start else None) is trigger


@pytest.mark.parametrize(
    ("about", "why"),
    [
        pytest.param(observed(requests=ADA), "Ada: new tariff", id="who asked, and why"),
        pytest.param(observed(recipe=OTHER), "the recipe has changed since the last training",
                     id="recipe"),
        pytest.param(observed(trained_recipe=None), "nothing was trained yet", id="initial"),
        pytest.param(observed(training=training(RunState.FAILED), task=OTHER),
                     "the last training failed, and spec.data or spec.training has changed since",
                     id="corrected"),
    ],
)  # fmt: skip
def test_the_reason_is_said_in_words(about: Observed, why: str) -> None:
    start = find_start(about)

    assert start is not None
    assert start.why == why


recipes = st.sampled_from(["sha256:a", "sha256:b"])
anything = st.builds(
    observed,
    recipe=recipes,
    trained_recipe=st.none() | recipes,
    task=recipes,
    pinned=st.none() | st.just("1.0.0"),
    requests=st.sampled_from([(), RETRAIN, RETRY, RETRY + RETRAIN]),
    training=st.none() | st.builds(training, st.sampled_from(RunState), task=st.none() | recipes),
)


@given(anything)
def test_nothing_starts_beside_a_training(about: Observed) -> None:
    in_flight = about.training is not None and about.training.state is RunState.ACTIVE

    assert not (in_flight and find_start(about))


@given(anything)
def test_without_a_request_a_recipe_is_trained_once(about: Observed) -> None:
    start = find_start(about)

    failed = about.training is not None and about.training.state is RunState.FAILED
    if about.trained_recipe == about.recipe and not failed:
        assert start is None or start.trigger is Trigger.REQUEST


@given(anything)
def test_the_model_never_says_that_it_was_by_hand(about: Observed) -> None:
    start = find_start(about)

    assert start is None or start.trigger is not Trigger.HAND


def test_the_triggers_are_those_of_the_api() -> None:
    annotation = TrainingRunSpec.model_fields["trigger"].annotation

    assert typing.get_args(annotation) == tuple(Trigger)
