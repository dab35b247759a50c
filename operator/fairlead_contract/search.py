"""The studies of searches in PostgreSQL: the trainer writes them, the operator removes them."""

import hashlib
from typing import Final

# Where trainers with the operator's own login keep their studies.  Apart from ``public``: MLflow
# may live in the same database, and both own an alembic_version.
SCHEMA: Final = "fairlead_search"

_LONGEST: Final = 63  # bytes of a name in PostgreSQL, which cuts off the rest without a word
_DIGITS: Final = 10


def search_schema(namespace: str) -> str:
    """Return where trainers with the namespace's own login keep their studies."""
    return fit(f"{SCHEMA}_", namespace)


def fit(prefix: str, namespace: str) -> str:
    """Return a name for something in PostgreSQL that no other namespace has."""
    digest = hashlib.sha256(namespace.encode()).hexdigest()[:_DIGITS]
    return f"{prefix}{namespace[: _LONGEST - len(prefix) - len(digest) - 1]}_{digest}"


def study_name(namespace: str, training_run: str, uid: str) -> str:
    """Return the name of a TrainingRun's study; neither namespace nor uid holds a slash."""
    return f"{namespace}/{training_run}/{uid}"


def memory_name(namespace: str, model: str) -> str:
    """Return the name under which a Model's next search finds what its last one found.

    It has one slash, and a study two: who removes a training's study leaves it.
    """
    return f"{namespace}/{model}"


def study_name_bounds(namespace: str, uid: str) -> tuple[str, str]:
    """Return how the name of a TrainingRun's study begins and ends, whatever its own name."""
    return f"{namespace}/", f"/{uid}"
