"""A file on the trainer's own disk."""

import urllib.parse
import urllib.request

from fairlead_training.config import Environment
from fairlead_training.failure import Reason, TrainingFailure


def read_file(uri: str, _environment: Environment) -> bytes:
    """Return the content of the file.

    Raises:
        TrainingFailure: DataSourceUnavailable.
    """
    path = urllib.request.url2pathname(urllib.parse.urlsplit(uri).path)
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise TrainingFailure(
            Reason.DATA_SOURCE_UNAVAILABLE, f"{path} cannot be read: {error.strerror}"
        ) from error
