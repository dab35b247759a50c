"""What people say of a model: it reaches its next training, and starts none."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from fairlead_operator.api.card import CardSpec
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.recipe import recipe_digest, task_digest
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.training_run.config import build_config
from fairlead_training.config import parse_config

SPEC = {
    "task": "regression",
    "data": {"source": {"uri": "https://data.example/nsw.csv"}, "target": "price"},
}
CARD = {
    "owners": ["Ada"],
    "license": "Apache-2.0",
    "intendedUse": "Bids.",
    "outOfScopeUse": "Settlement.",
    "limitations": "No negative prices.",
    "ethicalConsiderations": "None.",
}


@pytest.mark.parametrize("said", [{}, {"license": "Apache-2.0"}, CARD])
def test_the_trainer_is_told_what_people_say(said: dict[str, Any]) -> None:
    config = build_config(
        ModelSpec.model_validate({**SPEC, "card": said}),
        model="price",
        run=Owner(kind="TrainingRun", namespace="energy", name="price-1", uid="uid-1"),
        mlflow_run_id="run-1",
        champion=None,
    )

    card = parse_config(config).card
    assert json.loads(config)["card"] == said
    assert (card.owners, card.license) == (tuple(said.get("owners", ())), said.get("license", ""))
    assert card.ethical_considerations == said.get("ethicalConsiderations", "")


def test_a_changed_card_trains_nothing() -> None:
    plain, said = (ModelSpec.model_validate({**SPEC, **more}) for more in ({}, {"card": CARD}))

    assert recipe_digest(plain) == recipe_digest(said)
    assert task_digest(plain) == task_digest(said)


@pytest.mark.parametrize(
    "wrong",
    [{"intendedUse": ""}, {"intendedUse": "x" * 1001}, {"owners": [""]}, {"purpose": "bids"}],
)
def test_what_says_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CardSpec.model_validate(wrong)
