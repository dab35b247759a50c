"""Serve one model version: `python -m fairlead_serving.server`.

The version is downloaded, verified, loaded and tested before anything listens, and a failure
ends the process with a message for the operator.  BentoML's own command would instead restart
a worker that cannot load for ever, and leave the probes without an answer.  So the BentoML
application runs under uvicorn in this one process.
"""

import contextlib
import gc
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

import uvicorn
from prometheus_client import CollectorRegistry
from starlette.routing import Route
from starlette.types import ASGIApp

from fairlead_contract import logs
from fairlead_contract.http import VERSION_HEADER
from fairlead_serving.server.artifact import fetch_artifact, read_artifact
from fairlead_serving.server.bodies import Bodies
from fairlead_serving.server.classes import PLAIN, Classes
from fairlead_serving.server.connection import BoundedConnection
from fairlead_serving.server.dialects import Rows, Tensors
from fairlead_serving.server.endpoint import PredictEndpoint
from fairlead_serving.server.explain_endpoint import ExplainEndpoint
from fairlead_serving.server.failure import Reason, StartupError
from fairlead_serving.server.feedback_endpoint import FeedbackEndpoint
from fairlead_serving.server.inference import describe_model, model_paths
from fairlead_serving.server.inference_routes import open_inference
from fairlead_serving.server.metrics import LogMetrics, Metrics
from fairlead_serving.server.openapi import describe_api
from fairlead_serving.server.prediction_log import PredictionLog
from fairlead_serving.server.predictors.flavors import open_predictor
from fairlead_serving.server.predictors.protocol import Predictor
from fairlead_serving.server.registry import MlflowRegistry
from fairlead_serving.server.settings import (
    Settings,
    prepare_libraries,
    prepare_scratch,
    read_environment,
    read_settings,
    termination_log,
)
from fairlead_serving.server.shape import Limits
from fairlead_serving.server.tokens import Token

_log = logging.getLogger(__name__)

_NICE = 10  # of the thread that reads large bodies and predicts
_TURN_SECONDS = 0.0005  # Python's own is ten times that
# The pod has 30 seconds to end, and its preStop hook has slept 5 of them.
_DRAIN_SECONDS = 22
_FLUSH_SECONDS = 2  # for predictions that are not written yet
# Longer than the 4 seconds Envoy keeps an idle connection: were we the first to close one, a
# request could be on its way to it.
_KEEP_ALIVE_SECONDS = 75
_STOPPED = 143  # 128 + SIGTERM
_LONGEST_MESSAGE = 900  # characters of up to 4 bytes; Kubernetes keeps 4096 bytes in all


def main() -> int:
    """Serve until told to stop, and return the exit code."""
    signal.signal(signal.SIGTERM, _stop)  # process 1 has no default action
    logs.configure(level="WARNING", levels={"fairlead_serving": "INFO"})  # of libraries, less
    environment = read_environment()
    try:
        settings, predictor, classes = prepare(environment)
        registry = CollectorRegistry()
        log = open_log(settings, registry, classes)
        app = build(settings, predictor, registry, log, classes)
    except StartupError as error:
        return report(error, termination_log(environment))
    except Exception as error:
        _log.exception("Start failed")
        unknown = StartupError(Reason.INTERNAL_ERROR, f"{type(error).__name__}: {error}")
        return report(unknown, termination_log(environment))
    _log.info("Serving %s %s on port %d", settings.model, settings.version, settings.port)
    exit_code = serve(app, settings)
    if log is not None:
        log.stop(timeout=_FLUSH_SECONDS)
    return exit_code


def prepare(environment: Mapping[str, str]) -> tuple[Settings, Predictor, Classes]:
    """Do all that can fail before anything listens.

    Raises:
        StartupError: the version cannot be served.
    """
    settings = read_settings(environment)
    scratch = prepare_scratch(environment)
    prepare_libraries(scratch)
    directory = scratch / "model"
    fetch_artifact(settings, MlflowRegistry.at(settings.mlflow), directory)
    artifact = read_artifact(directory)
    if artifact.example is None:
        _log.warning("The model has no input example made of rows, so it is served untested")
    predictor = open_predictor(
        artifact, warmup=settings.warmup_requests, allows_code=settings.allows_code
    )
    return settings, predictor, artifact.classes


def open_log(
    settings: Settings, registry: CollectorRegistry, classes: Classes
) -> PredictionLog | None:
    """Start the log of predictions, if they are logged; the database may be away."""
    if settings.record is None:
        return None
    from fairlead_serving.server.record_store import RecordStore  # noqa: PLC0415 - 10 MB for those who log

    metrics = LogMetrics(model=settings.model, version=settings.version, registry=registry)
    store = RecordStore(settings.record, settings, classes=classes)
    log = PredictionLog(store, metrics, sample=settings.record.sample)
    log.start()
    return log


def build(
    settings: Settings,
    predictor: Predictor,
    registry: CollectorRegistry,
    log: PredictionLog | None = None,
    classes: Classes = PLAIN,
) -> ASGIApp:
    """Put the application together."""
    # BentoML reads the environment when it is imported: after `prepare_libraries`.
    from fairlead_serving.server.application import (  # noqa: PLC0415 - see above
        answer_directly,
        build_application,
        require_token,
        return_request_id,
    )
    from fairlead_serving.server.service import build_service  # noqa: PLC0415 - see above

    metrics = Metrics(model=settings.model, version=settings.version, registry=registry)
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="predict", initializer=_step_back)
    bodies = Bodies()
    limits = Limits.of(predictor.reader.columns, most=settings.max_body_bytes)
    endpoint, infer = (
        PredictEndpoint(
            predictor,
            metrics,
            settings,
            thread=thread,
            bodies=bodies,
            log=log,
            classes=classes,
            dialect=dialect,
        )
        for dialect in (Rows(settings, limits, classes), Tensors(settings, limits, classes))
    )
    feedback = FeedbackEndpoint(settings.record, log, bodies, classes=classes)
    description = describe_api(settings, predictor.reader, classes)
    paths = model_paths(settings.model, settings.version)
    metadata = describe_model(
        settings.model,
        settings.version,
        predictor.reader,
        classes,
        gives_text=predictor.gives_text,
    )
    explain = ExplainEndpoint(predictor, settings, bodies, classes=classes)
    routes = (
        *open_inference(paths, metadata, infer),
        Route("/explain", explain.answer, methods=["POST"]),
    )
    service = build_service(endpoint)
    app: ASGIApp = build_application(service, feedback, registry, description, routes)
    direct: dict[tuple[str, str], ASGIApp] = {("POST", "/predict"): endpoint}
    direct |= {("POST", f"{path}/infer"): infer for path in paths}
    if settings.force_token:
        token = Token(settings.force_token, settings.force_token_file)
        app = require_token(app, token)
        direct = {  # the id also where the token is missing
            asked: return_request_id(require_token(each, token)) for asked, each in direct.items()
        }
    return answer_directly(return_request_id(app), direct, shadow_port=settings.shadow_port)


def _step_back() -> None:
    """Let the event loop's thread go first where both want the processor."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def serve(app: ASGIApp, settings: Settings) -> int:
    """Answer requests until SIGTERM, then finish those under way."""
    config = uvicorn.Config(
        app,
        http=BoundedConnection,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nobody asks where a request came from
        headers=[(VERSION_HEADER, settings.version)],
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    # What reads a large body holds the interpreter for so long while others wait for it.
    sys.setswitchinterval(_TURN_SECONDS)
    # Nothing loaded so far will go; without this, each full collection walks all of it (p99).
    gc.collect()
    gc.freeze()
    # uvicorn drains, then raises the signal again for the handler that was set before.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server = uvicorn.Server(config)
    with contextlib.ExitStack() as stack:
        addresses = ((settings.host, port) for port in (settings.port, settings.shadow_port))
        server.run([stack.enter_context(socket.create_server(each)) for each in addresses])
    return 0 if server.started else 1


def report(error: StartupError, path: Path) -> int:
    """Leave the operator a message, and return the exit code."""
    message = error.message[:_LONGEST_MESSAGE]
    document = {"reason": error.reason, "message": message}
    _log.error("Cannot serve: %s: %s", error.reason, message)
    try:
        path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    except OSError as failure:
        _log.warning("Cannot write the termination message: %s", failure)
    return error.exit_code


def _stop(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(_STOPPED)


if __name__ == "__main__":
    sys.exit(main())
