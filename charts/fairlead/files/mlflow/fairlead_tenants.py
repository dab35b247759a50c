"""Who may call what of the bundled MLflow, before MLflow's own permissions are asked.

MLflow imports this file (`authorization_function` of its configuration) and asks it at every
request that needs a login.  Its permissions keep the experiments and registered models of
namespaces apart.  Four things they leave open are closed here:

* Whoever may sign in may make an experiment or a registered model of any name, with artifacts in
  a place of their choice, and rename their own to what another is going to need.
* MLflow has a hundred more calls, which each release adds to.
* What a version is tagged with has no end, and whoever lists all versions reads it.
* A field has several names, ``run_id``, ``runId`` and ``run_uuid``, and what MLflow judges by one
  of them it may do to what another says.

So only the administrator makes, names and deletes these two, and the users that Fairlead makes
for namespaces may call what a trainer and a model server need, and nothing else, with no more
than these send, in the words that these send.
"""

import re
from collections.abc import Iterator

from flask import Response, make_response, request

TENANT = "fairlead/"  # a user of ours begins so; the namespace follows

_MLFLOW = "/api/2.0/mlflow/"
_CALLS = frozenset(
    (method, _MLFLOW + path)
    for method, path in (
        ("GET", "artifacts/list"),
        ("GET", "experiments/get"),
        ("GET", "model-versions/get"),
        ("GET", "model-versions/get-download-uri"),
        ("GET", "model-versions/search"),
        ("GET", "registered-models/get"),
        ("GET", "runs/get"),
        ("POST", "logged-models"),
        ("POST", "model-versions/create"),
        ("POST", "runs/log-batch"),
        ("POST", "runs/log-inputs"),
        ("POST", "runs/log-metric"),
        ("POST", "runs/log-model"),
        ("POST", "runs/log-parameter"),
        ("POST", "runs/outputs"),
        ("POST", "runs/set-tag"),
    )
)
_LOGGED_MODEL = re.compile(
    re.escape(_MLFLOW) + r"logged-models/m-[0-9a-f]{32}(?:/tags|/params|/artifacts/directories)?"
)
_CREATE_VERSION = _MLFLOW + "model-versions/create"
_LARGEST_VERSION = 32 * 1024  # bytes: a trainer's has 2 to 3 KiB
_LARGEST = 1200 * 1000  # MLflow itself takes a batch of 1 MB
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
# Below the number of an experiment, and so written that nobody decodes it once more.
_PLACE = re.compile(r"[0-9]+(?:/[^/%\\#]+)+")
_FIELD = re.compile(r"[a-z0-9_]+")
_NAMES = re.compile(
    r"(?:/[^/]+)*/mlflow/(?:experiments/(?:create|update|delete|restore)|"
    r"registered-models/(?:create|rename|delete))/*"
)


def authenticate():
    """Return who asks, or the answer to who may not."""
    from mlflow.server import auth  # noqa: PLC0415  which imports this file

    asking = auth.authenticate_request_basic_auth()
    if isinstance(asking, Response):
        return asking
    user, method, path = asking.username, request.method, request.path
    refusal = refuse(user, method, path, request.args.get("path"), request.content_length)
    if refusal is None and method in {"PATCH", "POST"}:
        refusal = refuse_words(user, request.get_json(silent=True))
    if refusal is None and names(path) and not auth.store.get_user(user).is_admin:
        refusal = "only the administrator makes, names and deletes experiments and models"
    if refusal is None:
        return asking
    return make_response({"error_code": "PERMISSION_DENIED", "message": refusal}, 403)


def refuse(
    user: str, method: str, path: str, folder: str | None, length: int | None = None
) -> str | None:
    """Say why a namespace's user may not call this; None where MLflow's permissions decide.

    Args:
        folder: of artifacts, that is named beside the path.
        length: of what is sent, in bytes; None where it comes without an end.
    """
    if not user.startswith(TENANT):
        return None
    is_call = (method, path) in _CALLS
    if is_call or (method in {"GET", "PATCH", "POST"} and _LOGGED_MODEL.fullmatch(path)):
        most = _LARGEST_VERSION if path == _CREATE_VERSION else _LARGEST
        if method == "GET" or (length is not None and length <= most):
            return None
        return f"{user} sends {length or 'endless'} bytes, and {path} takes {most} of a namespace"
    if (method, path) == ("GET", _ARTIFACTS) and _is_place(folder or ""):
        return None
    # Without a folder beside it, by which MLflow could judge in place of the path.
    named = method in {"GET", "PUT"} and path.startswith(f"{_ARTIFACTS}/") and folder is None
    if named and _is_place(path.removeprefix(f"{_ARTIFACTS}/")):
        return None
    return f"{user} is for trainers and model servers, which need no {method} {path}"


def refuse_words(user: str, body: object) -> str | None:
    """Say why what somebody sends may be meant otherwise than it is judged.

    People's pages send ``run_uuid`` alone; of a namespace's user each field has one name.
    """
    sent = body if isinstance(body, dict) else {}
    if "run_uuid" in sent and "runId" in sent:
        return f"{user} names a run twice"
    if not user.startswith(TENANT):
        return None
    if sent is not body:
        return f"{user} sends what is no JSON object"
    for name in _find_names(sent):
        if not _FIELD.fullmatch(name):
            return f"{user} sends a field {name[:40]!r}; fields are written as in run_id"
    if "run_uuid" in sent and sent["run_uuid"] != sent.get("run_id"):
        return f"{user} sends run_uuid without the same run_id"
    return None


def _find_names(body: object) -> Iterator[str]:
    """Yield the names of all fields, also of what is within others."""
    left = [body]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            yield from value
            left += value.values()
        elif isinstance(value, list):
            left += value


def names(path: str) -> bool:
    """Tell whether this makes, names or deletes what belongs to a namespace by its name."""
    return _NAMES.fullmatch(path) is not None


def _is_place(text: str) -> bool:
    return _PLACE.fullmatch(text) is not None and not {".", ".."} & set(text.split("/"))
