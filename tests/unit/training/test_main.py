"""The command: always a result document, and the right exit code."""

import json
from pathlib import Path

import pytest

from fairlead_training.__main__ import main, prepare
from support.trainer_config import config_document


@pytest.fixture(name="log")
def _log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "termination-log"
    monkeypatch.setenv("FAIRLEAD_TERMINATION_LOG", str(path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "file:///nowhere")
    monkeypatch.setenv("FAIRLEAD_DATABASE_URL", "postgresql://db/x")
    return path


def test_a_bad_config_is_told(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["search", "--config", "{"])

    told = json.loads(log.read_text())
    assert (code, told["reason"], told["stage"]) == (3, "ConfigInvalid", "data")
    assert json.loads(capsys.readouterr().out) == told


def test_a_log_that_cannot_be_written_does_not_hide_the_result(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAIRLEAD_TERMINATION_LOG", str(log / "no" / "folder"))

    assert main(["search", "--config", json.dumps(config_document())]) == 3
    assert "ConfigInvalid" in capsys.readouterr().out


def test_a_bug_is_told_without_its_text(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyError("hush")

    monkeypatch.setattr("fairlead_training.__main__.parse_config", fail)

    assert main(["search", "--config", "{}"]) == 1
    told = json.loads(log.read_text())
    assert told["reason"] == "InternalError"
    assert "KeyError" in told["message"]
    assert "hush" not in told["message"]


def test_an_unknown_stage_is_a_wrong_command() -> None:
    with pytest.raises(SystemExit):
        main(["dance", "--config", "{}"])


def test_a_variable_that_is_set_stays() -> None:
    variables = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "99"}

    prepare(variables)

    assert variables["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "99"
    assert variables["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "2"


def test_mlflows_own_client_signs_in_as_the_mounted_secret_says(tmp_path: Path) -> None:
    for key in ("username", "password"):
        (tmp_path / key).write_text(key)
    variables = {"FAIRLEAD_MLFLOW_SECRET": str(tmp_path)}

    prepare(variables)

    assert variables["MLFLOW_TRACKING_USERNAME"] == "username"
    assert variables["MLFLOW_TRACKING_PASSWORD"] == "password"
