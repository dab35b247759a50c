"""The story of ``make demo``, asserted step by step.

The story checks itself while it is told and stops at the first surprise; these tests look at
what it left, from outside.
"""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import jsonschema
import pytest

from e2e.story import energy
from e2e.story.answers import failed, of_version
from e2e.story.bad_versions import Episode
from e2e.story.measured import moment, result_of
from e2e.story.objects import name_of, status_of
from e2e.story.report import SCHEMA
from e2e.story.rows import read_rows
from e2e.story.signed_in import headers
from e2e.story.tell import REPORT, Told

pytestmark = pytest.mark.e2e

ANALYSIS, ALERT, STARTUP = 0, 1, 2


def get(told: Told, kind: str, *arguments: str) -> str:
    return told.world.cluster.kubectl(
        "get", kind, f"--namespace={energy.NAMESPACE}", *arguments
    ).stdout


def mlflow(told: Told, path: str, **query: str) -> dict[str, Any]:
    url = f"{told.world.mlflow_url}/api/2.0/mlflow/{path}?{urllib.parse.urlencode(query)}"
    request = urllib.request.Request(url, headers=dict(headers()))
    with urllib.request.urlopen(request, timeout=60) as answer:
        return dict(json.load(answer))


def test_the_report_has_its_shape(told: Told) -> None:
    report = json.loads(REPORT.read_text())

    jsonschema.validate(report, SCHEMA)
    assert report == told.report


def test_nobody_was_harmed_but_by_a_bad_version(told: Told) -> None:
    requests = told.report["requests"]

    assert requests["failed_not_from_bad_version"] == 0
    assert requests["failed_by_bad_version"] > 0
    assert requests["total"] == len(told.answers) > 1000


def test_the_namespace_enforces_the_strictest_pod_security(told: Told) -> None:
    namespace = json.loads(get(told, "namespace", energy.NAMESPACE, "--output=json"))

    labels = namespace["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_progress_was_visible_while_it_trained(told: Told) -> None:
    trials = [re.search(r"trial (\d+)/(\d+)", line) for line in told.training.seen]

    assert {match.group(2) for match in trials if match} == {"24"}


def test_mlflow_has_the_run_and_what_it_found(told: Told) -> None:
    result = result_of(told.training.end)

    files = mlflow(told, "artifacts/list", run_id=result["mlflowRunId"])["files"]

    assert "best_hyperparameters.json" in [file["path"] for file in files]


@pytest.mark.parametrize("version", ["1.0.0", "1.0.1"])
def test_a_trained_version_carries_digest_and_lineage(told: Told, version: str) -> None:
    found = mlflow(
        told, "model-versions/search", filter=f"name='{energy.REGISTERED_MODEL}'"
    )["model_versions"]  # fmt: skip
    tags = [{tag["key"]: tag["value"] for tag in entry["tags"]} for entry in found]

    (mine,) = [known for known in tags if known["fairlead.version"] == version]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", mine["fairlead.digest"])
    assert {"fairlead.recipe", "fairlead.signature", "fairlead.training_run"} <= mine.keys()


def test_the_gate_compared_on_the_same_rows(told: Told) -> None:
    result = result_of(told.promotion.training.end)

    assert result["champion"]["version"] == "1.0.0"
    assert result["difference"]["ciLow"] > 0
    gain = result["candidate"]["value"] - result["champion"]["value"]
    assert result["difference"]["value"] == pytest.approx(gain, abs=1e-6)
    assert told.promotion.gate["reason"] == "Better"


def test_the_candidate_was_promoted_step_by_step(told: Told) -> None:
    weights = [weight for weight in told.promotion.rollout.seen if weight != "0"]

    assert weights == ["10", "50", "100"]
    assert status_of(told.promotion.rollout.end)["reason"] == "Promoted"


def test_the_first_step_waited_for_a_person(told: Told) -> None:
    requests = status_of(told.promotion.rollout.end)["requests"]

    assert [(request["action"], request["outcome"]) for request in requests] == [
        ("approve", "Accepted")
    ]


def test_both_versions_answered_while_one_replaced_the_other(told: Told) -> None:
    assert of_version(told.answers, "1.0.0")
    assert of_version(told.answers, "1.0.1")
    assert failed(of_version(told.answers, "1.0.1")) == []


@pytest.mark.parametrize(
    ("number", "reason", "words"),
    [
        pytest.param(ANALYSIS, "AnalysisFailed", "success-rate", id="analysis: it answers 500"),
        pytest.param(ALERT, "AlertFired", "", id="alert: it is slow"),
        pytest.param(STARTUP, "CandidateFailed", "DigestMismatch", id="startup: wrong digest"),
    ],
)
def test_the_cause_is_everywhere(told: Told, number: int, reason: str, words: str) -> None:
    """In status, in a Warning Event with numbers, and in kubectl get rollouts."""
    episode = told.episodes[number]

    assert status_of(episode.rollout)["reason"] == reason
    assert words in status_of(episode.rollout)["message"]
    assert reason in get(told, "rollouts", name_of(episode.rollout))
    messages = [event["message"] for event in episode.events if event["reason"] == reason]
    assert any(re.search(r"\d", message) for message in messages)


def test_the_wrong_version_was_seen_by_the_numbers_of_its_traffic(told: Told) -> None:
    episode = told.episodes[ANALYSIS]
    (check,) = [
        check
        for check in status_of(episode.rollout)["checks"]
        if check["name"] == "success-rate"
    ]  # fmt: skip

    assert check["verdict"] == "Failed"
    assert check["value"] < 0.99
    assert check["samples"] >= 20


def test_the_slow_version_failed_nobody_and_went_within_seconds(told: Told) -> None:
    rollback = told.episodes[ALERT].rollback

    assert rollback.candidate_requests > 0
    assert rollback.reaction_seconds < 30  # by the operator's clock; how soon is for the bench


def test_the_version_that_could_not_start_took_no_traffic(told: Told) -> None:
    assert of_version(told.answers, "1.3.0") == []
    assert status_of(told.episodes[STARTUP].rollout).get("observedWeight") == 0


@pytest.mark.parametrize("number", [ANALYSIS, ALERT, STARTUP])
def test_no_request_came_after_a_rollback(told: Told, number: int) -> None:
    episode: Episode = told.episodes[number]
    end = moment(status_of(episode.rollout)["finishedAt"])

    assert [a for a in of_version(told.answers, episode.bad.version) if a.sent > end] == []


def test_a_version_was_aborted_by_hand_at_once_and_harmed_nobody(told: Told) -> None:
    status = status_of(told.aborted)
    asked = [(request["action"], request["outcome"]) for request in status["requests"]]
    theirs = of_version(told.answers, told.aborted["spec"]["version"])

    assert (status["phase"], status["reason"]) == ("RolledBack", "Aborted")
    assert asked == [("abort", "Accepted")]
    assert status["peakWeight"] < 100
    assert [answer for answer in theirs if answer.sent > moment(status["finishedAt"])] == []
    assert failed(theirs) == []


def test_the_good_version_is_in_charge_at_the_end(told: Told) -> None:
    row, *_ = read_rows(first=energy.ALL_ROWS, count=1)

    answer = energy.ask(told.world.expose_gateway(), row)

    assert answer["version"] == "1.0.1"
    assert re.search(r"nsw-price\s+True\s+Serving\s+1\.0\.1", get(told, "models"))


def test_bad_input_is_refused_with_the_columns_name(told: Told) -> None:
    row, *_ = read_rows(first=energy.ALL_ROWS, count=1)
    request = urllib.request.Request(
        f"{told.world.expose_gateway()}/predict",
        data=json.dumps({"instances": [row | {"transfer": "north"}]}).encode(),
        headers={"Content-Type": "application/json", "Host": energy.HOST},
    )

    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request, timeout=60)

    with refusal.value as answer:
        assert answer.code == 400
        assert "transfer" in json.load(answer)["error"]


def test_what_the_bad_versions_were_is_kept(told: Told) -> None:
    model = json.loads(get(told, "models", energy.MODEL, "--output=json"))

    blocked = {entry["version"]: entry["reason"] for entry in model["status"]["blocked"]}
    assert blocked == {
        "1.0.0": "Aborted",
        "1.1.0": "AnalysisFailed",
        "1.2.0": "AlertFired",
        "1.3.0": "CandidateFailed",
    }
