"""Envoy's resources for a route and its endpoints, as dictionaries in Envoy's JSON form.

Pure.  One cluster per version with its endpoints apart, so that pods may come and go without
touching the cluster's counters, and one route configuration for all Models.
"""

from collections.abc import Mapping
from typing import Any

from fairlead_serving.gateway.endpoints import Endpoint
from fairlead_serving.gateway.routes import Route, Version

Resource = dict[str, Any]

ROUTE_CONFIGURATION = "models"
VERSION_HEADER = "x-fairlead-version"

_ADS: Resource = {"ads": {}, "resource_api_version": "V3"}
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_PREVIOUS_HOSTS = "envoy.retry_host_predicates.previous_hosts"
_MIN_IDLE_SECONDS = 300


def cluster_name(route: Route, version: Version) -> str:
    """The cluster of one version; metric labels are read from it."""
    return f"{route.namespace}|{route.model}|{version.version}"


def build_cluster(name: str) -> Resource:
    """One version's cluster.  The same for ever: a changed cluster loses its counters."""
    return {
        "name": name,
        # Versions have dots, as statistic names do; the bar says where the version ends.
        "alt_stat_name": f"{name}|",
        "type": "EDS",
        "eds_cluster_config": {"eds_config": _ADS},
        "connect_timeout": "1s",
        "lb_policy": "LEAST_REQUEST",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": 4096,
                    "max_pending_requests": 4096,
                    "max_requests": 4096,
                    "max_retries": 1024,
                }
            ]
        },
        "outlier_detection": _outlier_detection(),
        "typed_extension_protocol_options": {
            _HTTP_OPTIONS: {
                "@type": f"type.googleapis.com/{_HTTP_OPTIONS}",
                # Below the 5 s after which common servers close an idle connection: a request
                # sent into that moment would be lost.
                "common_http_protocol_options": {"idle_timeout": "4s"},
                "explicit_http_config": {"http_protocol_options": {}},
            }
        },
    }


def build_assignment(name: str, endpoints: tuple[Endpoint, ...]) -> Resource:
    """The endpoints of one cluster."""
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


def build_route_configuration(virtual_hosts: list[Resource]) -> Resource:
    """The one route configuration around the virtual hosts of all Models."""
    return {
        "name": ROUTE_CONFIGURATION,
        # Refuse routes to a cluster that is not there, and keep the last good ones.
        "validate_clusters": True,
        "ignore_port_in_host_matching": True,
        "virtual_hosts": virtual_hosts,
    }


def build_virtual_host(route: Route) -> Resource:
    """One Model: a forced version, a version that is not there, then the split."""
    name = f"{route.namespace}/{route.model}"
    return {
        "name": name,
        "domains": list(route.hosts),
        "routes": [
            *(_forced(route, version) for version in route.versions),
            {
                "name": f"{name}/unknown-version",
                "match": _match({"name": VERSION_HEADER, "present_match": True}),
                "direct_response": _not_found(
                    f"model {route.model} has no version %REQ({VERSION_HEADER})% to serve"
                ),
            },
            {
                "name": f"{name}/default",
                "match": _match(),
                "route": {**_action(route), "weighted_clusters": _split(route)},
            },
        ],
    }


def build_unknown_host() -> Resource:
    """What answers when no Model has the host."""
    return {
        "name": "unknown-host",
        "domains": ["*"],
        "routes": [
            {
                "name": "unknown-host",
                "match": _match(),
                "direct_response": _not_found(
                    "no model is served under host %REQ(:AUTHORITY)% in this namespace"
                ),
            }
        ],
    }


def _forced(route: Route, version: Version) -> Resource:
    exactly = {"name": VERSION_HEADER, "string_match": {"exact": version.version}}
    return {
        "name": f"{route.namespace}/{route.model}/force/{version.version}",
        "match": _match(exactly),
        "route": {**_action(route), "cluster": cluster_name(route, version)},
    }


def _split(route: Route) -> Resource:
    return {
        "clusters": [
            {"name": cluster_name(route, version), "weight": version.weight}
            for version in route.versions
            if version.weight
        ],
    }


def _match(*headers: Mapping[str, Any]) -> Resource:
    return {"prefix": "/", "headers": list(headers)}


def _action(route: Route) -> Resource:
    idle = max(_MIN_IDLE_SECONDS, route.timeout_seconds)
    return {
        "timeout": f"{route.timeout_seconds:g}s",
        "idle_timeout": f"{idle:g}s",
        # Only what cannot have reached the model.  A retried 5xx would hide a bad version from
        # the metrics that judge it.
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream,reset-before-request",
            "num_retries": 2,
            "retry_back_off": {"base_interval": "0.002s", "max_interval": "0.025s"},
            "host_selection_retry_max_attempts": 10,
            "retry_host_predicate": [
                {
                    "name": _PREVIOUS_HOSTS,
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.retry.host"
                        ".previous_hosts.v3.PreviousHostsPredicate"
                    },
                }
            ],
        },
    }


def _not_found(message: str) -> Resource:
    return {
        "status": 404,
        "body_format": {"text_format_source": {"inline_string": f"{message}\n"}},
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
