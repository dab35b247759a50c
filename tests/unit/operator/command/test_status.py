"""What ``status`` shows, from documents as the operator writes them."""

from typing import Any

import pytest

from fairlead_operator.command.draw import number
from fairlead_operator.command.view import describe_bound
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


@pytest.mark.parametrize(
    ("status", "line"),
    [
        pytest.param(
            {"holdsUntil": "2026-03-04T11:59:00.000Z"},
            "Time left  none; the rollout goes on with the next good measurement",
            id="a hold that is over waits for evidence",
        ),
        pytest.param(
            {"doubtSince": "2026-03-04T11:55:00.000Z"}, "In doubt   for 5m", id="doubt has a clock"
        ),
        pytest.param(
            {"reason": "Frozen", "message": "frozen until Monday"},
            "Message    frozen until Monday",
            id="a freeze says until when",
        ),
        pytest.param(
            {"mirror": 20},
            "Mirror     20 % of live requests are copied to the candidate",
            id="a mirror",
        ),
        pytest.param({"winner": "1.4.0"}, "1.4.0    winner", id="the winner of a trial"),
        pytest.param(
            {"strategy": None}, "Strategy   canary", id="what nobody wrote, before the first look"
        ),
        pytest.param(
            {"phase": "RolledBack", "reactionSeconds": 0.84},
            "Reaction   0.84 s from the cause to no traffic",
            id="how quick a rollback was",
        ),
        pytest.param(
            {"arms": [{"version": "1.4.0", "weight": 25}]},
            "1.3.0    stable      75 %     ?",
            id="a gateway that has not reported is no zero",
        ),
        pytest.param(
            {"arms": None, "weight": 5, "observedWeight": 5},
            "1.4.0    candidate    5 %   5 %",
            id="an older operator names no arms",
        ),
        pytest.param(
            {"phase": "Succeeded", "arms": [
                {"version": "1.4.0", "weight": 100, "observedWeight": 100}]},
            "1.4.0    stable  100 %  100 %",
            id="the version that was promoted is in charge",
        ),
    ],
)  # fmt: skip
def test_a_line_of_a_rollout(status: dict[str, Any], line: str) -> None:
    assert line in drawn(MODEL, rollout(**status))


@pytest.mark.parametrize(
    ("spec", "status", "line"),
    [
        pytest.param({"version": "1.3.0"}, {}, "Pinned     1.3.0 by spec.version", id="pinned"),
        pytest.param({"suspend": True}, {}, "Suspended  no training", id="suspended"),
        pytest.param(
            {},
            {"blocked": [{"version": "1.2.9", "reason": "AlertFired", "message": "p95 is 900 ms"}]},
            "Blocked    1.2.9 (AlertFired: p95 is 900 ms)",
            id="blocked",
        ),
        pytest.param({}, {"phase": "Serving"}, "1.3.0    stable  100 %", id="no rollout yet"),
    ],
)
def test_a_line_of_a_model(spec: dict[str, Any], status: dict[str, Any], line: str) -> None:
    model = {**MODEL, "spec": spec, "status": {"stable": {"version": "1.3.0"}, **status}}

    assert line in drawn(model, None)


@pytest.mark.parametrize(
    ("check", "words"),
    [
        pytest.param({"dryRun": True, "verdict": "Failed"}, "Failed (dry run)", id="a dry run"),
        pytest.param({"low": -0.01, "high": 0.002}, "≥ 0.99; differs by -0.01 to +0.002",
                     id="a comparison has an interval"),
        pytest.param({"name": "shared", "message": "shared: 3 ms, allowed at most 2 ms"},
                     "at most 2 ms", id="the bound of a template is in the operator's words"),
        pytest.param({"name": "shared", "low": -0.01, "high": 0.002,
                      "message": "shared: 3, allowed at most 2; failure 1 in a row"},
                     "at most 2; differs by", id="of those words, the bound alone"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_check(check: dict[str, Any], words: str) -> None:
    assert words in drawn(MODEL, rollout(checks=[CHECKS[0] | check]))


def test_several_candidates_are_named() -> None:
    current = rollout()
    current["spec"]["alternatives"] = ["1.5.0"]

    assert "nsw-price-rollout-4 to 1.4.0 or 1.5.0" in drawn(MODEL, current)


def test_a_new_model_without_a_status_is_drawn() -> None:
    assert drawn({"metadata": {"name": "m", "namespace": "n"}, "spec": {}}, None) == (
        "m in n  Pending\nModel      Pending"
    )


def test_what_people_wrote_is_not_taken_for_markup() -> None:
    assert "[bold]x[/bold] [/nope]" in drawn(MODEL, rollout(message="[bold]x[/bold] [/nope]"))


@pytest.mark.parametrize(
    ("check", "text"),
    [
        pytest.param({"atLeast": 0.99}, "≥ 0.99", id="lower"),
        pytest.param({"builtin": "latency-p95", "atMost": 250}, "≤ 250 ms", id="with its unit"),
        pytest.param({"atLeast": 0.1, "atMost": 0.5}, "≥ 0.1, ≤ 0.5", id="both"),
        pytest.param({"relative": {"margin": 0.01}}, "worse by < 0.01", id="relative"),
        pytest.param({}, "", id="of a template: unknown here"),
    ],
)
def test_describe_bound(check: dict[str, Any], text: str) -> None:
    assert describe_bound(check) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (812.0, "812"), (12345.0, "12,345"), (0.99812, "0.9981"), (1e300, "1e+300")],
)
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text
