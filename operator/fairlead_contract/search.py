"""The studies of searches in PostgreSQL: the trainer writes them, the operator removes them."""

from typing import Final

# Apart from ``public``: MLflow may live in the same database, and both own an alembic_version.
SCHEMA: Final = "fairlead_search"


def study_name(namespace: str, training_run: str, uid: str) -> str:
    """Return the name of a TrainingRun's study; neither namespace nor uid holds a slash."""
    return f"{namespace}/{training_run}/{uid}"


def study_name_bounds(namespace: str, uid: str) -> tuple[str, str]:
    """Return how the name of a TrainingRun's study begins and ends, whatever its own name."""
    return f"{namespace}/", f"/{uid}"
