"""Envoy's routes, as dictionaries in Envoy's JSON form.  Pure.

Each Model has a route configuration of its own, and each of its hosts a scope that leads there, so
that a change of one Model costs Envoy the same however many others there are.
"""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fairlead_contract.http import (
    FORCE_TOKEN_HEADER,
    SHADOW_HEADER,
    SHADOW_VALUE,
    UNCOUNTED_HEADER,
    UNCOUNTED_VALUE,
    VERSION_HEADER,
    cookie_value,
    public_paths,
    version_cookie,
)
from fairlead_serving.gateway.routes.options import ByCookie, ByHeader
from fairlead_serving.gateway.routes.route import Route, Version
from fairlead_serving.gateway.routes.shares import lay_out
from fairlead_serving.gateway.xds.clusters import (
    Resource,
    cluster_name,
    direct_name,
    shadow_name,
)

_PREVIOUS_HOSTS = "envoy.retry_host_predicates.previous_hosts"
_MIN_IDLE_SECONDS = 60
_SHORT_BODY = "[0-9]{1,5}"  # bytes: what a stream of HTTP/2 holds on its way through anyway
WHOLE_BODIES = "envoy.filters.http.buffer"  # the filter's name
MOST_WHOLE_BYTES = 100_000  # above any of these
_CREDENTIALS = ("authorization", "cookie", FORCE_TOKEN_HEADER)


def configuration_name(route: Route) -> str:
    """Name the Model's route configuration."""
    return f"{route.namespace}/{route.model}"


def build_route_configuration(route: Route) -> Resource:
    """Build one Model: its live traffic, and the hosts that go to one version alone."""
    return {
        "name": configuration_name(route),
        # Refuse routes to a cluster that is not there, and keep the last good ones.
        "validate_clusters": True,
        "ignore_port_in_host_matching": True,
        "request_headers_to_remove": [SHADOW_HEADER],  # ours to say
        "virtual_hosts": [_live_host(route), *_preview_hosts(route)],
    }


def build_scope(host: str, configuration: str) -> Resource:
    """Build what sends the requests for a host to a Model."""
    return {
        "name": host,
        "route_configuration_name": configuration,
        "key": {"fragments": [{"string_key": host}]},
    }


def _preview_hosts(route: Route) -> list[Resource]:
    if (preview := route.preview) is None:
        return []
    name = f"{configuration_name(route)}/preview"
    action = {**_action(route), "cluster": direct_name(route, preview.version)}
    return [
        {
            "name": name,
            "domains": list(preview.hosts),
            "retry_policy": _retries(),
            "routes": [
                {"name": name, "match": _match(route), "route": action, **_uncounted()},
                _nothing_else(route, name),
            ],
        }
    ]


def _live_host(route: Route) -> Resource:
    """Match a request that names its version, an assigned user, then the split."""
    name = configuration_name(route)
    return {
        "name": name,
        "domains": ["*"],  # those whose scope leads here
        "retry_policy": _retries(),  # once for all of the Model's routes: Envoy reads it faster
        "routes": [
            *_for_named_versions(route),
            *_by_body(
                route,
                *_assigned(route),
                {
                    "name": f"{name}/default",
                    "match": _match(route),
                    "route": {**_action(route), **_split(route), **_mirrored(route)},
                    "request_headers_to_remove": [UNCOUNTED_HEADER],
                },
            ),
            _nothing_else(route, name),
        ],
    }


def _by_body(route: Route, *of_callers: Resource) -> list[Resource]:
    """Keep short bodies until they are whole, where the guard asks who waits for an answer.

    A version that has a part of a request waits for its sender.  These requests have a priority of
    their own, by which Envoy counts them apart.  What is long, or of unknown length, passes through
    as it comes and is not among them: to keep it would let few clients fill the memory.
    """
    if route.guard is None or route.guard.slow_milliseconds is None:
        return list(of_callers)
    return [each for given in of_callers for each in (_when_whole(given), given)]


def _when_whole(given: Resource) -> Resource:
    short = {"name": "content-length", "string_match": {"safe_regex": {"regex": _SHORT_BODY}}}
    keep = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.BufferPerRoute",
        "buffer": {"max_request_bytes": MOST_WHOLE_BYTES},
    }
    return given | {
        "name": f"{given['name']}/whole",
        "match": given["match"] | {"headers": [*given["match"]["headers"], short]},
        "route": given["route"] | {"priority": "HIGH"},
        "typed_per_filter_config": {WHOLE_BODIES: keep},
    }


def _for_named_versions(route: Route) -> list[Resource]:
    """Route requests that name their version; refuse them where the Model does not let them."""
    name = configuration_name(route)
    named = _match(route, {"name": VERSION_HEADER, "present_match": True})
    if not route.forcing:
        message = (
            f"a request to model {route.model} cannot choose its version: leave out the header "
            f"{VERSION_HEADER}, or name a Secret in spec.serving.forceVersionSecret of the Model"
        )
        refused = _answer(HTTPStatus.FORBIDDEN, message)
        return [{"name": f"{name}/forcing-is-off", "match": named, "direct_response": refused}]
    unknown = f"model {route.model} has no version %REQ({VERSION_HEADER})% to serve"
    return [
        *(_forced(route, version) for version in route.versions),
        {
            "name": f"{name}/unknown-version",
            "match": named,
            "direct_response": _answer(HTTPStatus.NOT_FOUND, unknown),
        },
    ]


def _uncounted() -> Resource:
    """Mark a request that says nothing of live traffic."""
    mark = {"header": {"key": UNCOUNTED_HEADER, "value": UNCOUNTED_VALUE}}
    return {"request_headers_to_add": [mark | {"append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}]}


def _forced(route: Route, version: Version) -> Resource:
    exactly = {"name": VERSION_HEADER, "string_match": {"exact": version.version}}
    return {
        "name": f"{route.namespace}/{route.model}/force/{version.version}",
        "match": _match(route, exactly),
        "route": {**_action(route), "cluster": direct_name(route, version.version)},
        **_uncounted(),
    }


def _assigned(route: Route) -> list[Resource]:
    """Route users whose cookie stands for a version that still has traffic."""
    sticky = route.sticky
    if not isinstance(sticky, ByCookie):
        return []
    with_traffic = [version.version for version in route.versions if version.weight]
    return [_of_cookie(route, version, sticky) for version in with_traffic]


def _of_cookie(route: Route, version: str, sticky: ByCookie) -> Resource:
    cookie = re.escape(_cookie(route, version, sticky))
    pattern = {"regex": f"(?:^|.*;)[ ]*{cookie}[ ]*(?:;.*|$)"}
    # Who answers already needs no copy of the question.
    copies = {} if route.mirror and route.mirror.version == version else _mirrored(route)
    return {
        "name": f"{route.namespace}/{route.model}/sticky/{version}",
        "match": _match(route, {"name": "cookie", "string_match": {"safe_regex": pattern}}),
        "route": {**_action(route), **copies, "cluster": cluster_name(route, version)},
        "request_headers_to_remove": [UNCOUNTED_HEADER],
    }


def _split(route: Route) -> Resource:
    match route.sticky:
        case ByHeader(header=header):
            names = [cluster_name(route, version.version) for version in route.versions]
            pieces = lay_out([version.weight for version in route.versions])
            shares = [{"name": names[position], "weight": width} for position, width in pieces]
            return {
                "hash_policy": [_salted(route, header)],
                "weighted_clusters": {"use_hash_policy": True, "clusters": shares},
            }
        case sticky:
            shares = [_share(route, each, sticky) for each in route.versions if each.weight]
            return {"weighted_clusters": {"clusters": shares}}


def _salted(route: Route, header: str) -> Resource:
    """Put the Model's name in front, or the same users would be the candidates of every Model."""
    rewrite = {
        "pattern": {"regex": "^(.*)$"},
        "substitution": rf"{route.namespace}/{route.model}:\1",
    }
    return {"header": {"header_name": header, "regex_rewrite": rewrite}, "terminal": True}


def _share(route: Route, version: Version, sticky: ByCookie | None) -> Resource:
    share: Resource = {
        "name": cluster_name(route, version.version),
        "weight": version.weight,
    }
    if sticky is not None:
        attributes = f"Path=/; Max-Age={sticky.max_age_seconds}; HttpOnly; SameSite=Lax"
        cookie = f"{_cookie(route, version.version, sticky)}; {attributes}"
        share["response_headers_to_add"] = [{"header": {"key": "set-cookie", "value": cookie}}]
    return share


def _cookie(route: Route, version: str, sticky: ByCookie) -> str:
    return f"{version_cookie(route.model)}={cookie_value(version, sticky.trial)}"


def _mirrored(route: Route) -> Resource:
    if (mirror := route.mirror) is None:
        return {}
    per_million = {"numerator": round(mirror.percent * 10_000), "denominator": "MILLION"}
    marked = {"header": {"key": SHADOW_HEADER, "value": SHADOW_VALUE}}
    policy = {
        "cluster": shadow_name(route, mirror),
        "runtime_fraction": {"default_value": per_million},
        "disable_shadow_host_suffix_append": True,
        "request_headers_mutations": [
            *({"remove": header} for header in _CREDENTIALS),
            {"append": marked | {"append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}},
        ],
    }
    return {"request_mirror_policies": [policy]}


def _match(route: Route, *headers: Mapping[str, Any]) -> Resource:
    paths = "|".join(map(re.escape, public_paths(route.model)))
    return {"safe_regex": {"regex": f"({paths})/?"}, "headers": list(headers)}


def _nothing_else(route: Route, name: str) -> Resource:
    """Answer for all paths that are not for callers: metrics, probes, pages of libraries."""
    there = " and POST ".join(public_paths(route.model))
    message = f"there is nothing at %REQ(:PATH)%; there are POST {there}"
    return {
        "name": f"{name}/nothing-there",
        "match": {"prefix": "/"},
        "direct_response": _answer(HTTPStatus.NOT_FOUND, message),
    }


def _action(route: Route) -> Resource:
    idle = max(_MIN_IDLE_SECONDS, route.timeout_seconds)
    return {"timeout": f"{route.timeout_seconds:g}s", "idle_timeout": f"{idle:g}s"}


def _retries() -> Resource:
    """Try again only what cannot have reached the model.

    A retried 5xx would hide a bad version from the metrics that judge it.
    """
    return {
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
    }


def _answer(status: HTTPStatus, message: str) -> Resource:
    return {
        "status": status.value,
        "body_format": {"text_format_source": {"inline_string": f"{message}\n"}},
    }
