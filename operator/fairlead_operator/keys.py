"""What a worker looks at: one object, or a whole namespace.  Pure."""

from typing import Final, NamedTuple

# The kind of a key that is no object of ours: what a namespace's Models share, such as its gateway.
NAMESPACE: Final = "Namespace"
# What a namespace's trainings left in MLflow and PostgreSQL.
TRAININGS: Final = "Trainings"


class Key(NamedTuple):
    """One object, or one namespace."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def of_namespace(cls, namespace: str) -> "Key":
        """Return the key of what the Models of a namespace share."""
        return cls(NAMESPACE, namespace, namespace)

    @classmethod
    def of_trainings(cls, namespace: str) -> "Key":
        """Return the key of what the trainings of a namespace left."""
        return cls(TRAININGS, namespace, namespace)
