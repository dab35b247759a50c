"""What the tenants of the real cluster apply is what the API takes; the cluster tells it late."""

from typing import Any

import pytest

from e2e.rival import PLAIN, model, models
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.lint.check import check


@pytest.mark.parametrize("manifest", [*models()], ids=lambda item: str(item["metadata"]["name"]))
def test_a_model_that_is_refused_only_later_is_one_that_can_be_made(
    manifest: dict[str, Any],
) -> None:
    assert check(manifest) == []
    assert ModelSpec.model_validate(manifest["spec"]).data.target


@pytest.mark.parametrize("uri", PLAIN)
def test_of_a_model_that_is_refused_at_once_the_address_is_all_that_is_wrong(uri: str) -> None:
    problems = check(model("spy", uri))

    assert ["where no source may be" in problem.message for problem in problems] == [True]
