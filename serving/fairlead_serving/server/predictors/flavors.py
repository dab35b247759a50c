"""Open an artifact with the fastest predictor that takes one of its forms, and test it.

What runs code from the artifact is opened where that is allowed, and nowhere else: nothing of the
artifact was imported or unpickled until then.  Knows nothing of HTTP or BentoML.
"""

import importlib.util
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

from fairlead_contract.artifact import (
    CODE_FIELD,
    CODE_VALUE,
    WITHOUT_CODE,
    Form,
    choose_form,
    describe_code,
)
from fairlead_serving.server.artifact import Artifact
from fairlead_serving.server.failure import Reason, StartupError
from fairlead_serving.server.predictors.protocol import Predictor

_log = logging.getLogger(__name__)
_WARMUP_SECONDS = 10.0  # a slow model is warm after one


# Each imports its library when it is asked: MLflow and pandas cost three seconds and 100 MB.
def _load_xgboost(artifact: Artifact) -> Predictor:
    from fairlead_serving.server.predictors.xgboost import XgboostPredictor  # noqa: PLC0415 - see above

    return XgboostPredictor.load(artifact)


def _load_onnx(artifact: Artifact) -> Predictor:
    from fairlead_serving.server.predictors.onnx import OnnxPredictor  # noqa: PLC0415 - see above

    return OnnxPredictor.load(artifact)


def _load_pyfunc(artifact: Artifact) -> Predictor:
    from fairlead_serving.server.predictors.pyfunc import PyfuncPredictor  # noqa: PLC0415 - see above

    return PyfuncPredictor.load(artifact)


# How each form of the contract is opened, by its flavor.
LOADERS: Final[Mapping[str, Callable[[Artifact], Predictor]]] = {
    "xgboost": _load_xgboost,
    "onnx": _load_onnx,
    "python_function": _load_pyfunc,
}
# What an image that opens the form has, and one for graphs alone has not.
LIBRARIES: Final[Mapping[str, str]] = {
    "xgboost": "xgboost",
    "onnx": "onnxruntime",
    "python_function": "mlflow",
}


def open_predictor(artifact: Artifact, *, warmup: int = 1, allows_code: bool) -> Predictor:
    """Load the model in the first form that takes it, and score its input example so many times.

    The first predictions of a process are slow; no client should wait for them.

    Args:
        allows_code: whether code from the artifact may run.

    Raises:
        StartupError: it may not or cannot be loaded, or fails on its own example.
    """
    form = find_form(artifact)
    if form.runs_code and not allows_code:
        raise StartupError(
            Reason.CODE_NOT_ALLOWED,
            f"the artifact runs code ({describe_code(artifact.flavors)}), which runs only where "
            f"{CODE_FIELD} of the Model and {CODE_VALUE} in the chart's values are both true; "
            f"allow it and retry, or register the version as {WITHOUT_CODE}",
        )
    library = LIBRARIES[form.flavor]
    if importlib.util.find_spec(library) is None:  # which imports nothing
        raise StartupError(
            Reason.SETTINGS_INVALID,
            f"the artifact is opened as {form.flavor}, for which this image has no {library}; the "
            "image of the chart's value images.serving opens every form, that of images.onnx only "
            "ONNX graphs",
        )
    try:
        predictor = LOADERS[form.flavor](artifact)
    except Exception as error:  # model code of any author runs here
        raise StartupError(
            Reason.ARTIFACT_INVALID, f"model cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if artifact.example is not None:
        _test(predictor, artifact, times=max(warmup, 1))
    return predictor


def find_form(artifact: Artifact) -> Form:
    """Find the form in which the artifact is opened.

    Raises:
        StartupError: there is none.
    """
    types = {column.mlflow_type for column in artifact.columns}
    form = choose_form(artifact.flavors, types, artifact.metadata)
    if form is None:
        raise StartupError(
            Reason.ARTIFACT_INVALID,
            f"artifact cannot be served: none of its flavors ({', '.join(artifact.flavors)}) "
            f"takes columns of {', '.join(sorted(types))}; log the model with the flavor "
            f"python_function, or as {WITHOUT_CODE}",
        )
    return form


def _test(predictor: Predictor, artifact: Artifact, *, times: int) -> None:
    taken: list[float] = []
    began = time.monotonic()
    while len(taken) < times and time.monotonic() - began < _WARMUP_SECONDS:
        started = time.perf_counter()
        try:
            artifact.classes.tell(predictor.predict(artifact.example))
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
