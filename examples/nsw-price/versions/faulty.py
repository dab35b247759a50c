"""A version someone improved by hand, and broke.

The author adds how hard the line from Victoria is loaded: the square root of the flow above
its neutral point.  On the afternoon it was tried with, power only ever flowed one way.  When it
flows the other way the root has no value, ``math.sqrt`` raises, and the server answers 500.
"""

import math

import mlflow
import pandas as pd
import xgboost

NEUTRAL = 0.414912  # `transfer` when nothing flows between the states


class CongestionAware(mlflow.pyfunc.PythonModel):
    """The trained booster, corrected for a congested line."""

    def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
        self._booster = xgboost.Booster(model_file=context.artifacts["booster"])

    def predict(
        self, context: mlflow.pyfunc.PythonModelContext, model_input: pd.DataFrame
    ) -> list[float]:
        scores = self._booster.predict(
            xgboost.DMatrix(model_input[self._booster.feature_names or list(model_input)])
        )
        congestion = [math.sqrt(flow - NEUTRAL) for flow in model_input["transfer"]]
        return [
            min(1.0, float(score) * (1 + 0.05 * load))
            for score, load in zip(scores, congestion, strict=True)
        ]


mlflow.models.set_model(CongestionAware())
