"""From when on a version's answers tell of it, where pods of it were replaced."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_operator.rollout.evidence.turnover import SETTLING, settles_at
from support.builders import MINUTE, NOW

BEGAN = NOW - 5 * MINUTE


def made(
    ago: timedelta, *, leaving: bool = False, phase: str = "Running", **status: Any
) -> dict[str, Any]:
    moment = (NOW - ago).isoformat(timespec="seconds").replace("+00:00", "Z")
    meta = {"name": "a", "creationTimestamp": moment}
    gone = {"deletionTimestamp": moment} if leaving else {}
    return {"metadata": meta | gone, "status": {"phase": phase, **status}}


def not_ready(*, containers: bool) -> dict[str, Any]:
    return {
        "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [{"name": "server", "ready": containers}],
    }


DISRUPTED = [{"type": "DisruptionTarget", "status": "True"}]


OLD, NEW = made(10 * MINUTE), made(MINUTE)
NEWER = made(timedelta(seconds=10))


@pytest.mark.parametrize(
    ("pods", "moment"),
    [
        pytest.param([OLD, OLD], None, id="those of the beginning"),
        pytest.param([OLD, OLD, NEW], None, id="an autoscaler added one"),
        pytest.param(
            [made(5 * MINUTE), OLD], BEGAN + SETTLING, id="one is of the second in which it began"
        ),
        pytest.param([], NOW + SETTLING, id="all are gone: not before new ones are there"),
        pytest.param([OLD], NOW + SETTLING, id="one is gone"),
        pytest.param([OLD, NEW], NOW - MINUTE + SETTLING, id="one is new"),
        pytest.param(
            [NEW, NEWER], NOW - timedelta(seconds=10) + SETTLING, id="all are new: by the last"
        ),
        pytest.param(
            [OLD, made(10 * MINUTE, leaving=True), NEW],
            NOW - MINUTE + SETTLING,
            id="one that leaves has gone",
        ),
        pytest.param(
            [
                OLD,
                made(10 * MINUTE, phase="Failed", reason="Evicted", conditions=DISRUPTED),
                NEW,
            ],
            NOW - MINUTE + SETTLING,
            id="one that had to make room for others has gone",
        ),
        pytest.param(
            [OLD, made(10 * MINUTE, phase="Failed", reason="Evicted"), NEW],
            None,
            id="one that outgrew its own disk is its own doing",
        ),
        pytest.param(
            [OLD, made(10 * MINUTE, **not_ready(containers=True)), NEW],
            NOW - MINUTE + SETTLING,
            id="one on a node that is silent has gone",
        ),
        pytest.param(
            [OLD, made(10 * MINUTE, **not_ready(containers=False)), NEW],
            None,
            id="one that says itself that it is not ready has not",
        ),
        pytest.param(
            [OLD, made(-MINUTE)], NOW + SETTLING, id="one of a moment to come: a clock is late"
        ),
        pytest.param(
            [OLD, made(timedelta(hours=-1))], None, id="one of an hour to come: ours was set back"
        ),
    ],
)
def test_of_two_pods(pods: list[dict[str, Any]], moment: datetime | None) -> None:
    assert settles_at(pods, since=BEGAN, had=2, least=2, now=NOW) == moment


@pytest.mark.parametrize(
    ("pods", "moment"),
    [
        pytest.param([OLD], None, id="two went and nothing came: an autoscaler's doing"),
        pytest.param([OLD, NEW, NEWER], NOW - timedelta(seconds=10) + SETTLING, id="two are new"),
        pytest.param([OLD, OLD, OLD, NEW, NEWER], None, id="two came on top: no excuse"),
        pytest.param([], NOW + SETTLING, id="fewer than there may be"),
    ],
)
def test_of_three_pods_of_which_an_autoscaler_may_take_two(
    pods: list[dict[str, Any]], moment: datetime | None
) -> None:
    assert settles_at(pods, since=BEGAN, had=3, least=1, now=NOW) == moment


pods_of_any_age = st.lists(
    st.builds(
        made,
        st.integers(0, 900).map(lambda seconds: timedelta(seconds=seconds)),
        leaving=st.booleans(),
        phase=st.sampled_from(["Running", "Pending", "Failed"]),
    ),
    max_size=5,
)


@given(pods_of_any_age, st.integers(1, 5), st.integers(1, 5))
def test_a_version_is_never_in_doubt_for_longer_than_its_last_new_pod_needs(
    pods: list[dict[str, Any]], had: int, least: int
) -> None:
    moment = settles_at(pods, since=BEGAN, had=had, least=least, now=NOW)

    assert moment is None or BEGAN <= moment <= NOW + SETTLING
    staying = [
        pod["metadata"]["creationTimestamp"]
        for pod in pods
        if pod["status"]["phase"] != "Failed" and "deletionTimestamp" not in pod["metadata"]
    ]
    if moment is not None and len(staying) >= least:
        assert moment == min(NOW, datetime.fromisoformat(max(staying))) + SETTLING
