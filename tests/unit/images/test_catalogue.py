"""Which images there are, and that everything they name exists."""

import pytest

from images.build import choose_images
from images.catalogue import IMAGES, Image
from images.commands import BuildError


def names(images: tuple[Image, ...]) -> list[str]:
    return [image.name for image in images]


def test_by_default_only_the_stand_ins_depend_on_the_machine() -> None:
    ours = ["training", "onnx", "serving", "operator"]

    assert names(choose_images(None, with_standins=False)) == ours
    assert set(names(choose_images(None, with_standins=True))) > set(ours)


def test_a_stand_in_can_be_asked_for_by_name() -> None:
    assert names(choose_images(["postgres"], with_standins=False)) == ["postgres"]


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BuildError, match=r"there is no image nginx; choose from .*operator"):
        choose_images(["nginx"], with_standins=True)


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_an_image_counts_its_dockerfile_among_its_inputs(image: Image) -> None:
    inputs = [image.dockerfile, image.dockerfile.parent]

    assert image.dockerfile.is_file()
    assert any(path in image.files for path in inputs)
