"""docs/command.md names every command and option, and shows what is really drawn."""

from pathlib import Path

import click
import pytest

from fairlead_operator.command.main import fairlead
from support.drawing import CHECKS, MODEL, REQUESTS, drawn, rollout

DOCS = (Path(__file__).resolve().parents[4] / "docs" / "command.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(fairlead.commands))
def test_every_command_and_its_options_are_described(name: str) -> None:
    options = [
        option
        for parameter in fairlead.commands[name].params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option.startswith("--") and option != "--output"  # -o, as in kubectl
    ]

    assert f"`{name}" in DOCS
    assert [option for option in options if option not in DOCS] == []


def test_the_status_shown_is_what_is_drawn() -> None:
    assert drawn(MODEL, rollout(checks=CHECKS, requests=REQUESTS)) in DOCS
