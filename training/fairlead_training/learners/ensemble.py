"""Several models that answer together: the mean of their answers, by weights, in one graph."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import pandas as pd

from fairlead_training.config import Task
from fairlead_training.data import Table
from fairlead_training.graph import make_model
from fairlead_training.learners.graph import (
    FEATURES,
    PROBABILITIES,
    VALUE,
    GraphModel,
    attribute_by_median,
)
from fairlead_training.learners.protocol import (
    FittedModel,
    Learner,
    Parameters,
    Setting,
    UnfaithfulFormError,
)
from fairlead_training.learners.unit import measure_unit
from fairlead_training.metrics import Floats

if TYPE_CHECKING:
    import onnx

NAME: Final = "ensemble"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One model of an ensemble: how it is fitted, and how much it counts."""

    learner: Learner
    searched: Parameters
    learned: Parameters
    weight: float  # all of them together have 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """What is fitted in place of one learner; a search never draws it."""

    name: ClassVar[str] = NAME
    members: Sequence[Member]

    def fit(
        self, table: Table, setting: Setting, *, searched: Parameters, learned: Parameters
    ) -> GraphModel:
        """Fit each member on all rows of the search part.

        Raises:
            UnfaithfulFormError: there is no graph of one of them.
        """
        models = [
            member.learner.fit(table, setting, searched=member.searched, learned=member.learned)
            for member in self.members
        ]
        native = Blend(
            models=models,
            weights=[member.weight for member in self.members],
            names=[str(name) for name in table.features],
            usual=np.nan_to_num(table.features.median().to_numpy(np.float64)),
            setting=setting,
        )
        return GraphModel.of(native, table, setting, measure_unit(table.target, setting))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """The fitted members."""

    attribution: ClassVar[str] = "change where the feature is at its median"
    models: Sequence[FittedModel]
    weights: Sequence[float]
    names: Sequence[str]
    usual: Floats  # of each feature, the median
    setting: Setting

    def predict(self, features: Floats) -> Floats:
        """Return the mean of what the members answer."""
        frame = pd.DataFrame(features, columns=list(self.names))
        answers = [
            model.predict(frame) * weight
            for model, weight in zip(self.models, self.weights, strict=True)
        ]
        return np.asarray(np.sum(answers, axis=0), dtype=np.float64)

    def attribute(self, features: Floats) -> Floats:
        """Return by how much the answer changes when one feature alone is at its median.

        The members' own values are of scales that cannot be added.
        """
        return attribute_by_median(self.predict, features, self.usual)

    def to_onnx(self, width: int) -> "onnx.ModelProto":
        """Return the members' graphs as one."""
        from onnx import (  # noqa: PLC0415  a search has no use for it
            TensorProto,
            compose,
            helper,
            numpy_helper,
        )

        is_value = self.setting.task is Task.REGRESSION
        output = VALUE if is_value else PROBABILITIES
        nodes, constants, answers = [], [], []
        for number, (model, weight) in enumerate(zip(self.models, self.weights, strict=True)):
            graph = model.to_onnx(self.names)
            if graph is None:
                raise UnfaithfulFormError("one of its members has no form as an ONNX graph")
            prefix = f"member{number}."
            part = compose.add_prefix(graph, prefix, rename_inputs=False).graph
            counts = numpy_helper.from_array(np.array(weight, np.float32), f"{prefix}weight")
            nodes += part.node
            constants += [*part.initializer, counts]
            answers.append(f"{prefix}weighed")
            nodes.append(helper.make_node("Mul", [f"{prefix}{output}", counts.name], answers[-1:]))
        nodes.append(helper.make_node("Sum", answers, [output]))
        last = [None, 1 if is_value else self.setting.probabilities]
        return make_model(
            helper.make_graph(
                nodes,
                NAME,
                [helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, [None, width])],
                [helper.make_tensor_value_info(output, TensorProto.FLOAT, last)],
                initializer=constants,
            )
        )
