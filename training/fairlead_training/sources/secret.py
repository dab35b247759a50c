"""Whether the Secret that a Model names may be sent to the Model's source.

Whoever may write Models need not be allowed to read Secrets.  So a Secret says itself, in its key
``hosts``, where its user and password may be sent, and nothing is sent anywhere else.  It is a key,
no label or annotation, because a pod sees nothing else of a Secret, and the operator would need the
right to read every Secret of the cluster to see more.
"""

import json

from fairlead_contract.hosts import InvalidHostError, any_has, parse_hosts, write_place
from fairlead_training.config import Environment
from fairlead_training.failure import Reason, TrainingFailure


def has_credentials(environment: Environment) -> bool:
    return environment.data_username is not None or environment.data_password is not None


def check_credentials(host: str, port: int, environment: Environment) -> None:
    """Refuse to send the credentials, if there are any, where their Secret does not say.

    Raises:
        TrainingFailure: SecretNotAllowed; it shows nothing of the Secret.
    """
    if not has_credentials(environment):
        return
    secret = f"Secret {environment.data_secret}"
    place = write_place(host, port)
    if not (environment.data_hosts or "").strip():
        change = json.dumps({"stringData": {"hosts": place}})
        namespace = environment.surroundings.namespace
        raise _refusal(
            f"{secret} does not say to which hosts it may be sent; if it is meant for this one, "
            f"run: kubectl patch secret {environment.data_secret} --namespace {namespace} "
            f"--patch '{change}'"
        )
    try:
        hosts = parse_hosts(environment.data_hosts or "")
    except InvalidHostError:
        raise _refusal(
            f"key hosts of {secret} cannot be read; write hosts such as {place}, separated by "
            "commas"
        ) from None
    if not any_has(hosts, host, port):
        raise _refusal(
            f"{secret} may not be sent to {place}; correct spec.data.source.uri, name another "
            "Secret in spec.data.source.credentials, or add the host to the Secret's key hosts"
        )


def _refusal(message: str) -> TrainingFailure:
    return TrainingFailure(Reason.SECRET_NOT_ALLOWED, message)
