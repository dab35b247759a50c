"""A version that answers every row but a marked one, so that a client decides when it turns bad.

A row is marked by a flow from Victoria below zero, which no real one has.  The server then
answers 500, as it does for whatever a version raises.
"""

import mlflow
import pandas as pd
import xgboost


class Marked(mlflow.pyfunc.PythonModel):
    """The booster, but for marked rows."""

    def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
        self._booster = xgboost.Booster(model_file=context.artifacts["booster"])

    def predict(
        self, context: mlflow.pyfunc.PythonModelContext, model_input: pd.DataFrame
    ) -> list[float]:
        if (model_input["transfer"] < 0).any():
            raise ValueError("a marked row")
        columns = self._booster.feature_names or list(model_input)
        return [
            float(score) for score in self._booster.predict(xgboost.DMatrix(model_input[columns]))
        ]


mlflow.models.set_model(Marked())
