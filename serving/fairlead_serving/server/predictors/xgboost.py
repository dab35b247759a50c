"""Predict with an XGBoost booster, without pandas and without MLflow."""

import ctypes
import json
import math
import threading
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import xgboost
from xgboost.libpath import find_lib_path

from fairlead_serving.server.artifact import Artifact
from fairlead_serving.server.instances import FLOAT32_MAX, InstanceReader, Matrix
from fairlead_serving.server.predictors.protocol import PredictionError, Predictions
from fairlead_serving.server.signature import Column

# Of the library that Python's own classes have loaded.
_LIBRARY: Final = ctypes.CDLL(find_lib_path()[0])

Scores: TypeAlias = npt.NDArray[np.float32]


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
        self._function = _DenseFunction(booster, rounds)
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
        scores = self._function(matrix)
        if scores is None:  # it says by itself what is wrong
            scores = self._booster.inplace_predict(matrix, iteration_range=self._rounds)
        if not np.isfinite(scores).all():
            raise PredictionError("the booster's score is not a finite number")
        return scores


class _DenseFunction:
    """XGBoost's C function for rows in memory, told once what is the same for all of them.

    `Booster.inplace_predict` calls it too, and spends most of its time on finding out what kind
    of table it was given.
    """

    def __init__(self, booster: xgboost.Booster, rounds: tuple[int, int]) -> None:
        self._booster = booster  # which frees the handle
        self._config = json.dumps(
            {
                "type": 0,  # the prediction as the objective says it
                "training": False,
                "iteration_begin": rounds[0],
                "iteration_end": rounds[1],
                "strict_shape": False,
                "missing": float("nan"),
                "cache_id": 0,
            }
        ).encode()
        self._frames = threading.local()  # what is given to one must not meet another's

    def _frame(self) -> ctypes.c_void_p:
        """Return this thread's holder of rows; a call that gets none makes one, at length."""
        frame: ctypes.c_void_p | None = getattr(self._frames, "one", None)
        if frame is None:
            frame = self._frames.one = ctypes.c_void_p()
            _LIBRARY.XGProxyDMatrixCreate(ctypes.byref(frame))
        return frame

    def __call__(self, matrix: Matrix) -> Scores | None:
        """Return the scores of the rows; None if it does not take them."""
        values = b'{"data":[%d,true],"shape":[%d,%d],"strides":null,"typestr":"<f8","version":3}'
        shape = ctypes.POINTER(ctypes.c_uint64)()
        dimensions = ctypes.c_uint64()
        scores = ctypes.POINTER(ctypes.c_float)()
        failed = _LIBRARY.XGBoosterPredictFromDense(
            self._booster.handle,
            values % (matrix.ctypes.data, *matrix.shape),
            self._config,
            self._frame(),
            ctypes.byref(shape),
            ctypes.byref(dimensions),
            ctypes.byref(scores),
        )
        if failed:
            return None
        lengths = shape[: dimensions.value]
        # What it points to is this thread's until the next call.
        copy = ctypes.string_at(scores, math.prod(lengths) * ctypes.sizeof(ctypes.c_float))
        return np.frombuffer(copy, dtype=np.float32).reshape(lengths)


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
