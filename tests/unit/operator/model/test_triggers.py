"""What starts a training, and what does not."""

import dataclasses
from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fairlead_operator.api.phases.training_run import Trigger
from fairlead_operator.api.schedule import Schedule
from fairlead_operator.model.state_machine import decide
from fairlead_operator.model.states import Observed, RunState, Start
from fairlead_operator.model.triggers import RULES, Rule, find_start
from fairlead_operator.requests import Action, Request
from support.fakes import START
from support.model_builders import RETRAIN, RETRY, observed, training

OTHER = "sha256:other"
HOUR = timedelta(hours=1)
CUT_OFF = Start(trigger=Trigger.INITIAL, why="the operator was cut off")
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
        pytest.param(observed(unnamed_training=CUT_OFF), Trigger.INITIAL,
                     id="what a look that was cut off has started"),
        pytest.param(observed(unnamed_training=CUT_OFF, trained_recipe=None, pinned="1.0.0"),
                     Trigger.INITIAL, id="the same, though a version is pinned by now"),
        pytest.param(observed(unnamed_training=CUT_OFF, requests=RETRAIN), Trigger.REQUEST,
                     id="the same, and a person has asked for it"),
        pytest.param(observed(unnamed_training=CUT_OFF, training=training()), None,
                     id="the same, beside one that is named: after it"),
    ],
)  # fmt: skip
def test_what_starts_a_training(about: Observed, trigger: Trigger | None) -> None:
    start, again = find_start(about, RULES)

    assert (start.trigger if start else None) is trigger
    assert again is None, "only a change starts another"


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
    start, _ = find_start(about, RULES)

    assert start is not None
    assert start.why == why


SUNDAYS = Schedule.model_validate({"cron": "0 3 * * SUN", "timeZone": "Australia/Sydney"})
HALF_HOURLY = Schedule.model_validate({"cron": "*/30 * * * *"})
WEEK = timedelta(days=7)


@pytest.mark.parametrize(
    ("about", "why", "again"),
    [
        pytest.param(observed(schedule=SUNDAYS), None, timedelta(days=2, hours=16),
                     id="a schedule that is new waits for its first moment"),
        pytest.param(observed(schedule=SUNDAYS, followed=START), None, timedelta(days=2, hours=16),
                     id="its next moment is to come"),
        pytest.param(observed(schedule=SUNDAYS, followed=START - WEEK),
                     "Sun 2025-12-28 03:00 AEDT of the schedule 0 3 * * SUN (Australia/Sydney) has "
                     "come", None, id="one has come"),
        pytest.param(observed(schedule=SUNDAYS, followed=START - 5 * WEEK),
                     "Sun 2025-12-28 03:00 AEDT of the schedule 0 3 * * SUN (Australia/Sydney) has "
                     "come; 5 of its moments have passed since the last training, and are one",
                     None, id="what a downtime missed is one"),
        pytest.param(observed(schedule=HALF_HOURLY, followed=START - 5 * WEEK),
                     "Thu 2025-11-27 10:00 UTC of the schedule */30 * * * * (UTC) has come; more "
                     "than 20 of its moments have passed since the last training, and are one",
                     None, id="more than it counts"),
        pytest.param(observed(schedule=SUNDAYS, followed=START - WEEK, training=training()),
                     None, None, id="never two at once: it is due when that has ended"),
        pytest.param(observed(schedule=SUNDAYS, followed=START - WEEK, recipe=OTHER),
                     "the recipe has changed since the last training", None,
                     id="another reason counts for it"),
        pytest.param(observed(schedule=SUNDAYS, followed=START - WEEK,
                              training=training(RunState.FAILED)),
                     "Sun 2025-12-28 03:00 AEDT of the schedule 0 3 * * SUN (Australia/Sydney) has "
                     "come", None, id="after one that failed"),
        pytest.param(observed(schedule=SUNDAYS, followed=START - WEEK, pinned="1.0.0"),
                     "Sun 2025-12-28 03:00 AEDT of the schedule 0 3 * * SUN (Australia/Sydney) has "
                     "come", None, id="a pinned Model is kept fresh, too"),
        pytest.param(observed(schedule=HALF_HOURLY, followed=START + timedelta(minutes=40)),
                     None, HOUR, id="a clock that went back a little: what counted counts once"),
        pytest.param(observed(schedule=HALF_HOURLY, followed=START + 52 * WEEK),
                     None, HOUR / 2, id="a clock that was wrong by a year is not waited for"),
    ],
)  # fmt: skip
def test_a_schedule_starts_a_training(
    about: Observed, why: str | None, again: timedelta | None
) -> None:
    start, wait = find_start(about, RULES)

    assert (start.why if start else None) == why
    assert wait == again


HOURS = [
    Schedule.model_validate({"cron": cron, "timeZone": "Australia/Sydney"})
    for cron in ("*/30 * * * *", "0 3 * * *", "0 3 * * SUN", "30 2 1 * *")
]
DAY = timedelta(days=1)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["look", "look", "ends", "fails", "suspend", "resume", "ask", "refused"]),
        st.one_of(
            st.timedeltas(timedelta(), timedelta(hours=2)),
            st.timedeltas(-3 * DAY, 60 * DAY),  # the clock jumps, or nobody looked
        ),
    ),
    max_size=12,
)


@given(st.sampled_from(HOURS), STEPS)
def test_a_life_by_the_schedule(schedule: Schedule, steps: list[tuple[str, timedelta]]) -> None:
    """Never two at once, never more often than moments came, and none comes late when looked at."""
    now, followed, running, suspended = START, None, None, False
    began: list[datetime] = []
    for step, passes in steps:
        now += passes
        if step in {"ends", "fails"} and running is not None:
            running = training(RunState.SUCCEEDED if step == "ends" else RunState.FAILED)
        suspended = {"suspend": True, "resume": False}.get(step, suspended)
        about = observed(
            now=now, schedule=schedule, followed=followed, training=running, suspend=suspended,
            requests=RETRAIN if step == "ask" else (),
            cannot_start=frozenset({"TrainingRun"} if step == "refused" else ()),
        )  # fmt: skip
        decision = decide(about)
        start, kept = decision.start_training, decision.schedule
        active = running is not None and running.state is RunState.ACTIVE
        assert kept is not None
        assert kept.since <= now + DAY, "the future is not waited for"
        if start is not None:
            assert not active, "never two at once"
            assert not suspended
            assert kept.since == now, "what has passed counts once"
            running = training()
        if start is not None and start.trigger is Trigger.SCHEDULE:
            assert followed is not None
            due = next(schedule.after(followed))
            assert due <= now
            assert all(due > one for one in began if one <= now), "a moment starts one training"
            began.append(now)
        elif not active and not suspended and step != "refused" and start is None:
            assert followed is None or followed > now + DAY or next(schedule.after(followed)) > now
            assert decision.next_training is not None
            assert decision.look_again == decision.next_training - now
        followed = kept.since


def every(span: timedelta) -> Rule:
    """Build a rule that trains so long after the last training began."""

    def due(observed: Observed) -> Start | timedelta | None:
        last = observed.training and observed.training.started_at
        if last is None:
            return None
        wait = last + span - observed.now
        return wait if wait > timedelta(0) else Start(trigger=Trigger.REQUEST, why=f"{span} passed")

    return due


ENDED_AN_HOUR_AGO = training(RunState.SUCCEEDED, started_at=START - HOUR)


@pytest.mark.parametrize(
    ("about", "rules", "why", "again"),
    [
        pytest.param(observed(training=ENDED_AN_HOUR_AGO), (every(3 * HOUR), every(2 * HOUR)),
                     None, HOUR, id="not yet: the next moment"),
        pytest.param(observed(training=ENDED_AN_HOUR_AGO), (every(2 * HOUR), every(HOUR)),
                     "1:00:00 passed", None, id="its moment has come"),
        pytest.param(observed(training=ENDED_AN_HOUR_AGO, recipe=OTHER), (every(2 * HOUR), *RULES),
                     "the recipe has changed since the last training", None,
                     id="another rule comes before its moment"),
        pytest.param(observed(training=training(started_at=START - HOUR)), (every(HOUR),),
                     None, None, id="a training is under way: its end is told"),
        pytest.param(observed(), (every(HOUR),), None, None, id="it waits for no moment"),
    ],
)  # fmt: skip
def test_a_rule_may_wait_for_a_moment(
    about: Observed, rules: tuple[Rule, ...], why: str | None, again: timedelta | None
) -> None:
    start, look_again = find_start(about, rules)

    assert (start.why if start else None, look_again) == (why, again)


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

    assert not in_flight or find_start(about, RULES) == (None, None)


@given(anything)
def test_without_a_request_a_recipe_is_trained_once(about: Observed) -> None:
    assume(about.training is None or about.training.state is not RunState.FAILED)

    start, _ = find_start(dataclasses.replace(about, trained_recipe=about.recipe), RULES)

    assert start is None or start.trigger is Trigger.REQUEST


@given(anything)
def test_the_model_never_says_that_it_was_by_hand(about: Observed) -> None:
    start, _ = find_start(about, RULES)

    assert start is None or start.trigger is not Trigger.HAND
