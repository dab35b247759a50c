"""XGBoost: boosted trees, with as many rounds as the validation rows can use.

A regression learns from a target without unit, of mean 0 and deviation 1, or what a penalty weighs
and which gains count as none would depend on the unit.  The stored model is in the target's own.
"""

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xgboost

from fairlead_contract.artifact import confine
from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.learners.graph import BOOSTER_OPSET, FEATURES, name_output
from fairlead_training.learners.protocol import (
    FoldResult,
    OutOfTimeError,
    Parameters,
    Setting,
    Space,
    mean_count,
)
from fairlead_training.learners.unit import Unit, measure_unit, weigh_rows
from fairlead_training.metrics import TWEEDIE_POWER, Floats
from fairlead_training.split import Fold

if TYPE_CHECKING:
    import onnx
    from mlflow.models import ModelSignature
    from mlflow.models.model import ModelInfo

_ROUNDS: Final = "rounds"
_MOST_ROUNDS: Final = 300
_PATIENCE: Final = 15  # rounds without improvement that end a fold's training
_FORMAT: Final = "ubj"
_FILE: Final = f"model.{_FORMAT}"

_OBJECTIVES: Final = {
    Task.BINARY: "binary:logistic",
    Task.MULTICLASS: "multi:softprob",
    Task.REGRESSION: "reg:squarederror",
}
_OBJECTIVE_OF: Final = {
    # The median, which the mean absolute error asks for, and not the mean.
    "mae": "reg:absoluteerror",
    "mape": "reg:absoluteerror",  # of rows that are weighed by their share
    "poisson_deviance": "count:poisson",
    "tweedie_deviance": "reg:tweedie",
}
# XGBoost's own metric that stops the rounds; where ours jumps from row to row, a smooth one.
_STOPPING: Final = {
    Task.BINARY: {"roc_auc": "auc", "pr_auc": "aucpr", "log_loss": "logloss"},
    Task.MULTICLASS: {"log_loss": "mlogloss"},
    Task.REGRESSION: {
        "mae": "mae",
        "mape": "mae",
        "poisson_deviance": "poisson-nloglik",
        "tweedie_deviance": f"tweedie-nloglik@{TWEEDIE_POWER}",
    },
}
_SMOOTH: Final = {Task.BINARY: "logloss", Task.MULTICLASS: "mlogloss", Task.REGRESSION: "rmse"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class XGBoostLearner:
    """The learner; it holds no state."""

    name: ClassVar[str] = "xgboost"
    refused_in_names: ClassVar[str] = "[]<"
    learns_quantiles: ClassVar[bool] = True
    errors: ClassVar[tuple[type[Exception], ...]] = (xgboost.core.XGBoostError,)
    # Good on most tables, so that even a search of one trial ends with a sound model.
    starting_point: ClassVar[Parameters] = {
        "learning_rate": 0.1,
        "max_depth": 6,
        "min_child_weight": 2.0,
        "subsample": 0.8,
        "colsample_bytree": 0.8,
        "reg_lambda": 1.0,
        "reg_alpha": 0.01,
    }

    def suggest(self, space: Space) -> Parameters:
        """Draw the parameters of one trial."""
        return {
            "learning_rate": space.suggest_float("learning_rate", 0.02, 0.4, log=True),
            "max_depth": space.suggest_int("max_depth", 2, 10),
            "min_child_weight": space.suggest_float("min_child_weight", 0.5, 64.0, log=True),
            "subsample": space.suggest_float("subsample", 0.5, 1.0),
            "colsample_bytree": space.suggest_float("colsample_bytree", 0.4, 1.0),
            "reg_lambda": space.suggest_float("reg_lambda", 1e-3, 30.0, log=True),
            "reg_alpha": space.suggest_float("reg_alpha", 1e-3, 10.0, log=True),
        }

    def prepare_fold(self, table: Table, fold: Fold, setting: Setting) -> "BinnedFold":
        """Bin the rows of a fold, the validation rows by the bins of the others."""
        train, validation = fold.of(table)
        unit = measure_unit(train.target, setting)
        binned = _bin(train, setting, unit)
        return BinnedFold(
            setting=setting,
            unit=unit,
            rows=binned,
            validation=_bin(validation, setting, unit, ref=binned),
            target=validation.target,
        )

    def combine(self, learned: Sequence[Parameters]) -> Parameters:
        """Take the mean of the folds' rounds."""
        return {_ROUNDS: mean_count(learned, _ROUNDS)}

    def fit(
        self, table: Table, setting: Setting, *, searched: Parameters, learned: Parameters
    ) -> "BoostedTrees":
        """Fit the final model on all rows of the search part."""
        unit = measure_unit(table.target, setting)
        booster = xgboost.train(
            build_parameters(setting, searched),
            _bin(table, setting, unit),
            num_boost_round=int(learned[_ROUNDS]),
            verbose_eval=False,
        )
        booster = _convert(booster, unit, is_of_amounts=setting.is_of_amounts)
        booster.set_param({"nthread": setting.threads})
        return BoostedTrees(booster=booster)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BinnedFold:
    """One fold, its feature values sorted into bins."""

    setting: Setting
    unit: Unit
    rows: xgboost.QuantileDMatrix
    validation: xgboost.QuantileDMatrix
    target: Floats  # of the validation rows

    def train(self, searched: Parameters, *, deadline: float) -> FoldResult:
        """Add rounds until the validation rows stop improving."""
        watch = _Deadline(deadline)
        booster = xgboost.train(
            build_parameters(self.setting, searched),
            self.rows,
            num_boost_round=_MOST_ROUNDS,
            evals=[(self.validation, "validation")],
            early_stopping_rounds=_PATIENCE,
            verbose_eval=False,
            callbacks=[watch],
        )
        if watch.passed:
            raise OutOfTimeError
        rounds = booster.best_iteration + 1
        learned = booster.predict(self.validation, iteration_range=(0, rounds))
        return FoldResult(score=self.unit.enter(learned), learned={_ROUNDS: rounds})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BoostedTrees:
    """A fitted model."""

    attribution: ClassVar[str] = "SHAP values"
    booster: xgboost.Booster

    def verify(self, features: pd.DataFrame) -> None:
        """Do nothing: what is stored is the booster itself."""

    def predict(self, features: pd.DataFrame) -> Floats:
        """Return the probability of class 1, the probabilities of each class, or the value."""
        return np.asarray(self.booster.predict(xgboost.DMatrix(features)), dtype=np.float64)

    def attribute(self, features: pd.DataFrame) -> npt.NDArray[np.floating[Any]]:
        """Return XGBoost's own exact tree SHAP values (Lundberg et al. 2020)."""
        values = self.booster.predict(xgboost.DMatrix(features), pred_contribs=True)
        without_bias: npt.NDArray[np.floating[Any]] = values[..., :-1]
        return without_bias

    def to_onnx(self, names: Sequence[str]) -> "onnx.ModelProto":
        """Return the trees as a graph from ``features``."""
        import onnxmltools  # noqa: PLC0415  a search has no use for it
        from onnxmltools.convert.common.data_types import FloatTensorType  # noqa: PLC0415  as above

        booster = self.booster.copy()
        booster.feature_names = None  # the converter goes by the place
        model = onnxmltools.convert_xgboost(
            booster,
            initial_types=[(FEATURES, FloatTensorType([None, len(names)]))],
            target_opset=BOOSTER_OPSET,
        )
        output = model.graph.output[-1]
        if len(model.graph.output) == 1:
            return name_output(model, output.name, unit=Unit())
        return name_output(
            model, output.name, classes=output.type.tensor_type.shape.dim[-1].dim_value
        )

    def log(
        self,
        *,
        signature: "ModelSignature",
        example: pd.DataFrame,
        metadata: Mapping[str, str],
        run_id: str,
    ) -> "ModelInfo":
        """Log the model to MLflow in its XGBoost flavor."""
        # Imported late: only the finishing Job logs, and MLflow takes seconds.
        import mlflow.xgboost  # noqa: PLC0415  as above

        info: ModelInfo = mlflow.xgboost.log_model(
            self.booster,
            name="model",
            signature=signature,
            input_example=example,
            model_format=_FORMAT,
            metadata=dict(metadata) or None,
            # Given, since MLflow would otherwise import everything to find out.
            pip_requirements=[f"xgboost-cpu=={xgboost.__version__}", f"pandas=={pd.__version__}"],
            run_id=run_id,
        )
        return info

    def is_stored_in(self, directory: Path) -> bool:
        """Tell whether the artifact directory holds this model, byte for byte."""
        return (directory / _FILE).read_bytes() == bytes(self.booster.save_raw(_FORMAT))


def open_stored(directory: Path, flavor: Mapping[str, Any]) -> BoostedTrees:
    """Open a stored model by the flavor's entry in its ``MLmodel`` file."""
    path = directory / confine(flavor.get("data", _FILE))
    return BoostedTrees(booster=xgboost.Booster(model_file=str(path)))


def build_parameters(setting: Setting, searched: Parameters) -> dict[str, Any]:
    """Add to the searched parameters those that the task and the pod decide."""
    fixed: dict[str, Any] = {
        "objective": _OBJECTIVE_OF.get(setting.metric, _OBJECTIVES[setting.task]),
        "eval_metric": _STOPPING[setting.task].get(setting.metric, _SMOOTH[setting.task]),
        "tree_method": "hist",
        "seed": setting.seed,
        "nthread": setting.threads,
        "verbosity": 0,
    }
    if setting.task is Task.MULTICLASS:
        fixed["num_class"] = setting.classes
    if setting.metric == "tweedie_deviance":
        fixed["tweedie_variance_power"] = TWEEDIE_POWER
    elif setting.metric not in _OBJECTIVE_OF and setting.quantile is not None:
        fixed |= {
            "objective": "reg:quantileerror",
            "eval_metric": "quantile",
            "quantile_alpha": setting.quantile,
        }
    return {**fixed, **searched}


def _bin(
    table: Table, setting: Setting, unit: Unit, *, ref: xgboost.QuantileDMatrix | None = None
) -> xgboost.QuantileDMatrix:
    return xgboost.QuantileDMatrix(
        table.features,
        label=unit.leave(table.target),
        # For f1_macro the classes never had weights, and a training repeated is the same again.
        weight=None if setting.metric == "f1_macro" else weigh_rows(table.target, setting),
        ref=ref,
        nthread=setting.threads,
    )


def _convert(booster: xgboost.Booster, unit: Unit, *, is_of_amounts: bool) -> xgboost.Booster:
    """Return the same trees with their answers in the target's own unit."""
    if unit == Unit():
        return booster
    # XGBoost's documented JSON form: in a leaf, the condition is its value.
    document = json.loads(booster.save_raw("json"))
    learner = document["learner"]
    base = learner["learner_model_param"]
    base["base_score"] = json.dumps([unit.one * start for start in json.loads(base["base_score"])])
    # A logarithm's trees multiply what they start from, which is said as an amount.
    trees = [] if is_of_amounts else learner["gradient_booster"]["model"]["trees"]
    for number, tree in enumerate(trees, start=1):
        # To the last, so that what the others say is summed up before 32 bits have no room for it.
        zero = unit.zero if number == len(trees) else 0.0
        tree["base_weights"] = [weight * unit.one + zero for weight in tree["base_weights"]]
        tree["split_conditions"] = [
            value * unit.one + zero if child == -1 else value
            for child, value in zip(tree["left_children"], tree["split_conditions"], strict=True)
        ]
    return xgboost.Booster(model_file=bytearray(json.dumps(document, ensure_ascii=False).encode()))


class _Deadline(xgboost.callback.TrainingCallback):
    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self.passed = False

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        self.passed = time.monotonic() > self._deadline
        return self.passed
