"""Whether the Secret that a Model names may be sent to the Model's source.

Whoever may write Models need not be allowed to read Secrets.  So a Secret says itself, in its key
``hosts``, where its user and password, or its keys, may be sent, and nothing is sent anywhere else.
It is a key, no label or annotation, because a pod sees nothing else of a Secret, and the operator
would need the right to read every Secret of the cluster to see more.
"""

import contextlib
import json
import ssl
import tempfile
from collections.abc import Iterator

from fairlead_contract.hosts import InvalidHostError, any_has, parse_hosts, write_place
from fairlead_training.config import Environment
from fairlead_training.failure import Reason, TrainingFailure


def has_credentials(environment: Environment) -> bool:
    return bool(
        environment.data_username is not None
        or environment.data_password is not None
        or environment.data_keys
    )


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


def trust(environment: Environment) -> ssl.SSLContext:
    """Return whom to trust: the authorities that the Secret names, or the usual ones.

    Raises:
        TrainingFailure: ConfigInvalid.
    """
    try:
        return ssl.create_default_context(cadata=environment.data_authority)
    except (ssl.SSLError, ValueError) as error:
        raise TrainingFailure(
            Reason.CONFIG_INVALID,
            f"key ca.crt of Secret {environment.data_secret} holds no certificate in PEM; "
            "write the certificate of the authority that signs for the source",
        ) from error


@contextlib.contextmanager
def write_authority(environment: Environment) -> Iterator[str | None]:
    """Write the authorities that the Secret names to a file; None where it names none.

    Raises:
        TrainingFailure: ConfigInvalid.
    """
    if environment.data_authority is None:
        yield None
        return
    trust(environment)
    with tempfile.NamedTemporaryFile("w", suffix=".crt", dir=environment.scratch) as file:
        file.write(environment.data_authority)
        file.flush()
        yield file.name


def _refusal(message: str) -> TrainingFailure:
    return TrainingFailure(Reason.SECRET_NOT_ALLOWED, message)
