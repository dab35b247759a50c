"""The recipe: everything in a Model's spec that shapes a trained model.  Pure."""

import hashlib
import json

from fairlead_operator.api.model import ModelSpec


def recipe_digest(spec: ModelSpec) -> str:
    """Digest of everything in the spec that shapes a trained model."""
    recipe = spec.model_dump(mode="json", by_alias=True, include={"task", "data", "training"})
    del recipe["training"]["resources"]
    del recipe["training"]["retries"]
    text = json.dumps(recipe, sort_keys=True)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
