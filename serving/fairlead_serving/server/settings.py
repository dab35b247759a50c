"""What the operator tells the server; no other module touches the environment."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from fairlead_contract.artifact import ALLOWS_CODE
from fairlead_contract.cluster import SERVER_PORT, SERVER_SHADOW_PORT
from fairlead_contract.database import read_addresses
from fairlead_contract.mlflow import Access, InvalidAccessError, read_access, with_secret
from fairlead_serving.server.failure import Reason, StartupError
from fairlead_serving.server.signature import Task

_SCRATCH = Path("/tmp/fairlead")  # noqa: S108 - the only writable place of the pod, and its own
_TERMINATION_LOG = Path("/dev/termination-log")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSettings:
    """Where predictions and feedback are kept."""

    url: str = field(repr=False)  # a secret; empty where only the file has it
    task: Task
    sample: float  # share of the requests, above 0 to 1
    feedback_token: str = field(repr=False)  # a secret; empty: feedback is open to everyone
    url_file: Path | None = None  # where the address is as it is now
    feedback_token_file: Path | None = None  # where the token is as it is now

    def read_urls(self) -> list[str]:
        """Return the database's addresses, which change with its Secret; none without one."""
        return read_addresses(self.url_file, self.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One model version and the address it is served on."""

    namespace: str
    model: str
    version: str  # semantic, as the operator and the clients know it
    registered_model: str
    registry_version: str  # MLflow's own number
    digest: str
    mlflow: Access
    request_timeout: timedelta
    host: str
    port: int
    shadow_port: int = SERVER_SHADOW_PORT  # what comes in here is a copy of a request
    allows_code: bool = False  # whether code from the artifact may run
    warmup_requests: int = 20
    max_body_bytes: int = 32 * 1024 * 1024  # of a request for predictions; columns may say less
    record: RecordSettings | None = None  # None: predictions are not logged
    force_token: str = field(default="", repr=False)  # a secret; empty: no request can choose
    force_token_file: Path | None = None  # where it is as it is now


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings.

    Raises:
        StartupError: a variable is missing or not a number; the message names it.
    """
    return Settings(
        namespace=_text(environment, "FAIRLEAD_NAMESPACE"),
        model=_text(environment, "FAIRLEAD_MODEL"),
        version=_text(environment, "FAIRLEAD_VERSION"),
        registered_model=_text(environment, "FAIRLEAD_REGISTERED_MODEL"),
        registry_version=_text(environment, "FAIRLEAD_REGISTRY_VERSION"),
        digest=_text(environment, "FAIRLEAD_DIGEST"),
        mlflow=_read_mlflow(environment),
        request_timeout=_seconds(environment, "FAIRLEAD_REQUEST_TIMEOUT_SECONDS", default="60"),
        host=environment.get("FAIRLEAD_HOST", "0.0.0.0"),  # noqa: S104 - a pod has one address
        port=_port(environment, "FAIRLEAD_PORT", default=str(SERVER_PORT)),
        shadow_port=_port(environment, "FAIRLEAD_SHADOW_PORT", default=str(SERVER_SHADOW_PORT)),
        allows_code=_flag(environment, ALLOWS_CODE),
        warmup_requests=_count(environment, "FAIRLEAD_WARMUP_REQUESTS", default="20"),
        max_body_bytes=_mebibytes(environment, "FAIRLEAD_MAX_BODY_MEBIBYTES", default="32"),
        record=_record(environment),
        force_token=_token(environment, "FAIRLEAD_FORCE_TOKEN"),
        force_token_file=_file(environment, "FAIRLEAD_FORCE_TOKEN_FILE"),
    )


def read_environment() -> Mapping[str, str]:
    """Give the environment of this process to `read_settings`."""
    return os.environ


def termination_log(environment: Mapping[str, str]) -> Path:
    """Return where the last message goes, which does not depend on the other settings."""
    return Path(environment.get("FAIRLEAD_TERMINATION_LOG", _TERMINATION_LOG))


def prepare_scratch(environment: Mapping[str, str]) -> Path:
    """Make the writable directory anew: what an earlier container left in it is stale."""
    scratch = Path(environment.get("FAIRLEAD_SCRATCH", _SCRATCH))
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    return scratch


def prepare_libraries(scratch: Path) -> None:
    """Tell the libraries where they may write.  Call it before they are imported."""
    os.environ.setdefault("HOME", str(scratch))  # uid 65532 has no home of its own
    os.environ.update(
        BENTOML_HOME=str(scratch / "bentoml"),
        BENTOML_DO_NOT_TRACK="True",
        MLFLOW_DISABLE_TELEMETRY="true",
        MLFLOW_CONFIGURE_LOGGING="false",  # or its lines have a form of their own
    )


def _read_mlflow(environment: Mapping[str, str]) -> Access:
    try:
        return read_access(with_secret(environment))
    except InvalidAccessError as error:
        raise StartupError(Reason.SETTINGS_INVALID, f"environment variable {error}") from error


def _record(environment: Mapping[str, str]) -> RecordSettings | None:
    url = environment.get("FAIRLEAD_DATABASE_URL", "")
    url_file = _file(environment, "FAIRLEAD_DATABASE_URL_FILE")
    if not url and url_file is None:
        return None
    task, sample = (
        _text(environment, name) for name in ("FAIRLEAD_TASK", "FAIRLEAD_PREDICTION_SAMPLE")
    )
    if task not in list(Task):
        raise StartupError(
            Reason.SETTINGS_INVALID,
            f"environment variable FAIRLEAD_TASK is {task!r}; give one of {', '.join(Task)}",
        )
    return RecordSettings(
        url=url,
        task=Task(task),
        sample=_share("FAIRLEAD_PREDICTION_SAMPLE", sample),
        feedback_token=_token(environment, "FAIRLEAD_FEEDBACK_TOKEN"),
        url_file=url_file,
        feedback_token_file=_file(environment, "FAIRLEAD_FEEDBACK_TOKEN_FILE"),
    )


def _file(environment: Mapping[str, str], name: str) -> Path | None:
    place = environment.get(name)
    return Path(place) if place else None


def _token(environment: Mapping[str, str], name: str) -> str:
    """Read a token; empty where none is asked for, and never because a Secret is blank."""
    token = environment.get(name)
    if token is None:
        return ""
    if not token.strip():
        raise StartupError(
            Reason.SETTINGS_INVALID,
            f"environment variable {name} is blank; give its key of the Secret a value",
        )
    return token.strip()


def _share(name: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise StartupError(
            Reason.SETTINGS_INVALID,
            f"environment variable {name} is {text!r}; give a number above 0, up to 1",
        )
    return share


def _flag(environment: Mapping[str, str], name: str) -> bool:
    """Read a permission, which nobody has who was not given it."""
    text = environment.get(name, "false")
    if text not in {"true", "false"}:
        raise StartupError(
            Reason.SETTINGS_INVALID,
            f"environment variable {name} is {text!r}; give true or false",
        )
    return text == "true"


def _count(environment: Mapping[str, str], name: str, *, default: str) -> int:
    text = environment.get(name, default)
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise StartupError(
            Reason.SETTINGS_INVALID,
            f"environment variable {name} is {text!r}; give a whole number up to 99999",
        )
    return int(text)


def _mebibytes(environment: Mapping[str, str], name: str, *, default: str) -> int:
    text = environment.get(name, default)
    if not (text.isascii() and text.isdigit() and len(text) < 3 and 1 <= int(text) <= 64):
        raise StartupError(
            Reason.SETTINGS_INVALID,
            f"environment variable {name} is {text!r}; give a whole number from 1 to 64",
        )
    return int(text) * 1024 * 1024


def _text(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise StartupError(
            Reason.SETTINGS_INVALID, f"environment variable {name} is not set; the operator sets it"
        )
    return value


def _seconds(environment: Mapping[str, str], name: str, *, default: str) -> timedelta:
    text = environment.get(name, default)
    try:
        duration = timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        duration = timedelta(0)
    if duration <= timedelta(0):
        raise StartupError(
            Reason.SETTINGS_INVALID,
            f"environment variable {name} is {text!r}; give a number of seconds above 0",
        )
    return duration


def _port(environment: Mapping[str, str], name: str, *, default: str) -> int:
    text = environment.get(name, default)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise StartupError(
            Reason.SETTINGS_INVALID,
            f"environment variable {name} is {text!r}; give a port from 1 to 65535",
        )
    return int(text)
