"""Whether callers get an answer, and what is missing."""

from typing import Any

import pytest

from fairlead_operator.api.phases.rollout import PodsReason, RouteReason
from fairlead_operator.rollout.presence import Pods, find_presence
from fairlead_operator.rollout.traffic.accepted import MISSING, Routed

ONE, NONE = Pods(available=1), Pods(available=0)
STUCK = Pods(available=1, obstacle="pod p does not start: ErrImagePull: no such tag")
STARTING = Pods(available=1, starting=True)
REFUSED = Pods(available=0, obstacle="a pod is refused: exceeded quota: small")


def routed(reason: RouteReason, *, unheard: bool = False) -> Routed:
    return Routed(reason=reason, message="the Gateway's words", weights=None, unheard=unheard)


@pytest.mark.parametrize(
    ("servers", "more", "reason", "words"),
    [
        pytest.param({"1": ONE}, {}, PodsReason.READY, "every pod", id="all is there"),
        pytest.param({"1": ONE}, {"gateway": ONE}, PodsReason.READY, "every pod", id="both parts"),
        pytest.param(
            {"1": NONE}, {}, PodsReason.NOT_ANSWERING, "no pod of 1 is ready", id="no pod"
        ),
        pytest.param({}, {}, PodsReason.NOT_ANSWERING, "no pod of 1 is ready", id="no Deployment"),
        pytest.param(
            {"1": REFUSED}, {}, PodsReason.NOT_ANSWERING, "exceeded quota: small", id="and why"
        ),
        pytest.param(
            {"1": ONE},
            {"gateway": REFUSED},
            PodsReason.NOT_ANSWERING,
            "no pod of the gateway is ready: a pod is refused: exceeded quota: small",
            id="no gateway",
        ),
        pytest.param(
            {"1": STARTING},
            {"gateway": STARTING},
            PodsReason.READY,
            "pods behind the address answer, and others are starting: 1, the gateway",
            id="others start, and nothing is wrong with them so far",
        ),
        pytest.param(
            {"1": STUCK},
            {"gateway": STARTING},
            PodsReason.MISSING,
            "1: pod p does not start",
            id="one hangs, and others start",
        ),
        pytest.param(
            {"1": STUCK}, {}, PodsReason.MISSING, "1: pod p does not start", id="an upgrade hangs"
        ),
        pytest.param(
            {"1": ONE},
            {"gateway": STUCK},
            PodsReason.MISSING,
            "the gateway: pod p does not start",
            id="the gateway's upgrade hangs",
        ),
        pytest.param(
            {"1": ONE, "2": REFUSED},
            {"beside": ["2"]},
            PodsReason.MISSING,
            "2: a pod is refused",
            id="no pod of a candidate: the stable version answers",
        ),
        pytest.param(
            {"1": NONE, "2": ONE},
            {"beside": ["2"]},
            PodsReason.NOT_ANSWERING,
            "no pod of 1 is ready",
            id="no pod of the stable version: nobody stands in",
        ),
        pytest.param(
            {"1": ONE},
            {"routed": routed(RouteReason.REFUSED)},
            PodsReason.NOT_ANSWERING,
            "the Gateway's words",
            id="a route that is refused",
        ),
        pytest.param(
            {"1": ONE}, {"routed": MISSING}, PodsReason.NOT_ANSWERING, "HTTPRoute", id="no routes"
        ),
        pytest.param(
            {"1": ONE},
            {"routed": routed(RouteReason.PENDING)},
            PodsReason.READY,
            "every pod",
            id="a route on its way: the last one is in force",
        ),
        pytest.param(
            {"1": ONE},
            {"routed": routed(RouteReason.PENDING), "is_late": True},
            PodsReason.READY,
            "every pod",
            id="a route that is long on its way: the last one is in force",
        ),
        pytest.param(
            {"1": ONE},
            {"routed": routed(RouteReason.PENDING, unheard=True)},
            PodsReason.READY,
            "every pod",
            id="a route that was only just written",
        ),
        pytest.param(
            {"1": ONE},
            {"routed": routed(RouteReason.PENDING, unheard=True), "is_late": True},
            PodsReason.NOT_ANSWERING,
            "the Gateway's words",
            id="a route of which no Gateway says anything",
        ),
        pytest.param(
            {"1": ONE},
            {"routed": routed(RouteReason.ACCEPTED)},
            PodsReason.READY,
            "every pod",
            id="a route in force",
        ),
    ],
)
def test_presence(
    servers: dict[str, Pods], more: dict[str, Any], reason: PodsReason, words: str
) -> None:
    presence = find_presence(servers, in_charge=["1"], **more)

    assert presence.reason is reason
    assert words in presence.message
    assert presence.complete is (reason is PodsReason.READY)
