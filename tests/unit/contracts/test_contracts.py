"""docs/contracts.md, held by running both sides: what one package writes, the other reads."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from fairlead_contract.artifact import CHAMPION_ROOM
from fairlead_contract.histogram import MILLISECONDS
from fairlead_contract.metric import read_quantile
from fairlead_contract.search import search_schema
from fairlead_contract.series import PREDICTION_SECONDS
from fairlead_operator.api.common import SecretReference, VersionReference
from fairlead_operator.api.common import Task as ModelTask
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.phases.rollout import Phase
from fairlead_operator.api.phases.rollout import Reason as RolloutReason
from fairlead_operator.api.policy import RolloutPolicy
from fairlead_operator.api.prediction_log import PredictionLog
from fairlead_operator.api.serving import ServingSpec
from fairlead_operator.api.training import WITHOUT_QUANTILES
from fairlead_operator.kube.images import Images
from fairlead_operator.kube.metadata import Owner
from fairlead_operator.model.gate import Demand, judge_candidate, parse_comparison
from fairlead_operator.namespace.gateway import build_gateway
from fairlead_operator.rollout.decision.plan import compile_plan
from fairlead_operator.rollout.decision.states import Decision, Health
from fairlead_operator.rollout.servers.health import read_health
from fairlead_operator.rollout.servers.manifests import build_server
from fairlead_operator.rollout.traffic.route import (
    build_config_map,
    build_route,
    options,
    read_trip,
    read_weight,
    split,
)
from fairlead_operator.training_run.config import build_config
from fairlead_operator.training_run.manifests import build_job
from fairlead_operator.training_run.result import parse_progress, parse_result
from fairlead_serving.gateway.cluster.applied import Applied, to_text
from fairlead_serving.gateway.health import build_app
from fairlead_serving.gateway.metrics import Metrics as AgentMetrics
from fairlead_serving.gateway.routes.options import ByCookie, ByHeader
from fairlead_serving.gateway.routes.route import Route, parse_route
from fairlead_serving.gateway.routes.trips import Trip, narrow
from fairlead_serving.gateway.settings import read_settings as read_gateway_settings
from fairlead_serving.gateway.xds.bootstrap import build_bootstrap
from fairlead_serving.server.__main__ import report
from fairlead_serving.server.failure import Reason as StartupReason
from fairlead_serving.server.failure import StartupError
from fairlead_serving.server.metrics import Metrics
from fairlead_serving.server.settings import Settings, read_settings
from fairlead_training.budget import Counts
from fairlead_training.config import (
    AsOf,
    JoinConfig,
    SourceConfig,
    Task,
    parse_config,
    parse_environment,
)
from fairlead_training.evaluate import Comparison, Estimate, Judgment
from fairlead_training.failure import Reason, TrainingFailure
from fairlead_training.foreign import ANSWER, QUESTION
from fairlead_training.learners.table import LEARNERS
from fairlead_training.progress import Progress, Stage
from fairlead_training.result import (
    Outcome,
    data_document,
    failure_document,
    success_document,
    to_message,
)
from fairlead_training.snapshot import Snapshot
from support.world import SETTINGS

MODEL = Owner(kind="Model", namespace="energy", name="nsw-price", uid="1")
RUN = Owner(kind="TrainingRun", namespace="energy", name="nsw-price-training-2", uid="2")
IMAGES = Images(training="t:1", serving="s:1", pull_policy="IfNotPresent", pull_secrets=())
CHAMPION = VersionReference(version="1.0.0", registry_version="1", digest="sha256:1")
SPEC = ModelSpec.model_validate(
    {
        "task": "binary-classification",
        "data": {
            "source": {
                "uri": "postgresql://market-db.energy:5432/market",
                "query": "select * from half_hours",
                "credentials": {"name": "market-db"},
            },
            "timestampColumn": "timestamp",
            "target": "price_up",
        },
    }
)


def config_text() -> str:
    return build_config(SPEC, model="nsw-price", run=RUN, mlflow_run_id="run-1", champion=CHAMPION)


def variables(container: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "from a Secret") for entry in container["env"]}


def test_the_trainer_reads_the_operators_config() -> None:
    config = parse_config(config_text())

    assert config.task is Task.BINARY
    assert config.search.metric == "roc_auc"
    assert config.search.timeout_seconds == 900
    assert config.validation.holdout_fraction == pytest.approx(0.2)
    assert config.champion is not None
    assert config.champion.version == "1.0.0"
    assert config.search_schema == search_schema("energy")
    assert (config.data.positive_class, config.data.missing_labels) == (None, 0.05)
    assert config.search.warm_start


def test_the_trainer_reads_several_sources_with_the_secret_of_each() -> None:
    store = {"uri": "s3://market/2025/", "format": "delta", "version": 3, "region": "eu-north-1"}
    moment = {"timestampColumn": "since", "delay": "1h", "tolerance": "6h"}
    data = {
        "source": {"uri": "https://data.example.com/2026.csv"},
        "union": [{**store, "credentials": {"name": "store"}}],
        "joins": [
            {
                "source": {"uri": "pvc://weather/all.csv"},
                "keys": ["zone"],
                "asOf": moment,
                "columns": ["wind"],
                "prefix": "weather_",
            }
        ],
        "timestampColumn": "timestamp",
        "target": "price_up",
    }
    spec = ModelSpec.model_validate({"task": "binary-classification", "data": data})
    text = build_config(spec, model="m", run=RUN, mlflow_run_id="run-1", champion=None)
    job = build_job(
        "search", text, spec, model="m", owner=RUN, images=IMAGES, mlflow_url="http://mlflow"
    )
    (container,) = job["spec"]["template"]["spec"]["containers"]

    told = parse_config(text).data
    environment = parse_environment(variables(container))

    assert told.union == (
        SourceConfig(uri="s3://market/2025/", format="delta", version=3, region="eu-north-1"),
    )
    assert told.joins == (
        JoinConfig(
            source=SourceConfig(uri="pvc://weather/all.csv"),
            keys=("zone",),
            as_of=AsOf(column="since", delay=3600, tolerance=6 * 3600),
            columns=("wind",),
            prefix="weather_",
        ),
    )
    assert [environment.of(number).data_secret for number in range(3)] == ["", "store", ""]
    assert environment.of(1).data_keys["accessKeyId"] == "from a Secret"


def test_the_trainer_is_told_which_quantile() -> None:
    asked = {"search": {"metric": "pinball", "quantile": 0.9}}
    document = {**SPEC.model_dump(by_alias=True, exclude_unset=True), "task": "regression"}
    spec = ModelSpec.model_validate({**document, "training": asked})

    config = parse_config(
        build_config(spec, model="nsw-price", run=RUN, mlflow_run_id="run-1", champion=None)
    )

    assert read_quantile(config.search.metric) == 0.9


def test_the_api_refuses_a_quantile_where_a_learner_does() -> None:
    assert set(WITHOUT_QUANTILES) == {
        learner.name for learner in LEARNERS.values() if not learner.learns_quantiles
    }


def test_the_job_runs_the_trainers_command_line() -> None:
    job = build_job(
        "search", config_text(), SPEC, model="nsw-price", owner=RUN, images=IMAGES,
        mlflow_url="http://mlflow",
    )  # fmt: skip
    (container,) = job["spec"]["template"]["spec"]["containers"]

    assert container["args"][:2] == ["search", "--config"]
    assert parse_config(container["args"][2]).training_run == RUN.name
    assert {
        "FAIRLEAD_DATABASE_URL", "FAIRLEAD_DATA_USERNAME", "FAIRLEAD_DATA_PASSWORD",
        "MLFLOW_TRACKING_URI",
    } <= variables(container).keys()  # fmt: skip


def test_the_trainer_is_told_where_it_stands() -> None:
    settings = dataclasses.replace(
        SETTINGS,
        allowed_sources="10.0.0.0/8",
        cluster_domain="k8s.example",
        source_proxy="http://proxy.example:3128",
        no_proxy="*.mirror.example",
    )
    job = build_job(
        "search", config_text(), SPEC, model="nsw-price", owner=RUN, images=IMAGES,
        mlflow_url="http://mlflow", sources=settings.source_variables,
    )  # fmt: skip
    (container,) = job["spec"]["template"]["spec"]["containers"]

    environment = parse_environment(variables(container))

    here = environment.surroundings
    assert (here.namespace, here.cluster_domain) == (RUN.namespace, "k8s.example")
    assert [str(host.network) for host in here.allowed] == ["10.0.0.0/8"]
    assert here.proxy == ("proxy.example", 3128)
    assert [host.name for host in here.direct] == ["*.mirror.example"]
    assert (environment.data_secret, environment.data_hosts) == ("market-db", "from a Secret")


def test_the_operator_reads_the_trainers_result_and_the_gate_judges_it() -> None:
    gain = Estimate(value=0.02, low=0.01, high=0.03)
    better = Estimate(value=0.91, low=0.90, high=0.92)
    judgment = Judgment(
        metrics={"roc_auc": better},
        baseline={"roc_auc": 0.5},
        trivial=0.5,
        candidate=better,
        comparison=Comparison(candidate=better, champion=0.89, difference=gain),
        compared_rows=200,
        champion_unavailable=None,
    )
    outcome = Outcome(
        version="1.0.1",
        digest="sha256:2",
        judgment=judgment,
        warnings=("roc_auc 1 is rarely honest",),
        counts=Counts(complete=40, pruned=0, failed=0, running=0),
        seconds=61.2,
        data=data_document(
            Snapshot(rows=1000, first=0, last=2, digest="sha256:3"), 200, trained_to=1
        ),
    )
    document = success_document(parse_config(config_text()), outcome) | {"registryVersion": "2"}

    result = parse_result(to_message(document))
    comparison = parse_comparison(to_message(document))

    assert result is not None
    assert result.trained is not None
    assert (result.trained.version, result.trained.registry_version) == ("1.0.1", "2")
    assert comparison is not None
    assert result.warnings == comparison.warnings == ("roc_auc 1 is rarely honest",)
    demand = Demand(min_improvement=0.0, significance=True, threshold=None)
    assert judge_candidate(comparison, demand, stable="1.0.0").passed


@pytest.mark.parametrize("reason", list(Reason))
def test_the_operator_shows_every_reason_of_the_trainer(reason: Reason) -> None:
    failure = TrainingFailure(reason, "column price_up is not in the data")

    result = parse_result(to_message(failure_document(failure, "data")))

    assert result is not None
    assert (result.reason, result.message) == (str(reason), "column price_up is not in the data")


def test_the_operator_reads_the_trainers_progress() -> None:
    said: list[str] = []
    progress = Progress(said.append, trials=40, metric="roc_auc")

    progress.enter(Stage.SEARCH, trial=17, best=0.91, secondsLeft=180.0)
    read = parse_progress(said[-1])

    assert read is not None
    assert (read.stage, read.trial, read.trials, read.best) == ("search", 17, 40, 0.91)
    assert read.seconds_left == 180.0


def test_gateway_and_server_count_answers_at_every_bound_a_check_may_ask_for() -> None:
    environment = {"FAIRLEAD_NAMESPACE": "energy", "POD_NAME": "fairlead-gateway-1"}
    bootstrap = build_bootstrap(read_gateway_settings(environment))
    registry = CollectorRegistry()
    Metrics(model="m", version="1", registry=registry)

    (asked,) = bootstrap["stats_config"]["histogram_bucket_settings"]
    assert asked["buckets"] == list(MILLISECONDS)
    for bound in MILLISECONDS:
        labels = {"model": "m", "version": "1", "le": str(bound / 1000)}
        assert registry.get_sample_value(f"{PREDICTION_SECONDS}_bucket", labels) == 0


def test_the_server_reads_the_deployments_environment() -> None:
    settings, container = read_by_the_server(SPEC.serving)

    assert (settings.model, settings.version) == ("nsw-price", "1.0.0")
    assert (settings.registered_model, settings.registry_version) == ("energy.nsw-price", "1")
    assert (settings.record, settings.warmup_requests) == (None, 20)
    assert container["args"] == ["fairlead_serving.server"]


def test_the_server_keeps_the_models_limit_of_a_body() -> None:
    less, most, usual = (
        read_by_the_server(ServingSpec(max_body_mebibytes=limit))[0].max_body_bytes
        for limit in (4, 32, None)
    )

    assert less == 4 * 1024 * 1024
    assert most == usual, "the gateway holds no more"


@pytest.mark.parametrize("may", [True, False], ids=["may", "may not"])
def test_the_server_runs_code_of_an_artifact_as_the_operator_says(may: bool) -> None:
    assert read_by_the_server(SPEC.serving, may_run_code=may)[0].allows_code is may


def test_trainer_and_champion_meet_in_one_room() -> None:
    job = build_job(
        "finish", config_text(), SPEC, model="nsw-price", owner=RUN, images=IMAGES,
        mlflow_url="http://mlflow", allows_code=True,
    )  # fmt: skip
    pod = job["spec"]["template"]["spec"]
    rooms = []
    for container in (*pod["initContainers"], *pod["containers"]):
        room = variables(container)[CHAMPION_ROOM]
        rooms.append(room)
        mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert {f"{room}/{QUESTION}", f"{room}/{ANSWER}"} <= mounted

    assert len(rooms) == 2
    assert len(set(rooms)) == 1
    assert parse_environment(variables(pod["containers"][0])).champion_room == rooms[0]


@pytest.mark.parametrize(
    "task", ["binary-classification", "multiclass-classification", "regression"]
)
def test_the_server_keeps_predictions_as_the_model_says(task: ModelTask) -> None:
    log = PredictionLog(enabled=True, sample=0.25, feedback_secret=SecretReference(name="labels"))
    serving = ServingSpec(prediction_log=log, warmup_requests=3)

    settings, container = read_by_the_server(serving, task=task)

    assert settings.record is not None
    assert (settings.record.task, settings.record.sample) == (task, 0.25)
    assert settings.warmup_requests == 3
    secrets = [
        entry["valueFrom"]["secretKeyRef"] for entry in container["env"] if "valueFrom" in entry
    ]
    assert secrets == [{"name": "labels", "key": "feedback-token"}]
    (mount,) = [each for each in container["volumeMounts"] if each["name"] == "tokens"]
    file = settings.record.feedback_token_file
    assert file == Path(mount["mountPath"]) / "FAIRLEAD_FEEDBACK_TOKEN"


def read_by_the_server(
    serving: ServingSpec, *, task: ModelTask = "regression", **permissions: bool
) -> tuple[Settings, dict[str, Any]]:
    """What the server makes of the environment that the operator gives it."""
    _, deployment = build_server(
        CHAMPION, serving, task=task, owner=MODEL, images=IMAGES, mlflow_url="http://mlflow:5000",
        **permissions,
    )  # fmt: skip
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return read_settings(variables(container)), container


def test_the_rollout_shows_the_servers_last_words(tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    code = report(StartupError(StartupReason.DIGEST_MISMATCH, "another digest"), log)
    ended = {"exitCode": code, "message": log.read_text()}
    pod = {
        "metadata": {},
        "status": {
            "containerStatuses": [
                {"name": "server", "ready": False, "state": {"terminated": ended}}
            ]
        },
    }
    deployment: dict[str, Any] = {"metadata": {"generation": 1}, "spec": {"replicas": 1}}

    assert read_health(deployment, [pod]) == (Health.FAILED, "DigestMismatch: another digest")


def test_the_agent_reads_its_environment_and_its_route() -> None:
    deployment = next(
        manifest
        for manifest in build_gateway("energy", images=IMAGES, replicas=1)
        if manifest["kind"] == "Deployment"
    )
    agent = deployment["spec"]["template"]["spec"]["containers"][0]

    assert read_gateway_settings(variables(agent)).namespace == "energy"
    app = build_app(AgentMetrics(), is_ready=lambda: True, refusal=lambda: "401")
    answered = {route.resource.canonical for route in app.router.routes() if route.resource}
    assert agent["livenessProbe"]["httpGet"]["path"] == "/livez", "refused, it is not restarted"
    assert "/livez" in answered


@pytest.mark.parametrize("weight", [0, 10, 100])
def test_the_operator_reads_back_the_weight_the_agent_reports(weight: int) -> None:
    written = build_route(
        (("1.1.0", weight), ("1.0.0", 100 - weight)), owner=MODEL, timeout=timedelta(seconds=10)
    )
    config_map = build_config_map(written, owner=MODEL)
    route = parse_route(config_map["data"]["route.json"], namespace="energy", model="nsw-price")
    text = Applied(route=route, at=datetime.now(UTC)).to_text()

    found = read_weight(
        config_map, {"nsw-price.gateway-a": text}, model="nsw-price", version="1.1.0",
        gateway_pods=["gateway-a"],
    )  # fmt: skip

    assert found == weight
    assert json.loads(text)["weights"] == {"1.1.0": weight, "1.0.0": 100 - weight}


def route_of(policy: dict[str, Any], phase: Phase, *shares: tuple[str, int]) -> Route:
    """What the agent reads of a rollout in its first step, under its policy."""
    plan = compile_plan(RolloutPolicy.model_validate(policy))
    step = plan.steps[0]
    decision = Decision(
        phase=phase,
        step=0,
        reason=RolloutReason.WAITING_FOR_GATEWAY,
        message="",
        shares=shares,
        mirror=step.mirror,
    )
    beside = options(decision, step, plan, stable="1.0.0", owner=MODEL, rollout_uid="5f0c-uid")
    written = build_route(
        split(decision, stable="1.0.0"),
        owner=MODEL,
        timeout=timedelta(seconds=10),
        options=beside,
    )
    config_map = build_config_map(written, owner=MODEL)
    return parse_route(config_map["data"]["route.json"], namespace="energy", model="nsw-price")


@pytest.mark.parametrize("phase", sorted(Phase))
@pytest.mark.parametrize(
    "policy",
    [
        pytest.param({"strategy": "canary"}, id="canary"),
        pytest.param({"strategy": "blueGreen", "blueGreen": {"mirror": 30}}, id="blue-green"),
        pytest.param({"strategy": "shadow", "shadow": {"mirror": 50}}, id="shadow"),
        pytest.param(
            {"strategy": "canary", "fastGuard": {"slowMilliseconds": 500, "maxSlowRatio": 0.2}},
            id="a guard of slowness",
        ),
        pytest.param(
            {"strategy": "canary", "fastGuard": {"window": "1s", "minRequests": 1_000_000}},
            id="a guard at its bounds",
        ),
    ],
)
def test_the_agent_takes_every_route_the_operator_writes(
    policy: dict[str, Any], phase: Phase
) -> None:
    route = route_of(policy, phase, ("1.1.0", 100 if phase is Phase.SUCCEEDED else 10))

    assert sum(route.weights.values()) == 100


def test_the_agent_reads_mirror_preview_and_guard() -> None:
    policy = {"strategy": "blueGreen", "blueGreen": {"mirror": 30}}

    route = route_of(policy, Phase.PROGRESSING, ("1.1.0", 0))

    assert route.mirror is not None
    assert (route.mirror.version, route.mirror.percent) == ("1.1.0", 30)
    assert route.preview is not None
    assert route.preview.version == "1.1.0"
    assert "nsw-price-preview.energy" in route.preview.hosts
    assert route.guard is not None
    assert (route.guard.guard_id, route.guard.versions) == ("5f0c-uid", ("1.1.0",))
    assert (route.guard.fallback, route.guard.window_seconds) == ("1.0.0", 2)


@pytest.mark.parametrize(
    ("sticky", "read"),
    [
        pytest.param(
            {"by": "header", "header": "x-user-id"}, ByHeader(header="x-user-id"), id="header"
        ),
        pytest.param(
            {"by": "cookie"}, ByCookie(max_age_seconds=86_400, trial="5f0c-uid"), id="cookie"
        ),
        pytest.param(
            {"by": "cookie", "maxAge": "1m"},
            ByCookie(max_age_seconds=60, trial="5f0c-uid"),
            id="short cookie",
        ),
    ],
)
def test_the_agent_reads_who_keeps_a_version(
    sticky: dict[str, Any], read: ByHeader | ByCookie
) -> None:
    trial = {"goal": {"metric": "success-rate"}, "sticky": sticky}

    route = route_of(
        {"strategy": "abTest", "abTest": trial}, Phase.PROGRESSING, ("1.1.0", 30), ("1.2.0", 30)
    )

    assert route.sticky == read
    assert route.weights == {"1.1.0": 30, "1.2.0": 30, "1.0.0": 40}
    assert route.guard is not None
    assert route.guard.versions == ("1.1.0", "1.2.0")


def test_the_operator_reads_what_the_guard_has_taken_out() -> None:
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    trip = Trip(
        guard_id="5f0c-uid", at=to_text(at), message="12 of 14 failed", requests=14, failures=12
    )
    route = narrow(
        route_of({"strategy": "canary"}, Phase.PROGRESSING, ("1.1.0", 10)), {"1.1.0": trip}
    )
    text = Applied(route=route, at=at, tripped={"1.1.0": trip}).to_text()

    def read(guard: str) -> tuple[str, datetime] | None:
        return read_trip(
            {"nsw-price.gateway-a": text}, model="nsw-price", version="1.1.0", guard=guard,
            gateway_pods=["gateway-a"],
        )  # fmt: skip

    assert read("5f0c-uid") == ("12 of 14 failed", at)
    assert read("another") is None
    assert json.loads(text)["weights"] == {"1.1.0": 0, "1.0.0": 100}
