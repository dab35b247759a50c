"""docs/reasons.md lists the reasons that the code gives: all of them, and no others."""

import re
from pathlib import Path

from fairlead_operator.api.phases.model import GateReason
from fairlead_operator.api.phases.model import Reason as ModelReason
from fairlead_operator.api.phases.rollout import PodsReason, RouteReason, SignatureReason
from fairlead_operator.api.phases.rollout import Reason as RolloutReason
from fairlead_operator.api.phases.training_run import Reason as TrainingReason
from fairlead_training.failure import Reason as TrainerReason

ROOT = Path(__file__).parents[3]
DOCS = (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8")
OPERATOR = ROOT / "operator" / "fairlead_operator"
ENUMS = (
    ModelReason, GateReason, PodsReason, RouteReason, SignatureReason, RolloutReason,
    TrainingReason, TrainerReason,
)  # fmt: skip

# Said where they arise, in words of their own.
IN_PLACE = {
    "InvalidSpec", "ClusterRefused", "ClusterUnavailable", "NameTaken", "Applied", "Registered",
    "WaitingForModel",
    "RegistrationChanged", "AutoscalerApplied", "AutoscalerMissing", "AutoscalerStopped",
    "AutoscalerLimited", "GatePassed",
    "OnlyFailures", "Answering",
    "Promoted", "RolledBack", "AlertIgnored", "AlertUnreadable", "RequestRefused",
    "UpgradeWaits", "Upgraded",
}  # fmt: skip


def given() -> set[str]:
    return IN_PLACE | {str(reason) for enum in ENUMS for reason in enum}


def listed() -> set[str]:
    """The first cells of the tables of reasons, and the gate's, which need no table."""
    found: set[str] = set()
    for table in re.findall(r"^\| Reason \|.*\n\| ---.*\n((?:\|.*\n?)+)", DOCS, re.MULTILINE):
        for row in table.splitlines():
            found |= set(re.findall(r"`(\w+)`", row.split("|")[1]))
    gate = re.search(r"^Gate \(.*?\): (.*)$", DOCS, re.MULTILINE)
    assert gate is not None
    return found | set(re.findall(r"`(\w+)`", gate[1]))


def test_every_reason_is_listed_and_every_listed_one_is_given() -> None:
    assert listed() == given()


def test_an_event_with_a_reason_of_its_own_is_among_them() -> None:
    sources = "".join(path.read_text() for path in OPERATOR.rglob("*.py"))

    assert set(re.findall(r'Event\(\s*reason="(\w+)"', sources)) <= IN_PLACE


def test_no_reason_is_explained_twice_in_one_table_for_the_same_phase() -> None:
    rows = [line.split("|")[1:3] for line in DOCS.splitlines() if line.startswith("| `")]

    assert sorted(rows) == sorted([list(row) for row in {tuple(row) for row in rows}])
