"""Which image the server of a version gets."""

import pytest

from fairlead_operator.kube.images import Images


@pytest.mark.parametrize(
    ("form", "lean", "image"),
    [
        pytest.param("onnx", "fairlead/onnx:1", "fairlead/onnx:1", id="a graph"),
        pytest.param("xgboost", "fairlead/onnx:1", "fairlead/serving:1", id="a booster"),
        pytest.param("python_function", "fairlead/onnx:1", "fairlead/serving:1", id="code"),
        pytest.param("", "fairlead/onnx:1", "fairlead/serving:1", id="not known"),
        pytest.param("onnx", "", "fairlead/serving:1", id="a graph where one image serves all"),
    ],
)
def test_the_image_of_a_server(form: str, lean: str, image: str) -> None:
    images = Images(
        training="fairlead/training:1",
        serving="fairlead/serving:1",
        onnx=lean,
        pull_policy="IfNotPresent",
        pull_secrets=(),
    )

    assert images.of_server(form) == image
