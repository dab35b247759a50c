"""The ways a reconcile can fail; everything else is a value or a bug."""


class TransientError(Exception):
    """The cluster, Prometheus or MLflow did not answer, or refused for now.

    The key goes back into the queue; ``retry_after`` is seconds, when the other side
    named them.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UnknownKindError(TransientError):
    """The cluster does not have the kind: what defines it is not installed, or not yet."""


class NamespaceEndingError(TransientError):
    """The namespace is being deleted, or is gone: nothing new can be made, and nothing need be."""


class WebhookUnavailableError(TransientError):
    """An admission webhook that must be asked does not answer; who runs it can mend that."""


class ConflictError(TransientError):
    """The object is not, or no longer, the one that the write was meant for."""


class InvalidSpecError(Exception):
    """The spec is wrong in a way no schema can refuse; wait for a new generation."""


class ParentMissingError(InvalidSpecError):
    """The Model that the spec names is not there; its arrival wakes whoever waits for it."""


class ClusterRefusalError(Exception):
    """The API server refused what we applied (400, 403, 422): a policy, or missing rights.

    The user is told at once, and we retry with back-off, since someone else can fix it.
    """


class TakenError(ClusterRefusalError):
    """An object that is not ours has the name; it is left as it is."""


class SealedError(ClusterRefusalError):
    """Somebody has made the ConfigMap or Secret immutable: it can only be exchanged."""


class LoginNotAllowedError(Exception):
    """PostgreSQL does not let the operator make a login; who runs the database can change that."""
