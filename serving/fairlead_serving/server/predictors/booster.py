"""XGBoost's own library, called without its package for Python.

The package imports scipy, and scikit-learn where it is installed: a second and 30 MB or more for
every server, of which none is needed to ask a booster.
"""

import ctypes
import importlib.util
import json
import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Rounds: TypeAlias = tuple[int, int]  # the first, and the one after the last; (0, 0) is all

_LIBRARY_FILE: Final = Path("lib", "libxgboost.so")
_ANSWER, _MARGIN, _CONTRIBUTIONS = 0, 1, 2  # XGBoost's types of predictions
_MISSING: Final = float("nan")
_DENSE: Final = '{"data":[%d,true],"shape":[%d,%d],"strides":null,"typestr":"<f8","version":3}'


class BoosterError(ValueError):
    """What XGBoost says is wrong."""


def _open_library() -> ctypes.CDLL:
    package = importlib.util.find_spec("xgboost")  # which imports nothing
    folders = package.submodule_search_locations if package is not None else None
    if not folders:
        raise ImportError("xgboost is not installed")
    library = ctypes.CDLL(str(Path(folders[0]) / _LIBRARY_FILE))
    library.XGBGetLastError.restype = ctypes.c_char_p
    library.XGBSetGlobalConfig(b'{"verbosity": 0}')  # its lines have a form of their own
    return library


_LIBRARY: Final = _open_library()


class Booster:
    """A trained booster, which is kept as long as the process lives.

    It works on one thread, since one row has no work for two; several may ask it at once.
    """

    def __init__(self, handle: ctypes.c_void_p) -> None:
        self._handle = handle
        self._frames = threading.local()  # what is given to one must not meet another's
        self._configs: dict[tuple[int, Rounds], bytes] = {}

    @classmethod
    def read(cls, path: Path) -> "Booster":
        """Read a booster from a file, in any of XGBoost's forms.

        Raises:
            BoosterError: it is none.
        """
        handle = ctypes.c_void_p()
        _call("XGBoosterCreate", None, ctypes.c_uint64(0), ctypes.byref(handle))
        booster = cls(handle)
        _call("XGBoosterLoadModel", handle, str(path).encode())
        _call("XGBoosterSetParam", handle, b"nthread", b"1")
        return booster

    @property
    def names(self) -> Sequence[str] | None:
        """Return the names of its columns, in its order; None where it was trained without."""
        number = ctypes.c_uint64()
        texts = ctypes.POINTER(ctypes.c_char_p)()
        _call(
            "XGBoosterGetStrFeatureInfo",
            self._handle,
            b"feature_name",
            ctypes.byref(number),
            ctypes.byref(texts),
        )
        return [(texts[at] or b"").decode() for at in range(number.value)] or None

    @property
    def width(self) -> int:
        """Return how many columns it takes."""
        number = ctypes.c_uint64()
        _call("XGBoosterGetNumFeature", self._handle, ctypes.byref(number))
        return number.value

    @property
    def objective(self) -> str:
        """Return the name of what it was trained for."""
        length = ctypes.c_uint64()
        text = ctypes.c_char_p()
        _call("XGBoosterSaveJsonConfig", self._handle, ctypes.byref(length), ctypes.byref(text))
        config: Any = json.loads(text.value or b"{}")
        return str(config["learner"]["objective"]["name"])

    def attribute(self, name: str) -> str | None:
        """Return what its trainer noted under a name; None without such a note."""
        text = ctypes.c_char_p()
        is_there = ctypes.c_int()
        _call(
            "XGBoosterGetAttr",
            self._handle,
            name.encode(),
            ctypes.byref(text),
            ctypes.byref(is_there),
        )
        return text.value.decode() if is_there.value and text.value is not None else None

    def predict(self, rows: npt.NDArray[np.float64], rounds: Rounds) -> Floats:
        """Return the scores of rows, straight from where they lie in memory.

        Raises:
            BoosterError: it does not take them.
        """
        shape, dimensions, scores = _results()
        _call(
            "XGBoosterPredictFromDense",
            self._handle,
            _describe(rows),
            self._config(_ANSWER, rounds),
            self._frame(),
            ctypes.byref(shape),
            ctypes.byref(dimensions),
            ctypes.byref(scores),
        )
        return _copy(shape, dimensions, scores)

    def margins(self, rows: npt.NDArray[np.float64], rounds: Rounds) -> Floats:
        """Return the scores before the objective's link: [rows, outputs]."""
        return self._ask(_MARGIN, rows, rounds)

    def contributions(self, rows: npt.NDArray[np.float64], rounds: Rounds) -> Floats:
        """Return what each column adds to the margin, and the bias: [rows, outputs, columns + 1].

        Exact: the Shapley values of the trees (Lundberg's TreeSHAP, by path).
        """
        return self._ask(_CONTRIBUTIONS, rows, rounds)

    def _ask(self, kind: int, rows: npt.NDArray[np.float64], rounds: Rounds) -> Floats:
        table = ctypes.c_void_p()
        config = json.dumps({"missing": _MISSING, "nthread": 1, "data_split_mode": 0}).encode()
        _call("XGDMatrixCreateFromDense", _describe(rows), config, ctypes.byref(table))
        try:
            shape, dimensions, scores = _results()
            _call(
                "XGBoosterPredictFromDMatrix",
                self._handle,
                table,
                self._config(kind, rounds),
                ctypes.byref(shape),
                ctypes.byref(dimensions),
                ctypes.byref(scores),
            )
            return _copy(shape, dimensions, scores)
        finally:
            _LIBRARY.XGDMatrixFree(table)

    def _config(self, kind: int, rounds: Rounds) -> bytes:
        config = self._configs.get((kind, rounds))
        if config is None:
            config = self._configs[kind, rounds] = json.dumps(
                {
                    "type": kind,
                    "training": False,
                    "iteration_begin": rounds[0],
                    "iteration_end": rounds[1],
                    "strict_shape": kind != _ANSWER,
                    "missing": _MISSING,
                    "cache_id": 0,
                }
            ).encode()
        return config

    def _frame(self) -> ctypes.c_void_p:
        """Return this thread's holder of rows; a call that gets none makes one, at length."""
        frame: ctypes.c_void_p | None = getattr(self._frames, "one", None)
        if frame is None:
            frame = self._frames.one = ctypes.c_void_p()
            _call("XGProxyDMatrixCreate", ctypes.byref(frame))
        return frame


def _call(name: str, *arguments: Any) -> None:
    """Call a function of the library.

    Raises:
        BoosterError: in its own words, without its stack.
    """
    if getattr(_LIBRARY, name)(*arguments):
        message = (_LIBRARY.XGBGetLastError() or b"").decode(errors="replace")
        raise BoosterError(message.split("\nStack trace")[0].strip())


def _describe(rows: npt.NDArray[np.float64]) -> bytes:
    return (_DENSE % (rows.ctypes.data, *rows.shape)).encode()


def _results() -> tuple[Any, ctypes.c_uint64, Any]:
    return (
        ctypes.POINTER(ctypes.c_uint64)(),
        ctypes.c_uint64(),
        ctypes.POINTER(ctypes.c_float)(),
    )


def _copy(shape: Any, dimensions: ctypes.c_uint64, scores: Any) -> Floats:
    """Copy an answer, which is this thread's until its next question."""
    lengths = shape[: dimensions.value]
    copy = ctypes.string_at(scores, math.prod(lengths) * ctypes.sizeof(ctypes.c_float))
    return np.frombuffer(copy, dtype=np.float32).reshape(lengths)
