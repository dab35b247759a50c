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
import pandas as pd

from fairlead_contract.metric import read_quantile
from fairlead_training.config import OF_AMOUNTS, Task
from fairlead_training.data import Table
from fairlead_training.metrics import Floats
from fairlead_training.split import Fold

if TYPE_CHECKING:
    # For the types alone: a search worker has no use for them, and importing MLflow takes seconds.
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.models.model import ModelInfo

Parameters = Mapping[str, Any]


class OutOfTimeError(Exception):
    """The search's time ended in the middle of a fold."""


class UnfaithfulFormError(Exception):
    """The form in which a model would be stored does not predict as the model does."""


class Space(Protocol):
    """What a learner draws its parameters from: an Optuna trial, or a part of one."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Draw a number."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """Draw a whole number."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all models of one training share."""

    task: Task
    metric: str
    classes: int
    seed: int
    threads: int

    @property
    def is_balanced(self) -> bool:
        """Tell whether each class counts the same, however rare: so these metrics count."""
        return self.metric in {"f1", "f1_macro"}

    @property
    def quantile(self) -> float | None:
        """Return the quantile that is asked for; None where it is the mean or a class."""
        return 0.5 if self.metric in {"mae", "mape"} else read_quantile(self.metric)

    @property
    def is_of_amounts(self) -> bool:
        """Tell whether a model is of the target's logarithm: its answers are then above 0."""
        return self.metric in OF_AMOUNTS

    @property
    def probabilities(self) -> int:
        """Return how many probabilities a graph answers with; of a regression it says nothing."""
        return 2 if self.task is Task.BINARY else self.classes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoldResult:
    """How a fold's training ended."""

    score: Floats  # predictions for the validation rows
    learned: Parameters  # what the training found by itself, such as rounds; may be empty


def mean_count(learned: Sequence[Parameters], name: str) -> int:
    """Return the mean of what folds counted, rounds for example; 1 at least."""
    return max(1, round(float(np.mean([fold[name] for fold in learned]))))


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


class Scorer(Protocol):
    """A model that can be judged."""

    def predict(self, features: pd.DataFrame) -> Floats:
        """Return the probability of class 1, the probabilities of each class, or the value."""


class FittedModel(Scorer, Protocol):
    """A model that can be explained and stored as well."""

    @property
    def attribution(self) -> str:
        """Say what the numbers of ``attribute`` are, for people."""

    def verify(self, features: pd.DataFrame) -> None:
        """Compare the form that is stored with what was trained, on every row.

        Raises:
            UnfaithfulFormError: they differ by more than 32 bits allow.
        """

    def attribute(self, features: pd.DataFrame) -> npt.NDArray[np.floating[Any]]:
        """Return each feature's part: rows first, features last, classes between if several.

        SHAP values, in the model's margin (log-odds or value) and without its bias, where the
        learner has them; ``attribution`` says what else.
        """

    def log(
        self,
        *,
        signature: "ModelSignature",
        example: pd.DataFrame,
        metadata: Mapping[str, str],
        run_id: str,
    ) -> "ModelInfo":
        """Log the model to MLflow under the name "model", in the form it is served in.

        Args:
            metadata: what its ``MLmodel`` file says besides; may be empty.
        """

    def to_onnx(self, names: Sequence[str]) -> "onnx.ModelProto | None":
        """Return the model as a graph; None where it has no such form.

        Its input ``features`` [None, n] float32 is in the order of the names; its output is
        ``probabilities`` [None, classes] float32 (two if binary), or ``value`` [None, 1] float32.
        """

    def is_stored_in(self, directory: Path) -> bool:
        """Tell whether the artifact directory holds this model, byte for byte."""


class Fitter(Protocol):
    """What the finishing Job fits: a learner, or several of them together."""

    @property
    def name(self) -> str:
        """Return its name, of a learner that in spec.training.algorithms."""

    def fit(
        self, table: Table, setting: Setting, *, searched: Parameters, learned: Parameters
    ) -> FittedModel:
        """Fit the final model on all rows of the search part."""


class Learner(Fitter, Protocol):
    """One algorithm: its search space, its training, and its models."""

    refused_in_names: ClassVar[str]  # characters that no feature's name may have
    learns_quantiles: ClassVar[bool]  # other than the median, which every learner can
    errors: ClassVar[tuple[type[Exception], ...]]  # its library's own; each costs one trial
    starting_point: ClassVar[Parameters]  # tried first; a point of the search space

    def suggest(self, space: Space) -> Parameters:
        """Draw the parameters of one trial."""

    def prepare_fold(self, table: Table, fold: Fold, setting: Setting) -> PreparedFold:
        """Bring the rows of a fold into the form that trials train on."""

    def combine(self, learned: Sequence[Parameters]) -> Parameters:
        """Settle what the final fit takes from what the folds of one trial learned."""
