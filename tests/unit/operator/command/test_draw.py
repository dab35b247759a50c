"""What a view looks like on a terminal of any width."""

import pytest
from rich.console import Console

from fairlead_operator.command.draw import draw_models, number
from support.drawing import CHECKS, MODEL, REQUESTS, drawn, rollout


def test_a_rollout_in_flight_is_drawn_with_traffic_step_checks_and_requests() -> None:
    assert (
        drawn(MODEL, rollout(checks=CHECKS, requests=REQUESTS))
        == """\
nsw-price in energy  RollingOut
Model      RollingOut: nsw-price-rollout-4 to 1.4.0
Rollout    nsw-price-rollout-4 to 1.4.0
Strategy   canary
Phase      Progressing, StepHolding
Step       2/4
Time left  3m12s
Message    success-rate 0.998

VERSION  ROLE       ASKED  SEEN
1.3.0    stable      75 %  90 %  ██████████████████
1.4.0    candidate   25 %  10 %  ██░░░

CHECK         VERDICT        VALUE  SAMPLES  STABLE  BOUND
success-rate  Successful    0.9981      812  0.9991  ≥ 0.99
p95           Inconclusive       -       12       -  ≤ 250 ms

ASKED AT (UTC)       REQUEST  ANSWER    BY AND WHY
2026-03-04 11:31:02  approve  accepted  ada: looks good
2026-03-04 11:41:02  resume   refused   bob (the rollout is not paused)"""
    )


def test_a_narrow_terminal_gets_lines_instead_of_wide_tables() -> None:
    assert (
        drawn(MODEL, rollout(checks=CHECKS, requests=REQUESTS), width=48)
        == """\
nsw-price in energy  RollingOut
Model      RollingOut: nsw-price-rollout-4 to
           1.4.0
Rollout    nsw-price-rollout-4 to 1.4.0
Strategy   canary
Phase      Progressing, StepHolding
Step       2/4
Time left  3m12s
Message    success-rate 0.998

VERSION  ROLE       ASKED  SEEN
1.3.0    stable      75 %  90 %
1.4.0    candidate   25 %  10 %

success-rate: Successful
  value 0.9981, bound ≥ 0.99, 812 samples,
stable 0.9991
p95: Inconclusive
  value -, bound ≤ 250 ms, 12 samples

2026-03-04 11:31:02 approve accepted: ada: looks
good
2026-03-04 11:41:02 resume refused: bob (the
rollout is not paused)"""
    )


def test_several_candidates_are_told_apart_and_one_that_left_says_why() -> None:
    arms = [
        {"version": "1.4.0", "weight": 50, "observedWeight": 50},
        {"version": "1.5.0", "weight": 0, "observedWeight": 0, "reason": "AnalysisFailed",
         "message": "success-rate 0.5"},
    ]  # fmt: skip
    shown = drawn(MODEL, rollout(arms=arms, checks=CHECKS))

    assert "1.5.0    out          0 %   0 %" in shown
    assert "1.5.0 left the trial: AnalysisFailed: success-rate 0.5" in shown
    assert "success-rate  1.4.0    Successful" in shown


def test_a_trial_shows_the_samples_and_the_goal_of_each_version() -> None:
    arms = [
        {"version": "1.4.0", "weight": 25, "observedWeight": 25, "samples": 1200, "value": 0.25},
        {"version": "1.5.0", "weight": 25, "observedWeight": 25},
    ]
    stable = {"version": "1.3.0", "samples": 99, "value": 0.2}
    shown = drawn(MODEL, rollout(arms=arms, trial={"stable": stable}))

    assert "VERSION  ROLE       ASKED  SEEN  SAMPLES     GOOD" in shown
    assert "1.3.0    stable      50 %  50 %       99  20.00 %" in shown
    assert "1.4.0    candidate   25 %  25 %    1,200  25.00 %" in shown
    assert "1.5.0    candidate   25 %  25 %        -        -" in shown


def test_what_no_gateway_has_reported_is_a_question_mark() -> None:
    shown = drawn(MODEL, rollout(arms=[{"version": "1.4.0", "weight": 25}]))

    assert "1.3.0    stable      75 %     ?" in shown


def test_a_new_model_without_a_status_is_two_lines() -> None:
    assert drawn({"metadata": {"name": "m", "namespace": "n"}, "spec": {}}, None) == (
        "m in n  Pending\nModel      Pending"
    )


def test_models_are_a_line_each() -> None:
    console = Console(width=100, color_system=None)
    ready = {"type": "Ready", "message": "to 1.4.0"}
    model = {**MODEL, "status": {**MODEL["status"], "conditions": [ready]}}  # type: ignore[dict-item]

    with console.capture() as captured:
        console.print(draw_models([model, {"metadata": {"name": "new"}, "spec": {}}]))

    lines = [line.split() for line in captured.get().splitlines()]
    assert lines == [
        ["MODEL", "PHASE", "STABLE", "ROLLOUT", "MESSAGE"],
        ["nsw-price", "RollingOut", "1.3.0", "nsw-price-rollout-4", "to", "1.4.0"],
        ["new", "Pending", "-", "-"],
    ]


def test_what_people_wrote_is_not_taken_for_markup() -> None:
    assert "[bold]x[/bold] [/nope]" in drawn(MODEL, rollout(message="[bold]x[/bold] [/nope]"))


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (812.0, "812"), (12345.0, "12,345"), (0.99812, "0.9981"), (1e300, "1e+300")],
)
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text
