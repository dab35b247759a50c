"""LightGBM: boosted trees that grow leaf by leaf, with as many rounds as the validation can use."""

import dataclasses
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final

import lightgbm
import numpy as np
import numpy.typing as npt

from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.learners.graph import BOOSTER_OPSET, FEATURES, GraphModel, name_output
from fairlead_training.learners.pipeline import NumberFold, Rows, check_time
from fairlead_training.learners.protocol import FoldResult, Parameters, Setting, Space, mean_count
from fairlead_training.learners.tree_shap import floor_32
from fairlead_training.learners.unit import Unit, weigh_rows
from fairlead_training.metrics import TWEEDIE_POWER, Floats
from fairlead_training.split import Fold

if TYPE_CHECKING:
    import onnx

_ROUNDS: Final = "rounds"
_MOST_ROUNDS: Final = 300
_PATIENCE: Final = 15  # rounds without improvement that end a fold's training
_THRESHOLDS: Final = re.compile(r"^threshold=(.+)$", re.MULTILINE)

_OBJECTIVES: Final = {
    Task.BINARY: "binary",
    Task.MULTICLASS: "multiclass",
    Task.REGRESSION: "regression",
}
_OBJECTIVE_OF: Final = {
    "mae": "regression_l1",
    "mape": "regression_l1",  # of rows that are weighed by their share
    "poisson_deviance": "poisson",
    "tweedie_deviance": "tweedie",
}
# LightGBM's own metric that stops the rounds; where ours jumps from row to row, a smooth one.
_STOPPING: Final = {
    "roc_auc": "auc",
    "pr_auc": "average_precision",
    "mae": "l1",
    "mape": "l1",
    "poisson_deviance": "poisson",
    "tweedie_deviance": "tweedie",
}
_SMOOTH: Final = {
    Task.BINARY: "binary_logloss",
    Task.MULTICLASS: "multi_logloss",
    Task.REGRESSION: "rmse",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LightGBMLearner:
    """The learner; it holds no state."""

    name: ClassVar[str] = "lightgbm"
    refused_in_names: ClassVar[str] = ""
    learns_quantiles: ClassVar[bool] = True
    errors: ClassVar[tuple[type[Exception], ...]] = (lightgbm.basic.LightGBMError,)
    starting_point: ClassVar[Parameters] = {
        "learning_rate": 0.1,
        "num_leaves": 31,
        "min_data_in_leaf": 20,
        "bagging_fraction": 0.8,
        "feature_fraction": 0.8,
        "lambda_l1": 0.01,
        "lambda_l2": 1.0,
    }

    def suggest(self, space: Space) -> Parameters:
        """Draw the parameters of one trial."""
        return {
            "learning_rate": space.suggest_float("learning_rate", 0.02, 0.4, log=True),
            "num_leaves": space.suggest_int("num_leaves", 4, 256, log=True),
            "min_data_in_leaf": space.suggest_int("min_data_in_leaf", 2, 200, log=True),
            "bagging_fraction": space.suggest_float("bagging_fraction", 0.5, 1.0),
            "feature_fraction": space.suggest_float("feature_fraction", 0.4, 1.0),
            "lambda_l1": space.suggest_float("lambda_l1", 1e-3, 10.0, log=True),
            "lambda_l2": space.suggest_float("lambda_l2", 1e-3, 30.0, log=True),
        }

    def prepare_fold(self, table: Table, fold: Fold, setting: Setting) -> "LightGBMFold":
        """Bring the rows of a fold into numbers of 32 bits."""
        return LightGBMFold.of(table, fold, setting)

    def combine(self, learned: Sequence[Parameters]) -> Parameters:
        """Take the mean of the folds' rounds."""
        return {_ROUNDS: mean_count(learned, _ROUNDS)}

    def fit(
        self, table: Table, setting: Setting, *, searched: Parameters, learned: Parameters
    ) -> GraphModel:
        """Fit the final model on all rows of the search part."""
        rows = Rows.of(table, setting)
        booster = lightgbm.train(
            build_parameters(setting, searched),
            _dataset(rows.features, rows.target, rows.weight),
            num_boost_round=int(learned[_ROUNDS]),
        )
        native = LightGBMModel(booster=round_down(booster), setting=setting, unit=rows.unit)
        return GraphModel.of(native, table, setting, rows.unit)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LightGBMFold(NumberFold):
    """One fold of LightGBM."""

    def train(self, searched: Parameters, *, deadline: float) -> FoldResult:
        """Add rounds until the validation rows stop improving."""
        rows, unit = self.rows, self.rows.unit
        # Made anew for each trial: the bins depend on how many rows a leaf holds at least.
        train = _dataset(rows.features, rows.target, rows.weight)
        weight = weigh_rows(self.target, self.setting)
        booster = lightgbm.train(
            build_parameters(self.setting, searched),
            train,
            num_boost_round=_MOST_ROUNDS,
            valid_sets=[_dataset(self.validation, unit.leave(self.target), weight, like=train)],
            callbacks=[
                lightgbm.early_stopping(_PATIENCE, verbose=False),
                lambda _: check_time(deadline),
            ],
        )
        model = LightGBMModel(booster=booster, setting=self.setting, unit=unit)
        rounds = booster.best_iteration or booster.current_iteration()
        return FoldResult(score=model.predict(self.validation), learned={_ROUNDS: rounds})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LightGBMModel:
    """A fitted booster."""

    attribution: ClassVar[str] = "SHAP values"
    booster: lightgbm.Booster
    setting: Setting
    unit: Unit

    def predict(self, features: Floats) -> Floats:
        """Return the probability of class 1, the probabilities of each class, or the value."""
        return self.unit.enter(
            np.asarray(self.booster.predict(features, num_threads=self.setting.threads))
        )

    def attribute(self, features: Floats) -> npt.NDArray[np.floating[Any]]:
        """Return LightGBM's own exact tree SHAP values (Lundberg et al. 2020)."""
        values = np.asarray(self.booster.predict(features, pred_contrib=True))
        if not self.setting.is_of_amounts:
            values *= self.unit.one
        parts = values.reshape(len(features), -1, features.shape[1] + 1)[..., :-1]
        return parts if self.setting.task is Task.MULTICLASS else parts[:, 0, :]

    def to_onnx(self, width: int) -> "onnx.ModelProto":
        """Return the model as a graph."""
        import onnxmltools  # noqa: PLC0415  a search has no use for it
        from onnxmltools.convert.common.data_types import FloatTensorType  # noqa: PLC0415  as above

        model = onnxmltools.convert_lightgbm(
            self.booster,
            initial_types=[(FEATURES, FloatTensorType([None, width]))],
            target_opset=BOOSTER_OPSET,
            zipmap=False,
        )
        output = model.graph.output[-1].name
        if self.setting.task is Task.REGRESSION:
            return name_output(model, output, unit=self.unit)
        return name_output(model, output, classes=self.setting.probabilities)


def build_parameters(setting: Setting, searched: Parameters) -> dict[str, Any]:
    """Add to the searched parameters those that the task and the pod decide."""
    fixed: dict[str, Any] = {
        "objective": _OBJECTIVE_OF.get(setting.metric, _OBJECTIVES[setting.task]),
        "metric": _STOPPING.get(setting.metric, _SMOOTH[setting.task]),
        "bagging_freq": 1,
        "seed": setting.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": setting.threads,
        "verbosity": -1,
    }
    if setting.task is Task.MULTICLASS:
        fixed["num_class"] = setting.classes
    if setting.metric == "tweedie_deviance":
        fixed["tweedie_variance_power"] = TWEEDIE_POWER
    elif setting.metric not in _OBJECTIVE_OF and setting.quantile is not None:
        fixed |= {"objective": "quantile", "metric": "quantile", "alpha": setting.quantile}
    return {**fixed, **searched}


def round_down(booster: lightgbm.Booster) -> lightgbm.Booster:
    """Let the trees ask what 32 bits can hold, which changes no answer to numbers of 32 bits."""
    text = _THRESHOLDS.sub(
        lambda line: (
            "threshold="
            + " ".join(
                repr(float(value))
                for value in floor_32(np.array(line[1].split(), dtype=np.float64))
            )
        ),
        booster.model_to_string(),
    )
    # The sizes of the trees' texts are not what they were; without them they are read one by one.
    text = re.sub(r"^tree_sizes=.*\n", "", text, flags=re.MULTILINE)
    return lightgbm.Booster(model_str=text)


def _dataset(
    features: Floats, target: Floats, weight: Floats | None, like: lightgbm.Dataset | None = None
) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        features, label=target, weight=weight, reference=like, params={"verbosity": -1}
    )
