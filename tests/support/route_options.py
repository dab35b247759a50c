"""Everything that a route may say beside its weights."""

from typing import Any, Final

OPTIONS: Final[dict[str, Any]] = {
    "mirror": {"version": "1.1.0", "percent": 20},
    "sticky": {"by": "header", "header": "x-user-id"},
    "preview": {"version": "1.1.0", "hosts": ["nsw-price-preview"]},
    "guard": {
        "id": "5f0c",
        "versions": ["1.1.0"],
        "fallback": "1.0.0",
        "minRequests": 10,
        "maxFailureRatio": 0.5,
        "maxRefusalRatio": 0.4,
        "windowSeconds": 2,
        "slowMilliseconds": 1000,
        "maxSlowRatio": 0.25,
    },
}
