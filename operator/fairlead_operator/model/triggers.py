"""What starts a training of a Model.  Pure and total.

A version that was in charge of an earlier Model of this name is taken up first, see ``past``;
what is trained is then compared with it.

    Trigger   When
    request   a person asks for a training
    initial   nothing was trained yet, and no version is pinned
    recipe    the recipe in the spec is not the one last trained; or the last training
              failed, and something in data or training was corrected since

The first that holds is the one.  While a training is under way none does.
"""

from fairlead_operator.api.phases.training_run import Trigger
from fairlead_operator.model.states import Observed, RunState, Start
from fairlead_operator.requests import Action


def find_start(observed: Observed) -> Start | None:
    """Return the training that is to start now, or None."""
    if observed.training is not None and observed.training.state is RunState.ACTIVE:
        return None
    if observed.takes_up is not None:
        return None
    request = observed.request(Action.RETRAIN)
    if request is not None:
        return Start(trigger=Trigger.REQUEST, why=request.describe())
    if observed.trained_recipe is None:
        # A Model that is pinned from the start serves what others registered.
        if observed.pinned is not None:
            return None
        return Start(trigger=Trigger.INITIAL, why="nothing was trained yet")
    if observed.trained_recipe != observed.recipe:
        return Start(trigger=Trigger.RECIPE, why="the recipe has changed since the last training")
    if _is_corrected(observed):
        why = "the last training failed, and spec.data or spec.training has changed since"
        return Start(trigger=Trigger.RECIPE, why=why)
    return None


def _is_corrected(observed: Observed) -> bool:
    """Tell whether a failed training would be told something else now, such as another Secret."""
    training = observed.training
    if training is None or training.state is not RunState.FAILED:
        return False
    return training.task not in {None, observed.task}
