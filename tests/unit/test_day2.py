"""docs/day2.md names what there is: conditions, Events, tables, labels, Secrets, kinds."""

import re
from pathlib import Path

import pytest

from fairlead_contract import record
from fairlead_operator import crds
from fairlead_operator.api.conditions import UPGRADED
from fairlead_operator.api.group import DATABASE_SECRET, LABEL_MANAGED_BY, MANAGED_BY
from fairlead_operator.api.model import ModelStatus
from fairlead_operator.api.phases.model import Phase, Reason
from fairlead_operator.engine import lease

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "day2.md").read_text(encoding="utf-8")


def test_what_is_purged_is_where_the_record_is() -> None:
    tables = re.findall(r"DELETE FROM ([\w.]+)", DOCS)

    assert set(tables) == {
        "fairlead_record.history", record.PREDICTIONS, record.FEEDBACK
    }  # fmt: skip


def test_the_kinds_that_are_deleted_are_all_of_ours() -> None:
    (names,) = re.findall(r"kubectl delete crds (.*)", DOCS)
    ours = {manifest["metadata"]["name"] for manifest in crds.build_crds().values()}

    assert set(names.split()) == ours


@pytest.mark.parametrize(
    "word",
    [
        pytest.param(f"--selector {LABEL_MANAGED_BY}={MANAGED_BY}", id="label"),
        pytest.param(DATABASE_SECRET, id="Secret in namespaces"),
        pytest.param(f"kubectl delete lease {lease._NAME} ", id="Lease"),
        pytest.param(f'@.type=="{UPGRADED}"', id="condition of an upgrade"),
        pytest.param(f"['{Phase.BLOCKED}', '{Phase.FAILED}']", id="phases that end a wait"),
        *(
            pytest.param(f"`{reason}`", id=reason)
            for reason in (Reason.RESTORED, Reason.STABLE_VERSION_GONE, Reason.HISTORY_UNAVAILABLE)
        ),
    ],
)
def test_a_word_of_the_api_is_written_as_it_is(word: str) -> None:
    assert word in DOCS


def test_the_address_that_readiness_speaks_of_is_a_field() -> None:
    assert "url" in ModelStatus.model_fields
    assert "`status.url`" in DOCS
