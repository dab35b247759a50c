"""A trainer's config as the operator would write it; a test names only what differs."""

import json
from typing import Any

from fairlead_contract.search import search_schema
from fairlead_training.config import DataConfig, parse_config


def config_document(**changes: Any) -> dict[str, Any]:
    """Build the JSON document; ``data__target="…"`` changes a field within a section."""
    document: dict[str, Any] = {
        "namespace": "energy",
        "model": "nsw-price",
        "trainingRun": "nsw-price-1",
        "trainingRunUid": "uid-1",
        "searchSchema": search_schema("energy"),
        "registeredModel": "energy.nsw-price",
        "experiment": "energy/nsw-price",
        "mlflowRunId": "run-1",
        "task": "binary-classification",
        "data": {
            "uri": "https://data.example/prices.csv",
            "format": None,
            "query": None,
            "timestampColumn": "timestamp",
            "target": "up",
            "features": [],
            "minRows": 20,
        },
        "search": {
            "algorithms": ["xgboost"],
            "trials": 10,
            "parallelism": 2,
            "timeoutSeconds": 60,
            "metric": "roc_auc",
            "seed": 7,
        },
        "validation": {"strategy": "time-series", "folds": 3, "holdoutFraction": 0.2},
        "champion": None,
        "recipeDigest": "sha256:recipe-1",
    }
    for field, value in changes.items():
        *sections, last = field.split("__")
        place = document
        for section in sections:
            place = place[section]
        place[last] = value
    return document


def data_config(**changes: Any) -> DataConfig:
    """Build the part about the data; ``uri="…"`` changes a field of it."""
    fields = {f"data__{name}": value for name, value in changes.items()}
    return parse_config(json.dumps(config_document(**fields))).data
