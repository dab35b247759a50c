"""What a Model takes up of an earlier one of its namespace and name."""

import dataclasses
from datetime import timedelta

import pytest

from fairlead_operator.api.history import HistoryEntry
from fairlead_operator.api.phases.model import Reason
from fairlead_operator.api.phases.rollout import Transition
from fairlead_operator.api.registered import RegisteredVersion
from fairlead_operator.model.past import Past, last_promotion, recall, unknown_past
from support.fakes import START
from support.model_builders import reference

REGISTERED = RegisteredVersion(version="1.0.0", registry_version="7", digest="sha256:a")


def entry(transition: Transition, version: str, stable: str = "", minute: int = 0) -> HistoryEntry:
    return HistoryEntry(
        namespace="energy", model="nsw-price", rollout="r", rollout_uid=f"{version}/{minute}",
        transition=transition, at=START + timedelta(minutes=minute), version=version, stable=stable,
    )  # fmt: skip


def remembered(history: list[HistoryEntry], *registered: RegisteredVersion) -> Past:
    return recall(
        history, registered, model="energy/nsw-price", registered_model="energy.nsw-price"
    )


FIRST = entry(Transition.PROMOTED, "1.0.0")
SECOND = entry(Transition.PROMOTED, "1.1.0", "1.0.0", 1)
ON_TRIAL = entry(Transition.STARTED, "1.1.0", "1.0.0", 1)
TAKEN_BACK = entry(Transition.ROLLED_BACK, "1.1.0", "1.0.0", 2)
WENT_BACK = entry(Transition.PROMOTED, "1.0.0", "1.1.0", 3)
BY_A_PERSON = dataclasses.replace(WENT_BACK, trigger="rollback")
AGAIN = entry(Transition.PROMOTED, "1.1.0", "1.0.0", 5)
NEVER_SERVED = entry(Transition.ROLLED_BACK, "2.0.0", "", 4)


@pytest.mark.parametrize(
    ("newest_first", "in_charge"),
    [
        pytest.param([], None, id="a new name has no past"),
        pytest.param([FIRST], FIRST, id="a first version that was promoted"),
        pytest.param([SECOND, ON_TRIAL, FIRST], SECOND, id="the last that was promoted"),
        pytest.param([ON_TRIAL, FIRST], FIRST, id="deleted in a rollout: the one before"),
        pytest.param([TAKEN_BACK, ON_TRIAL, FIRST], FIRST, id="the candidate was taken back"),
        pytest.param([WENT_BACK, SECOND, FIRST], WENT_BACK, id="a person had gone back"),
        pytest.param([NEVER_SERVED, FIRST], FIRST, id="a first version of a later life failed"),
        pytest.param([NEVER_SERVED], None, id="no version ever was in charge"),
        pytest.param([TAKEN_BACK], None, id="its own promotion is not in the history"),
    ],
)
def test_what_was_in_charge_last(
    newest_first: list[HistoryEntry], in_charge: HistoryEntry | None
) -> None:
    assert last_promotion(newest_first) == in_charge


@pytest.mark.parametrize(
    ("registered", "reason", "words"),
    [
        pytest.param(REGISTERED, None, "", id="it is still registered"),
        pytest.param(dataclasses.replace(REGISTERED, registered_at=START - timedelta(hours=1)),
                     None, "", id="registered before it was promoted"),
        pytest.param(None, Reason.STABLE_VERSION_GONE, "MLflow has no version 1.0.0",
                     id="it was deleted from the registry"),
        pytest.param(dataclasses.replace(REGISTERED, digest=""), Reason.STABLE_VERSION_GONE,
                     "has no digest", id="it lost its digest"),
        pytest.param(dataclasses.replace(REGISTERED, registered_at=START + timedelta(hours=1)),
                     Reason.STABLE_VERSION_GONE, "was registered after that, so it is another",
                     id="the number was given again"),
    ],
)  # fmt: skip
def test_what_can_be_taken_up(
    registered: RegisteredVersion | None, reason: Reason | None, words: str
) -> None:
    past = remembered([FIRST], *([registered] if registered else []))

    assert past.reason == reason
    assert words in past.message
    assert (past.stable is None) == (reason is not None)


SERVED = dataclasses.replace(FIRST, numbers={"registryVersion": "7", "digest": "sha256:a"})
FORGED = dataclasses.replace(REGISTERED, registry_version="9", digest="sha256:b")
LATER = dataclasses.replace(REGISTERED, registered_at=START + timedelta(hours=1))


@pytest.mark.parametrize(
    ("history", "registered", "number", "words"),
    [
        pytest.param(SERVED, [REGISTERED, FORGED], "7", "", id="the artifact that it was"),
        pytest.param(SERVED, [FORGED], None, "its digest has been sha256:a", id="exchanged"),
        pytest.param(SERVED, [dataclasses.replace(LATER, registry_version="9")], "9", "",
                     id="registered again, the same artifact"),
        pytest.param(FIRST, [REGISTERED, FORGED], None, "2 registrations",
                     id="a release that kept no digest: nothing tells"),
    ],
)  # fmt: skip
def test_what_is_taken_up_is_the_artifact_that_was_in_charge(
    history: HistoryEntry,
    registered: list[RegisteredVersion],
    number: str | None,
    words: str,
) -> None:
    past = remembered([history], *registered)

    assert (past.stable.registry_version if past.stable else None) == number
    assert words in past.message


def test_a_history_says_which_artifacts_versions_were() -> None:
    numbers = {"registryVersion": "8", "digest": "sha256:b"}
    tried = dataclasses.replace(TAKEN_BACK, numbers=numbers, began=START)
    untried = dataclasses.replace(NEVER_SERVED, numbers=numbers)
    odd = dataclasses.replace(SECOND, numbers={"registryVersion": 8, "digest": ["x"]})

    known = remembered([untried, tried, odd, SERVED], REGISTERED).known

    assert [(one.version, one.digest) for one in known] == [
        ("1.1.0", "sha256:b"),
        ("1.0.0", "sha256:a"),
    ]


@pytest.mark.parametrize(
    ("history", "pinned", "alternatives", "first"),
    [
        pytest.param([FIRST], None, (), True, id="unpinned: in place of a training"),
        pytest.param([FIRST], "1.0.0", (), False, id="pinned to it"),
        pytest.param([FIRST], "2.0.0", (), False, id="pinned to what was never tried"),
        pytest.param([TAKEN_BACK, FIRST], "1.1.0", (), True, id="pinned to what was taken back"),
        pytest.param([ON_TRIAL, FIRST], "1.1.0", (), True, id="pinned to what was on trial"),
        pytest.param([ON_TRIAL, FIRST], "1.0.0", ("1.1.0",), True, id="a trial beside it"),
        pytest.param([WENT_BACK, SECOND, ON_TRIAL, FIRST], "1.1.0", (), False,
                     id="pinned to what was promoted after its trial"),
        pytest.param([BY_A_PERSON, SECOND, FIRST], "1.1.0", (), True,
                     id="pinned to what a person went back from"),
        pytest.param([BY_A_PERSON, SECOND, FIRST], "1.0.0", ("1.1.0",), True,
                     id="a trial of what a person went back from"),
        pytest.param([ON_TRIAL, BY_A_PERSON, SECOND, FIRST], "1.1.0", (), True,
                     id="pinned to what is on trial again since"),
        pytest.param([AGAIN, BY_A_PERSON, SECOND, FIRST], "1.0.0", (), False,
                     id="pinned to what was in charge before, and is not any more"),
    ],
)  # fmt: skip
def test_what_goes_before_the_spec(
    history: list[HistoryEntry], pinned: str | None, alternatives: tuple[str, ...], first: bool
) -> None:
    past = remembered(history, REGISTERED)

    assert past.takes_up(pinned, alternatives) == first


def test_the_past_keeps_what_the_version_is_and_its_recipe() -> None:
    registered = dataclasses.replace(REGISTERED, digest="sha256:0", recipe="sha256:r")

    past = remembered([FIRST], registered)

    assert past.stable == reference("1.0.0").model_copy(update={"registry_version": "7"})
    assert past.recipe == "sha256:r"


def test_a_silent_history_says_which_and_takes_nothing_up() -> None:
    past = unknown_past("record database: refused", model="energy/nsw-price")

    assert not past.takes_up(None, ())
    assert past.reason is Reason.HISTORY_UNAVAILABLE
    assert "record database: refused" in past.message
    assert Past() != past
