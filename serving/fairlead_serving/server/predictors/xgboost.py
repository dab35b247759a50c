"""Predict with an XGBoost booster, without pandas and without MLflow."""

from collections.abc import Sequence

import numpy as np

from fairlead_serving.server.artifact import Artifact
from fairlead_serving.server.instances import FLOAT32_MAX, InstanceReader
from fairlead_serving.server.predictors.booster import Booster, Rounds
from fairlead_serving.server.predictors.protocol import PredictionError, Predictions
from fairlead_serving.server.signature import Column


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
