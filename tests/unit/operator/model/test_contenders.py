"""Why each candidate of an ended rollout did not make it, in words of its own."""

from typing import Any

import pytest

from fairlead_operator.model.contenders import Loss, find_leader, find_losses, find_out

TWO = ("1.1.0", "1.2.0")
COUNTED: dict[str, Any] = {
    "stable": {"version": "1.0.0"},
    "arms": [
        {"version": "1.1.0", "samples": 5000, "value": 0.8},
        {"version": "1.2.0", "samples": 4000, "value": 0.99},
    ],
    "trial": {"stable": {"version": "1.0.0", "samples": 6000, "value": 0.9}},
}
TO_THE_OTHER = Loss(
    "1.1.0",
    "TrialLost",
    "lost the trial to 1.2.0; 1.1.0: 80.00 % good of 5,000, 1.2.0: 99.00 % good of 4,000",
)
GUARD: dict[str, Any] = {"reason": "GuardTripped", "message": "12 of 14 answers failed"}


@pytest.mark.parametrize(
    ("status", "succeeded", "losses"),
    [
        pytest.param(
            COUNTED | {"winner": "1.2.0", "message": "guard of 20 s passed"},
            True,
            [TO_THE_OTHER],
            id="the other won: by how much, and nothing of its guard",
        ),
        pytest.param(
            {"winner": "1.2.0", "message": "guard of 20 s passed"},
            True,
            [Loss("1.1.0", "TrialLost", "lost the trial to 1.2.0")],
            id="the other won, and nothing was counted",
        ),
        pytest.param(
            COUNTED | GUARD | {"winner": "1.2.0"},
            False,
            [TO_THE_OTHER, Loss("1.2.0", "GuardTripped", "12 of 14 answers failed")],
            id="the winner was taken back in its guard: the loser lost before",
        ),
        pytest.param(
            COUNTED | {"reason": "TrialLost", "message": "1.0.0 won the trial"},
            False,
            [
                Loss(
                    "1.1.0",
                    "TrialLost",
                    "lost the trial to 1.0.0; "
                    "1.1.0: 80.00 % good of 5,000, 1.0.0: 90.00 % good of 6,000",
                ),
                Loss(
                    "1.2.0",
                    "TrialLost",
                    "lost the trial to 1.0.0; "
                    "1.2.0: 99.00 % good of 4,000, 1.0.0: 90.00 % good of 6,000",
                ),
            ],
            id="the stable version won: each against it",
        ),
        pytest.param(
            GUARD,
            False,
            [Loss(version, "GuardTripped", "12 of 14 answers failed") for version in TWO],
            id="taken back without a winner: all for that",
        ),
        pytest.param(
            {"reason": "Superseded", "winner": "1.2.0"}, False, [], id="made way for another: none"
        ),
    ],
)
def test_losses(status: dict[str, Any], succeeded: bool, losses: list[Loss]) -> None:
    assert list(find_losses(TWO, status, succeeded=succeeded)) == losses


def test_a_rollout_of_one_version_has_its_own_cause() -> None:
    assert list(find_losses(("1.1.0",), GUARD, succeeded=False)) == [
        Loss("1.1.0", "GuardTripped", "12 of 14 answers failed")
    ]
    assert list(find_losses(("1.1.0",), {}, succeeded=True)) == []


def trial_of(first: float | None, second: float | None, stable: float | None) -> dict[str, Any]:
    return {
        "arms": [{"version": "1.1.0", "value": first}, {"version": "1.2.0", "value": second}],
        "trial": {"leader": "1.2.0", "stable": {"version": "1.0.0", "value": stable}},
    }


@pytest.mark.parametrize(
    ("status", "leader"),
    [
        pytest.param(trial_of(0.5, 0.8, 0.7), "1.2.0", id="the best candidate"),
        pytest.param(trial_of(0.5, 0.6, 0.7), "1.0.0", id="the stable version, if it is better"),
        pytest.param(trial_of(0.5, 0.7, 0.7), "1.0.0", id="a candidate has to be better"),
        pytest.param(trial_of(None, 0.6, None), "1.2.0", id="of the stable one nothing is known"),
        pytest.param(trial_of(None, None, 0.7), "1.0.0", id="of the candidates nothing is known"),
        pytest.param(trial_of(None, None, None), None, id="nothing was counted yet"),
        pytest.param(trial_of(0.5, 0.8, 0.7) | {"winner": "1.2.0"}, None, id="it is decided"),
        pytest.param({}, None, id="no trial"),
    ],
)
def test_who_leads(status: dict[str, Any], leader: str | None) -> None:
    assert find_leader(status) == leader


@pytest.mark.parametrize(
    ("status", "out"),
    [
        pytest.param({}, set(), id="before the first look"),
        pytest.param(COUNTED, set(), id="all are tried"),
        pytest.param(
            {"arms": [{"version": "1.1.0"}, {"version": "1.2.0", "reason": "AlertFired"}]},
            {"1.2.0"},
            id="one has left",
        ),
        pytest.param(COUNTED | {"winner": "1.2.0"}, {"1.1.0"}, id="one has won"),
    ],
)
def test_who_is_out(status: dict[str, Any], out: set[str]) -> None:
    assert find_out(TWO, status) == out
