"""The recipe: what in a Model's spec shapes a trained model, and nothing else.  Pure.

A changed recipe trains the Model again, and gives the next version a minor number.  So the list
below is a promise: nothing else in the spec, and no upgrade of Fairlead, trains anybody.  Left
out is what decides whether and how soon a training ends, not what it is after:

    source.credentials   who may read the rows, not which rows
    source.region, source.pathStyle
                         how a bucket is asked for, whose name is its own
    minRows, suspiciousColumns
                         refuse a training and change none
    missingLabels        the same: rows without a label are left out whatever it says
    search.parallelism   the same trials, by more workers
    search.warmStart     where a search begins, not what it is after
    search.timeout       a limit, as resources are: what a search that was cut short
                         had reached depends on the machine; ``trials`` is the wish
    retries, resources   how the Jobs run
    schedule             when a training starts, which is no other one

A value is taken as it was written, for a text may mean something else with another space in it.
The order of ``features`` counts: the learner samples columns by their place, and the signature
lists them in order.

A value stands in the digest only when it differs from what leaving it out means.  That makes it
one whether a default is written out or not, by a person or by the API server, which fills it in
when an object is read.  And it is the rule for a new field, of either list below: its row says
what was done before the field existed.  A row's second half is never changed, not even when the
API's default is: who left the field out did not ask for another model.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from fairlead_operator.api.base import to_duration
from fairlead_operator.api.model import ModelSpec

# How the sources of union and joins are asked, in the same words as above; no field of the spec.
_OTHER_SOURCES: Final = "access"
_ACCESS: Final = {"credentials", "region", "path_style"}

# Path → what leaving it out means; a mapping says it for each task, a property for each spec.
_RECIPE: Final[Mapping[str, object]] = {
    "task": None,
    "data.source.uri": None,
    "data.source.endpoint": None,
    "data.source.format": None,
    "data.source.version": None,
    "data.source.encoding": None,
    "data.source.query": None,
    "data.union": [],
    "data.joins": [],
    "data.timestampColumn": None,
    "data.timestampFormat": None,
    "data.groupBy": None,
    "data.target": None,
    "data.positiveClass": None,
    "data.features": [],
    "data.columns": {},
    "training.algorithms": ["xgboost"],
    "training.ensemble": False,
    "training.search.trials": 40,
    "training.search.metric": {
        "binary-classification": "roc_auc",
        "multiclass-classification": "log_loss",
        "regression": "rmse",
    },
    "training.search.quantile": None,
    "training.search.seed": 7,
    "training.validation.strategy": ModelSpec.strategy,
    "training.validation.folds": 3,
    "training.validation.holdout": "20%",
}

# What else a training is told, in the same form: corrected, it may let one succeed that failed.
# When one starts it is not told.
_CIRCUMSTANCES: Final[Mapping[str, object]] = {
    "data.source.credentials.name": None,
    _OTHER_SOURCES: [],
    "data.source.region": None,
    "data.source.pathStyle": True,
    "data.minRows": 200,
    "data.missingLabels": "5%",
    "data.suspiciousColumns": "warn",
    "training.search.parallelism": 1,
    "training.search.timeout": "15m",
    "training.search.warmStart": True,  # what failed does so from wherever it begins
    "training.retries": 2,
    "training.resources.requests.cpu": None,
    "training.resources.requests.memory": None,
    "training.resources.limits.cpu": None,
    "training.resources.limits.memory": None,
    # Columns that a training looks for.
    "promotion.gates.slices.columns": None,
    "promotion.gates.fairness.columns": None,
}


def recipe_digest(spec: ModelSpec) -> str:
    """Return the digest of the recipe in the spec."""
    return _digest(_said(spec, _RECIPE))


def task_digest(spec: ModelSpec) -> str:
    """Return the digest of all that a training is told, its limits and Secrets included.

    It starts nothing while trainings succeed: only one that failed is tried again when what may
    have made it fail was corrected.
    """
    return _digest(_said(spec, {**_RECIPE, **_CIRCUMSTANCES}))


def renew_digest(stored: str | None, spec: ModelSpec) -> str | None:
    """Return the stored digest as this release writes it, when it is of the recipe in the spec.

    Any other stays: it is of another recipe.  Releases up to 0.1.0 wrote digests in another way,
    and without this an upgrade from one of them would train every Model anew.  The first look at
    a Model renews its digest, so this and ``_digest_of_0_1`` can go with the second release after
    0.1.0.
    """
    return recipe_digest(spec) if stored == _digest_of_0_1(spec) else stored


def _digest_of_0_1(spec: ModelSpec) -> str:
    """Return the digest that 0.1.0 would have stored; it is frozen, whatever the spec gains."""
    data, training = spec.data, spec.training
    source, search, validation = data.source, training.search, training.validation
    return _digest(
        {
            "task": spec.task,
            "data": {
                "source": {
                    "uri": source.uri,
                    "format": source.format,
                    "query": source.query,
                    "credentials": source.credentials and {"name": source.credentials.name},
                },
                "timestampColumn": data.timestamp_column,
                "target": data.target,
                "features": data.features,
                "minRows": data.min_rows,
            },
            "training": {
                "algorithms": training.algorithms,
                "search": {
                    "trials": search.trials,
                    "parallelism": search.parallelism,
                    "timeout": to_duration(search.timeout),
                    "metric": search.metric,
                    "seed": search.seed,
                },
                "validation": {
                    "strategy": validation.strategy or "time-series",
                    "folds": validation.folds,
                    "holdout": validation.holdout,
                },
            },
        }
    )


def _said(spec: ModelSpec, rows: Mapping[str, object]) -> dict[str, object]:
    """Return the values of these rows that say something else than leaving them out."""
    document = spec.model_dump(
        mode="json",
        by_alias=True,
        include={"task", "data", "training", "promotion"},
        exclude={
            "data": {
                "union": {"__all__": _ACCESS},
                "joins": {"__all__": {"source": _ACCESS}},
            }
        },
        exclude_unset=True,
    )
    others = [*spec.data.union, *(each.source for each in spec.data.joins)]
    document[_OTHER_SOURCES] = [
        each.model_dump(mode="json", by_alias=True, include=_ACCESS, exclude_unset=True)
        for each in others
    ]
    said = {}
    for path, default in rows.items():
        value = _read(document, path)
        match default:
            case Mapping() if default:
                unsaid = default[spec.task]
            case property():
                unsaid = default.__get__(spec)
            case _:
                unsaid = default
        if value is not None and value != unsaid:
            said[path] = value
    return said


def _read(document: Mapping[str, Any], path: str) -> object:
    value: object = document
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _digest(document: Mapping[str, object]) -> str:
    text = json.dumps(document, sort_keys=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
