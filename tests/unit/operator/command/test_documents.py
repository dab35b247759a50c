"""The documents for scripts: whole objects, in both forms the same."""

import json
from typing import Any

import pytest
import yaml

from fairlead_operator.command.documents import describe_models, describe_status, render
from support.drawing import MODEL, rollout

OWNED = {**MODEL, "metadata": {**MODEL["metadata"], "managedFields": [{"manager": "kubectl"}]}}
READ = {"json": json.loads, "yaml": yaml.safe_load}


@pytest.mark.parametrize("output", READ)
@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(
            describe_status(OWNED, rollout()),
            {"model": MODEL, "rollout": rollout()},
            id="status: the objects, without who wrote their fields",
        ),
        pytest.param(
            describe_status(MODEL, None), {"model": MODEL, "rollout": None}, id="status: no rollout"
        ),
        pytest.param(
            describe_models([OWNED]),
            {"apiVersion": "v1", "kind": "List", "items": [MODEL]},
            id="list: as kubectl writes one",
        ),
        pytest.param(
            describe_models([]), {"apiVersion": "v1", "kind": "List", "items": []}, id="list: none"
        ),
        pytest.param([{"by": "Jürgen", "at": "2026-03-04T11:50:12.000Z"}], None, id="history"),
    ],
)
def test_a_document_is_read_as_it_was(document: Any, expected: Any, output: str) -> None:
    assert READ[output](render(document, output)) == (expected or document)


def test_letters_stay_as_they_are_written() -> None:
    assert "Jürgen" in render(["Jürgen"], "json")
    assert "Jürgen" in render(["Jürgen"], "yaml")
