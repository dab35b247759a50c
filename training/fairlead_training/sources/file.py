"""A file on the trainer's own disk."""

import urllib.parse
import urllib.request
from typing import IO

from fairlead_training.config import Environment
from fairlead_training.failure import Reason, TrainingFailure


def open_path(uri: str, _environment: Environment) -> IO[bytes]:
    """Return the file.

    Raises:
        TrainingFailure: DataSourceUnavailable.
    """
    path = urllib.request.url2pathname(urllib.parse.urlsplit(uri).path)
    try:
        return open(path, "rb", buffering=0)
    except OSError as error:
        raise TrainingFailure(
            Reason.DATA_SOURCE_UNAVAILABLE, f"{path} cannot be read: {error.strerror}"
        ) from error
