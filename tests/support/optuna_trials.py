"""Trials of a search as Optuna gives them back."""

from datetime import datetime, timedelta
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from fairlead_training.study import ERROR

_START = datetime(2026, 1, 1)  # noqa: DTZ001  Optuna's times are naive


def frozen_trial(
    state: TrialState, *, start: int = 0, seconds: int = 1, error: str = "", value: float = 0.5
) -> FrozenTrial:
    """Build a trial; its times are seconds after one moment."""
    attributes: dict[str, Any] = {ERROR: error} if error else {}
    trial = optuna.create_trial(state=TrialState.COMPLETE, value=value, user_attrs=attributes)
    trial.state = state
    trial.datetime_start = _START + timedelta(seconds=start)
    trial.datetime_complete = trial.datetime_start + timedelta(seconds=seconds)
    return trial
