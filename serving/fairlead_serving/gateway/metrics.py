"""What the agent tells about itself; the fixed list of its own metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """Counters and gauges in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.routes = Gauge(
            "fairlead_gateway_routes", "Models with a route in force.", registry=self.registry
        )
        self.refused = Gauge(
            "fairlead_gateway_refused_routes",
            "Models whose latest route is refused.",
            registry=self.registry,
        )
        self.synced = Gauge(
            "fairlead_gateway_synced",
            "1 once routes and endpoints were read from the API server, 0 while it refuses us.",
            registry=self.registry,
        )
        self.rejections = Counter(
            "fairlead_gateway_envoy_rejections",
            "Updates Envoy refused.",
            registry=self.registry,
        )
        self.guarded = Gauge(
            "fairlead_gateway_guarded_versions",
            "Versions the fast guard looks at.",
            registry=self.registry,
        )
        self.trips = Counter(
            "fairlead_gateway_guard_trips",
            "Versions the fast guard has taken out of the traffic.",
            ("model", "version"),
            registry=self.registry,
        )
        self.blind_looks = Counter(
            "fairlead_gateway_guard_blind_looks",
            "Times Envoy's statistics could not be read.",
            registry=self.registry,
        )
        self.apply_seconds = Histogram(
            "fairlead_gateway_apply_seconds",
            "From a change to Envoy's acknowledgement.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30),
            registry=self.registry,
        )
