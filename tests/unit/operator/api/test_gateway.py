"""Host names of two gateways as one: an HTTPRoute has so many, and each in one place."""

from collections.abc import Sequence

import pytest

from fairlead_operator.api.gateway import GatewaySpec

MANY = [f"h{number}" for number in range(16)]


def gateway(hosts: Sequence[str] = "", previews: Sequence[str] = "") -> GatewaySpec:
    kind = "GatewayAPI" if hosts else "BuiltIn"
    names = {"hostnames": list(hosts) or None, "previewHostnames": list(previews) or None}
    return GatewaySpec.model_validate({"kind": kind, **names})


@pytest.mark.parametrize(
    ("begun", "asked", "joined"),
    [
        pytest.param(gateway("a"), gateway("a"), gateway("a"), id="the same"),
        pytest.param(gateway("a"), gateway("ba"), gateway("ab"), id="one comes, last"),
        pytest.param(gateway("ab"), gateway("c"), gateway("abc"), id="none goes"),
        pytest.param(gateway("a"), gateway("a", "p"), gateway("a", "p"), id="a preview comes"),
        pytest.param(gateway("a", "p"), gateway("ap"), gateway("a", "p"), id="a preview stays one"),
        pytest.param(gateway("ap"), gateway("a", "p"), gateway("ap"), id="a live one stays live"),
        pytest.param(gateway(MANY), gateway("a"), gateway(MANY), id="no more than a route has"),
        pytest.param(gateway(), gateway(), gateway(), id="none of the built-in gateway"),
    ],
)
def test_host_names_join(begun: GatewaySpec, asked: GatewaySpec, joined: GatewaySpec) -> None:
    assert begun.join(asked) == joined
