"""Our images under a registry's name, and the chart's values for them."""

from pathlib import Path

import pytest
import yaml

from images.build import BuiltImage
from images.commands import BuildError
from images.push import push, remote_reference, require_registry, to_values
from support.chart.rendering import CHART
from support.recording import RecordingRunner


def built(name: str) -> BuiltImage:
    return BuiltImage(
        name=name,
        reference=f"localhost/fairlead/{name}:0123456789ab",
        archive=Path(f"/cache/{name}.tar"),
        digest="sha256:1",
    )


@pytest.mark.parametrize(
    ("registry", "reference"),
    [
        ("registry.example.com/ml", "registry.example.com/ml/fairlead-operator:0123456789ab"),
        ("registry.example.com/ml/", "registry.example.com/ml/fairlead-operator:0123456789ab"),
        ("127.0.0.1:5000", "127.0.0.1:5000/fairlead-operator:0123456789ab"),
    ],
)
def test_an_image_keeps_its_tag_in_the_registry(registry: str, reference: str) -> None:
    assert remote_reference(built("operator"), registry) == reference


@pytest.mark.parametrize("registry", ["", "/", "https://registry.example.com", "a b"])
def test_what_is_no_registry_is_refused_before_anything_is_built(registry: str) -> None:
    with pytest.raises(BuildError, match=r"REGISTRY=registry\.example\.com/ml"):
        require_registry(registry)


def test_each_archive_is_pushed_by_crane() -> None:
    runner, said = RecordingRunner(), list[str]()
    crane = Path("/cache/crane")

    references = push(
        [built("operator"), built("serving")],
        "registry.example.com/ml",
        crane=crane,
        runner=runner,
        progress=said.append,
    )

    assert runner.seen == [
        f"/cache/crane push /cache/{name}.tar {references[name]}" for name in references
    ]
    assert said == [f"pushing {reference}" for reference in references.values()]


def test_a_push_that_fails_says_so() -> None:
    runner = RecordingRunner(failing=("push",))

    with pytest.raises(BuildError):
        push([built("operator")], "x", crane=Path("crane"), runner=runner, progress=print)


def test_the_values_are_those_of_the_chart() -> None:
    values = yaml.safe_load(to_values({"training": "r/t:1", "operator": "r/o:1"}))
    known = yaml.safe_load((CHART / "values.yaml").read_text())["images"]

    assert values == {"images": {"operator": "r/o:1", "training": "r/t:1"}}
    assert set(values["images"]) <= set(known)
