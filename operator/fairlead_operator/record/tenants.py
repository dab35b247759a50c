"""The login in PostgreSQL that a namespace has of its own.  Pure."""

from fairlead_contract.search import fit


def login_name(namespace: str) -> str:
    """Return the name of the namespace's role; no two namespaces have the same."""
    return fit("fairlead_", namespace)
