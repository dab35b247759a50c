"""Predict with an XGBoost booster, without pandas and without MLflow."""

from collections.abc import Sequence

import numpy as np
import xgboost

from fairlead_serving.server.artifact import Artifact
from fairlead_serving.server.instances import FLOAT32_MAX, InstanceReader
from fairlead_serving.server.predictors.protocol import PredictionError, Predictions
from fairlead_serving.server.signature import Column


class XgboostPredictor:
    """A booster that reads rows straight from memory.

    For a binary objective it gives the probability of class 1, for a multiclass one the
    probabilities of all classes, for regression the value.
    """

    is_fast = True

    def __init__(
        self, booster: xgboost.Booster, columns: Sequence[Column], *, rounds: tuple[int, int]
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
        booster = xgboost.Booster()
        booster.load_model(artifact.find_file(flavor["data"]))
        booster.set_param({"nthread": 1})  # one row has no work for two
        # XGBoost's scikit-learn classes stop at the best iteration, boosters do not.
        is_sklearn = "sklearn" in str(flavor.get("model_class"))
        best = booster.attr("best_iteration") if is_sklearn else None
        return cls(
            booster,
            _order(artifact.columns, booster.feature_names, booster.num_features()),
            rounds=(0, int(best) + 1 if best is not None else 0),  # (0, 0) is all of them
        )

    def predict(self, instances: object) -> Predictions:
        """Predict for a list of objects of column: value."""
        matrix = self.reader.read_matrix(instances)
        scores: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = self._booster.inplace_predict(
            matrix, iteration_range=self._rounds
        )
        if not np.isfinite(scores).all():
            raise PredictionError("the booster's score is not a finite number")
        return scores


def _order(
    columns: Sequence[Column], features: Sequence[str] | None, number: int
) -> Sequence[Column]:
    """Put the columns in the booster's order, which is what `inplace_predict` goes by."""
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
