"""Graphs from raw columns: what they are given for each cell, and which of them are refused."""

import dataclasses
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from fairlead_contract import graph
from fairlead_contract.graph import ColumnType
from fairlead_serving.server.artifact import Artifact
from fairlead_serving.server.failure import Reason, StartupError
from fairlead_serving.server.instances import BadInputError
from fairlead_serving.server.predictors import onnx
from fairlead_serving.server.predictors.flavors import find_form, open_predictor
from fairlead_serving.server.predictors.onnx import OnnxPredictor
from fairlead_serving.server.predictors.protocol import (
    Method,
    NotExplainedError,
    PredictionError,
    Scale,
)
from fairlead_serving.server.signature import Column, Kind
from support.graphs import build_graph, external, save_graph

TYPES: Mapping[str, ColumnType] = {
    "price": ColumnType.NUMBER,
    "rooms": ColumnType.INTEGER,
    "sold": ColumnType.BOOLEAN,
    "region": ColumnType.CATEGORY,
    "note": ColumnType.TEXT,
    "at": ColumnType.TIME,
}
_KINDS = {
    "double": Kind.NUMBER,
    "long": Kind.WHOLE,
    "boolean": Kind.BOOLEAN,
    "string": Kind.TEXT,
    "datetime": Kind.TIME,
}
ROW = {"price": 0.5, "rooms": 3, "sold": True, "region": "north", "note": "south", "at": 100}
SUM = 0.5 + 3 + 1 + 10 + 20 + 100
ONE = {"price": ColumnType.NUMBER}
IN_REVERSE = dict(reversed(TYPES.items()))


def columns(types: Mapping[str, ColumnType], *, optional: str = "") -> tuple[Column, ...]:
    return tuple(
        Column(name=name, kind=_KINDS[word], mlflow_type=word, required=name != optional)
        for name, word in ((name, graph.SIGNATURE_TYPES[kind]) for name, kind in types.items())
    )


def artifact(folder: Path, model: Any, taken: tuple[Column, ...]) -> Artifact:
    return Artifact(
        path=save_graph(model, folder),
        columns=taken,
        flavors={"onnx": {"data": graph.FILE}, "python_function": {}},
        example=None,
        metadata=graph.MARK,
    )


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> OnnxPredictor:
    """Open a graph whose columns stand in another order than in the signature."""
    model = build_graph(IN_REVERSE)
    taken = columns(TYPES, optional="note")
    return OnnxPredictor.load(artifact(tmp_path_factory.mktemp("graph"), model, taken))


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        pytest.param({}, 0, id="as it is"),
        pytest.param({"price": 2}, 1.5, id="an integer for a number"),
        pytest.param({"price": True}, 0.5, id="true for a number"),
        pytest.param({"price": None}, -1.5, id="no number"),
        pytest.param({"rooms": 4.0}, 1, id="a whole number with a point"),
        pytest.param({"rooms": None}, -4, id="no integer"),
        pytest.param({"sold": False}, -1, id="false"),
        pytest.param({"sold": 0}, -1, id="0 for false"),
        pytest.param({"sold": 0.0}, -1, id="0.0 for false"),
        pytest.param({"sold": None}, -2, id="neither true nor false"),
        pytest.param({"region": "west"}, -10, id="a category that no training saw"),
        pytest.param({"region": None}, -10, id="no category"),
        pytest.param({"region": 7}, 20, id="a number for a category"),
        pytest.param({"region": 7.0}, 20, id="the same with a point"),
        pytest.param({"region": True}, 30, id="true for a category"),
        pytest.param({"note": None}, -20, id="no text"),
        pytest.param({"note": ...}, -20, id="an optional column left out"),
        pytest.param({"at": 200.5}, 100.5, id="seconds"),
        pytest.param({"at": "1970-01-01T00:03:20Z"}, 100, id="a time"),
        pytest.param({"at": "1970-01-01 00:03:20"}, 100, id="a time in UTC, unsaid"),
        pytest.param({"at": "1970-01-01T02:03:20+02:00"}, 100, id="a time elsewhere"),
        pytest.param({"at": "1970-01-02"}, 86300, id="a day"),
        pytest.param({"at": None}, -101, id="no time"),
    ],
)
def test_each_cell_is_taken_as_the_contract_says(
    predictor: OnnxPredictor, changes: dict[str, Any], difference: float
) -> None:
    """Alone, among rows that need no closer look, and beside one that does."""
    row = {name: value for name, value in {**ROW, **changes}.items() if value is not ...}

    alone = predictor.predict([row])
    among = predictor.predict([ROW, row, ROW])
    beside = predictor.predict([{**ROW, "note": None}, row])

    assert np.asarray(beside).tolist() == [SUM - 20, SUM + difference]
    assert np.asarray(alone).tolist() == [SUM + difference]
    assert np.asarray(among).tolist() == [SUM, SUM + difference, SUM]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"price": "x"}, "column 'price': 'x' is not a number"),
        ({"price": 1e39}, "column 'price': 1e+39 is too large"),
        ({"rooms": 3.5}, "column 'rooms': 3.5 is not a whole number"),
        ({"sold": 2}, "column 'sold': 2 is not true or false"),
        ({"sold": "yes"}, "column 'sold': 'yes' is not true or false"),
        ({"region": ["north"]}, "column 'region': ['north'] is not a string or a number"),
        ({"note": 5}, "column 'note': 5 is not a string"),
        ({"at": "yesterday"}, "column 'at': 'yesterday' is neither a time such as 2026-01-31T"),
        ({"at": True}, "column 'at': True is neither a time"),
        ({"at": ...}, "has no column 'at'"),
        ({"extra": 1}, "unknown column 'extra'"),
    ],
)
def test_wrong_input_is_named_by_column(
    predictor: OnnxPredictor, changes: dict[str, Any], message: str
) -> None:
    row = {name: value for name, value in {**ROW, **changes}.items() if value is not ...}

    with pytest.raises(BadInputError) as refusal:
        predictor.predict([ROW, row])

    assert str(refusal.value).startswith("instances[1]")
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        pytest.param(["no", "yes"], [0.75, 0.25], id="two: that of the second"),
        pytest.param(["a", "b", "c"], [[0.2, 0.6, 0.2], [3 / 7, 1 / 7, 3 / 7]], id="three: all"),
    ],
)
def test_a_classification_gives_probabilities(
    tmp_path: Path, classes: list[str], expected: Any
) -> None:
    model = build_graph(ONE, classes=classes)
    predictor = OnnxPredictor.load(artifact(tmp_path, model, columns(ONE)))

    answer = predictor.predict([{"price": np.log(3)}, {"price": -np.log(3)}])

    np.testing.assert_allclose(answer, expected, rtol=1e-6)


def test_a_graph_needs_no_permission_for_code(tmp_path: Path) -> None:
    """MLflow writes the flavor python_function beside it, which would."""
    given = dataclasses.replace(
        artifact(tmp_path, build_graph(TYPES), columns(TYPES)), example=[ROW]
    )

    predictor = open_predictor(given, allows_code=False)

    assert np.asarray(predictor.predict([ROW])).tolist() == [SUM]


@pytest.mark.parametrize("metadata", [None, {}, {"fairlead.graph": "rows"}])
def test_a_graph_of_another_form_is_left_to_mlflow(tmp_path: Path, metadata: Any) -> None:
    ours = artifact(tmp_path, build_graph(ONE), columns(ONE))
    other = dataclasses.replace(ours, metadata=metadata)

    assert find_form(other).flavor == "python_function"
    with pytest.raises(StartupError, match=r"with fairlead\.graph: columns in the meta") as failure:
        open_predictor(other, allows_code=False)
    assert failure.value.reason is Reason.CODE_NOT_ALLOWED


def reading(file: str) -> Any:
    """Build a graph that has one of its values in another file."""
    used = helper.make_node("Identity", ["outside"], ["fairlead.used"])
    return build_graph(ONE, initializers=[external(file)], nodes=[used])


def answering(*operators: str, types: Mapping[str, ColumnType] = ONE) -> Any:
    """Build a graph that does more with the sum of its columns; Sub takes it from itself."""
    model = build_graph(types)
    model.graph.node[-1].output[0] = "fairlead.0"
    for at, operator in enumerate(operators):
        taken = [f"fairlead.{at}"] * (2 if operator == "Sub" else 1)
        given = graph.VALUE if at == len(operators) - 1 else f"fairlead.{at + 1}"
        model.graph.node.append(helper.make_node(operator, taken, [given]))
    return model


CUSTOM = helper.make_node("Steal", ["price"], ["fairlead.stolen"], domain="example.org")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        pytest.param(build_graph({"cost": ColumnType.NUMBER}), "inputs cost, price", id="another"),
        pytest.param(
            build_graph(TYPES), "inputs at, note, region, rooms, sold", id="more than the signature"
        ),
        pytest.param(
            build_graph(
                {"price": ColumnType.TEXT},
                metadata=graph.write_metadata(
                    graph.Description(task="regression", classes=None, columns=ONE, sources=())
                ),
            ),
            "takes the column 'price' as tensor.string., not as tensor.double.",
            id="another tensor",
        ),
        pytest.param(build_graph(ONE, metadata={}), "fairlead.columns is missing", id="unsaid"),
        pytest.param(
            build_graph(
                ONE,
                metadata=graph.write_metadata(
                    graph.Description(task="x", classes=("a", "b"), columns=ONE, sources=())
                ),
            ),
            "has no output fairlead.probabilities",
            id="no answer",
        ),
        pytest.param(build_graph(ONE, nodes=[CUSTOM]), "Steal", id="an operator of its own"),
        pytest.param(reading("../secret"), "escapes model directory", id="a file elsewhere"),
        pytest.param(
            reading("a/../../secret"), "escapes model directory", id="in a roundabout way"
        ),
        pytest.param(reading("/proc/self/environ"), "Absolute path not allowed", id="by its root"),
    ],
)
def test_a_graph_that_is_not_what_its_artifact_says_does_not_start(
    tmp_path: Path, model: Any, message: str
) -> None:
    (tmp_path / "secret").write_bytes(b"12345678")
    given = artifact(tmp_path / "model", model, columns(ONE))

    with pytest.raises(StartupError, match=message) as failure:
        open_predictor(given, allows_code=False)

    assert failure.value.reason is Reason.ARTIFACT_INVALID
    assert "12345678" not in failure.value.message


@pytest.mark.parametrize(
    ("signed", "held", "starts"),
    [
        ("long", ColumnType.NUMBER, True),
        ("float", ColumnType.INTEGER, True),
        ("string", ColumnType.TEXT, True),
        ("string", ColumnType.NUMBER, False),
        ("boolean", ColumnType.NUMBER, False),
        ("double", ColumnType.CATEGORY, False),
        ("long", ColumnType.TIME, False),
        ("datetime", ColumnType.INTEGER, False),
    ],
)
def test_the_signature_and_the_graph_say_the_same_of_a_column(
    tmp_path: Path, signed: str, held: ColumnType, *, starts: bool
) -> None:
    kind = Kind.NUMBER if signed == "float" else _KINDS[signed]
    taken = (Column(name="price", kind=kind, mlflow_type=signed),)
    given = artifact(tmp_path, build_graph({"price": held}), taken)

    if starts:
        OnnxPredictor.load(given)
        return
    with pytest.raises(ValueError, match=f"column 'price' as {signed}, and the graph as {held}"):
        OnnxPredictor.load(given)


def test_what_is_no_graph_does_not_start(tmp_path: Path) -> None:
    given = artifact(tmp_path, build_graph(ONE), columns(ONE))
    (tmp_path / graph.FILE).write_bytes(b"\x80\x04pickle")

    with pytest.raises(StartupError, match="model cannot be loaded"):
        open_predictor(given, allows_code=False)


@pytest.mark.parametrize(
    ("model", "row", "message"),
    [
        pytest.param(
            build_graph(ONE, classes=["a", "b", "c"], width=2),
            {"price": 1},
            r"gives \[1, 2\] for 1 rows, not \[1, 3\]",
            id="a class less than it names",
        ),
        pytest.param(
            answering("Sub", "Log"), {"price": 1}, "not a finite number", id="the logarithm of 0"
        ),
        pytest.param(
            answering("Sub", "Log"), {"price": None}, "not a finite number", id="for null as well"
        ),
    ],
)
def test_an_answer_that_is_none_whatever_is_asked_is_an_error(
    tmp_path: Path, model: Any, row: dict[str, Any], message: str
) -> None:
    taken = columns(dict.fromkeys(row, ColumnType.NUMBER))
    predictor = OnnxPredictor.load(artifact(tmp_path, model, taken))

    with pytest.raises(PredictionError, match=message):
        predictor.predict([row])


TWO = {"a": ColumnType.NUMBER, "price": ColumnType.NUMBER}


@pytest.mark.parametrize(
    ("model", "row"),
    [
        pytest.param(build_graph(TWO), {"a": 3e38, "price": 3e38}, id="a sum too large"),
        pytest.param(build_graph(TWO), {"a": -3e38, "price": -3e38}, id="or too small"),
        pytest.param(answering("Sqrt"), {"price": -1}, id="outside what a function takes"),
        pytest.param(
            answering("Sqrt"), {"price": None}, id="null, where the graph fills nothing in"
        ),
    ],
)
def test_values_that_have_no_answer_are_the_clients_fault(
    tmp_path: Path, model: Any, row: dict[str, Any]
) -> None:
    taken = columns(dict.fromkeys(row, ColumnType.NUMBER))
    predictor = OnnxPredictor.load(artifact(tmp_path, model, taken))

    with pytest.raises(BadInputError, match=r"^instances\[1\]: .* not a finite number; give"):
        predictor.predict([dict.fromkeys(row, 1), row])


@pytest.mark.parametrize(
    ("milliseconds", "is_fast"),
    [
        pytest.param(0.01, True, id="quick for a row, and for 200"),
        pytest.param(0.9, False, id="quick for a row alone"),
        pytest.param(500.0, False, id="slow"),
    ],
)
def test_a_graph_that_is_slow_for_what_the_event_loop_is_given_leaves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, milliseconds: float, *, is_fast: bool
) -> None:
    now = 0.0
    run = OnnxPredictor._run

    def take_time(predictor: OnnxPredictor, rows: Any) -> Any:
        nonlocal now
        now += milliseconds / 1000 * len(rows["price"])
        return run(predictor, rows)

    clock = types.SimpleNamespace(perf_counter=lambda: now, monotonic=lambda: now)
    monkeypatch.setattr(onnx, "time", clock)
    monkeypatch.setattr(OnnxPredictor, "_run", take_time)

    predictor = OnnxPredictor.load(artifact(tmp_path, build_graph(TYPES), columns(TYPES)))

    assert predictor.is_fast is is_fast


EXAMPLE = {"price": 1.5, "rooms": 1, "sold": False, "region": "south", "note": "west", "at": 0}


@pytest.mark.parametrize(
    ("example", "added"),
    [
        pytest.param(
            [EXAMPLE],
            {"price": -1, "rooms": 2, "sold": 1, "region": -10, "note": 20, "at": 100},
            id="beside the row of the example",
        ),
        pytest.param(
            [EXAMPLE, {**EXAMPLE, "rooms": 5}],
            {"price": -1, "rooms": 0, "sold": 1, "region": -10, "note": 20, "at": 100},
            id="beside the mean of two",
        ),
        pytest.param(
            None,
            {"price": 1.5, "rooms": 4, "sold": 2, "region": 10, "note": 20, "at": 101},
            id="without an example, beside nothing",
        ),
        pytest.param(
            [{"price": "x"}],
            {"price": 1.5, "rooms": 4, "sold": 2, "region": 10, "note": 20, "at": 101},
            id="the same with an example that does not fit",
        ),
    ],
)
def test_each_raw_column_of_a_graph_has_what_it_adds(
    tmp_path: Path, example: Any, added: dict[str, float]
) -> None:
    given = artifact(tmp_path, build_graph(IN_REVERSE), columns(TYPES))
    predictor = OnnxPredictor.load(dataclasses.replace(given, example=example))

    explained = predictor.explain([ROW, {**ROW, "region": None}], bool)

    first, second = explained.rows
    assert (explained.method, explained.scale) == (Method.ALL_ORDERS, Scale.VALUE)
    assert (first.score, first.output, first.error) == (SUM, None, None)
    assert list(first.attributions) == list(TYPES)
    assert first.attributions == pytest.approx(added)
    assert first.base == pytest.approx(SUM - sum(added.values()))
    assert second.attributions["region"] == pytest.approx(added["region"] - 10)


@pytest.mark.parametrize(
    ("classes", "price", "output"),
    [
        pytest.param(["no", "yes"], 2.0, 1, id="of two, the second"),
        pytest.param(["no", "yes"], -2.0, 1, id="also where the first is likelier"),
        pytest.param(["a", "b", "c"], 2.0, 1, id="of more, the likeliest"),
        pytest.param(["a", "b", "c"], -2.0, 0, id="whichever it is"),
    ],
)
def test_the_probability_of_one_class_is_explained(
    tmp_path: Path, classes: list[str], price: float, output: int
) -> None:
    given = artifact(tmp_path, build_graph(ONE, classes=classes), columns(ONE))
    predictor = OnnxPredictor.load(dataclasses.replace(given, example=[{"price": 0}]))

    explained = predictor.explain([{"price": price}], bool)

    (row,) = explained.rows
    likeness = np.exp([0, price, *[0] * (len(classes) - 2)])
    score = likeness[output] / likeness.sum()
    assert (explained.scale, row.output) == (Scale.PROBABILITY, output)
    assert (row.score, row.base) == pytest.approx((score, 1 / len(classes)))
    assert row.attributions == pytest.approx({"price": score - 1 / len(classes)})


def test_the_probabilities_of_several_rows_are_in_one_piece(tmp_path: Path) -> None:
    given = artifact(tmp_path, build_graph(ONE, classes=["no", "yes"]), columns(ONE))

    scores = OnnxPredictor.load(given).predict([{"price": 0}] * 3)

    assert isinstance(scores, np.ndarray)
    assert scores.flags.c_contiguous


def test_many_columns_are_explained_with_an_error(tmp_path: Path) -> None:
    many = {f"c{at}": ColumnType.NUMBER for at in range(20)}
    given = artifact(tmp_path, build_graph(many, classes=["no", "yes"]), columns(many))
    predictor = OnnxPredictor.load(dataclasses.replace(given, example=[dict.fromkeys(many, 0)]))

    explained = predictor.explain([dict.fromkeys(many, 0.1)], bool)

    (row,) = explained.rows
    assert explained.method is Method.DRAWN_ORDERS
    assert row.score == pytest.approx(1 / (1 + np.exp(-2)))
    assert row.base + sum(row.attributions.values()) == pytest.approx(row.score)
    assert row.error is not None
    assert 0 < row.error < 0.05


def test_an_explanation_ends_when_nobody_waits_for_it(tmp_path: Path) -> None:
    predictor = OnnxPredictor.load(artifact(tmp_path, build_graph(ONE), columns(ONE)))

    with pytest.raises(NotExplainedError):
        predictor.explain([{"price": 1}], lambda: True)


def test_a_mixture_without_an_answer_is_not_explained(tmp_path: Path) -> None:
    """The square root of (a + price) has one for this row and for that of the example."""
    given = artifact(tmp_path, answering("Sqrt", types=TWO), columns(TWO))
    predictor = OnnxPredictor.load(dataclasses.replace(given, example=[{"a": -2, "price": 3}]))

    with pytest.raises(NotExplainedError, match="between this one and its input example"):
        predictor.explain([{"a": 3, "price": -2}], bool)
