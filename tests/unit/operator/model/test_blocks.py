"""How long a version is left alone: one row for each rule, and what holds whatever happens."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairlead_operator.model.blocks import (
    may_have_changed,
    renew_blocks,
    renew_refusal,
    where_asked,
)
from fairlead_operator.model.state_machine import decide
from fairlead_operator.model.states import Observed, RunState
from fairlead_operator.requests import Action, Request
from support.model_builders import blocked, observed, reference, refused, rollout

PINNED: dict[str, Any] = {"asked": "spec.version", "digest": "sha256:a"}
BESIDE: dict[str, Any] = {"asked": "spec.alternatives", "digest": "sha256:a"}
TRAINED: dict[str, Any] = {"asked": "", "digest": "sha256:a"}
MISSING: dict[str, Any] = {"asked": "spec.version", "reason": "VersionNotFound"}
TWICE: dict[str, Any] = {"asked": "spec.version", "reason": "VersionAmbiguous"}
EXCHANGED: dict[str, Any] = PINNED | {"reason": "VersionChanged"}
OLD: dict[str, Any] = {}  # as 0.1.0 wrote it


@pytest.mark.parametrize(
    ("entry", "pinned", "alternatives", "digest", "kept"),
    [
        pytest.param(PINNED, "1.1.0", (), None, "spec.version", id="the pin still names it"),
        pytest.param(PINNED, "1.1.0", (), "sha256:a", "spec.version", id="the same artifact"),
        pytest.param(PINNED, "1.1.0", (), "sha256:b", None, id="another artifact"),
        pytest.param(PINNED, "1.2.0", (), None, "", id="the pin names another: nobody asks for it"),
        pytest.param(PINNED, None, (), None, "", id="the pin is gone: nobody asks for it"),
        pytest.param(TRAINED, "1.1.0", (), None, None, id="named anew"),
        pytest.param(TRAINED, None, (), None, "", id="trained, and not named"),
        pytest.param(TRAINED, "1.2.0", ("1.1.0",), None, None, id="named as an alternative"),
        pytest.param(BESIDE, "1.2.0", ("1.1.0",), None, "spec.alternatives",
                     id="still an alternative, beside whatever version"),
        pytest.param(BESIDE, "1.1.0", ("1.2.0",), None, None, id="the alternative is the pin now"),
        pytest.param(PINNED, "1.2.0", ("1.1.0",), None, None, id="the pin is an alternative now"),
        pytest.param(MISSING, "1.1.0", (), None, "spec.version", id="not in the registry yet"),
        pytest.param(MISSING, "1.1.0", (), "sha256:b", None, id="in the registry at last"),
        pytest.param(MISSING, None, (), None, None, id="what never was is forgotten"),
        pytest.param(TWICE, "1.1.0", (), None, "spec.version", id="registered twice, as it was"),
        pytest.param(TWICE, "1.1.0", (), "sha256:a", None, id="registered once at last"),
        pytest.param(EXCHANGED, "1.1.0", (), "sha256:a", None, id="what it was before again"),
        pytest.param(OLD, "1.1.0", (), None, "spec.version", id="0.1.0: blocked, and stays so"),
        pytest.param(OLD, None, (), None, "", id="0.1.0: trained, and stays blocked"),
        pytest.param(OLD, "1.1.0", (), "sha256:b", "spec.version", id="0.1.0: knew no artifact"),
    ],
)  # fmt: skip
def test_renew_blocks(
    entry: dict[str, Any],
    pinned: str | None,
    alternatives: tuple[str, ...],
    digest: str | None,
    kept: str | None,
) -> None:
    artifacts = {"1.1.0": digest} if digest else {}

    lasting = renew_blocks(
        blocked("1.1.0", **entry), pinned=pinned, alternatives=alternatives, artifacts=artifacts
    )

    assert [each.asked for each in lasting] == ([] if kept is None else [kept])


@pytest.mark.parametrize(
    ("reason", "allows_code", "kept"),
    [
        pytest.param("CodeNotAllowed", False, True, id="its code still may not run"),
        pytest.param("CodeNotAllowed", True, False, id="its code may run now"),
        pytest.param("AnalysisFailed", True, True, id="it was rolled back for another reason"),
    ],
)
def test_a_version_that_might_not_run_its_code_is_tried_once_it_may(
    reason: str, allows_code: bool, kept: bool
) -> None:
    lasting = renew_blocks(
        blocked("1.1.0", **PINNED, reason=reason),
        pinned="1.1.0",
        alternatives=(),
        artifacts={},
        allows_code=allows_code,
    )

    assert bool(lasting) == kept


def test_a_pin_that_comes_back_asks_anew() -> None:
    entries = blocked("1.1.0", **PINNED)
    for pinned in ("1.0.0", "1.1.0"):
        entries = renew_blocks(entries, pinned=pinned, alternatives=(), artifacts={})

    assert entries == ()


def test_an_artifact_that_0_1_0_did_not_know_is_noted() -> None:
    asked: dict[str, Any] = {"pinned": "1.1.0", "alternatives": ()}
    noted = renew_blocks(blocked("1.1.0"), artifacts={"1.1.0": "sha256:a"}, **asked)
    changed = renew_blocks(noted, artifacts={"1.1.0": "sha256:b"}, **asked)

    assert [entry.digest for entry in noted] == ["sha256:a"]
    assert changed == ()


A, B = "sha256:a", "sha256:b"


@pytest.mark.parametrize(
    ("entry", "listed", "expected", "asks"),
    [
        pytest.param(PINNED, set(), "", False, id="nothing is listed"),
        pytest.param(PINNED, {A}, "", False, id="as it was tried"),
        pytest.param(PINNED, {B}, "", True, id="another, of what never took traffic"),
        pytest.param(PINNED, {A, B}, "", False, id="two: nothing tells"),
        pytest.param(PINNED, {B}, A, False, id="exchanged: what it was is not there"),
        pytest.param(PINNED, {A, B}, A, False, id="forged beside what it was"),
        pytest.param(PINNED, {A, B}, B, True, id="the spec names the other"),
        pytest.param(PINNED, {A}, B, False, id="the spec names one that is not there"),
        pytest.param(PINNED, {""}, B, True, id="the spec says what no tag does"),
        pytest.param(MISSING, {B}, "", True, id="missing: it is there"),
        pytest.param(TWICE, {A, B}, "", False, id="twice: still"),
        pytest.param(TWICE, {B}, "", True, id="twice: once by now"),
        pytest.param(EXCHANGED, {B}, A, False, id="exchanged: still"),
        pytest.param(EXCHANGED, {A}, A, True, id="exchanged: as before by now"),
    ],
)
def test_when_mlflow_is_asked_of_a_blocked_version(
    entry: dict[str, Any], listed: set[str], expected: str, *, asks: bool
) -> None:
    (block,) = blocked("1.1.0", **entry)

    assert may_have_changed(block, listed, expected=expected) is asks


@pytest.mark.parametrize(
    ("asked", "target", "pinned", "stays"),
    [
        pytest.param("spec.version", "1.1.0", "1.1.0", True, id="the same pin"),
        pytest.param("spec.version", "1.2.0", "1.2.0", False, id="another pin"),
        pytest.param("spec.version", None, None, False, id="no pin"),
        pytest.param("", "1.1.0", None, True, id="the same trained version"),
        pytest.param("", "1.2.0", None, False, id="a newer one"),
        pytest.param("", "1.1.0", "1.1.0", False, id="the trained version is pinned now"),
        pytest.param(None, "1.1.0", "1.1.0", True, id="0.1.0: refused, and stays so"),
    ],
)
def test_renew_refusal(
    asked: str | None, target: str | None, pinned: str | None, stays: bool
) -> None:
    renewed = renew_refusal(
        refused("1.1.0", asked=asked), target=target, pinned=pinned, alternatives=()
    )

    assert (renewed is not None) == stays


VERSIONS = st.sampled_from(["1.1.0", "1.2.0", "1.3.0"])
CHANGES = st.fixed_dictionaries(
    {
        "generation": st.integers(1, 99),
        "suspend": st.booleans(),
        "on_new_target": st.sampled_from(["supersede", "queue", "reject"]),
        "alternatives": st.lists(VERSIONS, max_size=2, unique=True).map(tuple),
        "recipe": st.sampled_from(["sha256:recipe", "sha256:other"]),
        "task": st.sampled_from(["sha256:task", "sha256:other"]),
        "candidate": st.none() | VERSIONS.map(reference),
        "requests": st.sampled_from([(), (Request(action=Action.RETRAIN, text="r"),)]),
    }
)


@given(changes=st.lists(CHANGES, min_size=1, max_size=4), asked=st.sampled_from([None, "pin"]))
@settings(deadline=None)
def test_a_blocked_version_is_not_started_whatever_else_changes(
    changes: list[dict[str, Any]], asked: str | None
) -> None:
    """The pin stays the same, nobody says retry, and the artifact is what it was."""
    entry = {"asked": asked and "spec.version", "digest": "sha256:a"}
    about = observed(pinned="1.1.0", blocked=blocked("1.1.0", **entry))
    for change in changes:
        about = dataclasses.replace(about, **change)
        decision = decide(about)
        start = decision.start_rollout
        assert start is None or "1.1.0" not in start.versions
        assert decision.supersede_by != "1.1.0"
        about = dataclasses.replace(about, blocked=decision.blocked)


@given(
    pins=st.lists(st.none() | VERSIONS, min_size=1, max_size=5),
    change=CHANGES.filter(lambda change: not change["suspend"]),
)
@settings(deadline=None)
def test_who_takes_a_version_out_of_the_spec_does_not_ask_for_it(
    pins: list[str | None], change: dict[str, Any]
) -> None:
    """A blocked version starts only in a look in which the spec names it anew."""
    entries, before = blocked("1.1.0", asked=""), ""
    for pinned in pins:
        about = _asking(pinned, change | {"candidate": None, "blocked": entries})
        decision = decide(about)
        now = where_asked("1.1.0", pinned=pinned, alternatives=about.alternatives)
        start = decision.start_rollout
        if start is not None and "1.1.0" in start.versions:
            assert now not in {"", before}
            return
        entries, before = decision.blocked, now


def _asking(pinned: str | None, change: dict[str, Any]) -> Observed:
    alternatives = change["alternatives"] if pinned else ()  # the API server refuses them alone
    return dataclasses.replace(
        observed(), **change | {"pinned": pinned, "alternatives": alternatives}
    )


@given(
    trigger=st.sampled_from(["pinned", "trained", "hand", "rollback"]),
    pinned=st.none() | VERSIONS,
    state=st.sampled_from([RunState.FAILED, RunState.SUCCEEDED]),
)
def test_what_is_in_charge_is_never_blocked(
    trigger: str, pinned: str | None, state: RunState
) -> None:
    ended = rollout("1.1.0", state, trigger=trigger)
    decision = decide(
        observed(pinned=pinned, blocked=blocked("1.1.0"), rollout=ended, rollout_folded=False)
    )

    assert decision.stable is not None
    assert decision.stable.version not in {entry.version for entry in decision.blocked}
