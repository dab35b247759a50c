"""Envoy's bootstrap and the settings it is made from."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fairlead_serving.gateway.settings import Ports, Settings, read_ports, read_settings
from fairlead_serving.gateway.xds import bootstrap
from fairlead_serving.gateway.xds.bootstrap import build_bootstrap

ENVIRONMENT = {"FAIRLEAD_NAMESPACE": "energy", "POD_NAME": "fairlead-gateway-1"}


def built() -> dict[str, Any]:
    return build_bootstrap(read_settings(ENVIRONMENT))


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = read_settings(ENVIRONMENT)

    assert settings.ports == Ports(traffic=8080, metrics=9090, admin=9901, agent=9091)
    assert settings.socket == Path("/run/gateway/ads.sock")
    assert settings.snapshot == Path("/run/gateway/snapshot.json")
    assert settings.api_token is None


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        pytest.param({}, "https://kubernetes.default.svc:443", id="by name"),
        pytest.param(
            {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"},
            "https://10.0.0.1:6443",
            id="as the kubelet says",
        ),
        pytest.param({"KUBERNETES_SERVICE_HOST": "fd00::1"}, "https://[fd00::1]:443", id="IPv6"),
        pytest.param({"FAIRLEAD_API_URL": "http://a:1/"}, "http://a:1", id="given"),
    ],
)
def test_where_the_api_server_is(environment: dict[str, str], url: str) -> None:
    assert read_settings(ENVIRONMENT | environment).api_url == url


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        pytest.param({"POD_NAME": "p"}, "FAIRLEAD_NAMESPACE is not set", id="no namespace"),
        pytest.param({"FAIRLEAD_NAMESPACE": "n"}, "POD_NAME is not set", id="no pod"),
        pytest.param(
            ENVIRONMENT | {"FAIRLEAD_GATEWAY_ADMIN_PORT": "x"}, "is 'x'; give a port", id="text"
        ),
        pytest.param(
            ENVIRONMENT | {"FAIRLEAD_GATEWAY_ADMIN_PORT": "65536"}, "give a port", id="too high"
        ),
    ],
)
def test_bad_settings_are_named(environment: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_settings(environment)


def test_ports_may_be_moved() -> None:
    ports = read_ports({"FAIRLEAD_GATEWAY_TRAFFIC_PORT": "1", "FAIRLEAD_GATEWAY_BIND": "127.0.0.1"})

    assert ports == Ports(bind="127.0.0.1", traffic=1)


def test_the_admin_interface_stays_on_loopback() -> None:
    assert built()["admin"]["address"]["socket_address"] == {
        "address": "127.0.0.1",
        "port_value": 9901,
    }


def test_envoy_waits_for_its_agent() -> None:
    """With Envoy's default it would turn ready without routes, and answer 404."""
    manager = built()["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]

    assert built()["dynamic_resources"]["cds_config"]["initial_fetch_timeout"] == "0s"
    scoped = manager["typed_config"]["scoped_routes"]
    for source in (scoped["rds_config_source"], scoped["scoped_rds"]["scoped_rds_config_source"]):
        assert source["initial_fetch_timeout"] == "0s"


@pytest.mark.parametrize(
    ("version", "role"),
    [
        pytest.param("1.1.0", "", id="a version"),
        pytest.param("1.0.0-rc.1", "", id="a version with a suffix"),
        pytest.param("2", "", id="a bare number"),
        pytest.param("1.1.0", "shadow", id="a role"),
    ],
)
def test_labels_are_read_from_the_name_of_a_statistic(version: str, role: str) -> None:
    statistic = f"cluster.energy|nsw-price|{version}|{role}.upstream_rq_completed"
    tags = built()["stats_config"]["stats_tags"]

    labels = {
        tag["tag_name"]: found[2]
        for tag in tags
        if "regex" in tag and (found := re.search(tag["regex"], statistic))
    }

    assert labels == {
        "envoy.cluster_name": f"energy|nsw-price|{version}",
        "model_namespace": "energy",
        "model": "nsw-price",
        "version": version,
    } | ({"role": role} if role else {})


@pytest.mark.parametrize(
    ("statistic", "kept"),
    [
        pytest.param("cluster.e|m|1.0.0|.upstream_rq_503", True, id="a code"),
        pytest.param("cluster.e|m|1.0.0|.upstream_rq_time", True, id="latency"),
        pytest.param(
            "cluster.e|m|1.0.0|.circuit_breakers.high.remaining_rq", True, id="who waits, by room"
        ),
        pytest.param("cluster.e|m|1.0.0|.circuit_breakers.default.rq_open", False, id="no limit"),
        pytest.param("cluster.e|m|1.0.0|.external.upstream_rq_503", False, id="a double"),
        pytest.param("cluster.e|m|1.0.0|.upstream_rq_5xx", False, id="a class"),
        pytest.param("cluster.agent.upstream_rq_200", False, id="our own"),
        pytest.param("http.gw.downstream_rq_active", True, id="what drain waits for"),
        pytest.param("http.gw.rds.e/m.update_success", False, id="one of each Model's routes"),
    ],
)
def test_kept_statistics(statistic: str, *, kept: bool) -> None:
    patterns = built()["stats_config"]["stats_matcher"]["inclusion_list"]["patterns"]

    assert any(re.search(each["safe_regex"]["regex"], statistic) for each in patterns) is kept


def test_the_command_writes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read_settings(ENVIRONMENT)
    monkeypatch.setattr(bootstrap, "read_settings", lambda: settings)

    bootstrap.main([str(tmp_path / "bootstrap.json")])

    assert json.loads((tmp_path / "bootstrap.json").read_text()) == build_bootstrap(settings)


def test_a_whole_settings_object_is_enough() -> None:
    settings = Settings(
        namespace="n",
        pod="p",
        api_url="",
        api_token=None,
        run_dir=Path("/elsewhere"),
        ports=Ports(),
    )

    assert "/elsewhere/ads.sock" in json.dumps(build_bootstrap(settings))


def test_load_is_lightened_step_by_step_before_the_memory_of_the_container_is_used_up() -> None:
    overload = built()["overload_manager"]
    steps = {
        action["name"].rpartition(".")[2]: trigger
        for action in overload["actions"]
        for trigger in action["triggers"]
    }

    heap = overload["resource_monitors"][0]["typed_config"]["max_heap_size_bytes"]
    assert heap == 512 * 1024 * 1024
    assert steps["reduce_timeouts"]["scaled"] == {
        "scaling_threshold": 0.7,
        "saturation_threshold": 0.9,
    }
    order = ["disable_http_keepalive", "stop_accepting_requests", "stop_accepting_connections"]
    shares = [steps[name]["threshold"]["value"] for name in order]
    assert shares == sorted(shares)
    assert shares[-1] < 1


def test_only_the_listener_of_clients_is_bound_to_their_limits() -> None:
    models, metrics = built()["static_resources"]["listeners"]

    assert "ignore_global_conn_limit" not in models
    assert metrics["ignore_global_conn_limit"] is metrics["bypass_overload_manager"] is True
    assert built()["admin"]["ignore_global_conn_limit"] is True
