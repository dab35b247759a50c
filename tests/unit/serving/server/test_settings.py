"""Settings from the environment."""

from datetime import timedelta
from pathlib import Path

import pytest

from fairlead_serving.server.failure import Reason, StartupError
from fairlead_serving.server.settings import (
    prepare_libraries,
    prepare_scratch,
    read_settings,
    termination_log,
)
from fairlead_serving.server.signature import Task

COMPLETE = {
    "FAIRLEAD_NAMESPACE": "energy",
    "FAIRLEAD_MODEL": "nsw-price",
    "FAIRLEAD_VERSION": "1.1.0",
    "FAIRLEAD_REGISTERED_MODEL": "energy.nsw-price",
    "FAIRLEAD_REGISTRY_VERSION": "4",
    "FAIRLEAD_DIGEST": "sha256:abc",
    "MLFLOW_TRACKING_URI": "http://mlflow.ml:5000",
}


def test_defaults_are_those_of_the_contract() -> None:
    settings = read_settings(COMPLETE)

    assert (settings.host, settings.port, settings.shadow_port) == ("0.0.0.0", 3000, 3001)
    assert settings.request_timeout == timedelta(seconds=60)
    assert settings.registered_model == "energy.nsw-price"
    assert settings.registry_version == "4"


LOGGED = COMPLETE | {
    "FAIRLEAD_DATABASE_URL": "postgresql://fairlead:secret@database/fairlead",
    "FAIRLEAD_TASK": "regression",
    "FAIRLEAD_PREDICTION_SAMPLE": "0.5",
}


def test_the_file_alone_says_where_predictions_are_kept() -> None:
    """A variable would keep a pod from starting until its Secret is there."""
    told = {name: value for name, value in LOGGED.items() if name != "FAIRLEAD_DATABASE_URL"}

    kept = read_settings(told | {"FAIRLEAD_DATABASE_URL_FILE": "/nonexistent/url"})

    assert kept.record is not None
    assert kept.record.read_urls() == []


def test_predictions_are_kept_where_a_database_is_given() -> None:
    kept = read_settings(LOGGED | {"FAIRLEAD_FEEDBACK_TOKEN": "secret-token\n"})

    assert read_settings(COMPLETE).record is None
    assert kept.record is not None
    assert (kept.record.task, kept.record.sample) == (Task.REGRESSION, 0.5)
    assert kept.record.feedback_token == "secret-token"
    assert "secret" not in repr(kept)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FAIRLEAD_TASK", "clustering"),
        ("FAIRLEAD_PREDICTION_SAMPLE", "half"),
        ("FAIRLEAD_PREDICTION_SAMPLE", "0"),
        ("FAIRLEAD_PREDICTION_SAMPLE", "1.1"),
        ("FAIRLEAD_PREDICTION_SAMPLE", "nan"),
        ("FAIRLEAD_WARMUP_REQUESTS", "-1"),
        ("FAIRLEAD_WARMUP_REQUESTS", "many"),
        ("FAIRLEAD_MAX_BODY_MEBIBYTES", "0"),
        ("FAIRLEAD_MAX_BODY_MEBIBYTES", "65"),
    ],
)
def test_what_cannot_be_set_is_named(name: str, value: str) -> None:
    with pytest.raises(StartupError, match=f"{name} is {value!r}"):
        read_settings({**LOGGED, name: value})


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(StartupError, match=f"{name} is not set") as failure:
        read_settings({**COMPLETE, name: " "})

    assert failure.value.reason is Reason.SETTINGS_INVALID
    assert failure.value.exit_code == 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FAIRLEAD_REQUEST_TIMEOUT_SECONDS", "soon"),
        ("FAIRLEAD_REQUEST_TIMEOUT_SECONDS", "0"),
        ("FAIRLEAD_REQUEST_TIMEOUT_SECONDS", "nan"),
        ("FAIRLEAD_REQUEST_TIMEOUT_SECONDS", "inf"),
        ("FAIRLEAD_PORT", "http"),
        ("FAIRLEAD_PORT", "0"),
        ("FAIRLEAD_PORT", "65536"),
        ("FAIRLEAD_PORT", "³"),
    ],
)
def test_a_number_out_of_bounds_is_named(name: str, value: str) -> None:
    with pytest.raises(StartupError, match=f"{name} is {value!r}"):
        read_settings({**COMPLETE, name: value})


def test_the_termination_log_is_where_kubernetes_reads_it() -> None:
    assert termination_log({}) == Path("/dev/termination-log")
    assert termination_log({"FAIRLEAD_TERMINATION_LOG": "/tmp/log"}) == Path("/tmp/log")


def test_scratch_starts_empty(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (scratch / "stale").touch()

    assert prepare_scratch({"FAIRLEAD_SCRATCH": str(scratch)}) == scratch

    assert list(scratch.iterdir()) == []


def test_libraries_write_below_scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment: dict[str, str] = {}
    monkeypatch.setattr("os.environ", environment)

    prepare_libraries(tmp_path)

    assert environment["HOME"] == str(tmp_path)
    assert environment["BENTOML_HOME"] == str(tmp_path / "bentoml")
    assert environment["BENTOML_DO_NOT_TRACK"] == "True"


@pytest.mark.parametrize("name", ["FAIRLEAD_FEEDBACK_TOKEN", "FAIRLEAD_FORCE_TOKEN"])
@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_a_token_that_is_blank_lets_nobody_in(name: str, text: str) -> None:
    with pytest.raises(StartupError, match=f"{name} is blank"):
        read_settings(LOGGED | {name: text})
