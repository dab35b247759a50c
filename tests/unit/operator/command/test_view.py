"""What ``status`` shows, from documents as the operator writes them."""

from datetime import timedelta
from typing import Any

import pytest

from fairlead_operator.command.view import View, build_view, describe_bound
from support.drawing import CHECKS, MODEL, NOW, REQUESTS, rollout

SERVING = {"stable": {"version": "1.3.0"}}
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def view(**status: Any) -> View:
    """What is shown of the Model while its Rollout has this status."""
    return build_view(MODEL, rollout(**status), now=NOW)


def test_the_facts_of_a_rollout_in_flight() -> None:
    assert view().facts[1:] == (
        ("Rollout", "nsw-price-rollout-4 to 1.4.0"),
        ("Strategy", "canary"),
        ("Phase", "Progressing, StepHolding"),
        ("Step", "2/4"),
        ("Time left", "3m12s"),
        ("Message", "success-rate 0.998"),
    )


@pytest.mark.parametrize(
    ("status", "fact"),
    [
        pytest.param(
            {"holdsUntil": "2026-03-04T11:59:00.000Z"},
            ("Time left", "none; the rollout goes on with the next good measurement"),
            id="a hold that is over waits for evidence",
        ),
        pytest.param(
            {"doubtSince": "2026-03-04T11:55:00.000Z"},
            ("In doubt", "for 5m"),
            id="doubt has a clock",
        ),
        pytest.param(
            {"reason": "Frozen", "message": "frozen until Monday"},
            ("Message", "frozen until Monday"),
            id="a freeze says until when",
        ),
        pytest.param(
            {"mirror": 20},
            ("Mirror", "20 % of live requests are copied to the candidate"),
            id="a mirror",
        ),
        pytest.param(
            {"conditions": [{"type": "SignatureChanged", "status": "True", "message": "adds x"}]},
            ("Signature", "adds x"),
            id="what a signature changes",
        ),
        pytest.param({"winner": "1.4.0"}, ("Winner", "1.4.0"), id="the winner of a trial"),
        pytest.param(
            {"strategy": None},
            ("Strategy", "canary"),
            id="what nobody wrote, before the first look",
        ),
        pytest.param(
            {"phase": "RolledBack", "reactionSeconds": 0.84},
            ("Reaction", "0.84 s from the cause to no traffic"),
            id="how quick a rollback was",
        ),
    ],
)
def test_a_fact_of_a_rollout(status: dict[str, Any], fact: tuple[str, str]) -> None:
    assert fact in view(**status).facts


@pytest.mark.parametrize("phase", ["Pending", "Progressing", "Paused", "Guarding"])
def test_a_suspended_model_has_no_time_that_is_left(phase: str) -> None:
    """It counted down to a moment at which nothing went on."""
    suspended = {**MODEL, "spec": {**MODEL["spec"], "suspend": True}}

    facts = dict(build_view(suspended, rollout(phase=phase), now=NOW).facts)

    assert facts["Time left"] == "without end: nothing goes on while the Model is suspended"


@pytest.mark.parametrize("phase", ["RolledBack", "Succeeded"])
def test_a_rollout_that_has_ended_is_in_no_step(phase: str) -> None:
    names = [name for name, _ in view(phase=phase, doubtSince="2026-03-04T11:55:00.000Z").facts]

    assert {"Step", "Time left", "In doubt"}.isdisjoint(names)


def test_several_candidates_are_named() -> None:
    current = rollout()
    current["spec"]["alternatives"] = ["1.5.0"]

    facts = build_view(MODEL, current, now=NOW).facts

    assert ("Rollout", "nsw-price-rollout-4 to 1.4.0 or 1.5.0") in facts


@pytest.mark.parametrize(
    ("status", "rows"),
    [
        pytest.param(
            {},
            [("1.3.0", "stable", 75, 90), ("1.4.0", "candidate", 25, 10)],
            id="the stable version has the rest",
        ),
        pytest.param(
            {"arms": [{"version": "1.4.0", "weight": 25}]},
            [("1.3.0", "stable", 75, None), ("1.4.0", "candidate", 25, None)],
            id="a gateway that has not reported is no zero",
        ),
        pytest.param(
            {"arms": None, "weight": 5, "observedWeight": 5},
            [("1.3.0", "stable", 95, 95), ("1.4.0", "candidate", 5, 5)],
            id="an older operator names no arms",
        ),
        pytest.param(
            {
                "arms": [{"version": "1.4.0", "weight": 100, "observedWeight": 100}],
                "winner": "1.4.0",
            },
            [("1.3.0", "stable", 0, 0), ("1.4.0", "winner", 100, 100)],
            id="the winner of a trial",
        ),
        pytest.param(
            {
                "arms": [
                    {"version": "1.4.0", "weight": 50, "observedWeight": 50},
                    {"version": "1.5.0", "weight": 0, "observedWeight": 0, "reason": "AlertFired"},
                ]
            },
            [
                ("1.3.0", "stable", 50, 50),
                ("1.4.0", "candidate", 50, 50),
                ("1.5.0", "out", 0, 0),
            ],
            id="a candidate that left the trial is out",
        ),
        pytest.param(
            {
                "phase": "Succeeded",
                "arms": [{"version": "1.4.0", "weight": 100, "observedWeight": 100}],
            },
            [("1.4.0", "stable", 100, 100)],
            id="the version that was promoted is in charge",
        ),
        pytest.param(
            {"stable": None}, [("1.4.0", "candidate", 25, 10)], id="a first version has no other"
        ),
    ],
)
def test_versions(status: dict[str, Any], rows: list[tuple[str, str, int, int | None]]) -> None:
    shown = view(**status).versions

    assert [(row.version, row.role, row.asked, row.reported) for row in shown] == rows


@pytest.mark.parametrize(
    ("left", "words"),
    [
        pytest.param(timedelta(minutes=30), "30m", id="some time"),
        pytest.param(timedelta(minutes=-1), "0s", id="none"),
    ],
)
def test_a_pause_says_how_long_it_waits_for_an_answer(left: timedelta, words: str) -> None:
    facts = view(phase="Paused", answerBy=(NOW + left).isoformat()).facts

    assert ("Answer", f"within {words} (approvalDeadline); then it goes back") in facts


@pytest.mark.parametrize(
    ("status", "stable"),
    [
        pytest.param({"phase": "Replacing"}, ("down", 0, 0), id="stopped for the candidate"),
        pytest.param({"phase": "RollingBack"}, ("down", 100, 0), id="on its way back"),
        pytest.param(
            {"phase": "Replacing", "conditions": []}, ("stable", 100, 100), id="it answers still"
        ),
        pytest.param(
            {"phase": "RollingBack", "conditions": []}, ("stable", 100, 100), id="it is back"
        ),
    ],
)
def test_a_version_that_is_stopped_has_no_traffic(
    status: dict[str, Any], stable: tuple[str, int, int]
) -> None:
    silent = {"type": "PodsReady", "status": "False", "reason": "NotAnswering"}
    arm = {"version": "1.4.0", "weight": 0, "observedWeight": 0}
    usual = {"arms": [arm], "conditions": [silent]}

    shown, _ = view(**usual | status).versions

    assert (shown.role, shown.asked, shown.reported) == stable


def test_the_address_of_a_preview_is_named() -> None:
    facts = dict(view(preview="http://m-preview.energy").facts)

    assert facts["Preview"] == "http://m-preview.energy answers with the candidate"


def test_versions_in_a_trial_show_what_was_counted_of_them() -> None:
    arms = [{"version": "1.4.0", "weight": 50, "samples": 120, "value": 0.25}]
    stable = {"version": "1.3.0", "samples": 130, "value": 0.2}

    shown = view(arms=arms, trial={"stable": stable}).versions

    assert [(row.version, row.samples, row.good) for row in shown] == [
        ("1.3.0", 130, 0.2),
        ("1.4.0", 120, 0.25),
    ]


def test_one_that_left_the_trial_says_why() -> None:
    arm = {"version": "1.5.0", "weight": 0, "reason": "AnalysisFailed", "message": "0.5"}

    (_, out) = view(arms=[arm]).versions

    assert out.note == "AnalysisFailed: 0.5"


@pytest.mark.parametrize(
    ("spec", "status", "fact"),
    [
        pytest.param({"version": "1.3.0"}, {}, ("Pinned", "1.3.0 by spec.version"), id="pinned"),
        pytest.param(
            {"suspend": True},
            {},
            ("Suspended", "no training or rollout starts; traffic stays as it is"),
            id="suspended",
        ),
        pytest.param(
            {},
            {"blocked": [{"version": "1.2.9", "reason": "AlertFired", "message": "p95 is 900 ms"}]},
            (
                "Blocked",
                "1.2.9 (AlertFired: p95 is 900 ms); `fairlead retry nsw-price` tries it again",
            ),
            id="blocked",
        ),
        pytest.param(
            {"version": "1.3.0"},
            {"blocked": [{"version": "1.2.9", "reason": "AlertFired", "message": "p95 is 900 ms"}]},
            ("Blocked", "1.2.9 (AlertFired: p95 is 900 ms)"),
            id="blocked, and not what a retry would try",
        ),
        pytest.param({}, {"phase": "Serving"}, ("Model", "Serving"), id="no condition yet"),
        pytest.param({}, {}, ("Model", "Pending"), id="no phase yet"),
        pytest.param(
            {},
            {"phase": "Blocked", "conditions": [{"type": "Ready", "message": "1.2.9 is bad"}]},
            ("Model", "Blocked: 1.2.9 is bad"),
            id="its phase, and what Ready says",
        ),
        pytest.param(
            {},
            {"conditions": [{"type": "Answering", "status": "False", "message": "1.0.0 fails"}]},
            ("Answers", "1.0.0 fails"),
            id="what serves only fails",
        ),
        *(
            pytest.param(
                {},
                {"conditions": [{"type": kind, "status": "False", "message": "some words"}]},
                (line, "some words"),
                id=kind,
            )
            for kind, line in (
                ("PodsReady", "Pods"),
                ("Registered", "Registry"),
                ("Applied", "Cluster"),
                ("Upgraded", "Upgrade"),
                ("Autoscaled", "Autoscaler"),
            )
        ),
        *(
            pytest.param(
                {},
                {
                    "conditions": [
                        {
                            "type": "Progressing",
                            "status": known,
                            "reason": reason,
                            "message": "some words",
                        }
                    ]
                },
                ("Stopped", f"{reason}: some words"),
                id=f"a look that ended: {reason}",
            )
            for known, reason in (
                ("False", "InvalidSpec"),
                ("Unknown", "ClusterRefused"),
                ("Unknown", "InternalError"),
            )
        ),
        pytest.param(
            {},
            {"conditions": [{"type": "CodeAllowed", "status": "False", "message": "1.0.0 runs"}]},
            ("Code", "1.0.0 runs"),
            id="what serves runs code that it may not",
        ),
        pytest.param(
            {},
            {"conditions": [{"type": "QueriesReadable", "status": "False", "message": "own: ("}]},
            ("Queries", "own: ("),
            id="what Prometheus cannot read",
        ),
        pytest.param(
            {},
            {"stable": {"version": "1.3.0", "registryVersion": "7", "digest": f"sha256:{DIGEST}"}},
            ("Artifact", "1.3.0 is registry version 7, sha256:9f86d081884c"),
            id="which artifact is in charge",
        ),
        pytest.param(
            {},
            {
                "gate": {
                    "version": "1.4.0",
                    "results": [{"gate": "calibration", "outcome": "Failed", "message": "0.2"}],
                }
            },
            ("Gate", "1.4.0 Failed: 0.2"),
            id="what the gates say",
        ),
    ],
)
def test_a_fact_of_a_model(
    spec: dict[str, Any], status: dict[str, Any], fact: tuple[str, str]
) -> None:
    model = {**MODEL, "spec": spec, "status": SERVING | status}

    assert fact in build_view(model, None, now=NOW).facts


def test_no_sentence_is_told_twice() -> None:
    words = {"status": "False", "message": "requests are not answered: no pod is ready"}
    conditions = [{"type": "Ready", **words}, {"type": "PodsReady", **words}]
    model = {**MODEL, "spec": {}, "status": {"phase": "Serving", "conditions": conditions}}

    assert [value for _, value in build_view(model, None, now=NOW).facts] == [
        "Serving: requests are not answered: no pod is ready"
    ]


@pytest.mark.parametrize(("kind", "line"), [("Routed", "Route"), ("AlertRead", "Alert")])
def test_a_rollout_says_what_is_in_its_way(kind: str, line: str) -> None:
    condition = {"type": kind, "status": "False", "message": "some words"}

    facts = build_view(MODEL, rollout(conditions=[condition]), now=NOW).facts

    assert (line, "some words") in facts


@pytest.mark.parametrize(
    ("status", "rows"),
    [
        pytest.param(SERVING, [("1.3.0", "stable", 100, None)], id="the one that serves"),
        pytest.param({}, [], id="none serves yet"),
    ],
)
def test_versions_of_a_model_without_a_rollout(status: dict[str, Any], rows: list[Any]) -> None:
    shown = build_view({**MODEL, "status": status}, None, now=NOW).versions

    assert [(row.version, row.role, row.asked, row.reported) for row in shown] == rows


@pytest.mark.parametrize(
    ("check", "field", "text"),
    [
        pytest.param(
            {"dryRun": True, "verdict": "Failed"}, "verdict", "Failed (dry run)", id="a dry run"
        ),
        pytest.param(
            {"low": -0.01, "high": 0.002},
            "bound",
            "≥ 0.99; differs by -0.01 to +0.002",
            id="a comparison has an interval",
        ),
        pytest.param(
            {"name": "shared", "message": "shared: 3 ms, allowed at most 2 ms"},
            "bound",
            "at most 2 ms",
            id="the bound of a template is in the operator's words",
        ),
        pytest.param(
            {
                "name": "shared",
                "low": -0.01,
                "high": 0.002,
                "message": "shared: 3, allowed at most 2; failure 1 in a row",
            },
            "bound",
            "at most 2; differs by -0.01 to +0.002",
            id="of those words, the bound alone",
        ),
        pytest.param({}, "version", "", id="of one candidate nobody asks whose it is"),
    ],
)
def test_what_is_said_of_a_check(check: dict[str, Any], field: str, text: str) -> None:
    (shown,) = view(checks=[CHECKS[0] | check]).checks

    assert getattr(shown, field) == text


def test_of_several_candidates_a_check_names_its_own() -> None:
    arms = [{"version": "1.4.0", "weight": 20}, {"version": "1.5.0", "weight": 20}]

    (shown,) = view(arms=arms, checks=CHECKS[:1]).checks

    assert shown.version == "1.4.0"


def test_the_last_three_requests_of_model_and_rollout_are_shown_in_order() -> None:
    early, late = ("2026-03-04T11:00:00.000Z", "2026-03-04T11:35:00.000Z")
    of_model = [
        {"action": "retrain", "text": "c", "outcome": "Accepted", "answeredAt": moment}
        for moment in (early, late)
    ]
    model = {**MODEL, "status": {**MODEL["status"], "requests": of_model}}  # type: ignore[dict-item]

    shown = build_view(model, rollout(requests=REQUESTS), now=NOW).requests

    assert [(asked.action, asked.at) for asked in shown] == [
        ("approve", "2026-03-04 11:31:02"),
        ("retrain", "2026-03-04 11:35:00"),
        ("resume", "2026-03-04 11:41:02"),
    ]


def test_a_new_model_without_a_status_is_shown() -> None:
    shown = build_view({"metadata": {"name": "m", "namespace": "n"}, "spec": {}}, None, now=NOW)

    assert shown == View(
        title="m in n",
        phase="Pending",
        facts=(("Model", "Pending"),),
        versions=(),
        checks=(),
        requests=(),
    )


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
    ("entry", "verdict"),
    [
        pytest.param({}, "Inconclusive", id="a verdict"),
        pytest.param({"dryRun": True}, "Inconclusive (dry run)", id="that decides nothing"),
        pytest.param({"abstains": True}, "nothing against it", id="a veto that abstains"),
        pytest.param(
            {"abstains": True, "dryRun": True}, "nothing against it (dry run)", id="in a dry run"
        ),
    ],
)
def test_the_verdict_of_a_check(entry: dict[str, Any], verdict: str) -> None:
    checks = [{"name": "c", "verdict": "Inconclusive", "version": "1.4.0", **entry}]

    assert [check.verdict for check in view(checks=checks).checks] == [verdict]


def test_a_signature_that_is_the_same_is_no_news() -> None:
    same = [{"type": "SignatureChanged", "status": "False", "message": "the same"}]

    assert "Signature" not in dict(view(conditions=same).facts)
