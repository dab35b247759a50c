"""Where a version is from: what is known of it is told, and what is not is not guessed."""

import io
import json
from typing import Any

import pytest
from rich.console import Console

from fairlead_operator.command.describe import describe, draw_lineage, facts
from fairlead_operator.command.failures import RefusedError
from support.documents import ROOT

A, B = "sha256:800d1e12748377b46a565947263ddfc73a06e981cbd0ee7e588b5da68dcf8f14", "sha256:b"
RESULT: dict[str, Any] = {
    "outcome": "Succeeded",
    "metric": "roc_auc",
    "candidate": {"value": 0.8296, "ciLow": 0.7901, "ciHigh": 0.865},
    "trivial": 0.5,
    "champion": {"version": "1.0.0", "value": 0.7883},
    "difference": {"value": 0.0413, "ciLow": 0.02554, "ciHigh": 0.0566},
    "comparedRows": 4032,
    "data": {
        "rows": 20160,
        "holdoutRows": 4032,
        "from": "1996-05-07T00:00:00Z",
        "to": "1997-06-30T23:30:00Z",
        "digest": "sha256:e227f4c6c75b72b30561cad78fe1c106e3b69760e6978c1177adee6a2338536b",
    },
}
MODEL: dict[str, Any] = {
    "metadata": {"name": "nsw-price", "namespace": "energy"},
    "spec": {},
    "status": {
        "stable": {"version": "1.0.1", "digest": A},
        "versions": [{"version": "1.0.0", "digest": B}],
        "gate": {"version": "1.0.1", "reason": "Better", "message": "gain +0.0413"},
    },
}
ROLLOUT: dict[str, Any] = {
    "metadata": {"name": "nsw-price-rollout-2"},
    "spec": {"version": "1.0.1", "trigger": "trained"},
    "status": {
        "phase": "Succeeded",
        "reason": "Promoted",
        "message": "guard window of 10 s passed",
        "stable": {"version": "1.0.0"},
        "startedAt": "2026-03-04T05:04:30.525Z",
        "finishedAt": "2026-03-04T05:05:06.365Z",
    },
}


def run(digest: str = A, *, number: int = 2, result: Any = RESULT) -> dict[str, Any]:
    return {
        "metadata": {"name": f"nsw-price-training-{number}"},
        "spec": {"trigger": "request"},
        "status": {
            "trained": {"version": "1.0.1", "digest": digest, "registryVersion": "2"},
            "mlflowRunId": "eb31407d34e5479bb88c5dc4b179fd63",
            "startedAt": "2026-03-04T05:03:52.893Z",
            "finishedAt": "2026-03-04T05:04:30.784Z",
            "result": result if isinstance(result, str) else json.dumps(result),
        },
    }


def drawn(*runs: dict[str, Any], version: str | None = None) -> str:
    out = Console(file=io.StringIO(), width=1000, color_system=None)
    with out.capture() as captured:
        out.print(draw_lineage(describe(MODEL, [ROLLOUT], runs, version)))
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def test_the_page_shows_what_is_drawn() -> None:
    assert drawn(run()) in (ROOT / "docs" / "command.md").read_text()


def test_of_two_trainings_of_a_version_the_one_that_made_the_artifact_counts() -> None:
    lineage = describe(MODEL, [], [run(A, number=2), run(B, number=3)], None)

    assert lineage["training"]["trainingRun"] == "nsw-price-training-2"


def test_a_version_is_found_among_the_arms_of_a_trial() -> None:
    trial = {**ROLLOUT, "spec": {"version": "2.0.0", "alternatives": ["1.0.0"]}}

    assert [each["rollout"] for each in describe(MODEL, [trial], [], "1.0.0")["rollouts"]] == [
        "nsw-price-rollout-2"
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"champion": None, "difference": None}, "Score", id="a first version"),
        pytest.param(
            {"difference": None, "championUnavailable": "it is gone"},
            "1.0.0 was not compared: it is gone",
            id="not compared",
        ),
        pytest.param(
            {"candidate": {"value": None, "ciLow": None, "ciHigh": None}},
            "unknown (unknown to unknown)",
            id="no number",
        ),
        pytest.param({"warnings": ["it is odd"]}, "Warning   it is odd", id="a warning"),
    ],
)
def test_what_the_training_said_is_told(changes: dict[str, Any], said: str) -> None:
    assert said in drawn(run(result={**RESULT, **changes}))


@pytest.mark.parametrize("result", ["", "cut off {", "[]", "{}"])
def test_a_result_that_cannot_be_read_hides_nothing_else(result: str) -> None:
    assert "nsw-price-training-2 (request)" in drawn(run(result=result))


def test_each_gate_has_its_line() -> None:
    row = {"gate": "slices", "outcome": "Failed", "message": "slices by region: north -0.2"}
    gate = {**MODEL["status"]["gate"], "results": [row]}
    model = {**MODEL, "status": {**MODEL["status"], "gate": gate}}

    assert ("Gate", "Failed: slices by region: north -0.2") in list(
        facts(describe(model, [], [], None))
    )


def test_without_a_training_nothing_is_guessed() -> None:
    assert "it was removed, or registered by hand" in drawn()
    assert "no rollout of it is kept here" in drawn(version="1.0.0")


def test_a_version_that_is_not_known_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"known are: 1\.0\.0, 1\.0\.1"):
        describe(MODEL, [ROLLOUT], [], "9.9.9")
