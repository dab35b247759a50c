"""A version that is right, and too slow.

For every request it asks a weather forecast that is not nearby.  Each answer is correct, so no
error ratio will ever show it.  It takes a quarter of a second, and no test on the author's desk
looked at the clock.
"""

import time

import mlflow
import pandas as pd
import xgboost

FORECAST_SECONDS = 0.25  # a call to a service in another region, and its database


class WeatherAware(mlflow.pyfunc.PythonModel):
    """The trained booster, corrected for the weather."""

    def load_context(self, context: mlflow.pyfunc.PythonModelContext) -> None:
        self._booster = xgboost.Booster(model_file=context.artifacts["booster"])

    def predict(
        self, context: mlflow.pyfunc.PythonModelContext, model_input: pd.DataFrame
    ) -> list[float]:
        correction = _ask_forecast()
        scores = self._booster.predict(
            xgboost.DMatrix(model_input[self._booster.feature_names or list(model_input)])
        )
        return [min(1.0, float(score) * correction) for score in scores]


def _ask_forecast() -> float:
    time.sleep(FORECAST_SECONDS)
    return 1.0


mlflow.models.set_model(WeatherAware())
