"""Pods that the cluster refused to make, for a quota say, and when that is tried again.  Pure.

By itself Kubernetes waits twice as long after each refusal, and does not notice that a quota has
grown.  It looks at once at a Job or a ReplicaSet that changes, and a Deployment's annotations go on
to its ReplicaSet.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from fairlead_operator.api.group import ANNOTATION_TRIED

TRY_EVERY: Final = timedelta(seconds=10)


def have_pods_tried(manifest: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the manifest with a change that has its refused pods tried again, once in a while."""
    meta = manifest["metadata"]
    annotations = {**(meta.get("annotations") or {}), ANNOTATION_TRIED: name_try(now)}
    return {**manifest, "metadata": {**meta, "annotations": annotations}}


def name_try(now: datetime) -> str:
    """Return the moment of the latest try: the same one for whoever looks within its time."""
    begun = now.timestamp() // TRY_EVERY.total_seconds()
    return datetime.fromtimestamp(begun * TRY_EVERY.total_seconds(), tz=now.tzinfo).isoformat()
