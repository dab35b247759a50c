"""What a booster's predictions mean, and which boosters do not start."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost

from fairlead_serving.server.artifact import Artifact
from fairlead_serving.server.instances import BadInputError
from fairlead_serving.server.predictors.booster import Booster, BoosterError
from fairlead_serving.server.predictors.protocol import (
    Explanation,
    Method,
    NotExplainedError,
    PredictionError,
    Scale,
)
from fairlead_serving.server.predictors.xgboost import XgboostPredictor
from fairlead_serving.server.signature import Column, Kind

A = Column(name="a", kind=Kind.NUMBER)
B = Column(name="b", kind=Kind.WHOLE, mlflow_type="long")
RNG = np.random.default_rng(7)
FRAME = pd.DataFrame({"a": RNG.normal(size=200), "b": RNG.integers(0, 9, size=200)})


def train(objective: str, labels: Any, *, frame: Any = FRAME, **params: Any) -> xgboost.Booster:
    return xgboost.train(
        {"objective": objective, "max_depth": 2, "nthread": 1, **params},
        xgboost.DMatrix(frame, labels),
        num_boost_round=5,
    )


UP = (FRAME["a"] > 0).astype(int)


def artifact(tmp_path: Path, trained: xgboost.Booster, **changes: Any) -> Artifact:
    trained.save_model(tmp_path / "model.ubj")
    fields = {
        "path": tmp_path,
        "columns": (A, B),
        "flavors": {"xgboost": {"data": "model.ubj"}},
        "example": None,
        **changes,
    }
    return Artifact(**fields)


def instances(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


@pytest.mark.parametrize(
    ("objective", "labels", "params"),
    [
        pytest.param("binary:logistic", UP, {}, id="binary: probability of class 1"),
        pytest.param("multi:softprob", FRAME["b"] % 3, {"num_class": 3}, id="multiclass: all"),
        pytest.param("reg:squarederror", FRAME["a"] * 2, {}, id="regression: the value"),
    ],
)
def test_a_booster_predicts_as_xgboost_does(
    tmp_path: Path, objective: str, labels: Any, params: dict[str, Any]
) -> None:
    booster = train(objective, labels, **params)

    predictor = XgboostPredictor.load(artifact(tmp_path, booster))

    frame = FRAME.assign(a=FRAME["a"].where(FRAME["b"] > 0))  # a gap for each row without b
    actual = predictor.predict(instances(frame))
    np.testing.assert_allclose(actual, booster.predict(xgboost.DMatrix(frame)), rtol=1e-5)
    np.testing.assert_array_equal(actual, booster.inplace_predict(frame.to_numpy()))


def as_it_is(margins: Any) -> Any:
    return margins


def to_probability(margins: Any) -> Any:
    return 1 / (1 + np.exp(-margins))


COUNTS = FRAME["b"].astype(float)


@pytest.mark.parametrize(
    ("objective", "labels", "scale", "output", "link"),
    [
        pytest.param("binary:logistic", UP, Scale.LOG_ODDS, 1, to_probability, id="binary"),
        pytest.param("reg:squarederror", COUNTS, Scale.VALUE, None, as_it_is, id="regression"),
        pytest.param("count:poisson", COUNTS, Scale.LOG, None, np.exp, id="counts"),
        pytest.param("rank:pairwise", UP, Scale.MARGIN, None, as_it_is, id="another objective"),
    ],
)
@pytest.mark.parametrize("booster", ["gbtree", "dart"])
def test_what_the_columns_add_makes_the_score(
    tmp_path: Path,
    *,
    objective: str,
    labels: Any,
    scale: Scale,
    output: int | None,
    link: Callable[[Any], Any],
    booster: str,
) -> None:
    predictor = XgboostPredictor.load(
        artifact(tmp_path, train(objective, labels, booster=booster), columns=(B, A))
    )
    asked = [*instances(FRAME[:20]), {"a": None, "b": None}]

    explained = predictor.explain(asked, bool)

    assert (explained.method, explained.scale) == (Method.TREES, scale)
    assert {row.output for row in explained.rows} == {output}
    assert {row.error for row in explained.rows} == {None}
    scores = np.array([row.score for row in explained.rows])
    np.testing.assert_allclose(scores, list(map(together, explained.rows)), atol=1e-9)
    np.testing.assert_allclose(link(scores), predictor.predict(asked), rtol=1e-4)


def together(row: Explanation) -> float:
    return row.base + sum(row.attributions.values())


def test_attributions_are_xgboosts_own_by_column(tmp_path: Path) -> None:
    trained = train("binary:logistic", UP)
    predictor = XgboostPredictor.load(artifact(tmp_path, trained))

    explained = predictor.explain(instances(FRAME[:5]), bool)

    expected = trained.predict(xgboost.DMatrix(FRAME[:5]), pred_contribs=True)
    actual = [[*row.attributions.values(), row.base] for row in explained.rows]
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    assert [list(row.attributions) for row in explained.rows] == [["a", "b"]] * 5


def test_of_several_classes_the_likeliest_is_explained(tmp_path: Path) -> None:
    trained = train("multi:softprob", FRAME["b"] % 3, num_class=3)
    predictor = XgboostPredictor.load(artifact(tmp_path, trained))
    asked = instances(FRAME[:20])

    explained = predictor.explain(asked, bool)

    margins = trained.predict(xgboost.DMatrix(FRAME[:20]), output_margin=True)
    assert [row.output for row in explained.rows] == margins.argmax(axis=1).tolist()
    np.testing.assert_allclose(
        [row.score for row in explained.rows], margins.max(axis=1), rtol=1e-4, atol=1e-5
    )


def test_a_scikit_learn_model_is_explained_up_to_its_best_iteration(tmp_path: Path) -> None:
    booster = train("reg:squarederror", FRAME["a"])
    booster.set_attr(best_iteration="1")
    predictor = XgboostPredictor.load(artifact(tmp_path, booster, flavors=SKLEARN))
    asked = instances(FRAME[:5])

    explained = predictor.explain(asked, bool)

    np.testing.assert_allclose(
        [row.score for row in explained.rows], predictor.predict(asked), rtol=1e-4, atol=1e-6
    )


def test_a_model_of_several_values_is_not_explained(tmp_path: Path) -> None:
    predictor = XgboostPredictor.load(
        artifact(tmp_path, train("reg:squarederror", FRAME.to_numpy()))
    )

    with pytest.raises(NotExplainedError, match="answers 2 values a row"):
        predictor.explain(instances(FRAME[:1]), bool)


def test_threads_do_not_meet_in_a_booster(tmp_path: Path) -> None:
    """A batch is predicted on its thread while the event loop predicts a row."""
    predictor = XgboostPredictor.load(artifact(tmp_path, train("reg:squarederror", FRAME["a"])))
    tables = [instances(FRAME[: 1 + at * 20]) for at in range(8)]
    expected = [predictor.predict(table) for table in tables]

    with ThreadPoolExecutor(4) as threads:
        explained = threads.submit(
            lambda: [predictor.explain(tables[1], bool).rows[0].score for _ in range(50)]
        )
        actual = list(threads.map(predictor.predict, tables * 50))

    for at, scores in enumerate(actual):
        np.testing.assert_array_equal(scores, expected[at % len(tables)])
    assert len(set(explained.result())) == 1


def test_rows_that_a_booster_does_not_take_are_refused_in_its_words(tmp_path: Path) -> None:
    train("reg:squarederror", FRAME["a"]).save_model(tmp_path / "model.ubj")
    predictor = XgboostPredictor(Booster.read(tmp_path / "model.ubj"), (A,))

    with pytest.raises(BoosterError, match=r"Number of columns in data [^\n]*$"):
        predictor.predict([{"a": 1}])


def test_columns_go_to_the_booster_in_its_own_order(tmp_path: Path) -> None:
    booster = train("reg:squarederror", FRAME["a"])

    predictor = XgboostPredictor.load(artifact(tmp_path, booster, columns=(B, A)))

    np.testing.assert_allclose(
        predictor.predict(instances(FRAME)), booster.predict(xgboost.DMatrix(FRAME)), rtol=1e-5
    )


SKLEARN = {"xgboost": {"data": "model.ubj", "model_class": "xgboost.sklearn.XGBRegressor"}}


def test_a_scikit_learn_model_stops_at_its_best_iteration(tmp_path: Path) -> None:
    booster = train("reg:squarederror", FRAME["a"])
    booster.set_attr(best_iteration="1")

    predictor = XgboostPredictor.load(artifact(tmp_path, booster, flavors=SKLEARN))

    expected = booster.predict(xgboost.DMatrix(FRAME), iteration_range=(0, 2))
    np.testing.assert_allclose(predictor.predict(instances(FRAME)), expected, rtol=1e-5)


def test_a_booster_without_names_goes_by_the_signature(tmp_path: Path) -> None:
    booster = train("reg:squarederror", FRAME["a"], frame=FRAME.to_numpy())

    predictor = XgboostPredictor.load(artifact(tmp_path, booster))

    assert len(predictor.predict([{"a": None, "b": 1}])) == 1


def test_bad_input_is_refused_before_the_model(tmp_path: Path) -> None:
    predictor = XgboostPredictor.load(artifact(tmp_path, train("binary:logistic", UP)))

    with pytest.raises(BadInputError, match="column 'a'"):
        predictor.predict([{"a": "x", "b": 1}])


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        pytest.param(FRAME, "differ in the columns b", id="a column less"),
        pytest.param(FRAME.to_numpy(), "takes 2 columns, the signature 1", id="without names"),
    ],
)
def test_a_booster_of_other_columns_is_refused(tmp_path: Path, frame: Any, message: str) -> None:
    booster = train("reg:squarederror", FRAME["a"], frame=frame)

    with pytest.raises(ValueError, match=message):
        XgboostPredictor.load(artifact(tmp_path, booster, columns=(A,)))


@pytest.mark.parametrize("content", [b"", b"\x80\x04pickle", b"{}", b'{"learner": {}}'])
def test_what_is_no_booster_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.ubj").write_bytes(content)

    with pytest.raises(BoosterError):
        Booster.read(tmp_path / "model.ubj")


def test_a_score_that_is_no_number_is_an_error(tmp_path: Path) -> None:
    booster = train("reg:squarederror", FRAME["a"], base_score=3e38)
    leaves = json.loads(booster.save_raw("json"))
    for tree in leaves["learner"]["gradient_booster"]["model"]["trees"]:
        tree["base_weights"] = [3e38] * len(tree["base_weights"])
        tree["split_conditions"] = [3e38] * len(tree["split_conditions"])
    (tmp_path / "model.json").write_text(json.dumps(leaves))
    predictor = XgboostPredictor(Booster.read(tmp_path / "model.json"), (A, B))

    with pytest.raises(PredictionError, match="not a finite number"):
        predictor.predict([{"a": 1, "b": 1}])
