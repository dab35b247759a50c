"""Conditions: a transition time moves with the status, and with nothing else."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.api.conditions import Condition, merge
from support.fakes import START

LATER = START + timedelta(minutes=1)
STATUSES = st.sampled_from(["True", "False", "Unknown"])
CONDITIONS = st.lists(
    st.builds(
        Condition,
        type=st.sampled_from(["Ready", "Progressing", "Succeeded"]),
        status=STATUSES,
        reason=st.sampled_from(["A", "B"]),
        last_transition_time=st.sampled_from([START, None]),
    ),
    max_size=3,
    unique_by=lambda condition: condition.type,
)


@given(CONDITIONS, CONDITIONS)
def test_the_new_set_with_times(old: list[Condition], new: list[Condition]) -> None:
    merged = merge(old, new, now=LATER)
    before = {condition.type: condition for condition in old}

    assert [c.model_copy(update={"last_transition_time": None}) for c in merged] == [
        c.model_copy(update={"last_transition_time": None}) for c in new
    ]
    for condition in merged:
        known = before.get(condition.type)
        stays = known is not None and known.status == condition.status
        assert condition.last_transition_time == (
            known.last_transition_time or LATER if known is not None and stays else LATER
        )


@given(CONDITIONS)
def test_merging_again_changes_nothing(new: list[Condition]) -> None:
    once = merge((), new, now=START)

    assert merge(once, new, now=LATER) == once
