"""What a Model's spec says of itself."""

from typing import Any

import pytest

from fairlead_operator.api.model import ModelSpec
from support.world import model_manifest


@pytest.mark.parametrize(
    ("spec", "metric"),
    [
        pytest.param({"task": "binary-classification"}, "roc_auc", id="of two classes"),
        pytest.param({"task": "multiclass-classification"}, "log_loss", id="of several classes"),
        pytest.param({"task": "regression"}, "rmse", id="of a number"),
        pytest.param(
            {"task": "regression", "training": {"search": {"metric": "mae"}}},
            "mae",
            id="the one asked for",
        ),
    ],
)
def test_the_metric_in_force(spec: dict[str, Any], metric: str) -> None:
    assert ModelSpec.model_validate(model_manifest(**spec)["spec"]).metric == metric
