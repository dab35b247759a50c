"""Which addresses answer for a Service."""

from typing import Any

import pytest

from fairlead_serving.gateway.routes.endpoints import Endpoint, find_endpoints


def slice_of(*endpoints: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "s-1", "labels": {"kubernetes.io/service-name": "s"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 3000}],
        "endpoints": list(endpoints),
    } | changes


def pod(address: str, **conditions: Any) -> dict[str, Any]:
    return {"addresses": [address], "conditions": conditions}


def at(*addresses: str, port: int = 3000) -> dict[str, tuple[Endpoint, ...]]:
    return {"s": tuple(Endpoint(address=address, port=port) for address in addresses)}


@pytest.mark.parametrize(
    ("slices", "expected"),
    [
        pytest.param([slice_of(pod("10.0.0.1", ready=True))], at("10.0.0.1"), id="ready"),
        pytest.param([slice_of(pod("10.0.0.1", ready=False))], {}, id="not ready"),
        pytest.param([slice_of(pod("10.0.0.1"))], at("10.0.0.1"), id="unknown counts as ready"),
        pytest.param([slice_of(pod("10.0.0.1", ready=None))], at("10.0.0.1"), id="null as ready"),
        pytest.param(
            [slice_of(pod("10.0.0.1", ready=True, terminating=True))],
            {},
            id="terminating: left out whatever ready says",
        ),
        pytest.param(
            [slice_of(pod("10.0.0.2")), slice_of(pod("10.0.0.1"), pod("10.0.0.2"))],
            at("10.0.0.1", "10.0.0.2"),
            id="several slices: merged, sorted, once each",
        ),
        pytest.param(
            [slice_of(pod("10.0.0.1"), ports=[{"name": "", "port": 81}])],
            at("10.0.0.1", port=81),
            id="the only port, whatever its name",
        ),
        pytest.param(
            [
                slice_of(
                    pod("10.0.0.1"),
                    ports=[{"name": "metrics", "port": 1}, {"name": "http", "port": 2}],
                )
            ],
            at("10.0.0.1", port=2),
            id="the port called http",
        ),
        pytest.param(
            [slice_of(pod("10.0.0.1"), ports=[{"name": "a", "port": 1}, {"name": "b", "port": 2}])],
            {},
            id="no port called http",
        ),
        pytest.param([slice_of(pod("10.0.0.1"), ports=None)], {}, id="no ports"),
        pytest.param([slice_of(pod("a.b"), addressType="FQDN")], {}, id="names are no addresses"),
        pytest.param([slice_of(pod("::1"), addressType="IPv6")], at("::1"), id="IPv6"),
        pytest.param([slice_of(endpoints=None)], {}, id="no endpoints"),
        pytest.param([slice_of(pod("10.0.0.1"), metadata={"name": "x"})], {}, id="no Service"),
    ],
)
def test_ready_endpoints(
    slices: list[dict[str, Any]], expected: dict[str, tuple[Endpoint, ...]]
) -> None:
    assert find_endpoints(slices, {}).endpoints == expected


LEAVING = {"ready": False, "serving": True, "terminating": True}


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param([], at("10.0.0.1"), id="the last one goes on"),
        pytest.param([pod("10.0.0.2", **LEAVING)], at("10.0.0.1", "10.0.0.2"), id="so do several"),
        pytest.param([pod("10.0.0.2", ready=True)], at("10.0.0.2"),
                     id="another is ready: it gets nothing new"),
        pytest.param([pod("10.0.0.2", ready=False)], at("10.0.0.1"),
                     id="another was never ready: it is asked rather than that"),
        pytest.param([pod("10.0.0.2", **LEAVING | {"serving": False})], at("10.0.0.1"),
                     id="another has stopped"),
    ],
)  # fmt: skip
def test_a_pod_that_ends_answers_while_no_other_can(
    others: list[dict[str, Any]], expected: dict[str, tuple[Endpoint, ...]]
) -> None:
    """Under strategy recreate the downtime began some seconds before the old pod stopped."""
    found = find_endpoints([slice_of(pod("10.0.0.1", **LEAVING), *others)], at("10.0.0.1"))

    assert found.endpoints == expected
    assert bool(found.ready) is (expected == at("10.0.0.2"))


@pytest.mark.parametrize(
    ("before", "others", "expected"),
    [
        pytest.param(["1", "2", "3"], [pod("2", ready=False), pod("3", ready=False)],
                     ["1", "2", "3"], id="all others turned unready: they share what it carried"),
        pytest.param(["1", "2"], [pod("2", ready=False), pod("3", ready=False)], ["1", "2"],
                     id="one was never ready: left out"),
        pytest.param(["2"], [pod("2", ready=False)], ["1", "2"],
                     id="it was left out while the others were ready: it is asked again"),
        pytest.param(["1", "2"], [pod("2", **LEAVING | {"serving": False})], ["1"],
                     id="another one stopped"),
        pytest.param(["1", "2", "3"], [pod("2", ready=False), pod("3", ready=True)], ["3"],
                     id="one is ready: it alone"),
    ],
)  # fmt: skip
def test_a_pod_that_ends_does_not_carry_alone_what_those_carry_that_turned_unready(
    before: list[str], others: list[dict[str, Any]], expected: list[str]
) -> None:
    """Of ten pods nine turned unready together while one was drained: it alone got all of it."""
    found = find_endpoints([slice_of(pod("1", **LEAVING), *others)], at(*before))

    assert found.endpoints == at(*expected)
    assert bool(found.ready) is ("3" in expected and len(expected) == 1)


@pytest.mark.parametrize(
    ("slices", "expected"),
    [
        pytest.param(
            [slice_of(pod("10.0.0.1", ready=False), pod("10.0.0.2", ready=False))],
            at("10.0.0.1", "10.0.0.2"),
            id="all turned unready at once: kept",
        ),
        pytest.param(
            [slice_of(pod("10.0.0.1", ready=False), pod("10.0.0.2", ready=True))],
            at("10.0.0.2"),
            id="another one is ready",
        ),
        pytest.param(
            [slice_of(pod("10.0.0.1", ready=False))], at("10.0.0.1"), id="the other one is gone"
        ),
        pytest.param(
            [slice_of(pod("10.0.0.1", ready=False), pod("10.0.0.3", ready=False))],
            at("10.0.0.1"),
            id="never ready: not kept",
        ),
        pytest.param(
            [slice_of(pod("10.0.0.1", ready=False, serving=False, terminating=True))],
            {},
            id="terminating, and stopped: not kept",
        ),
        pytest.param(
            [slice_of(pod("10.0.0.1", ready=False), ports=[{"name": "http", "port": 3001}])],
            {},
            id="another port: not kept",
        ),
        pytest.param([], {}, id="all gone"),
    ],
)
def test_what_was_ready_is_kept_while_nothing_is(
    slices: list[dict[str, Any]], expected: dict[str, tuple[Endpoint, ...]]
) -> None:
    found = find_endpoints(slices, at("10.0.0.1", "10.0.0.2"))

    assert found.endpoints == expected
    a_pod_is_ready = any(
        each["conditions"].get("ready") is True
        for piece in slices
        for each in piece["endpoints"] or ()
    )
    assert bool(found.ready) is a_pod_is_ready
