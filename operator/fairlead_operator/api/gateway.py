"""Which gateway carries a Model's traffic, and where a cluster's own one finds it."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field

from fairlead_operator.api.base import NAME_PATTERN, NAMED, ObjectName, Rule, Spec, formed

GatewayKind = Literal["BuiltIn", "GatewayAPI"]

_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
Hostname = Annotated[
    str,
    Field(
        pattern=rf"^{_LABEL}(\.{_LABEL})*$",
        min_length=1,
        max_length=253,
        json_schema_extra=formed(
            "must be a host name in lower case, without scheme, port and path, for example "
            "prices.example.com"
        ),
    ),
]
_MOST_HOSTS: Final = 16  # that an HTTPRoute may have
_Hostnames = Annotated[
    tuple[Hostname, ...],
    Field(
        min_length=1, max_length=_MOST_HOSTS, json_schema_extra={"x-kubernetes-list-type": "set"}
    ),
]

# Why a policy needs another gateway, and the way out: of a Model at the API server, of a Rollout
# that brings a policy of its own in status.
GUARD_UNSUPPORTED: Final = (
    "fastGuard works only with the built-in gateway; remove it, or set "
    "serving.gateway.kind: BuiltIn"
)
PREVIEW_UNSUPPORTED: Final = (
    "strategy blueGreen needs a host name for its preview: set serving.gateway.previewHostnames, "
    "for example [preview.example.com], choose strategy: shadow, or set "
    "serving.gateway.kind: BuiltIn"
)
HEADER_UNSUPPORTED: Final = (
    "sticky.by: header works only with the built-in gateway; set sticky.by: cookie, or "
    "serving.gateway.kind: BuiltIn"
)


class ParentReference(Spec):
    """A Gateway of the cluster, or one listener of it."""

    name: Annotated[ObjectName, Field(description="Name of the Gateway, for example public.")]
    namespace: Annotated[
        str | None,
        Field(
            default=None,
            pattern=NAME_PATTERN,
            max_length=63,
            json_schema_extra=NAMED,
            description="Namespace of the Gateway, whose listeners must allow routes from the "
            "Model's namespace. When unset, the Model's namespace.",
        ),
    ]
    section_name: Annotated[
        ObjectName | None,
        Field(
            default=None,
            description="Name of one listener. When unset, every listener that allows the route.",
        ),
    ]


class GatewaySpec(Spec):
    """The gateway that carries the traffic."""

    rules = (
        Rule(
            "self.kind == 'GatewayAPI' ? has(self.parentRefs) : !has(self.parentRefs)",
            "kind: GatewayAPI needs parentRefs, the Gateways that carry the route, for example "
            "[{name: public, namespace: gateways}]; BuiltIn takes none",
            ".parentRefs",
        ),
        Rule(
            "self.kind == 'GatewayAPI' ? has(self.hostnames) : !has(self.hostnames)",
            "kind: GatewayAPI needs hostnames, for example [prices.example.com], because without "
            "any the Model would take all traffic of the Gateway; BuiltIn answers to "
            "<model>.<namespace> and takes none",
            ".hostnames",
        ),
        Rule(
            "!has(self.previewHostnames) || has(self.hostnames) && "
            "!self.previewHostnames.exists(host, host in self.hostnames)",
            "previewHostnames are for kind: GatewayAPI and must not be in hostnames too; BuiltIn "
            "answers to <model>-preview.<namespace> and takes none",
            ".previewHostnames",
        ),
    )

    kind: Annotated[
        GatewayKind,
        Field(
            default="BuiltIn",
            description="BuiltIn: the gateway that comes with Fairlead. GatewayAPI: an HTTPRoute "
            "for the Gateways in parentRefs, carried by the Gateway API implementation of the "
            "cluster. Defaults to BuiltIn.",
        ),
    ]
    parent_refs: Annotated[
        tuple[ParentReference, ...] | None,
        Field(
            default=None,
            min_length=1,
            max_length=8,
            description="Gateways that carry the route, for example [{name: public, namespace: "
            "gateways}]. Required by GatewayAPI, and only allowed there.",
        ),
    ]
    hostnames: Annotated[
        _Hostnames | None,
        Field(
            default=None,
            description="Host names that clients call, for example [prices.example.com]. "
            "Required by GatewayAPI, and only allowed there.",
        ),
    ]
    preview_hostnames: Annotated[
        _Hostnames | None,
        Field(
            default=None,
            description="Host names at which the candidate of strategy blueGreen can be tried "
            "before the switch. GatewayAPI only.",
        ),
    ]

    def join(self, other: Self) -> Self:
        """Add the host names of another: each once, and no more than one route may have."""
        hosts, previews = self.hostnames or (), self.preview_hostnames or ()
        more = (host for host in other.hostnames or () if host not in (*hosts, *previews))
        hosts = (*hosts, *more)[:_MOST_HOSTS]
        more = (host for host in other.preview_hostnames or () if host not in (*hosts, *previews))
        previews = (*previews, *more)[:_MOST_HOSTS]
        return self.model_copy(
            update={"hostnames": hosts or None, "preview_hostnames": previews or None}
        )


def gateway_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the gateway of a Model as it is written, or that of a Rollout's last route."""
    within = body.get("status") if body["kind"] == "Rollout" else body["spec"].get("serving")
    gateway: Mapping[str, Any] = (within or {}).get("gateway") or {}
    return gateway


def hosts_of(body: Mapping[str, Any]) -> Iterator[str]:
    """Yield the host names of the gateway of a Model or Rollout, those of its preview too."""
    gateway = gateway_of(body)
    for field in ("hostnames", "previewHostnames"):
        yield from gateway.get(field) or ()
