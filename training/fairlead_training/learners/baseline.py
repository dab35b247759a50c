"""The trivial baseline: always the same answer, whatever the row; a model should beat it."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.learners.graph import FEATURES, GraphModel, name_output
from fairlead_training.learners.pipeline import check_time
from fairlead_training.learners.protocol import FoldResult, Parameters, Setting, Space
from fairlead_training.learners.unit import Unit
from fairlead_training.metrics import Floats, answer_always
from fairlead_training.split import Fold

if TYPE_CHECKING:
    import onnx


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BaselineLearner:
    """The learner; it holds no state and has nothing to search for."""

    name: ClassVar[str] = "baseline"
    refused_in_names: ClassVar[str] = ""
    learns_quantiles: ClassVar[bool] = True
    errors: ClassVar[tuple[type[Exception], ...]] = ()
    starting_point: ClassVar[Parameters] = {}

    def suggest(self, space: Space) -> Parameters:
        """Draw nothing."""
        return {}

    def prepare_fold(self, table: Table, fold: Fold, setting: Setting) -> "BaselineFold":
        """Take the targets of a fold."""
        train, validation = fold.of(table)
        return BaselineFold(setting=setting, learned=train.target, target=validation.target)

    def combine(self, learned: Sequence[Parameters]) -> Parameters:
        """Take nothing from the folds."""
        return {}

    def fit(
        self, table: Table, setting: Setting, *, searched: Parameters, learned: Parameters
    ) -> GraphModel:
        """Find the answer for all rows of the search part."""
        native = Constant(setting=setting, answer=_answer(table.target, setting))
        return GraphModel.of(native, table, setting)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BaselineFold:
    """One fold of the baseline."""

    setting: Setting
    learned: Floats
    target: Floats

    def train(self, searched: Parameters, *, deadline: float) -> FoldResult:
        """Answer the validation rows by what the others have."""
        check_time(deadline)
        model = Constant(setting=self.setting, answer=_answer(self.learned, self.setting))
        return FoldResult(score=model.predict(self.target), learned={})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One answer."""

    attribution: ClassVar[str] = "nothing, as the answer is always the same"
    setting: Setting
    answer: Floats  # one number, or the probability of each class

    def predict(self, features: Floats) -> Floats:
        """Return the same for every row."""
        return np.repeat(self.answer, len(features), axis=0)

    def attribute(self, features: Floats) -> npt.NDArray[np.floating[Any]]:
        """Return zeros: no feature has a part in it."""
        return np.zeros(features.shape)

    def to_onnx(self, width: int) -> "onnx.ModelProto":
        """Return the answer as a graph."""
        from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415  a search has no use for it

        row = self.answer.reshape(1, -1)
        if self.setting.task is Task.BINARY:
            row = np.array([[1 - self.answer[0], self.answer[0]]])
        constants = {"row": row.astype(np.float32), "width": np.array([row.shape[1]])}
        graph = helper.make_graph(
            [
                helper.make_node("Shape", [FEATURES], ["rows"], start=0, end=1),
                helper.make_node("Concat", ["rows", "width"], ["shape"], axis=0),
                helper.make_node("Expand", ["row", "shape"], ["answer"]),
            ],
            "baseline",
            [helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, [None, width])],
            [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [None, row.shape[1]])],
            initializer=[numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        is_value = self.setting.task is Task.REGRESSION
        return name_output(
            helper.make_model(graph),
            "answer",
            unit=Unit() if is_value else None,
            classes=row.shape[1],
        )


def _answer(target: Floats, setting: Setting) -> Floats:
    return answer_always(setting.task, setting.metric, target, setting.classes)
