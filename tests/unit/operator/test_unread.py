"""Annotations that ask for nothing, and are told."""

import pytest

from fairlead_operator.requests import Action
from fairlead_operator.unread import explain_unread, find_unread

ACTIONS = {action.annotation: "Ada: now" for action in Action}
OURS = ("applied", "asked", "autoscaler", "built", "service-account", "told", "tried")
NOTES = {f"fairlead.dev/{name}": "x" for name in OURS}


@pytest.mark.parametrize(
    ("kind", "annotations", "unread"),
    [
        pytest.param("Model", {}, (), id="none"),
        pytest.param("Model", {"example.com/abbort": "x", "abbort": "x"}, (), id="others' own"),
        pytest.param("Model", {"fairlead.development/abbort": "x"}, (), id="of another group"),
        pytest.param("Model", NOTES, (), id="the operator's notes"),
        pytest.param("Model", ACTIONS, (), id="requests, which a Model accepts or refuses"),
        pytest.param("Rollout", ACTIONS, (), id="requests, which a Rollout accepts or refuses"),
        pytest.param("TrainingRun", ACTIONS, tuple(sorted(ACTIONS)),
                     id="requests, which a TrainingRun does not read"),
        *(
            pytest.param(kind, {"fairlead.dev/abbort": "x"}, ("fairlead.dev/abbort",),
                         id=f"a slip, on a {kind}")
            for kind in ("Model", "Rollout", "TrainingRun")
        ),
        pytest.param("Model", {"fairlead.dev/": "x"}, ("fairlead.dev/",), id="no name at all"),
        pytest.param("Model", {"fairlead.dev/alert": "}{"}, ("fairlead.dev/alert",),
                     id="an alert on a Model"),
        pytest.param("TrainingRun", {"fairlead.dev/alert": ""}, ("fairlead.dev/alert",),
                     id="an alert on a TrainingRun"),
        pytest.param("Rollout", {"fairlead.dev/alert": "}{"}, (), id="a Rollout answers an alert"),
        pytest.param("Model", {"fairlead.dev/request": "{}"}, ("fairlead.dev/request",),
                     id="who made a Rollout, on a Model"),
        pytest.param("Rollout", {"fairlead.dev/request": "{}"}, (), id="and on a Rollout"),
    ],
)  # fmt: skip
def test_what_nobody_reads(kind: str, annotations: dict[str, str], unread: tuple[str, ...]) -> None:
    assert find_unread(kind, annotations) == unread
    assert (explain_unread(kind, annotations) is not None) is bool(unread)


def test_it_is_told_with_what_could_be_asked() -> None:
    words = explain_unread("Model", {f"fairlead.dev/a{number}": "x" for number in range(7)})

    assert words is not None
    assert words.startswith("nobody reads fairlead.dev/a0, fairlead.dev/a1")
    assert "and 2 more of a Model" in words
    assert all(action in words for action in Action if action is not Action.SUPERSEDE)
