"""Open an artifact with the fastest predictor that takes one of its flavors, and test it.

Knows nothing of HTTP or BentoML.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fairlead_serving.server.artifact import Artifact
from fairlead_serving.server.failure import Reason, StartupError
from fairlead_serving.server.predictors.protocol import Predictor
from fairlead_serving.server.signature import Kind

_log = logging.getLogger(__name__)
_WARMUP_SECONDS = 10.0  # a slow model is warm after one


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """One way to load a model: a row of `FLAVORS`."""

    name: str  # as the MLmodel file has it
    kinds: frozenset[Kind]  # the columns its predictor takes
    load: Callable[[Artifact], Predictor]

    def takes(self, artifact: Artifact) -> bool:
        """Say whether the artifact has this flavor, and no column that its predictor refuses."""
        kinds = {column.kind for column in artifact.columns}
        return self.name in artifact.flavors and kinds <= self.kinds


# Each imports its library when it is asked: XGBoost costs a second, MLflow three and 100 MB.
def _load_xgboost(artifact: Artifact) -> Predictor:
    from fairlead_serving.server.predictors.xgboost import XgboostPredictor  # noqa: PLC0415 - see above

    return XgboostPredictor.load(artifact)


def _load_pyfunc(artifact: Artifact) -> Predictor:
    from fairlead_serving.server.predictors.pyfunc import PyfuncPredictor  # noqa: PLC0415 - see above

    return PyfuncPredictor.load(artifact)


# The fastest first; MLflow's generic interface takes everything else.
FLAVORS = (
    Flavor(name="xgboost", kinds=frozenset({Kind.NUMBER, Kind.WHOLE}), load=_load_xgboost),
    Flavor(name="python_function", kinds=frozenset(Kind), load=_load_pyfunc),
)


def open_predictor(artifact: Artifact, *, warmup: int = 1) -> Predictor:
    """Load the model by the first flavor that takes it, and score its input example so many times.

    The first predictions of a process are slow; no client should wait for them.

    Raises:
        StartupError: it cannot be loaded, or fails on its own example.
    """
    flavor = choose_flavor(artifact)
    try:
        predictor = flavor.load(artifact)
    except Exception as error:  # model code of any author runs here
        raise StartupError(
            Reason.ARTIFACT_INVALID, f"model cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if artifact.example is not None:
        _test(predictor, artifact.example, times=max(warmup, 1))
    return predictor


def choose_flavor(artifact: Artifact) -> Flavor:
    """Choose the first row of the table that takes the artifact.

    Raises:
        StartupError: there is none.
    """
    for flavor in FLAVORS:
        if flavor.takes(artifact):
            return flavor
    raise StartupError(
        Reason.ARTIFACT_INVALID,
        f"artifact cannot be served: none of its flavors ({', '.join(artifact.flavors)}) takes "
        "its columns; log the model with the flavor python_function",
    )


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
