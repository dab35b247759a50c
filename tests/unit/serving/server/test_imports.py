"""What a server has in memory: a library of a model's only where the model needs it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import xgboost

from fairlead_contract.graph import ColumnType
from support.graphs import build_graph, save_graph

FRAMEWORKS = {"lightgbm", "mlflow", "onnx", "pandas", "pyarrow", "scipy", "sklearn", "xgboost"}

SERVE = """
import json, sys
from pathlib import Path
from prometheus_client import CollectorRegistry
from fairlead_contract.graph import MARK
from fairlead_serving.server.__main__ import build
from fairlead_serving.server.artifact import Artifact
from fairlead_serving.server.predictors.flavors import open_predictor
from fairlead_serving.server.signature import Column, Kind
from support.server_settings import server_settings

columns = (Column(name="a", kind=Kind.NUMBER), Column(name="b", kind=Kind.NUMBER))
for flavors in ({"onnx": {"data": "model.onnx"}}, {"xgboost": {"data": "model.ubj"}}):
    predictor = open_predictor(
        Artifact(
            path=Path(sys.argv[1]),
            columns=columns,
            flavors=flavors,
            example=[{"a": 1, "b": 2}],
            metadata=MARK,
        ),
        allows_code=False,
    )
    build(server_settings(), predictor, CollectorRegistry())
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""


def test_graphs_and_boosters_are_served_without_frameworks(tmp_path: Path) -> None:
    """XGBoost's package for Python alone brought scipy, and 30 MiB, into each server."""
    save_graph(build_graph({"a": ColumnType.NUMBER, "b": ColumnType.NUMBER}), tmp_path)
    rows = np.arange(20.0).reshape(10, 2)
    table = xgboost.DMatrix(rows, rows[:, 0], feature_names=["a", "b"])
    xgboost.train({"nthread": 1}, table, num_boost_round=1).save_model(tmp_path / "model.ubj")

    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SERVE, str(tmp_path)],
        env={"PYTHONPATH": ":".join(sys.path)},
        stdout=subprocess.PIPE,
        check=True,
    )

    loaded = set(json.loads(ended.stdout))
    assert {"bentoml", "onnxruntime"} <= loaded
    assert FRAMEWORKS & loaded == set()
