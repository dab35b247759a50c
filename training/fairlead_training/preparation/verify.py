"""Compare a graph with the preparation and the model that it was made of, row by row.

Conversions go wrong without a word.  A graph that differs is not served.
"""

import dataclasses
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime
import pandas as pd

from fairlead_contract import graph as contract
from fairlead_contract.graph import TEXTUAL, Description
from fairlead_training.preparation.pipeline import Preparation

Floats = npt.NDArray[np.float64]

_CLOSE: Final = 2e-5  # of an answer's size: 32 bits, and some hundred of them added up
_ROWS: Final = 10_000  # at a time
_NAMED: Final = 3


class InvalidAnswerError(Exception):
    """A graph that gives another number of rows or classes than the model."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Where a graph says something else than what it was made of, in words."""

    rows: int  # that differ
    text: str


class Graph:
    """A graph of the contract, opened as a server opens it."""

    def __init__(self, content: bytes, *, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # what is wrong is raised
        self._session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        properties = self._session.get_modelmeta().custom_metadata_map
        self.description: Description = contract.read_metadata(properties)

    def run(self, rows: pd.DataFrame, *outputs: str) -> list[npt.NDArray[np.float32]]:
        """Return these outputs for rows whose columns ``raw`` has read."""
        parts = [
            self._session.run(outputs, self._feed(rows.iloc[start : start + _ROWS]))
            for start in range(0, len(rows), _ROWS)
        ]
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    def _feed(self, rows: pd.DataFrame) -> dict[str, npt.NDArray[Any]]:
        return {
            name: rows[name].to_numpy(object if kind in TEXTUAL else np.float64).reshape(-1, 1)
            for name, kind in self.description.columns.items()
        }


def compare_features(
    graph: Graph, preparation: Preparation, rows: pd.DataFrame, *, quotes: bool = True
) -> Difference | None:
    """Compare what a learner sees; it must be the same to the last bit.

    Args:
        graph: with the features as an output.
        preparation: it was made of.
        rows: whose columns ``raw`` has read.
        quotes: whether values may be shown.
    """
    expected = preparation.transform(rows)
    (found,) = graph.run(rows, contract.FEATURES)
    wanted = expected.to_numpy()
    if found.shape != wanted.shape:
        raise InvalidAnswerError(f"the graph gives {found.shape} features, not {wanted.shape}")
    wrong = ~((found == wanted) | (np.isnan(found) & np.isnan(wanted)))
    if not wrong.any():
        return None
    row, feature = (int(place[0]) for place in np.nonzero(wrong))
    source = preparation.sources[feature]
    value = f" {rows[source].iloc[[row]].tolist()[0]!r}" if quotes else ""
    return Difference(
        rows=int(wrong.any(axis=1).sum()),
        text=f"its ONNX graph prepares {_count(wrong.any(axis=1))} otherwise: the value{value} of "
        f"column {source} in row {row + 1} becomes {found[row, feature]:.9g} in "
        f"{preparation.names[feature]}, and not {wanted[row, feature]:.9g}",
    )


def compare_answers(
    graph: Graph, expected: Floats, rows: pd.DataFrame, *, size: float = 1.0
) -> Difference | None:
    """Compare the answers, within what 32 bits allow.

    Args:
        graph: with an answer as an output.
        expected: what the model itself says: one probability, one a class, or a value.
        rows: whose columns ``raw`` has read.
        size: the least that a difference is measured by; 1 for probabilities.
    """
    (found,) = graph.run(rows, graph.description.answer)
    wanted = expected.reshape(len(rows), -1)
    if graph.description.classes is not None and wanted.shape[1] == 1:
        wanted = np.hstack([1 - wanted, wanted])
    if found.shape != wanted.shape:
        raise InvalidAnswerError(f"the graph gives {found.shape} answers, not {wanted.shape}")
    difference = np.abs(found.astype(np.float64) - wanted)
    # What is no number is wrong as well, unless the model says so too.
    wrong = ~((difference <= _CLOSE * np.maximum(np.abs(wanted), size)) | (found == wanted))
    wrong &= ~(np.isnan(found) & np.isnan(wanted))
    if not wrong.any():
        return None
    far = np.where(wrong, np.nan_to_num(difference, nan=np.inf), -1)
    worst = np.unravel_index(int(far.argmax()), far.shape)
    rows_wrong = wrong.any(axis=1)
    first = ", ".join(str(row + 1) for row in np.flatnonzero(rows_wrong)[:_NAMED])
    return Difference(
        rows=int(rows_wrong.sum()),
        text=f"its ONNX graph answers {_count(rows_wrong)} otherwise (first: {first}), by up to "
        f"{difference[worst]:.3g}: {found[worst]:.9g} in row {worst[0] + 1}, and not "
        f"{wanted[worst]:.9g}",
    )


def _count(wrong: npt.NDArray[np.bool_]) -> str:
    return f"{int(wrong.sum())} of {len(wrong)} rows"
