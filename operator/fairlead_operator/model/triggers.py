"""What starts a training of a Model.  Pure and total.

A version that was in charge of an earlier Model of this name is taken up first, see ``past``;
what is trained is then compared with it.

    Trigger   When
    request   a person asks for a training
    initial   nothing was trained yet, and no version is pinned
    recipe    the recipe in the spec is not the one last trained; or the last training
              failed, and something in data or training was corrected since
    schedule  a moment of spec.training.schedule has come, see ``schedule``
    any       a look that was cut off has started it, and nothing asks for one by now

Each is one rule below, and the first that holds is the one.  While a training is under way none
does.  A rule that waits for a moment says how long it still is; it has ``observed.now`` and, in
``observed.training``, when the last training began.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

from fairlead_operator.api.phases.training_run import Trigger
from fairlead_operator.model.schedule import read_clock
from fairlead_operator.model.states import Observed, RunState, Start
from fairlead_operator.requests import Action

# A training that is to start now, or how long it still is until one may be due.  None: not
# before something changes.
Rule = Callable[[Observed], Start | timedelta | None]


def find_start(observed: Observed, rules: Sequence[Rule]) -> tuple[Start | None, timedelta | None]:
    """Return the training that is to start now, else when to look for one again."""
    if observed.training is not None and observed.training.state is RunState.ACTIVE:
        return None, None
    if observed.takes_up is not None:
        return None, None
    waits = []
    for rule in rules:
        due = rule(observed)
        if isinstance(due, Start):
            return due, None
        if due is not None:
            waits.append(due)
    return None, min(waits, default=None)


def _by_request(observed: Observed) -> Start | None:
    request = observed.request(Action.RETRAIN)
    if request is None:
        return None
    return Start(trigger=Trigger.REQUEST, why=request.describe())


def _initial(observed: Observed) -> Start | None:
    # A Model that is pinned from the start serves what others registered.
    if observed.trained_recipe is not None or observed.pinned is not None:
        return None
    return Start(trigger=Trigger.INITIAL, why="nothing was trained yet")


def _by_recipe(observed: Observed) -> Start | None:
    if observed.trained_recipe in {None, observed.recipe}:
        return None
    return Start(trigger=Trigger.RECIPE, why="the recipe has changed since the last training")


def _by_correction(observed: Observed) -> Start | None:
    """Try again when a failed training would be told something else now, as another Secret."""
    training = observed.training
    if observed.trained_recipe is None or training is None:
        return None
    if training.state is not RunState.FAILED or training.task in {None, observed.task}:
        return None
    why = "the last training failed, and spec.data or spec.training has changed since"
    return Start(trigger=Trigger.RECIPE, why=why)


def _by_schedule(observed: Observed) -> Start | timedelta | None:
    clock = read_clock(observed)
    if clock is None or clock.next is None:
        return None
    if clock.next > observed.now:
        return clock.next - observed.now
    return Start(trigger=Trigger.SCHEDULE, why=clock.passed(observed.now))


def _cut_off(observed: Observed) -> Start | None:
    return observed.unnamed_training


RULES: Final[Sequence[Rule]] = (
    _by_request,
    _initial,
    _by_recipe,
    _by_correction,
    _by_schedule,
    _cut_off,
)
