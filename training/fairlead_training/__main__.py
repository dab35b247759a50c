"""The trainer's command: ``python -m fairlead_training <search|finish|check> --config <JSON>``.

Writes one result document to standard output and, as far as it has room, to the termination
message, whatever happens, and ends with the exit code that tells the Job whether another try may
help.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Final

from fairlead_contract import logs
from fairlead_contract.mlflow import with_secret
from fairlead_training.config import Environment, TrainingConfig, parse_config, parse_environment
from fairlead_training.failure import (
    EXIT_PERMANENT,
    EXIT_TERMINATED,
    Reason,
    TrainingFailure,
)
from fairlead_training.patience import Patience
from fairlead_training.progress import Progress, Stage, tag_writer
from fairlead_training.result import failure_document, stage_document, to_message

_CHECK: Final = "check"  # the stage that keeps nothing: neither a run nor a study
_TERMINATION_LOG: Final = "/dev/termination-log"
# Before the libraries that read them are imported.  A silent MLflow must end the training soon,
# and a read-only container has nowhere else to write.
_DEFAULTS: Final[Mapping[str, str]] = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "1",
    "MLFLOW_ALLOW_HTTP_REDIRECTS": "false",  # to a login, or with our credentials elsewhere
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_CONFIGURE_LOGGING": "false",  # or its lines have a form of their own
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MPLCONFIGDIR": "/tmp",  # noqa: S108  the pod's own emptyDir
    # Workers on one node share its cores: a thread that waits must not spin.
    "OMP_WAIT_POLICY": "PASSIVE",
}

_log = logging.getLogger("fairlead_training")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one stage; return the exit code: 0, 1 (may be retried) or 3 (bad input)."""
    arguments = _parse_arguments(argv)
    prepare(os.environ)
    run = _Run()
    try:
        document = run(arguments.stage, arguments.config)
        code = EXIT_PERMANENT if document["outcome"] == "Failed" else 0
    except TrainingFailure as failure:
        for detail in failure.details:
            _log.error("the data cannot be used", extra={"why": detail})
        document, code = failure_document(failure, run.stage), failure.exit_code
    except Exception as error:
        _log.exception("the trainer failed")
        bug = TrainingFailure(
            Reason.INTERNAL_ERROR,
            f"{type(error).__name__} in the trainer; its log has the details",
        )
        document, code = failure_document(bug, run.stage), bug.exit_code
    _write(document, os.environ)
    return code


def prepare(variables: MutableMapping[str, str]) -> None:
    """Set what libraries read by themselves; MLflow's client, whom to sign in as."""
    for name, value in _DEFAULTS.items():
        variables.setdefault(name, value)
    variables.update(with_secret(variables))


class _Run:
    """One stage, and how far it came."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._checks = False

    @property
    def stage(self) -> str:
        if self._checks:
            return _CHECK
        return str(self._progress.stage if self._progress else Stage.DATA)

    def __call__(self, stage: str, text: str) -> dict[str, Any]:
        if stage == _CHECK:
            self._checks = True
            return _check(text)
        config = parse_config(text)
        environment = parse_environment(os.environ)
        self._progress = Progress(
            tag_writer(environment.mlflow, config.mlflow_run_id),
            trials=config.search.trials,
            metric=config.search.metric,
        )
        progress = self._progress
        patience = Patience(config.patience, tell=progress.wait)
        patience.have(progress.begin)
        # Each stage may run twice, as it does when its pod is made anew.
        return patience.have(lambda: _STAGES[stage](config, environment, progress))


def _search(config: TrainingConfig, environment: Environment, progress: Progress) -> dict[str, Any]:
    # Imported late: the libraries take seconds, and a bad config or a silent MLflow is told first.
    from fairlead_training.worker import search  # noqa: PLC0415  as above

    search(config, environment, progress)
    return stage_document(Stage.SEARCH)


def _finish(config: TrainingConfig, environment: Environment, progress: Progress) -> dict[str, Any]:
    from fairlead_training.finish import finish  # noqa: PLC0415  as in _search

    return finish(config, environment, progress)


def _check(text: str) -> dict[str, Any]:
    from fairlead_training.check_data import check_data  # noqa: PLC0415  as in _search

    return check_data(parse_config(text, keeps=False), parse_environment(os.environ, keeps=False))


_STAGES: Final = {"search": _search, "finish": _finish}


def _parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fairlead_training")
    parser.add_argument("stage", choices=sorted([*_STAGES, _CHECK]))
    parser.add_argument("--config", required=True, help="JSON document, see docs/contracts.md")
    return parser.parse_args(argv)


def _write(document: Mapping[str, Any], variables: Mapping[str, str]) -> None:
    message = to_message(document)
    sys.stdout.write(to_message(document, most=None) + "\n")
    sys.stdout.flush()
    path = variables.get("FAIRLEAD_TERMINATION_LOG") or _TERMINATION_LOG
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(message)
    except OSError as error:
        _log.warning("the termination message is not written", extra={"why": str(error)})


def _terminate(_signal: int, _frame: object) -> None:
    # At once: there is nothing to undo.  The trial under way falls silent and is tried again, and
    # an exception raised here could be lost in a callback from C.
    os._exit(EXIT_TERMINATED)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminate)
    logs.configure()
    sys.exit(main())
