"""Envoy's clusters and their endpoints, as dictionaries in Envoy's JSON form.  Pure.

One cluster per version with its endpoints apart, so that pods may come and go without touching
the cluster's counters, one more for the copies of a mirror, and one for requests that ask for the
version themselves: what they are answered says nothing of live traffic.
"""

from typing import Any

from fairlead_contract.series import DIRECT, SHADOW
from fairlead_serving.gateway.routes.endpoints import Endpoint
from fairlead_serving.gateway.routes.options import Mirror
from fairlead_serving.gateway.routes.route import Route

Resource = dict[str, Any]

_ADS: Resource = {"ads": {}, "resource_api_version": "V3"}
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
MOST_REQUESTS = 4096  # of one version at a time, of each priority
_LARGEST_BODY = 32 * 1024 * 1024  # that a model server takes, in bytes


def cluster_name(route: Route, version: str) -> str:
    """Name the cluster of one version; metric labels are read from it."""
    return f"{route.namespace}|{route.model}|{version}"


def shadow_name(route: Route, mirror: Mirror) -> str:
    """Name the cluster that takes the copies; its statistics have the role `shadow`."""
    return f"{cluster_name(route, mirror.version)}|{SHADOW}"


def direct_name(route: Route, version: str) -> str:
    """Name the cluster of forced requests and previews; its statistics have the role `direct`."""
    return f"{cluster_name(route, version)}|{DIRECT}"


def build_cluster(name: str) -> Resource:
    """Build one version's cluster, which never changes: a changed cluster loses its counters."""
    return {
        **_cluster(name),
        # Versions have dots, as statistic names do; the bar says where the version ends.
        "alt_stat_name": name if name.endswith(f"|{DIRECT}") else f"{name}|",
        "circuit_breakers": {
            "thresholds": [
                _limits(most=MOST_REQUESTS, retries=1024),
                # Of requests that are sent on when their bodies are whole: what is left of the
                # limit tells how many are under way.
                _limits(most=MOST_REQUESTS, retries=1024)
                | {"priority": "HIGH", "track_remaining": True},
            ]
        },
        "outlier_detection": _outlier_detection(),
        "typed_extension_protocol_options": _http_options(),
    }


def build_shadow_cluster(name: str, seconds: float) -> Resource:
    """Build the cluster for copies.  Whatever happens to them, the live request does not notice.

    What the version cannot take is dropped, what it does not read fits into the buffer (or the
    live request would wait), and what it does not answer ends after so many seconds.
    """
    return {
        **_cluster(name),
        "alt_stat_name": name,
        "circuit_breakers": {"thresholds": [_limits(most=16, retries=0)]},
        "per_connection_buffer_limit_bytes": _LARGEST_BODY,
        "typed_extension_protocol_options": _http_options(max_stream_duration=f"{seconds:g}s"),
    }


def _cluster(name: str) -> Resource:
    return {
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"eds_config": _ADS},
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
    }


def _limits(*, most: int, retries: int) -> dict[str, Any]:
    return {
        "max_connections": most,
        "max_pending_requests": most,
        "max_requests": most,
        "max_retries": retries,
    }


def _http_options(**common: str) -> Resource:
    return {
        _HTTP_OPTIONS: {
            "@type": f"type.googleapis.com/{_HTTP_OPTIONS}",
            # Below the 5 s after which common servers close an idle connection: a request sent
            # into that moment would be lost.
            "common_http_protocol_options": {"idle_timeout": "4s", **common},
            "explicit_http_config": {"http_protocol_options": {}},
        }
    }


def build_assignment(name: str, endpoints: tuple[Endpoint, ...]) -> Resource:
    """Build the endpoints of one cluster."""
    return {
        "cluster_name": name,
        "endpoints": [
            {
                "lb_endpoints": [
                    {
                        "endpoint": {
                            "address": {
                                "socket_address": {
                                    "address": endpoint.address,
                                    "port_value": endpoint.port,
                                }
                            }
                        }
                    }
                    for endpoint in endpoints
                ]
            }
        ],
    }


def _outlier_detection() -> Resource:
    """Leave out an endpoint that cannot be reached, never the last one."""
    return {
        "consecutive_gateway_failure": 5,
        "enforcing_consecutive_gateway_failure": 100,
        "enforcing_consecutive_5xx": 0,
        "enforcing_success_rate": 0,
        "interval": "5s",
        "base_ejection_time": "10s",
        "max_ejection_time": "60s",
        "max_ejection_percent": 50,
    }
