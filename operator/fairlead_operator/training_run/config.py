"""What the trainer is told: the Model's recipe as one JSON document.  Pure."""

import datetime
import json
from typing import Any, Final

from fairlead_contract.gates import Gate
from fairlead_contract.search import search_schema
from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.gates import GatesSpec
from fairlead_operator.api.group import name_registered_model
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.recipe import recipe_digest
from fairlead_operator.api.training import DataSource, Join
from fairlead_operator.kube.metadata import Owner

_SCHEMA: Final = "searchSchema"
_PATIENCE_SECONDS: Final = 600  # for which a trainer waits for others


def build_config(
    spec: ModelSpec,
    *,
    model: str,
    run: Owner,
    mlflow_run_id: str | None,
    champion: VersionReference | None,
    after: str | None = None,
) -> str:
    """Build the trainer's config (docs/contracts.md, section 1).

    Args:
        mlflow_run_id: None in a dry run, which has none.
        after: the highest version that the Model knows.
    """
    search, validation = spec.training.search, spec.training.validation
    document: dict[str, Any] = {
        "namespace": run.namespace,
        "model": model,
        "trainingRun": run.name,
        "trainingRunUid": run.uid,
        _SCHEMA: search_schema(run.namespace),
        "registeredModel": name_registered_model(run.namespace, model),
        "experiment": f"{run.namespace}/{model}",
        "mlflowRunId": mlflow_run_id,
        "task": spec.task,
        "data": {
            **_say_source(spec.data.source),
            "union": [_say_source(each) for each in spec.data.union],
            "joins": [_say_join(each) for each in spec.data.joins],
            "timestampColumn": spec.data.timestamp_column,
            "timestampFormat": spec.data.timestamp_format,
            "groupBy": spec.data.group_by,
            "target": spec.data.target,
            "positiveClass": spec.data.positive_class,
            "missingLabels": _to_share(spec.data.missing_labels),
            "features": list(spec.data.features),
            "columns": dict(spec.data.columns),
            "suspiciousColumns": spec.data.suspicious_columns,
            "minRows": spec.data.min_rows,
        },
        "search": {
            "algorithms": list(spec.training.algorithms),
            "trials": search.trials,
            "parallelism": search.parallelism,
            "timeoutSeconds": int(search.timeout.total_seconds()),
            "metric": spec.metric,
            "seed": search.seed,
            "ensemble": spec.training.ensemble,
            "warmStart": search.warm_start,
        },
        "validation": {
            "strategy": spec.strategy,
            "folds": validation.folds,
            "holdoutFraction": _to_share(validation.holdout),
        },
        "gates": _say_gates(spec.promotion.gates),
        "champion": None
        if champion is None
        else {
            "version": champion.version,
            "registryVersion": champion.registry_version,
            "digest": champion.digest,
        },
        "card": spec.card.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "recipeDigest": recipe_digest(spec),
        "after": after,
        "patienceSeconds": _PATIENCE_SECONDS,
    }
    return _write(document)


def is_earlier(config: str | None) -> bool:
    """Tell whether an earlier release wrote this, whose searches had one schema for all."""
    document = _parse(config)
    return document is not None and _SCHEMA not in document


def renew_config(config: str | None, namespace: str) -> str | None:
    """Add the namespace's own schema for searches to what an earlier release wrote."""
    document = _parse(config)
    if document is None or _SCHEMA in document:
        return config
    return _write(document | {_SCHEMA: search_schema(namespace)})


def read_training(config: str | None) -> str | None:
    """Return the uid of the TrainingRun that the trainer was told; None where none was.

    A TrainingRun that was restored from a backup goes on by the config, and has another uid.
    """
    uid = (_parse(config) or {}).get("trainingRunUid")
    return uid if uid and isinstance(uid, str) else None


def _say_gates(gates: GatesSpec) -> dict[str, Any]:
    """Say what is to be measured; the bounds are not the trainer's."""
    slices, fairness = gates.slices, gates.fairness
    return {
        "baseline": gates.baseline,
        "slices": slices and {"columns": list(slices.columns), "minRows": slices.min_rows},
        "metrics": [each.name for each in gates.metrics],
        "fairness": fairness
        and {
            "columns": list(fairness.columns),
            "minRows": fairness.min_rows,
            Gate.DEMOGRAPHIC_PARITY: fairness.demographic_parity is not None,
            Gate.EQUALIZED_ODDS: fairness.equalized_odds is not None,
        },
        "calibration": gates.calibration is not None,
    }


def _say_source(source: DataSource) -> dict[str, Any]:
    return {
        "uri": source.uri,
        "format": source.format,
        "version": source.version,
        "encoding": source.encoding,
        "query": source.query,
        "endpoint": source.endpoint,
        "region": source.region,
        "pathStyle": source.path_style,
    }


def _say_join(join: Join) -> dict[str, Any]:
    moment = join.as_of
    return {
        "source": _say_source(join.source),
        "keys": list(join.keys),
        "columns": list(join.columns),
        "prefix": join.prefix,
        "asOf": None
        if moment is None
        else {
            "timestampColumn": moment.timestamp_column,
            "timestampFormat": moment.timestamp_format,
            "delaySeconds": _to_seconds(moment.delay),
            "toleranceSeconds": _to_seconds(moment.tolerance),
        },
    }


def _to_seconds(duration: datetime.timedelta | None) -> int | None:
    return None if duration is None else int(duration.total_seconds())


def _to_share(percent: str) -> float:
    return int(percent.rstrip("%")) / 100


def _write(document: dict[str, Any]) -> str:
    """Write letters as they are: escaped, 500 names of columns are longer than status may hold."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False)


def _parse(config: str | None) -> dict[str, Any] | None:
    try:
        document = json.loads(config or "")
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
