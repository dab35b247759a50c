"""Predict with an XGBoost booster, without pandas and without MLflow."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np

from fairlead_serving.server.artifact import Artifact
from fairlead_serving.server.instances import FLOAT32_MAX, InstanceReader
from fairlead_serving.server.predictors.booster import Booster, Rounds
from fairlead_serving.server.predictors.protocol import (
    Explained,
    Explanation,
    Method,
    NotExplainedError,
    PredictionError,
    Predictions,
    Scale,
)
from fairlead_serving.server.signature import Column

# What the margin is, by objective.
_SCALES: Final[Mapping[str, Scale]] = {
    **dict.fromkeys(
        (
            "reg:squarederror",
            "reg:absoluteerror",
            "reg:pseudohubererror",
            "reg:quantileerror",
            "reg:squaredlogerror",
        ),
        Scale.VALUE,
    ),
    **dict.fromkeys(("binary:logistic", "binary:logitraw", "reg:logistic"), Scale.LOG_ODDS),
    **dict.fromkeys(("count:poisson", "reg:gamma", "reg:tweedie"), Scale.LOG),
}
_BINARY, _MULTICLASS = "binary:", "multi:"


class XgboostPredictor:
    """A booster that reads rows straight from memory.

    For a binary objective it gives the probability of class 1, for a multiclass one the
    probabilities of all classes, for regression the value.
    """

    is_fast = True
    gives_text = False

    def __init__(
        self, booster: Booster, columns: Sequence[Column], *, rounds: Rounds = (0, 0)
    ) -> None:
        self._booster = booster
        self._rounds = rounds
        self.reader = InstanceReader(columns, null_is_missing=True, limit=FLOAT32_MAX)

    @classmethod
    def load(cls, artifact: Artifact) -> "XgboostPredictor":
        """Load the booster of an artifact from the file that its flavor names.

        Raises:
            ValueError: it does not take the columns of the signature.
        """
        flavor = artifact.flavors["xgboost"]
        booster = Booster.read(artifact.find_file(flavor["data"]))
        # XGBoost's scikit-learn classes stop at the best iteration, boosters do not.
        is_sklearn = "sklearn" in str(flavor.get("model_class"))
        best = booster.attribute("best_iteration") if is_sklearn else None
        return cls(
            booster,
            _order(artifact.columns, booster.names, booster.width),
            rounds=(0, int(best) + 1 if best is not None else 0),
        )

    def predict(self, instances: object) -> Predictions:
        """Predict for a list of objects of column: value."""
        matrix = self.reader.read_matrix(instances)
        scores = self._booster.predict(matrix, self._rounds)
        if not np.isfinite(scores).all():
            raise PredictionError("the booster's score is not a finite number")
        return scores

    def explain(self, instances: object, _is_over: Callable[[], bool]) -> Explained:
        """Explain the answers to a list of objects of column: value."""
        matrix = self.reader.read_matrix(instances)
        objective = self._booster.objective
        added = self._booster.contributions(matrix, self._rounds).astype(np.float64)
        outputs = added.shape[1]
        if outputs > 1 and not objective.startswith(_MULTICLASS):
            raise NotExplainedError(
                f"a model that answers {outputs} values a row is not explained; train one for each"
            )
        totals = added.sum(axis=2)
        rows = []
        for row, chosen in enumerate(totals.argmax(axis=1).tolist()):
            *values, base = added[row, chosen].tolist()
            names = [column.name for column in self.reader.columns]
            rows.append(
                Explanation(
                    score=float(totals[row, chosen]),
                    base=base,
                    attributions=dict(zip(names, values, strict=True)),
                    output=_output(objective, chosen),
                )
            )
        return Explained(method=Method.TREES, scale=_SCALES.get(objective, Scale.MARGIN), rows=rows)


def _output(objective: str, chosen: int) -> int | None:
    """Return the class whose score is explained: of two, the one whose probability is told."""
    if objective.startswith(_MULTICLASS):
        return chosen
    return 1 if objective.startswith(_BINARY) else None


def _order(
    columns: Sequence[Column], features: Sequence[str] | None, number: int
) -> Sequence[Column]:
    """Put the columns in the booster's order, by which it takes them."""
    by_name = {column.name: column for column in columns}
    if features is None:
        if number != len(columns):
            raise ValueError(f"the booster takes {number} columns, the signature {len(columns)}")
        return columns
    if by_name.keys() != set(features):
        odd = ", ".join(sorted(by_name.keys() ^ set(features)))
        raise ValueError(
            f"the booster and the signature differ in the columns {odd}; log both with one frame"
        )
    return [by_name[name] for name in features]
