"""Envoy's bootstrap: everything that is fixed for the life of the gateway pod.

Listeners are here and nowhere else: one that changes at run time closes its connections.

    python -m fairlead_serving.gateway.xds.bootstrap /run/gateway/bootstrap.json
    envoy -c /run/gateway/bootstrap.json --concurrency 2 --disable-hot-restart \
        --drain-time-s 30 --drain-strategy immediate --log-level warning \
        --ignore-unknown-dynamic-fields

The first is an init step, the second a container of its own in the same image.  Envoy writes
nothing; it needs the emptyDir `/run/gateway` that it shares with the agent.
"""

import json
import sys
from pathlib import Path
from typing import Any

from fairlead_contract import series
from fairlead_contract.cluster import ENVOY_MEBIBYTES, GATEWAY
from fairlead_contract.histogram import MILLISECONDS
from fairlead_contract.http import REQUEST_ID_HEADER, REQUEST_ID_PATTERN
from fairlead_serving.gateway.settings import Ports, Settings, read_settings
from fairlead_serving.gateway.xds.hosts import MOST_WHOLE_BYTES, WHOLE_BODIES

_EXTENSIONS = "type.googleapis.com/envoy.extensions"
_HTTP = f"{_EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": f"{_EXTENSIONS}.filters.http.router.v3.Router"},
}
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
# Without the zero an Envoy that cannot reach its agent turns ready after 30 s, and answers 404.
_ADS = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}

# Of clients: an idle one takes some 10 KiB.
_MAX_CONNECTIONS = 20000
_HEAP_BYTES = ENVOY_MEBIBYTES * 1024 * 1024
# Shares of the heap from which Envoy lightens its load, mildest first.
_LIGHTEN = {
    "shrink_heap": 0.75,
    "disable_http_keepalive": 0.85,
    "stop_accepting_requests": 0.9,
    "stop_accepting_connections": 0.95,
}
_TIRED, _EXHAUSTED = 0.7, 0.9  # of the heap: between them idle clients are sent away sooner

# A version's statistics are called cluster.<namespace>|<model>|<version>|<role>.<statistic>.
_OWN = r"^cluster\.[^|.]+\|[^|.]+\|[^|]+\|[^|.]*"
_TAGS = {
    "envoy.cluster_name": r"^cluster\.(([^|.]+\|[^|.]+\|[^|]+)\|[^|.]*\.)",
    series.NAMESPACE: r"^cluster\.(([^|.]+)\|)",
    series.MODEL: r"^cluster\.[^|.]+\|(([^|.]+)\|)",
    series.VERSION: r"^cluster\.[^|.]+\|[^|.]+\|(([^|]+)\|)",
    series.ROLE: r"^cluster\.[^|.]+\|[^|.]+\|[^|]+\|(([^|.]+)\.)",
}
_DEFAULT_TAGS = (
    "envoy.response_code",
    "envoy.response_code_class",
    "envoy.http_conn_manager_prefix",
    "envoy.rds_route_config",
)
_KEPT_STATISTICS = (
    _OWN + r"\.(upstream_rq_(\d\d\d|completed|total|time|active|timeout|retry"
    r"|pending_(overflow|failure_eject))"
    r"|upstream_cx_(none_healthy|destroy_remote_with_active_rq)"
    r"|circuit_breakers\.high\.remaining_rq"
    r"|membership_(healthy|total)|outlier_detection\.ejections_active)$",
    r"^http\.gw\.(no_cluster|no_route|downstream_(rq_(active|completed|\dxx|rx_reset)|cx_active))$",
    r"^http\.gw\.scoped_rds\..*(update_(rejected|failure|success)|version_text|_scopes)$",
    r"^cluster_manager\.(warming_clusters|cds\.(update_(rejected|failure|success)|version_text))$",
    r"^(server\.(live|state|uptime|memory_allocated|dynamic_unknown_fields)|control_plane\..*)$",
)
_ACCESS_LOG = {
    "ts": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    "path": "%REQ(:PATH)%",
    "code": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "route": "%ROUTE_NAME%",
    "cluster": "%UPSTREAM_CLUSTER_RAW%",
    "upstream": "%UPSTREAM_HOST%",
    "ms": "%DURATION%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "request_id": "%REQ(X-REQUEST-ID)%",
}


_CAPITALS_TO_SMALL = """
function envoy_on_request(request)
  local headers = request:headers()
  headers:replace(":authority", string.lower(headers:get(":authority")))
  request:clearRouteCache()
end
"""


def build_bootstrap(settings: Settings) -> dict[str, Any]:
    """Build the whole document for one gateway pod."""
    ports = settings.ports
    return {
        "node": {"id": settings.pod, "cluster": f"{settings.namespace}/{GATEWAY}"},
        "admin": {
            "address": _address("127.0.0.1", ports.admin),
            "ignore_global_conn_limit": True,
        },
        "stats_flush_interval": "1s",
        "deferred_stat_options": {"enable_deferred_creation_stats": True},
        "stats_config": _statistics(),
        "overload_manager": _overload(),
        "dynamic_resources": {
            "cds_config": _ADS,
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": _agent_service()}],
            },
        },
        "static_resources": {
            "clusters": [
                _agent_cluster(settings.socket),
                _cluster("admin", _address("127.0.0.1", ports.admin)),
            ],
            "listeners": [_traffic(ports, settings.namespace), _metrics(ports)],
        },
    }


def _statistics() -> dict[str, Any]:
    return {
        "use_all_default_tags": False,
        "stats_tags": [
            *({"tag_name": name, "regex": regex} for name, regex in _TAGS.items()),
            *({"tag_name": name} for name in _DEFAULT_TAGS),
        ],
        "stats_matcher": {
            "inclusion_list": {
                "patterns": [{"safe_regex": {"regex": regex}} for regex in _KEPT_STATISTICS]
            }
        },
        "histogram_bucket_settings": [
            {"match": {"suffix": "upstream_rq_time"}, "buckets": list(MILLISECONDS)}
        ],
    }


def _overload() -> dict[str, Any]:
    """Let clients take neither the listener of metrics and readiness nor the pod down."""
    heap = "envoy.resource_monitors.fixed_heap"
    scaled = {"scaling_threshold": _TIRED, "saturation_threshold": _EXHAUSTED}
    return {
        "refresh_interval": "0.25s",
        "actions": [
            *(
                {
                    "name": f"envoy.overload_actions.{action}",
                    "triggers": [{"name": heap, "threshold": {"value": share}}],
                }
                for action, share in _LIGHTEN.items()
            ),
            {
                "name": "envoy.overload_actions.reduce_timeouts",
                "triggers": [{"name": heap, "scaled": scaled}],
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.config.overload.v3"
                    ".ScaleTimersOverloadActionConfig",
                    "timer_scale_factors": [
                        {"timer": "HTTP_DOWNSTREAM_CONNECTION_IDLE", "min_timeout": "2s"},
                        {"timer": "HTTP_DOWNSTREAM_STREAM_IDLE", "min_timeout": "5s"},
                    ],
                },
            },
        ],
        "resource_monitors": [
            {
                "name": heap,
                "typed_config": {
                    "@type": f"{_EXTENSIONS}.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                    "max_heap_size_bytes": _HEAP_BYTES,
                },
            },
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": f"{_EXTENSIONS}.resource_monitors.downstream_connections.v3"
                    ".DownstreamConnectionsConfig",
                    "max_active_downstream_connections": _MAX_CONNECTIONS,
                },
            },
        ],
    }


def _agent_service() -> dict[str, Any]:
    back_off = {"base_interval": "0.1s", "max_interval": "1s"}  # the default goes up to 30 s
    return {"cluster_name": "agent", "retry_policy": {"retry_back_off": back_off}}


def _agent_cluster(socket: Path) -> dict[str, Any]:
    return {
        **_cluster("agent", {"pipe": {"path": str(socket)}}),
        "typed_extension_protocol_options": {
            _HTTP_OPTIONS: {
                "@type": f"type.googleapis.com/{_HTTP_OPTIONS}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }


def _cluster(name: str, address: dict[str, Any]) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": address}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _traffic(ports: Ports, namespace: str) -> dict[str, Any]:
    manager = {
        "stat_prefix": "gw",
        "codec_type": "AUTO",
        # Some proxies ask what is behind them in HTTP/1.0 unless they are told otherwise.
        "http_protocol_options": {"accept_http_10": True},
        "use_remote_address": True,
        "normalize_path": True,
        "merge_slashes": False,
        "strip_trailing_host_dot": True,  # of a fully qualified name
        "generate_request_id": True,
        "preserve_external_request_id": True,
        "always_set_request_id_in_response": True,
        "server_header_transformation": "PASS_THROUGH",
        # A body that stops coming; routes say how long an answer may take.
        "stream_idle_timeout": "60s",
        "request_headers_timeout": "20s",
        "request_timeout": "0s",
        # Above the 600 s for which load balancers in front keep a connection.
        "common_http_protocol_options": {"idle_timeout": "620s"},
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": 256 * 1024,
            "initial_connection_window_size": 1024 * 1024,
        },
        "scoped_routes": _scoped_routes(),
        "http_filters": [_capitals(), _request_ids(), _whole_bodies(), _ROUTER],
        "local_reply_config": _unknown_host(namespace),
        "access_log": [
            {
                "name": "envoy.access_loggers.stdout",
                "typed_config": {
                    "@type": f"{_EXTENSIONS}.access_loggers.stream.v3.StdoutAccessLog",
                    "log_format": {"json_format": _ACCESS_LOG},
                },
            }
        ],
    }
    return _listener("models", _address(ports.bind, ports.traffic), manager)


def _scoped_routes() -> dict[str, Any]:
    """Choose the Model's routes by the host of a request, without its port."""
    host = {"name": ":authority", "element_separator": ":", "index": 0}
    return {
        "name": "models",
        "scope_key_builder": {"fragments": [{"header_value_extractor": host}]},
        "rds_config_source": _ADS,
        "scoped_rds": {"scoped_rds_config_source": _ADS},
    }


def _capitals() -> dict[str, Any]:
    """Write hosts in small letters, because a scope is found by its exact text.

    The script runs only for a host that has some: it would cost every request a third more.
    """
    script = {
        "@type": f"{_EXTENSIONS}.filters.http.lua.v3.Lua",
        "default_source_code": {"inline_string": _CAPITALS_TO_SMALL},
    }
    return _unless(
        ":authority", "[^A-Z]*", {"name": "envoy.filters.http.lua", "typed_config": script}
    )


def _request_ids() -> dict[str, Any]:
    """Replace a caller's request id that logs and records could not hold as it is."""
    unique = {"header": {"key": REQUEST_ID_HEADER, "value": "%UNIQUE_ID%"}}
    mutation = {
        "@type": f"{_EXTENSIONS}.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {
            "request_mutations": [
                {"append": unique | {"append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
            ]
        },
    }
    return _unless(
        REQUEST_ID_HEADER,
        REQUEST_ID_PATTERN,
        {"name": "envoy.filters.http.header_mutation", "typed_config": mutation},
    )


def _whole_bodies() -> dict[str, Any]:
    """Keep a body until it is whole, for the routes that ask for it."""
    buffer = {
        "@type": f"{_EXTENSIONS}.filters.http.buffer.v3.Buffer",
        "max_request_bytes": MOST_WHOLE_BYTES,
    }
    return {"name": WHOLE_BODIES, "disabled": True, "typed_config": buffer}


def _unless(header: str, pattern: str, extension: dict[str, Any]) -> dict[str, Any]:
    """Run a filter only for requests whose header does not match as a whole."""
    given = {
        "@type": "type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
        "header_name": header,
    }
    matches = {
        "input": {"name": "header", "typed_config": given},
        "value_match": {"safe_regex": {"google_re2": {}, "regex": pattern}},
    }
    skip = {"@type": f"{_EXTENSIONS}.filters.common.matcher.action.v3.SkipFilter"}
    matcher = {
        "predicate": {"single_predicate": matches},
        "on_match": {"action": {"name": "skip", "typed_config": skip}},
    }
    return {
        "name": "envoy.filters.http.match_delegate",
        "typed_config": {
            "@type": f"{_EXTENSIONS}.common.matching.v3.ExtensionWithMatcher",
            "xds_matcher": {"matcher_list": {"matchers": [matcher]}},
            "extension_config": extension,
        },
    }


def _unknown_host(namespace: str) -> dict[str, Any]:
    """Answer requests without a route, which are those to a host of no Model.

    Those through a port-forward are among them: their host is localhost, or an address.
    """
    text = (
        f"no model is served under host %REQ(:AUTHORITY)% in namespace {namespace}; "
        "send the name of a Model as host, also through a port-forward: "
        "curl -H 'Host: <model>' http://localhost:<port>/predict ...\n"
    )
    return {
        "mappers": [
            {
                "filter": {"response_flag_filter": {"flags": ["NR"]}},
                "body_format_override": {"text_format_source": {"inline_string": text}},
            }
        ]
    }


def _metrics(ports: Ports) -> dict[str, Any]:
    """Open two paths of the admin interface; the rest of it stays on loopback."""
    only_get = [{"name": ":method", "string_match": {"exact": "GET"}}]
    routes = [
        {
            "match": {"path": "/metrics", "headers": only_get},
            "route": {"cluster": "admin", "prefix_rewrite": "/stats/prometheus"},
        },
        {"match": {"path": "/ready", "headers": only_get}, "route": {"cluster": "admin"}},
    ]
    manager = {
        "stat_prefix": "metrics",
        "http_filters": [_ROUTER],
        "route_config": {
            "name": "metrics",
            "virtual_hosts": [{"name": "metrics", "domains": ["*"], "routes": routes}],
        },
    }
    listener = _listener("metrics", _address(ports.bind, ports.metrics), manager)
    return {**listener, "ignore_global_conn_limit": True, "bypass_overload_manager": True}


def _listener(name: str, address: dict[str, Any], manager: dict[str, Any]) -> dict[str, Any]:
    connection_manager = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {"@type": _HTTP, **manager},
    }
    return {
        "name": name,
        "address": address,
        "per_connection_buffer_limit_bytes": 1024 * 1024,
        "filter_chains": [{"filters": [connection_manager]}],
    }


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


def main(arguments: list[str]) -> None:
    """Write the bootstrap to the path that is the only argument."""
    (path,) = arguments
    Path(path).write_text(json.dumps(build_bootstrap(read_settings()), indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
