"""Predict with an ONNX graph that takes raw columns, whatever learner it was made of.

onnxruntime reads the graph as data: it has no operators but its own, and no files but the
artifact's own.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime

from fairlead_contract import graph
from fairlead_contract.graph import ColumnType
from fairlead_serving.server.artifact import Artifact
from fairlead_serving.server.columns import ByName, ColumnsReader
from fairlead_serving.server.instances import FLOAT32_MAX, BadInputError
from fairlead_serving.server.predictors.protocol import (
    FEW_ROWS,
    Explained,
    Explanation,
    Method,
    NotExplainedError,
    PredictionError,
    Predictions,
    Scale,
)
from fairlead_serving.server.predictors.shapley import attribute
from fairlead_serving.server.signature import Column, Kind

_BINARY: Final = 2  # classes, of which the second is the one that counts
_ERRORS_ONLY: Final = 3
_QUICK_SECONDS: Final = 0.01  # for FEW_ROWS: so long probes and metrics may wait for them
_TRIES: Final = 50
_TRIES_SECONDS: Final = 1.0  # in all

_KINDS: Final[Mapping[ColumnType, Kind]] = {
    ColumnType.NUMBER: Kind.NUMBER,
    ColumnType.INTEGER: Kind.WHOLE,
    ColumnType.BOOLEAN: Kind.BOOLEAN,
    ColumnType.CATEGORY: Kind.CATEGORY,
    ColumnType.TEXT: Kind.TEXT,
    ColumnType.TIME: Kind.TIME,
}
_NUMBERS: Final = frozenset({"double", "float", "long", "integer"})  # MLflow's types
_TENSORS: Final = {True: "tensor(string)", False: "tensor(double)"}  # by whether it is textual


class OnnxPredictor:
    """A graph of raw columns.

    For two classes it gives the probability of class 1, for more the probabilities of all, for
    regression the value.
    """

    gives_text = False

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        columns: Sequence[Column],
        described: graph.Description,
        *,
        example: object = None,
    ) -> None:
        self._session = session
        self._example = example
        self._wanted = [described.answer]
        self._has_classes = described.classes is not None
        self._width = 1 if described.classes is None else len(described.classes)
        self._columns = ColumnsReader(columns, limit=FLOAT32_MAX)
        self.reader = self._columns.instances
        self._has_answered = self._answers_something()
        self.is_fast = self._is_quick()

    @classmethod
    def load(cls, artifact: Artifact) -> "OnnxPredictor":
        """Open the graph of an artifact from the file that its flavor names.

        Raises:
            ValueError: it does not take the columns of the signature.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # one row has no work for two
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # it keeps what the largest batch has needed
        options.log_severity_level = _ERRORS_ONLY
        session = onnxruntime.InferenceSession(
            str(artifact.find_file(artifact.flavors[graph.FLAVOR]["data"])),
            options,
            providers=["CPUExecutionProvider"],
        )
        described = graph.read_metadata(session.get_modelmeta().custom_metadata_map)
        _check(session, artifact.columns, described)
        columns = [
            dataclasses.replace(column, kind=_KINDS[described.columns[column.name]])
            for column in artifact.columns
        ]
        return cls(session, columns, described, example=artifact.example)

    def predict(self, instances: object) -> Predictions:
        """Predict for a list of objects of column: value."""
        scores = self._score(self._columns.read(instances))
        # In one piece, as answers are written from it.
        return scores if self._width > _BINARY else np.ascontiguousarray(scores[:, -1])

    def explain(self, instances: object, is_over: Callable[[], bool]) -> Explained:
        """Explain the answers to a list of objects of column: value."""
        columns = self._columns.read(instances)
        scores = self._score(columns)
        compared = self._compared()
        rows = []
        for row, chosen in enumerate(scores.argmax(axis=1).tolist()):
            output = chosen if self._width > _BINARY else self._width - 1
            own = {name: column[row : row + 1] for name, column in columns.items()}

            def ask(taken: Any, against: Any, own: ByName = own, output: int = output) -> Any:
                if is_over():
                    raise NotExplainedError("nobody waits for the explanation any more")
                mixed = {
                    name: np.where(taken[:, at : at + 1], own[name], compared[name][against])
                    for at, name in enumerate(own)
                }
                try:
                    return self._score(mixed)[:, output].astype(np.float64)
                except (BadInputError, PredictionError) as error:
                    raise NotExplainedError(
                        "the model has no answer to a row between this one and its input example"
                    ) from error

            found = attribute(ask, columns=len(own), compared=len(next(iter(compared.values()))))
            added = dict(zip(own, found.values.tolist(), strict=True))
            rows.append(
                Explanation(
                    score=float(scores[row, output]),
                    base=found.base,
                    attributions={each.name: added[each.name] for each in self.reader.columns},
                    output=output if self._has_classes else None,
                    error=found.error,
                )
            )
        is_exact = all(each.error is None for each in rows)
        return Explained(
            method=Method.ALL_ORDERS if is_exact else Method.DRAWN_ORDERS,
            scale=Scale.PROBABILITY if self._has_classes else Scale.VALUE,
            rows=rows,
        )

    def _compared(self) -> ByName:
        """Return the rows that explanations compare with; one of nothing without an example."""
        try:
            rows = self._columns.read(self._example)
            self._score(rows)
        except Exception:  # an example that is none, or has no answer, is no fault of the client's
            return self._columns.blank()
        return rows

    def _score(self, columns: ByName) -> npt.NDArray[np.floating[Any]]:
        """Return what the graph answers, if it is an answer."""
        scores = self._run(columns)
        rows = len(next(iter(columns.values())))
        if scores.shape != (rows, self._width):
            raise PredictionError(
                f"the graph gives {_shape(scores.shape)} for {rows} rows, not "
                f"{_shape((rows, self._width))}"
            )
        finite = np.isfinite(scores).all(axis=1)
        if not finite.all():
            raise self._not_finite(int(finite.argmin()))
        self._has_answered = True
        return scores

    def _not_finite(self, row: int) -> Exception:
        """Blame the row where the graph answers others, as a sum that a row's values overflow."""
        if not self._has_answered:
            return PredictionError("the graph's score is not a finite number")
        return BadInputError(
            f"instances[{row}]: the model's answer to these values is not a finite number; give "
            "smaller numbers, and a value in place of each null"
        )

    def _answers_something(self) -> bool:
        """Tell whether the graph has an answer to a row of nothing, or of zeros and no texts."""
        nothing = self._columns.blank()
        zeros = {
            name: column if column.dtype == object else np.zeros_like(column)
            for name, column in nothing.items()
        }
        try:
            return any(bool(np.isfinite(self._run(row)).all()) for row in (nothing, zeros))
        except Exception:  # as a graph has that takes no empty text; its first answer will tell
            return False

    def _run(self, columns: ByName) -> npt.NDArray[np.floating[Any]]:
        (scores,) = self._session.run(self._wanted, columns)
        return scores  # type: ignore[no-any-return]  # onnxruntime has no types

    def _is_quick(self) -> bool:
        """Tell whether as many rows as the event loop is given are quick, by rows of nothing.

        One try that is quick is enough: a machine that is busy while it starts makes others slow.
        """
        nothing = self._columns.blank(FEW_ROWS)
        end = time.monotonic() + _TRIES_SECONDS
        for _ in range(_TRIES):
            started = time.perf_counter()
            try:
                self._run(nothing)
            except Exception:  # it may insist on values; the input example has them
                return False
            if time.perf_counter() - started < _QUICK_SECONDS:
                return True
            if time.monotonic() > end:
                break
        return False


def _check(
    session: onnxruntime.InferenceSession,
    columns: Sequence[Column],
    described: graph.Description,
) -> None:
    """Compare what the graph takes with the signature, and with what it says of itself.

    Raises:
        ValueError: they differ.
    """
    tensors = {each.name: each.type for each in session.get_inputs()}
    names = {column.name for column in columns}
    if odd := sorted(tensors.keys() ^ names | described.columns.keys() ^ names):
        raise ValueError(
            f"the graph and the signature differ in the inputs {', '.join(odd)}; "
            "give the graph one input for each column, of its name"
        )
    for name, tensor in tensors.items():
        wanted = _TENSORS[described.columns[name] in graph.TEXTUAL]
        if tensor != wanted:
            raise ValueError(f"the graph takes the column {name!r} as {tensor}, not as {wanted}")
    for column in columns:
        kind = described.columns[column.name]
        signed = {graph.SIGNATURE_TYPES[kind]}
        if column.mlflow_type not in (_NUMBERS if signed <= _NUMBERS else signed):
            raise ValueError(
                f"the signature has the column {column.name!r} as {column.mlflow_type}, and the "
                f"graph as {kind}"
            )
    if described.answer not in {each.name for each in session.get_outputs()}:
        raise ValueError(f"the graph has no output {described.answer}")


def _shape(lengths: Sequence[int]) -> str:
    return f"[{', '.join(map(str, lengths))}]"
