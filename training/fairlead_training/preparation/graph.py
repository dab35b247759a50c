"""Write a fitted preparation as an ONNX graph.

One function for each kind of step in ``pipeline``.  Each gives the bits that scikit-learn gives.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, TargetEncoder

from fairlead_contract import graph as contract
from fairlead_contract.graph import TEXTUAL, ColumnType, Description
from fairlead_training.graph import make_model
from fairlead_training.preparation.pipeline import (
    ENCODED,
    NUMBERS,
    ONE_HOT,
    TIMES,
    WORD,
    Preparation,
)
from fairlead_training.preparation.transformers import DAY, RARE, Calendar, Origin, RareCategories

_PREFIX: Final = f"{contract.RESERVED}raw/"
_ML: Final = "ai.onnx.ml"
_CONTRIBUTED: Final = "com.microsoft"
# RE2 writes a code point in another way than Python.
_RE2_WORD: Final = re.sub(r"\\u([0-9a-f]{4})", r"\\x{\1}", WORD)
_NO_WORD: Final = "#"  # fills up what has fewer words; no token


def build_graph(preparation: Preparation, description: Description) -> onnx.ModelProto:
    """Return the graph from raw columns to features."""
    nodes = _Nodes()
    parts = []
    for name, step, columns in preparation.steps.transformers_:
        if name != "remainder":
            parts.append(_WRITERS.get(name, _write_words)(nodes, step, list(columns)))
    nodes.add("Concat", parts, output=contract.FEATURES, axis=1)
    inputs = [
        helper.make_tensor_value_info(name, _tensor(kind), [None, 1])
        for name, kind in preparation.columns.items()
    ]
    width = len(preparation.names)
    graph = helper.make_graph(
        nodes.nodes,
        "fairlead",
        inputs,
        [helper.make_tensor_value_info(contract.FEATURES, TensorProto.FLOAT, [None, width])],
        initializer=nodes.constants,
    )
    contributed = any(node.domain == _CONTRIBUTED for node in nodes.nodes)
    model = make_model(graph, domains=[_CONTRIBUTED] if contributed else [])
    helper.set_model_props(model, contract.write_metadata(description))
    return model


def _tensor(kind: ColumnType) -> int:
    return int(TensorProto.STRING if kind in TEXTUAL else TensorProto.DOUBLE)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Nodes:
    """The nodes and constants of a graph in the making."""

    nodes: list[onnx.NodeProto] = dataclasses.field(default_factory=list)
    constants: list[onnx.TensorProto] = dataclasses.field(default_factory=list)

    def add(
        self,
        operator: str,
        inputs: Sequence[str],
        *,
        domain: str = "",
        output: str | None = None,
        **attributes: Any,
    ) -> str:
        """Add a node, and return the name of its output."""
        output = output or f"{_PREFIX}{len(self.nodes)}"
        node = helper.make_node(operator, inputs, [output], domain=domain, **attributes)
        self.nodes.append(node)
        return output

    def constant(self, value: npt.ArrayLike, kind: Any = np.float64) -> str:
        """Add a constant, and return its name."""
        name = f"{_PREFIX}constant/{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=kind), name))
        return name

    def join(self, parts: Sequence[str]) -> str:
        """Put columns beside each other."""
        return parts[0] if len(parts) == 1 else self.add("Concat", parts, axis=1)

    def to_floats(self, values: str) -> str:
        """Round to 32 bits."""
        return self.add("Cast", [values], to=TensorProto.FLOAT)


def _write_numbers(nodes: _Nodes, step: Origin, columns: list[str]) -> str:
    values = nodes.join(columns)
    if step.origin_.any():
        values = nodes.add("Sub", [values, nodes.constant(step.origin_)])
    return nodes.to_floats(values)


def _write_one_hot(nodes: _Nodes, step: Pipeline, columns: list[str]) -> str:
    rare: RareCategories = step[0]
    encoder: OneHotEncoder = step[-1]
    parts = []
    for column, kept, categories in zip(columns, rare.kept_, encoder.categories_, strict=True):
        places = {str(category): place for place, category in enumerate(categories)}
        width = len(places)
        place = nodes.add(
            "LabelEncoder",
            [column],
            domain=_ML,
            keys_strings=kept or [RARE],
            values_int64s=[places[category] for category in kept or [RARE]],
            default_int64=places.get(RARE, width),  # beyond the last: nowhere
        )
        hot = nodes.add(
            "OneHotEncoder", [place], domain=_ML, cats_int64s=list(range(width)), zeros=1
        )
        parts.append(nodes.add("Flatten", [hot], axis=1))
    return nodes.join(parts)


def _write_encoded(nodes: _Nodes, step: Pipeline, columns: list[str]) -> str:
    rare: RareCategories = step[0]
    return nodes.join(
        [
            nodes.add(
                "LabelEncoder",
                [column],
                domain=_ML,
                keys_strings=kept or [RARE],
                values_floats=[float(np.float32(code[category])) for category in kept or [RARE]],
                default_float=float(np.float32(code[RARE])),
            )
            for column, kept, codes in zip(columns, rare.kept_, _read_codes(step[-1]), strict=True)
            for code in codes
        ]
    )


def _read_codes(encoder: Any) -> list[list[Mapping[str, float]]]:
    """Return for each column the codes of its categories, once for each class with its own."""
    if not isinstance(encoder, TargetEncoder):
        return [
            [{RARE: -1.0, **{str(one): float(n) for n, one in enumerate(categories)}}]
            for categories in encoder.categories_
        ]
    width = len(encoder.encodings_) // len(encoder.categories_)
    unseen = np.broadcast_to(encoder.target_mean_, (width,))
    return [
        [
            {
                RARE: float(unseen[one]),
                **dict(
                    zip(map(str, categories), encoder.encodings_[place * width + one], strict=True)
                ),
            }
            for one in range(width)
        ]
        for place, categories in enumerate(encoder.categories_)
    ]


def _write_times(nodes: _Nodes, step: Calendar, columns: list[str]) -> str:
    """Write ``transformers.read_calendar``, operation by operation."""

    def op(operator: str, one: str, other: str | float) -> str:
        second = other if isinstance(other, str) else nodes.constant(other)
        return nodes.add(operator, [one, second])

    def floor(value: str) -> str:
        return nodes.add("Floor", [value])

    def over(value: str, length: float) -> str:
        return floor(op("Div", value, length))

    def within(value: str, length: float) -> str:
        return op("Sub", value, op("Mul", over(value, length), length))

    seconds = nodes.join(columns)
    day = over(seconds, DAY)
    hour = op("Div", op("Sub", seconds, op("Mul", day, DAY)), 3600.0)
    weekday = within(op("Add", day, 3.0), 7.0)
    era_day = within(op("Add", day, 719_468.0), 146_097.0)
    leap_free = op("Sub", era_day, over(era_day, 1_460.0))
    leap_free = op("Add", leap_free, over(era_day, 36_524.0))
    leap_free = op("Sub", leap_free, over(era_day, 146_096.0))
    era_year = over(leap_free, 365.0)
    year_start = op("Mul", era_year, 365.0)
    year_start = op("Add", year_start, over(era_year, 4.0))
    year_start = op("Sub", year_start, over(era_year, 100.0))
    year_day = op("Sub", era_day, year_start)
    march = over(op("Add", op("Mul", year_day, 5.0), 2.0), 153.0)
    month_start = over(op("Add", op("Mul", march, 153.0), 2.0), 5.0)
    month_day = op("Add", op("Sub", year_day, month_start), 1.0)
    month = op("Sub", op("Add", march, 3.0), op("Mul", over(march, 10.0), 12.0))
    days = op("Div", op("Sub", seconds, nodes.constant(step.origin_)), DAY)
    parts = nodes.join([days, month, month_day, weekday, hour])
    kept = nodes.constant(step.kept_, np.int64)
    return nodes.to_floats(nodes.add("Gather", [parts, kept], axis=1))


def _write_words(nodes: _Nodes, step: Pipeline, columns: list[str]) -> str:
    words: TfidfVectorizer = step[-1]
    names = [str(name) for name in words.get_feature_names_out()]
    flat = nodes.add("Reshape", [columns[0], nodes.constant([-1], np.int64)])
    lowered = nodes.add("StringNormalizer", [flat], case_change_action="LOWER", locale="C")
    tokens = nodes.add(
        "Tokenizer",
        [lowered],
        domain=_CONTRIBUTED,
        mark=0,
        mincharnum=1,
        pad_value=_NO_WORD,
        tokenexp=_RE2_WORD,
    )
    return nodes.add(
        "TfIdfVectorizer",
        [tokens],
        mode="TFIDF",
        min_gram_length=1,
        max_gram_length=1,
        max_skip_count=0,
        ngram_counts=[0],
        ngram_indexes=list(range(len(names))),
        pool_strings=names,
        weights=[float(np.float32(weight)) for weight in words.idf_],
    )


_WRITERS: Final[Mapping[str, Any]] = {
    NUMBERS: _write_numbers,
    ONE_HOT: _write_one_hot,
    ENCODED: _write_encoded,
    TIMES: _write_times,
}
