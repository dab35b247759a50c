"""A file over HTTP or HTTPS, with Basic authentication where the Model names a Secret."""

import base64
import http.client
import urllib.error
import urllib.request
from typing import Final

from fairlead_training.config import Environment
from fairlead_training.failure import Reason, TrainingFailure, first_line
from fairlead_training.sources.address import public_uri

_TIMEOUT_SECONDS: Final = 30


def download(uri: str, environment: Environment) -> bytes:
    """Return the content of the file.

    Raises:
        TrainingFailure: CredentialsRefused or DataSourceUnavailable.
    """
    source = public_uri(uri)
    request = urllib.request.Request(uri)  # noqa: S310  the table lets http and https through only
    if environment.data_username is not None:
        pair = f"{environment.data_username}:{environment.data_password or ''}"
        token = base64.b64encode(pair.encode()).decode()
        # Unredirected, so that another host never sees it.
        request.add_unredirected_header("Authorization", f"Basic {token}")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310  as above
            content: bytes = response.read()
    except urllib.error.HTTPError as error:
        raise explain_answer(error.code, source) from error
    except (OSError, http.client.HTTPException) as error:
        raise TrainingFailure(
            Reason.DATA_SOURCE_UNAVAILABLE,
            f"{source} cannot be read: {first_line(error)}; check spec.data.source.uri",
        ) from error
    return content


def explain_answer(status: int, source: str) -> TrainingFailure:
    """Tell a server that refuses the user from one that has no such file or is in trouble."""
    if status in {401, 403}:
        return TrainingFailure(
            Reason.CREDENTIALS_REFUSED,
            f"{source} answered {status}; correct the Secret in spec.data.source.credentials",
        )
    return TrainingFailure(
        Reason.DATA_SOURCE_UNAVAILABLE,
        f"{source} answered {status}; check spec.data.source.uri",
    )
