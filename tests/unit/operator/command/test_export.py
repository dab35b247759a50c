"""The manifest that ``export`` writes: what a person wrote, with one version pinned."""

import copy
from typing import Any

import pytest

from fairlead_operator.command.export import export, split_target
from fairlead_operator.command.failures import RefusedError
from support.command_builders import plain_rollout

A, B = (f"sha256:{letter * 64}" for letter in "ab")
MODEL: dict[str, Any] = {
    "apiVersion": "fairlead.dev/v1alpha1",
    "kind": "Model",
    "metadata": {
        "name": "nsw-price",
        "namespace": "energy",
        "uid": "u-1",
        "resourceVersion": "7",
        "generation": 3,
        "managedFields": [{"manager": "kubectl"}],
        "labels": {"team": "grid", "kustomize.toolkit.fluxcd.io/name": "models"},
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "argocd.argoproj.io/tracking-id": "models:fairlead.dev/Model:energy/nsw-price",
            "fairlead.dev/retrain": "new tariff",
            "owner": "Ada",
        },
    },
    "spec": {"task": "regression", "version": "1.2.0", "versionDigest": B},
    "status": {
        "stable": {"version": "1.3.0", "digest": A},
        "versions": [{"version": "1.2.0", "digest": B}, {"version": "1.3.0", "digest": A}],
    },
}


def trained(version: str, digest: str) -> dict[str, Any]:
    return {"status": {"trained": {"version": version, "digest": digest}}}


def rolled_out(version: str, digest: str) -> dict[str, Any]:
    rollout = plain_rollout("RolledBack", version, before=None)
    rollout["status"]["candidate"] = {"version": version, "digest": digest}
    return rollout


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nsw-price", ("nsw-price", None)),
        ("nsw-price@1.3.0", ("nsw-price", "1.3.0")),
        ("nsw-price@", ("nsw-price", None)),
    ],
)
def test_a_version_may_follow_the_name(text: str, parts: tuple[str, str | None]) -> None:
    assert split_target(text) == parts


def test_only_what_a_person_wrote_is_left_and_the_version_in_charge_is_pinned() -> None:
    before = copy.deepcopy(MODEL)

    assert export(MODEL, [], [], None) == {
        "apiVersion": "fairlead.dev/v1alpha1",
        "kind": "Model",
        "metadata": {
            "name": "nsw-price",
            "namespace": "energy",
            "labels": {"team": "grid"},
            "annotations": {"owner": "Ada"},
        },
        "spec": {"task": "regression", "version": "1.3.0", "versionDigest": A},
    }
    assert before == MODEL


@pytest.mark.parametrize(
    ("rollouts", "runs", "digest"),
    [
        pytest.param([rolled_out("1.4.0", A)], [], A, id="rolled out once"),
        pytest.param([], [trained("1.4.0", A)], A, id="only trained"),
        pytest.param(
            [rolled_out("1.4.0", A)], [trained("1.4.0", B)], A, id="what was rolled out goes before"
        ),
        pytest.param(
            [plain_rollout("Pending", "1.4.0")], [trained("1.4.0", B)], B, id="not resolved yet"
        ),
    ],
)
def test_a_version_that_the_model_keeps_no_more_is_found(
    rollouts: list[dict[str, Any]], runs: list[dict[str, Any]], digest: str
) -> None:
    spec = export(MODEL, rollouts, runs, "1.4.0")["spec"]

    assert (spec["version"], spec["versionDigest"]) == ("1.4.0", digest)


def test_what_the_model_says_goes_before_all_others() -> None:
    spec = export(MODEL, [rolled_out("1.3.0", B)], [trained("1.3.0", B)], "1.3.0")["spec"]

    assert spec["versionDigest"] == A


@pytest.mark.parametrize(
    ("model", "runs", "version", "said"),
    [
        pytest.param({**MODEL, "status": {}}, [], None, "serves no version yet", id="nothing yet"),
        pytest.param(MODEL, [], "9.9.9", "known are: 1.2.0, 1.3.0", id="not known"),
        pytest.param(
            MODEL,
            [trained("1.10.0", A), trained("1.10.0", B)],
            "1.10.0",
            f"known are: {A} and {B}",
            id="two artifacts",
        ),
        pytest.param(
            {**MODEL, "status": {"stable": {"version": "1.0.0"}}},
            [],
            None,
            "known are: none",
            id="no digest",
        ),
    ],
)
def test_what_cannot_be_pinned_is_refused(
    model: dict[str, Any], runs: list[dict[str, Any]], version: str | None, said: str
) -> None:
    with pytest.raises(RefusedError, match=said):
        export(model, [], runs, version)
