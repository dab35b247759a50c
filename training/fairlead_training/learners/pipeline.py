"""What scikit-learn's learners share: gaps filled, targets without unit, the way to a graph."""

import copy
import dataclasses
import time
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.learners.graph import FEATURES, TARGETS, name_output, to_matrix
from fairlead_training.learners.protocol import OutOfTimeError, Setting
from fairlead_training.learners.unit import Unit, measure_unit, weigh_rows
from fairlead_training.metrics import Floats
from fairlead_training.split import Fold

if TYPE_CHECKING:
    import onnx


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows to learn from, and what their target means."""

    features: Floats
    target: Floats  # without unit
    unit: Unit
    weight: Floats | None = None  # how much each row counts; None: the same

    @classmethod
    def of(cls, table: Table, setting: Setting) -> "Rows":
        unit = measure_unit(table.target, setting)
        return cls(
            features=to_matrix(table.features),
            target=unit.leave(table.target),
            unit=unit,
            weight=weigh_rows(table.target, setting),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NumberFold:
    """One fold as numbers of 32 bits; each learner adds how it trains."""

    setting: Setting
    rows: Rows
    validation: Floats
    target: Floats  # of the validation rows

    @classmethod
    def of(cls, table: Table, fold: Fold, setting: Setting, **more: Any) -> Self:
        train, validation = fold.of(table)
        return cls(
            setting=setting,
            rows=Rows.of(train, setting),
            validation=to_matrix(validation.features),
            target=validation.target,
            **more,
        )


def check_time(deadline: float) -> None:
    """Raise OutOfTimeError when this moment on the monotonic clock has passed."""
    if time.monotonic() > deadline:
        raise OutOfTimeError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FittedPipeline:
    """A pipeline of scikit-learn that was fitted on a target without unit.

    Each learner adds how it attributes an answer to features.
    """

    pipeline: Pipeline
    setting: Setting
    unit: Unit

    def predict(self, features: Floats) -> Floats:
        """Return the probability of class 1, the probabilities of each class, or the value."""
        if self.setting.task is Task.REGRESSION:
            return self.unit.enter(self.pipeline.predict(features))
        told = np.asarray(self.pipeline.predict_proba(features), dtype=np.float64)
        score = np.zeros((len(features), self.setting.probabilities))
        score[:, self.places] = told
        return score[:, 1] if self.setting.task is Task.BINARY else score

    @property
    def places(self) -> list[int]:
        """Return the class of each probability: a fold may not have seen all of them."""
        return [int(label) for label in self.pipeline.classes_]

    def to_onnx(self, width: int) -> "onnx.ModelProto":
        """Return the pipeline as a graph from so many ``features``."""
        import skl2onnx  # noqa: PLC0415  a search has no use for it
        from skl2onnx.common.data_types import FloatTensorType  # noqa: PLC0415  as above

        is_class = self.setting.task is not Task.REGRESSION
        pipeline = self.pipeline
        is_log = getattr(pipeline[-1], "out_activation_", None) == "exp"
        if is_log:  # which the converter of a net does not know
            pipeline = copy.deepcopy(pipeline)
            pipeline[-1].out_activation_ = "identity"
        model = skl2onnx.to_onnx(
            pipeline,
            initial_types=[(FEATURES, FloatTensorType([None, width]))],
            target_opset=dict(TARGETS),
            options={id(self.pipeline[-1]): {"zipmap": False}} if is_class else None,
        )
        output = model.graph.output[-1].name
        if not is_class:
            return name_output(model, output, unit=self.unit, is_log=is_log)
        classes, places = self.setting.probabilities, self.places
        return name_output(
            model,
            output,
            classes=classes,
            places=None if places == list(range(classes)) else places,
        )


def build_pipeline(last: Any, *, scaled: bool) -> Pipeline:
    """Put the imputation, and where asked the scaling, before an estimator."""
    impute = ("impute", SimpleImputer(strategy="median", keep_empty_features=True))
    scale = [("scale", StandardScaler())] if scaled else []
    return Pipeline([impute, *scale, ("learn", last)])
