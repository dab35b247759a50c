"""What the operator exposes about itself; labels are bounded by enums."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from fairlead_contract import series

RECONCILES: Final = Counter(
    "fairlead_reconciles_total", "Reconciles by kind and outcome.", ["kind", "outcome"]
)
RECONCILE_SECONDS: Final = Histogram(
    "fairlead_reconcile_seconds",
    "Time of one reconcile.",
    ["kind"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
QUEUE_LENGTH: Final = Gauge("fairlead_queue_length", "Keys waiting to be looked at.")
IS_LEADER: Final = Gauge("fairlead_leader", "1 while this process holds the Lease.")
ROLLOUT_PHASE: Final = Gauge(
    "fairlead_rollout_phase",
    "1 for the phase a Model's current rollout is in.",
    [series.NAMESPACE, series.MODEL, "phase"],
)
ROLLBACKS: Final = Counter("fairlead_rollbacks_total", "Rollbacks by reason.", ["reason"])
ROLLBACK_SECONDS: Final = Histogram(
    "fairlead_rollback_seconds",
    "From the cause to zero weight in every gateway pod.",
    ["reason"],
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30),
)
ALERTS: Final = Counter("fairlead_alerts_total", "Alerts received, by outcome.", ["outcome"])
