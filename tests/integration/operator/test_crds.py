"""The CRDs on a real API server: what it fills in, what it shows, and above all what it refuses.

A refusal must name the field, because the person who reads it has only the message.
"""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from cluster.control_plane import ControlPlane
from fairlead_operator.api.group import API_VERSION, GROUP, VERSION
from fairlead_operator.api.model import COLUMNS, ModelSpec
from fairlead_operator.api.rollout import RolloutSpec
from fairlead_operator.api.training_run import TrainingRunSpec

pytestmark = pytest.mark.integration

CRDS = Path(__file__).resolve().parents[3] / "crds"
NAMESPACE = "crds"
PLURALS = {"Model": "models", "TrainingRun": "trainingruns", "Rollout": "rollouts"}

Manifest = dict[str, Any]


def manifest(kind: str, spec: Manifest, *, name: str = "nsw-price") -> Manifest:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}


POSTGRESQL: Manifest = {"uri": "postgresql://market-db:5432/market", "query": "select * from rows"}
MODEL = manifest(
    "Model",
    {
        "task": "binary-classification",
        "data": {
            "source": {"uri": "https://data.example/nsw.csv"},
            "timestampColumn": "timestamp",
            "target": "price_up",
        },
    },
)
FULL_MODEL = manifest(
    "Model",
    {
        "task": "regression",
        "suspend": True,
        "version": "1.4.0",
        "data": {
            "source": {**POSTGRESQL, "credentials": {"name": "market-db"}},
            "timestampColumn": "timestamp",
            "target": "price",
            "features": ["demand", "Überschuss in %"],
            "minRows": 1000,
        },
        "training": {
            "algorithms": ["xgboost"],
            "search": {
                "trials": 24,
                "parallelism": 24,
                "timeout": "1h30m",
                "metric": "rmse",
                "seed": 0,
            },
            "validation": {"strategy": "time-series", "folds": 2, "holdout": "5%"},
            "retries": 0,
            "resources": {
                "requests": {"cpu": "500m", "memory": "1Gi"},
                "limits": {"cpu": "2", "memory": "1024Mi"},
            },
        },
        "promotion": {"minImprovement": -0.5, "significance": False, "threshold": 12},
        "serving": {"replicas": 3, "requestTimeout": "1s", "resources": {"limits": {"cpu": "1"}}},
        "rollout": {
            "strategy": "canary",
            "steps": [
                {"weight": 10, "hold": "0s", "pause": True},
                {"weight": 10, "hold": "168h"},
                {"weight": 100},
            ],
            "analysis": {
                "interval": "1s",
                "checks": [
                    {"name": "up", "builtin": "success-rate", "atLeast": 1, "minSamples": 1},
                    {"name": "p95", "builtin": "latency-p95", "atMost": 250, "window": "5s"},
                    {
                        "name": "own",
                        "query": "sum(rate(x{version='{{version}}'}[{{window}}]))",
                        "atLeast": -1.5,
                        "atMost": 1.5,
                        "failureLimit": 3,
                    },
                ],
            },
            "guard": {"duration": "0s"},
            "patience": "10s",
            "startDeadline": "24h",
            "onNewTarget": "queue",
        },
    },
    name="a23456789-123456789-123456789-1234567890"[:40],
)
TRAINING_RUN = manifest("TrainingRun", {"model": "nsw-price"}, name="nsw-price-training-1")
ROLLOUT = manifest("Rollout", {"model": "nsw-price", "version": "1.0.0"}, name="nsw-price-rollout-1")


def changed(base: Manifest, *paths: str, **at: Any) -> Manifest:
    raise NotImplementedError
