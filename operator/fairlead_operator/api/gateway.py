"""Which gateway carries a Model's traffic, and where a cluster's own one finds it."""

from typing import Annotated, Final, Literal

from pydantic import Field

from fairlead_operator.api.base import NAME_PATTERN, ObjectName, Rule, Spec

GatewayKind = Literal["BuiltIn", "GatewayAPI"]

_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
Hostname = Annotated[str, Field(pattern=rf"^{_LABEL}(\.{_LABEL})*$", min_length=1, max_length=253)]
_Hostnames = Annotated[
    tuple[Hostname, ...],
    Field(min_length=1, max_length=16, json_schema_extra={"x-kubernetes-list-type": "set"}),
]


class ParentReference(Spec):
    """A Gateway of the cluster, or one listener of it."""

    name: Annotated[ObjectName, Field(description="Name of the Gateway.")]
    namespace: Annotated[
        str | None,
        Field(
            default=None,
            pattern=NAME_PATTERN,
            max_length=63,
            description="Its namespace; by default the Model's. Its listeners must allow routes "
            "from the Model's namespace.",
        ),
    ]
    section_name: Annotated[
        ObjectName | None,
        Field(default=None, description="One listener; by default every listener that fits."),
    ]


class GatewaySpec(Spec):
    """Which gateway carries the traffic."""

    rules = (
        Rule(
            "self.kind == 'GatewayAPI' ? has(self.parentRefs) : !has(self.parentRefs)",
            "parentRefs name the Gateways that carry the route: GatewayAPI needs at least one, and "
            "they have no effect with BuiltIn",
            ".parentRefs",
        ),
        Rule(
            "self.kind == 'GatewayAPI' ? has(self.hostnames) : !has(self.hostnames)",
            "hostnames are what clients ask a Gateway for: GatewayAPI needs at least one, since "
            "without any the Model would take every host of the Gateway; BuiltIn answers to "
            "<model>.<namespace> and takes none",
            ".hostnames",
        ),
        Rule(
            "!has(self.previewHostnames) || has(self.hostnames) && "
            "!self.previewHostnames.exists(host, host in self.hostnames)",
            "previewHostnames lead to the candidate alone: GatewayAPI takes them, and none that is "
            "in hostnames too; BuiltIn answers to <model>-preview.<namespace> and takes none",
            ".previewHostnames",
        ),
    )

    kind: Annotated[
        GatewayKind,
        Field(
            default="BuiltIn",
            description="BuiltIn: the gateway that comes with Fairlead. GatewayAPI: an HTTPRoute "
            "for the Gateways in parentRefs, carried by the cluster's own implementation.",
        ),
    ]
    parent_refs: Annotated[
        tuple[ParentReference, ...] | None,
        Field(
            default=None,
            min_length=1,
            max_length=8,
            description="Gateways that carry the route; GatewayAPI only.",
        ),
    ]
    hostnames: Annotated[
        _Hostnames | None,
        Field(default=None, description="Hosts clients ask for; GatewayAPI only."),
    ]
    preview_hostnames: Annotated[
        _Hostnames | None,
        Field(
            default=None,
            description="Hosts at which the candidate of strategy blueGreen can be tried before "
            "the switch; GatewayAPI only.",
        ),
    ]
