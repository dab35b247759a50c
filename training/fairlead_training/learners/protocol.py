"""What a learner offers to the search and to the finishing Job, and the values it works with.

A learner is one file beside this one and a row in ``table``.  Nothing outside this package knows
which library trains, how a model is stored, or whether it learns in rounds.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
import optuna
import pandas as pd

from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.metrics import Floats
from fairlead_training.split import Fold

if TYPE_CHECKING:
    # For the types alone: a search worker has no use for MLflow, and importing it takes seconds.
    from mlflow.models import ModelSignature
    from mlflow.models.model import ModelInfo

Parameters = Mapping[str, Any]


class OutOfTimeError(Exception):
    """The search's time ended in the middle of a fold."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all models of one training share."""

    task: Task
    metric: str
    classes: int
    seed: int
    threads: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoldResult:
    """How a fold's training ended."""

    score: Floats  # predictions for the validation rows
    learned: Parameters  # what the training found by itself, such as rounds; may be empty


class PreparedFold(Protocol):
    """One fold in the learner's own form, made once and used by every trial of a worker."""

    @property
    def target(self) -> Floats:
        """Return the target of the validation rows."""

    def train(self, searched: Parameters, *, deadline: float) -> FoldResult:
        """Train on the fold's first part and predict its validation rows.

        Args:
            deadline: moment on the monotonic clock, seconds.

        Raises:
            OutOfTimeError: the deadline passed first.
        """


class FittedModel(Protocol):
    """A model that can be judged, explained and stored."""

    def predict(self, features: pd.DataFrame) -> Floats:
        """Return the probability of class 1, the probabilities of each class, or the value."""

    def attribute(self, features: pd.DataFrame) -> npt.NDArray[np.floating[Any]]:
        """Return the SHAP values: rows first, features last, classes between if there are several.

        They are in the model's margin (log-odds or value), without its bias.
        """

    def log(
        self,
        *,
        signature: "ModelSignature",
        example: pd.DataFrame,
        metadata: Mapping[str, str],
        run_id: str,
    ) -> "ModelInfo":
        """Log the model to MLflow under the name "model", in the learner's flavor.

        Args:
            metadata: what its ``MLmodel`` file says besides; may be empty.
        """

    def is_stored_in(self, directory: Path) -> bool:
        """Tell whether the artifact directory holds this model, byte for byte."""


class Learner(Protocol):
    """One algorithm: its search space, its training, and its models."""

    name: ClassVar[str]  # in spec.training.algorithms
    flavor: ClassVar[str]  # MLflow's name for the form its models are stored in
    refused_in_names: ClassVar[str]  # characters that no feature's name may have
    errors: ClassVar[tuple[type[Exception], ...]]  # its library's own; each costs one trial
    starting_point: ClassVar[Parameters]  # tried first; a point of the search space

    def suggest(self, trial: optuna.Trial) -> Parameters:
        """Draw the parameters of one trial."""

    def prepare_fold(self, table: Table, fold: Fold, setting: Setting) -> PreparedFold:
        """Bring the rows of a fold into the form that trials train on."""

    def combine(self, learned: Sequence[Parameters]) -> Parameters:
        """Settle what the final fit takes from what the folds of one trial learned."""

    def fit(
        self, table: Table, setting: Setting, *, searched: Parameters, learned: Parameters
    ) -> FittedModel:
        """Fit the final model on all rows of the search part."""

    def load(self, directory: Path, flavor: Mapping[str, Any]) -> FittedModel:
        """Open a stored model.

        Args:
            flavor: the flavor's entry in the model's ``MLmodel`` file.
        """
