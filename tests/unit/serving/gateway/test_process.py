"""What an agent watches.  How it runs is in `tests/integration/serving/test_gateway.py`."""

from fairlead_serving.gateway.cluster.kubernetes import Selection
from fairlead_serving.gateway.process import selections


def test_routes_endpoints_and_reports_of_one_namespace_are_watched() -> None:
    assert selections("energy") == (
        Selection(
            path="/api/v1/namespaces/energy/configmaps", labels="fairlead.dev/component=route"
        ),
        Selection(
            path="/apis/discovery.k8s.io/v1/namespaces/energy/endpointslices",
            labels="fairlead.dev/component=server",
        ),
        Selection(
            path="/api/v1/namespaces/energy/configmaps", labels="fairlead.dev/component=gateway"
        ),
    )
