"""A version that asks its callers for one more column, and does nothing with it."""

import mlflow
import pandas as pd
import xgboost


class Wider(mlflow.pyfunc.PythonModel):
    """The trained booster behind a wider signature."""

    def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
        self._booster = xgboost.Booster(model_file=context.artifacts["booster"])

    def predict(
        self, context: mlflow.pyfunc.PythonModelContext, model_input: pd.DataFrame
    ) -> list[float]:
        rows = model_input[self._booster.feature_names or list(model_input)]
        return [float(score) for score in self._booster.predict(xgboost.DMatrix(rows))]


mlflow.models.set_model(Wider())
