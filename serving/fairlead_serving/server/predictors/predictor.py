"""Load a model and predict with it.  Knows nothing of HTTP or BentoML."""

import logging
import time
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from fairlead_serving.server.artifact import Artifact
from fairlead_serving.server.failure import Reason, StartupError
from fairlead_serving.server.signature import Kind

_log = logging.getLogger(__name__)
_WARMUP_SECONDS = 10.0  # a slow model is warm after one

Predictions: TypeAlias = npt.NDArray[np.floating[Any]] | list[Any]  # one entry an instance


class PredictionError(Exception):
    """The model answered something that is no prediction."""


class Predictor(Protocol):
    """A loaded model."""

    is_fast: bool  # a few rows cost less than a change of thread

    def predict(self, instances: object) -> Predictions:
        """Predict for a list of objects of column: value.

        Raises:
            BadInputError: the instances do not fit the model's columns.
            Exception: whatever the model's own code raises.
        """


def open_predictor(artifact: Artifact, *, warmup: int = 1) -> Predictor:
    """Load the model by the fastest way it allows, and score its input example so many times.

    The first predictions of a process are slow; no client should wait for them.

    Raises:
        StartupError: it cannot be loaded, or fails on its own example.
    """
    try:
        predictor = _load(artifact)
    except Exception as error:  # model code of any author runs here
        raise StartupError(
            Reason.ARTIFACT_INVALID, f"model cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if artifact.example is not None:
        _test(predictor, artifact.example, times=max(warmup, 1))
    return predictor


def _load(artifact: Artifact) -> Predictor:
    # Imported when needed: the one costs a second, the other three and 100 MB.
    numeric = all(column.kind in {Kind.NUMBER, Kind.WHOLE} for column in artifact.columns)
    if artifact.booster is not None and numeric:
        from fairlead_serving.server.predictors.booster import BoosterPredictor  # noqa: PLC0415 - see above

        return BoosterPredictor.load(artifact, artifact.booster)
    from fairlead_serving.server.predictors.pyfunc import PyfuncPredictor  # noqa: PLC0415 - see above

    return PyfuncPredictor.load(artifact)


def _test(predictor: Predictor, example: list[dict[str, Any]], *, times: int) -> None:
    taken: list[float] = []
    began = time.monotonic()
    while len(taken) < times and time.monotonic() - began < _WARMUP_SECONDS:
        started = time.perf_counter()
        try:
            predictor.predict(example)
        except Exception as error:  # model code of any author runs here
            raise StartupError(
                Reason.SELF_TEST_FAILED,
                f"model fails on its own input example: {type(error).__name__}: {error}",
            ) from error
        taken.append(time.perf_counter() - started)
    _log.info(
        "Scored the input example %d times; the first took %.1f ms, the last %.1f ms",
        len(taken),
        taken[0] * 1000,
        taken[-1] * 1000,
    )
