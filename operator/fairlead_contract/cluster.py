"""Names in the cluster by which the operator, the gateway and the model servers find each other.

A selector that names another label selects nothing, and says so to nobody.
"""

from typing import Final

LABEL_COMPONENT: Final = "fairlead.dev/component"
LABEL_MODEL: Final = "fairlead.dev/model"
ROUTE: Final = "route"  # component: what carries the route of a Model
SERVER: Final = "server"  # component: what serves a version
PROXY: Final = "gateway"  # component: what the gateway of a namespace consists of

# The route of a Model, operator to agent: a ConfigMap of this name, the document under this key.
ROUTE_SUFFIX: Final = "-route"
ROUTE_KEY: Final = "route.json"

# The gateway of a namespace, and the ConfigMap in which its agents report to the operator.
GATEWAY: Final = "fairlead-gateway"
GATEWAY_DIRECTORY: Final = "/run/gateway"  # that the containers of a gateway pod share
ENVOY_MEBIBYTES: Final = 512  # its container's limit; it lightens its load before it gets there

# Ports of the pods.
GATEWAY_TRAFFIC_PORT: Final = 8080
GATEWAY_METRICS_PORT: Final = 9090  # Envoy's own metrics and readiness
GATEWAY_AGENT_PORT: Final = 9091
SERVER_PORT: Final = 3000
SERVER_SHADOW_PORT: Final = 3001  # what comes in here is a copy of a request


def route_name(model: str) -> str:
    """Return the name of what carries the Model's route."""
    return f"{model}{ROUTE_SUFFIX}"


def report_key(model: str, pod: str) -> str:
    """Return the key of a gateway pod's report on a Model."""
    return f"{model}.{pod}"
