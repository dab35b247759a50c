"""Names in requests and answers that gateways write and model servers read, or the reverse."""

import hashlib
from typing import Final

OWN_PATHS: Final = ("/predict", "/feedback")  # of a model server, for its callers
V2_MODELS: Final = "/v2/models"  # of the Open Inference Protocol
OWN_PREFIX: Final = "x-fairlead-"  # headers that are Fairlead's to set
VERSION_HEADER: Final = f"{OWN_PREFIX}version"  # asks for a version; in an answer, who gave it
FORCE_TOKEN_HEADER: Final = f"{OWN_PREFIX}force-token"  # with VERSION_HEADER: who may ask for it
UNCOUNTED_HEADER: Final = f"{OWN_PREFIX}uncounted"  # on a preview, or a request for one version
UNCOUNTED_VALUE: Final = "true"
SHADOW_HEADER: Final = f"{OWN_PREFIX}shadow"  # on the copy of a request
SHADOW_VALUE: Final = "true"

# The 4xx that say nothing of what a version takes but who asks (401, 403, 407), how slowly (408,
# 425, 499) or how much at once (429).  Any other is a request refused for what is in it.
EXCUSED_STATUSES: Final = (401, 403, 407, 408, 425, 429, 499)


def public_paths(model: str) -> tuple[str, ...]:
    """Return what callers may use of a model server, by POST.

    What else the Open Inference Protocol has is asked about the server, and would count as an
    answer of the version.
    """
    return (*OWN_PATHS, f"{V2_MODELS}/{model}/infer")


def version_cookie(model: str) -> str:
    """Return the name of the cookie that keeps a user at a version of the Model."""
    return f"fairlead-{model}"


def cookie_value(version: str, trial: str | None) -> str:
    """Return what the cookie of the version's users holds in a trial.

    A trial without an id is of an operator from before there were any: its cookie is the version.
    """
    if trial is None:
        return version
    # Nothing that a caller who was not dealt this version could write, nor what the last trial set.
    return hashlib.sha256(f"{trial}/{version}".encode()).hexdigest()[:32]


REQUEST_ID_HEADER: Final = "x-request-id"
# Of a caller, kept as it is: UUIDs, trace ids, base64, but nothing that a log could misread.
REQUEST_ID_PATTERN: Final = r"[A-Za-z0-9._~:/+=@|-]{1,128}"
