"""The agent's settings from the environment."""

from pathlib import Path

import pytest

from fairlead_serving.gateway.settings import Ports, read_ports, read_settings

COMPLETE = {"FAIRLEAD_NAMESPACE": "energy", "POD_NAME": "gateway-0"}


def test_in_a_pod_two_names_are_enough() -> None:
    settings = read_settings(COMPLETE)

    assert (settings.namespace, settings.pod) == ("energy", "gateway-0")
    assert settings.api_url == "https://kubernetes.default.svc:443"
    assert settings.api_token is None
    assert settings.socket == Path("/run/gateway/ads.sock")
    assert settings.snapshot == Path("/run/gateway/snapshot.json")
    assert settings.ports == Ports()


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        pytest.param(
            {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"},
            "https://10.0.0.1:6443",
            id="what the kubelet says",
        ),
        pytest.param(
            {"KUBERNETES_SERVICE_HOST": "fd00::1"}, "https://[fd00::1]:443", id="an IPv6 address"
        ),
        pytest.param({"FAIRLEAD_API_URL": "http://x:1/"}, "http://x:1", id="one that is given"),
    ],
)
def test_the_address_of_the_api_server(changes: dict[str, str], url: str) -> None:
    assert read_settings(COMPLETE | changes).api_url == url


@pytest.mark.parametrize("name", sorted(COMPLETE))
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_variable_is_named(name: str, value: str | None) -> None:
    environment = {
        key: each for key, each in (COMPLETE | {name: value}).items() if each is not None
    }

    with pytest.raises(ValueError, match=f"{name} is not set"):
        read_settings(environment)


def test_every_port_can_be_moved() -> None:
    ports = read_ports(
        {
            "FAIRLEAD_GATEWAY_BIND": "127.0.0.1",
            "FAIRLEAD_GATEWAY_TRAFFIC_PORT": "1",
            "FAIRLEAD_GATEWAY_METRICS_PORT": "2",
            "FAIRLEAD_GATEWAY_ADMIN_PORT": "3",
            "FAIRLEAD_GATEWAY_AGENT_PORT": "65535",
        }
    )

    assert ports == Ports(bind="127.0.0.1", traffic=1, metrics=2, admin=3, agent=65535)


@pytest.mark.parametrize("value", ["", "http", "0", "65536", "-1", "8080.0"])
def test_what_is_not_a_port_is_named(value: str) -> None:
    with pytest.raises(ValueError, match=f"FAIRLEAD_GATEWAY_ADMIN_PORT is {value!r}"):
        read_ports({"FAIRLEAD_GATEWAY_ADMIN_PORT": value})
