"""Good specs to spoil: a Model and a Rollout for every strategy, with most of their fields."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

_CHECKS: Final = [
    {"name": "success", "builtin": "success-rate", "atLeast": 0.99, "window": "30s"},
    {"name": "own", "query": "sum(x)", "atMost": 3.5, "failureLimit": 2},
]
_ANALYSIS: Final = {"interval": "10s", "checks": _CHECKS}
_BESIDE: Final = {"name": "beside", "builtin": "success-rate", "relative": {"margin": 0.02}}
_AGREES: Final = {"name": "agrees", "builtin": "prediction-agreement", "atLeast": 0.9}
_COUNTED: Final = {"query": 'sum(x{v="{{version}}"})', "total": 'sum(y{v="{{version}}"})'}

POLICIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "canary": {
        "strategy": "canary",
        "steps": [{"weight": 10, "hold": "1m"}, {"weight": 50, "hold": "5m", "pause": True}],
        "analysis": _ANALYSIS,
        "guard": {"duration": "5m"},
        "patience": "10m",
        "onNewTarget": "queue",
    },
    "blueGreen": {
        "strategy": "blueGreen",
        "blueGreen": {"mirror": 50, "hold": "2m"},
        "analysis": {"interval": "10s", "checks": [*_CHECKS, _BESIDE, _AGREES]},
    },
    "shadow": {
        "strategy": "shadow",
        "shadow": {"hold": "5m"},
        "steps": [{"weight": 10, "hold": "1m", "checks": [_BESIDE]}],
        "analysis": {
            "templateRef": {"name": "orders", "arguments": [{"name": "shop", "value": "x"}]}
        },
        "fastGuard": {"enabled": True, "window": "2s"},
    },
    "abTest": {
        "strategy": "abTest",
        "abTest": {
            "goal": {"metric": "latency", "latencyMilliseconds": 100},
            "weight": 20,
            "minEffect": 0.02,
            "alpha": 0.05,
            "beta": 0.2,
            "maxDuration": "24h",
            "sticky": {"by": "header", "header": "x-user-id"},
        },
    },
    "bandit": {
        "strategy": "bandit",
        "bandit": {
            "goal": _COUNTED,
            "floor": 5,
            "stopProbability": 0.95,
            "maxDuration": "24h",
            "sticky": {"by": "cookie", "maxAge": "1h"},
        },
    },
    "recreate": {"strategy": "recreate", "analysis": _ANALYSIS, "startDeadline": "5m"},
}
_MODEL: Final = {
    "task": "binary-classification",
    "data": {
        "source": {"uri": "https://data/rows.csv", "format": "csv"},
        "timestampColumn": "timestamp",
        "target": "price_up",
        "features": ["demand", "price"],
    },
    "training": {"search": {"trials": 10, "timeout": "5m", "metric": "roc_auc"}},
    "promotion": {"minImprovement": 0.001},
    "version": "1.0.0",
    "serving": {
        "replicas": 2,
        "requestTimeout": "10s",
        "resources": {"limits": {"cpu": "1"}},
        "predictionLog": {"enabled": True, "sample": 0.5},
    },
    "freezeWindows": [
        {"name": "weekend", "days": ["Sat"], "from": "00:00", "to": "23:59", "timeZone": "CET"},
        {"name": "year", "startsAt": "2026-12-20T00:00:00Z", "endsAt": "2027-01-02T00:00:00Z"},
    ],
}
_SCALED: Final = {
    "requestTimeout": "10s",
    "gateway": {"kind": "BuiltIn"},
    "autoscaling": {
        "minReplicas": 1,
        "maxReplicas": 5,
        "provider": "keda",
        "target": {"requestsPerSecond": 20},
    },
}
_ROLLOUT: Final = {"model": "nsw-price", "version": "1.1.0", "trigger": "hand"}

SPECS: Final[Mapping[str, Sequence[Mapping[str, Any]]]] = {
    "Model": [
        *({**_MODEL, "rollout": policy} for policy in POLICIES.values()),
        {**_MODEL, "rollout": POLICIES["abTest"], "alternatives": ["1.1.0", "1.2.0"]},
        {**_MODEL, "serving": _SCALED},
    ],
    "Rollout": [
        *({**_ROLLOUT, "policy": policy} for policy in POLICIES.values()),
        {**_ROLLOUT, "policy": POLICIES["bandit"], "alternatives": ["1.2.0"]},
    ],
}
