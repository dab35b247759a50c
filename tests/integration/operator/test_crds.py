"""The CRDs on a real API server: what it fills in, what it shows, and above all what it refuses.

A refusal must name the field, because the person who reads it has only the message.  `fairlead
lint` must say the same of each manifest here, word by word, and nothing of those that are taken.
"""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config

from cluster.control_plane import ControlPlane
from fairlead_operator.api import model, rollout, template, training_run
from fairlead_operator.api.base import Spec
from fairlead_operator.api.group import API_VERSION, GROUP, VERSION
from fairlead_operator.lint.check import check as lint
from support.kube_desk import create_namespace

pytestmark = pytest.mark.integration

Manifest = dict[str, Any]

PLURALS = {
    "Model": "models",
    "TrainingRun": "trainingruns",
    "Rollout": "rollouts",
    "AnalysisTemplate": "analysistemplates",
}
LONGEST_NAME = "n" * 40


def manifest(kind: str, name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


MODEL = manifest(
    "Model",
    "nsw-price",
    {
        "task": "binary-classification",
        "data": {
            "source": {"uri": "https://data.example/nsw.csv"},
            "timestampColumn": "timestamp",
            "target": "price_up",
        },
    },
)
TRAINING_RUN = manifest("TrainingRun", "nsw-price-training-1", {"model": "nsw-price"})
ROLLOUT = manifest("Rollout", "nsw-price-rollout-1", {"model": "nsw-price", "version": "1.0.0"})

TEMPLATE = manifest(
    "AnalysisTemplate",
    "orders",
    {
        "description": "paid orders",
        "arguments": [{"name": "shop"}, {"name": "currency", "value": "EUR"}],
        "checks": [
            {
                "name": "orders",
                "query": 'sum(orders{shop="{{arguments.shop}}",v="{{version}}",paid="yes"})'
                " + sum(all{{{arguments.shop}}})",
                "total": 'sum(orders{v="{{version}}",c="{{arguments.currency}}"})',
                "relative": {"margin": 0.02},
            }
        ],
    },
)

TRAINED = {"version": "1.4.0", "registryVersion": "7", "digest": "", "metric": "rmse"}
POSTGRESQL = {"uri": "postgresql://market-db:5432/market", "query": "select * from rows"}
FULL_SEARCH = {"trials": 24, "parallelism": 24, "timeout": "1h30m", "metric": "rmse", "seed": 0}
FULL_CHECKS = [
    {"name": "up", "builtin": "success-rate", "atLeast": 1, "minSamples": 1},
    {"name": "p95", "builtin": "latency-p95", "atMost": 250, "window": "5s"},
    {"name": "own", "query": "sum(x{v='{{version}}'})", "atLeast": -1.5, "atMost": -1.5},
    {
        "name": "beside",
        "builtin": "latency-p99",
        "atMost": 500,
        "relative": {"margin": 0.01, "alpha": 0.01},
        "failureLimit": 2,
        "dryRun": True,
    },
    {
        "name": "paid",
        "query": "sum(paid{v='{{version}}'})",
        "total": "sum(orders{v='{{version}}'})",
        "relative": {"margin": 0.02},
        "minSamples": 100,
    },
    {"name": "busy", "builtin": "saturation", "atMost": 2},
]
FULL_FREEZE = [
    {
        "name": "nights",
        "why": "nobody is on call",
        "days": ["Mon", "Fri"],
        "from": "18:00",
        "to": "08:00",
        "timeZone": "Australia/Sydney",
    },
    {"name": "Sundays", "why": "", "days": ["Sun"], "from": "00:00", "to": "24:00"},
    {
        "name": "year's end",
        "why": "",
        "startsAt": "2026-12-20T00:00:00.000Z",
        "endsAt": "2027-01-05T00:00:00.000Z",
    },
]
FULL_POLICY = {
    "strategy": "canary",
    "steps": [
        {"weight": 10, "hold": "0s", "pause": True},
        {"weight": 10, "hold": "168h", "checks": [{"name": "step", "query": "x", "atMost": 1}]},
        {"weight": 100},
    ],
    "fastGuard": {
        "enabled": True,
        "minRequests": 1,
        "maxFailureRatio": 0.99,
        "maxRefusalRatio": 1,
        "window": "1m",
        "slowMilliseconds": 60000,
        "maxSlowRatio": 0,
    },
    "analysis": {
        "interval": "1s",
        "checks": FULL_CHECKS,
        "templateRef": {"name": "orders", "arguments": [{"name": "shop", "value": "a"}]},
    },
    "guard": {"duration": "0s"},
    "patience": "10s",
    "startDeadline": "24h",
    "approvalDeadline": "8760h",
    "onNewTarget": "reject",
}
FULL_MODEL = manifest(
    "Model",
    LONGEST_NAME,
    {
        "task": "regression",
        "suspend": True,
        "version": "1.4.0",
        "versionDigest": f"sha256:{'0' * 64}",
        "data": {
            "source": {**POSTGRESQL, "credentials": {"name": "market-db"}},
            "timestampColumn": "timestamp",
            "target": "price",
            "features": ["demand", "Überschuss in %"],
            "minRows": 1000,
            "missingLabels": "0%",
        },
        "training": {
            "algorithms": ["xgboost"],
            "search": FULL_SEARCH,
            "validation": {"strategy": "time-series", "folds": 2, "holdout": "5%"},
            "retries": 0,
            "resources": {
                "requests": {"cpu": "500m", "memory": "1Gi"},
                "limits": {"cpu": "2", "memory": "1024Mi"},
            },
        },
        "promotion": {
            "minImprovement": -0.5,
            "significance": False,
            "threshold": 12,
            "gates": {
                "baseline": True,
                "slices": {"columns": ["region", "Tag"], "maxLoss": 0.5, "minRows": 50},
                "metrics": [{"name": "mae", "maxLoss": 0.5}, {"name": "r2", "maxLoss": 0.01}],
            },
        },
        "serving": {
            "replicas": 3,
            "requestTimeout": "1s",
            "resources": {"limits": {"cpu": "1"}},
            "predictionLog": {
                "enabled": True,
                "sample": 0.1,
                "feedbackSecret": {"name": "labels"},
            },
            "maxBodyMebibytes": 32,
            "warmupRequests": 0,
            "allowArtifactCode": True,
        },
        "rollout": FULL_POLICY,
        "freezeWindows": FULL_FREEZE,
    },
)
FULL_ROLLOUT = manifest(
    "Rollout",
    "nsw-price-rollout-2",
    {"model": "nsw-price", "version": "1.0.0", "trigger": "trained", "policy": FULL_POLICY},
)


def with_(base: Manifest, path: str, value: Any) -> Manifest:
    """A copy that differs in one field, given by its path."""
    whole = copy.deepcopy(base)
    *parents, last = path.split(".")
    node = whole
    for parent in parents:
        node = node.setdefault(parent, {})
    node[last] = value
    return whole


def without(base: Manifest, path: str) -> Manifest:
    whole = copy.deepcopy(base)
    *parents, last = path.split(".")
    node = whole
    for parent in parents:
        node = node[parent]
    del node[last]
    return whole


UNORDERED = without(MODEL, "spec.data.timestampColumn")


def check(**fields: Any) -> Manifest:
    """A Model with one check."""
    return with_(MODEL, "spec.rollout.analysis.checks", [{"name": "a", **fields}])


def recorded(builtin: str, **fields: Any) -> Manifest:
    """A Model with one check that asks the record of predictions."""
    return with_(check(builtin=builtin, **fields), "spec.serving.predictionLog.enabled", True)


def templated(**fields: Any) -> Manifest:
    """A template whose one check differs."""
    return with_(TEMPLATE, "spec.checks", [{**TEMPLATE["spec"]["checks"][0], **fields}])


def steps(*steps: Manifest) -> Manifest:
    return with_(MODEL, "spec.rollout.steps", list(steps))


def policy(**fields: Any) -> Manifest:
    return with_(MODEL, "spec.rollout", fields)


AB_TEST: Manifest = {"goal": {"metric": "success-rate"}}


def goal(**fields: Any) -> Manifest:
    return policy(strategy="abTest", abTest={"goal": fields})


def sticky(**fields: Any) -> Manifest:
    return policy(strategy="abTest", abTest=AB_TEST | {"sticky": fields})


def trial_of(version: str, *others: str, **fields: Any) -> Manifest:
    """A Model that tries several versions at once."""
    whole = policy(**{"strategy": "abTest", "abTest": AB_TEST} | fields)
    return with_(with_(whole, "spec.version", version), "spec.alternatives", list(others))


def _which(version: str, digit: str = "0") -> dict[str, str]:
    return {"version": version, "digest": f"sha256:{digit * 64}"}


def weekly(**fields: Any) -> Manifest:
    """A Model with one weekly freeze window; None leaves a field out."""
    whole = {"name": "a", "days": ["Fri"], "from": "18:00", "to": "08:00", **fields}
    window = {key: value for key, value in whole.items() if value is not None}
    return with_(MODEL, "spec.freezeWindows", [window])


def dated(starts_at: str, ends_at: str, **fields: Any) -> Manifest:
    window = {"name": "a", "startsAt": starts_at, "endsAt": ends_at, **fields}
    return with_(MODEL, "spec.freezeWindows", [window])


def gateway(**fields: Any) -> Manifest:
    return with_(MODEL, "spec.serving.gateway", fields)


BY_HEADER = {"by": "header", "header": "x-user-id"}
PARENTS = [{"name": "models", "namespace": "gateways"}]
HOSTS = ["nsw-price.example.com"]


def others(**fields: Any) -> Manifest:
    """A Model behind a Gateway of the cluster."""
    return gateway(**{"kind": "GatewayAPI", "parentRefs": PARENTS, "hostnames": HOSTS} | fields)


def search(**fields: Any) -> Manifest:
    return with_(MODEL, "spec.training.search", fields)


def source(**fields: Any) -> Manifest:
    return with_(MODEL, "spec.data.source", fields)


def scaling(**fields: Any) -> Manifest:
    return with_(MODEL, "spec.serving.autoscaling", {"maxReplicas": 8, **fields})


def joined(**fields: Any) -> Manifest:
    given = {"source": {"uri": "s3://b/weather.csv"}, **fields}
    return with_(MODEL, "spec.data.joins", [given])


SOURCES: dict[str, Manifest] = {
    "a file of S3": {"uri": "s3://market/prices/2026.parquet", "credentials": {"name": "market"}},
    "a bucket of S3": {"uri": "s3://market/", "region": "eu-central-1", "format": "parquet"},
    "a server of one's own": {
        "uri": "s3://market/prices",
        "endpoint": "http://minio.storage:9000",
        "pathStyle": True,
    },
    "an address of IPv6": {"uri": "s3://market/p.jsonl", "endpoint": "https://[fd00::1]:9000"},
    "a file of Google": {"uri": "gs://market/prices.csv.gz"},
    "a file of Azure": {
        "uri": "az://prices/2026.csv.zst",
        "endpoint": "https://market.blob.core.windows.net",
    },
    "a file on a claim": {"uri": "pvc://market-data/prices/a..b.csv", "format": "csv"},
    "all of a claim": {"uri": "pvc://market-data/", "format": "jsonl"},
    "a Delta Lake table": {"uri": "s3://market/prices", "format": "delta"},
    "SQL over files": {"uri": "s3://market/prices/", "query": "select * from data"},
    "a version of one": {"uri": "pvc://market/prices", "format": "delta", "version": 0},
}


def resources(where: str, **fields: Any) -> Manifest:
    return with_(MODEL, f"spec.{where}.resources", fields)


class Desk:
    """Writes objects of our kinds, as strictly as `kubectl apply --validate=strict`."""

    def __init__(self, objects: Any, namespace: str) -> None:
        self._objects = objects
        self.namespace = namespace

    def try_out(self, whole: Manifest) -> Manifest:
        """Create, up to the point of storing it."""
        return self._create(whole, dry_run="All")

    def create(self, whole: Manifest) -> Manifest:
        return self._create(whole)

    def change(self, whole: Manifest, change: Manifest) -> Manifest:
        patch = self._objects.patch_namespaced_custom_object
        return dict(patch(*self._place(whole), whole["metadata"]["name"], change))

    def report(self, whole: Manifest, change: Manifest) -> Manifest:
        """Patch by way of the status subresource."""
        patch = self._objects.patch_namespaced_custom_object_status
        return dict(patch(*self._place(whole), whole["metadata"]["name"], change))

    def _create(self, whole: Manifest, **options: str) -> Manifest:
        create = self._objects.create_namespaced_custom_object
        return dict(create(*self._place(whole), whole, field_validation="Strict", **options))

    def _place(self, whole: Manifest) -> tuple[str, str, str, str]:
        return GROUP, VERSION, self.namespace, PLURALS[whole["kind"]]


@pytest.fixture(name="objects", scope="module")
def _objects(plane: ControlPlane) -> Iterator[client.CustomObjectsApi]:
    with config.new_client_from_config(str(plane.kubeconfig)) as connection:
        yield client.CustomObjectsApi(connection)


@pytest.fixture(name="trial", scope="module")
def _trial(plane: ControlPlane, objects: client.CustomObjectsApi) -> Desk:
    """A desk where nothing is stored, so that all may share it."""
    return Desk(objects, create_namespace(plane, "crds"))


@pytest.fixture(name="desk")
def _desk(objects: client.CustomObjectsApi, namespace: str) -> Desk:
    return Desk(objects, namespace)


def refusal(error: client.ApiException) -> str:
    return str(json.loads(error.body or "{}")["message"])


def causes(error: client.ApiException) -> list[str]:
    """All that the server refuses; where it knows a field not, it looks no further."""
    status = json.loads(error.body or "{}")
    if error.status == 400:
        return sorted(re.findall(r'unknown field "[^"]+"', status["message"]))
    return sorted(f"{cause['field']}: {cause['message']}" for cause in status["details"]["causes"])


def linted(whole: Manifest) -> list[str]:
    """What `fairlead lint` says, as far as the server gets."""
    problems = lint(whole)
    unknown = [one.message for one in problems if one.message.startswith("unknown field ")]
    return sorted(unknown or [f"{one.field}: {one.message}" for one in problems])


@pytest.mark.parametrize(
    ("whole", "spec_type"),
    [
        pytest.param(MODEL, model.ModelSpec, id="a minimal Model"),
        pytest.param(FULL_MODEL, model.ModelSpec, id="a full Model"),
        pytest.param(with_(MODEL, "spec.rollout", {}), model.ModelSpec, id="an empty policy"),
        pytest.param(search(trials=3), model.ModelSpec, id="a search with one field"),
        pytest.param(
            with_(
                with_(search(metric="pinball", quantile=0.9), "spec.task", "regression"),
                "spec.training.algorithms",
                ["xgboost", "linear"],
            ),
            model.ModelSpec,
            id="a search for a quantile",
        ),
        pytest.param(
            source(uri="postgresql://a:1,b/m", query="-- all\n(SELECT 1)"),
            model.ModelSpec,
            id="a database of two hosts, and a query after a comment",
        ),
        *(
            pytest.param(source(**fields), model.ModelSpec, id=name)
            for name, fields in SOURCES.items()
        ),
        pytest.param(steps({"weight": 1}), model.ModelSpec, id="a step with one field"),
        pytest.param(
            policy(strategy="blueGreen", blueGreen={"mirror": 0, "hold": "0s", "pause": True}),
            model.ModelSpec,
            id="blueGreen",
        ),
        pytest.param(
            policy(strategy="shadow", shadow={"mirror": 1}, steps=[{"weight": 50}]),
            model.ModelSpec,
            id="shadow with steps",
        ),
        pytest.param(policy(strategy="recreate"), model.ModelSpec, id="recreate"),
        pytest.param(policy(strategy="abTest", abTest=AB_TEST), model.ModelSpec, id="abTest"),
        pytest.param(
            trial_of("1.1.0", "1.2.0", abTest=AB_TEST | {"weight": 33}),
            model.ModelSpec,
            id="abTest of several",
        ),
        pytest.param(
            with_(
                policy(strategy="bandit", bandit={"goal": {"metric": "reward"}, "sticky": {}}),
                "spec.serving.predictionLog",
                {"enabled": True},
            ),
            model.ModelSpec,
            id="bandit",
        ),
        pytest.param(check(query="x", atMost=1), model.ModelSpec, id="a check of one's own"),
        pytest.param(
            steps({"weight": 1, "checks": [{"name": "a", "query": "x", "atMost": 1}]}),
            model.ModelSpec,
            id="a check of a step",
        ),
        pytest.param(weekly(), model.ModelSpec, id="a weekly freeze window"),
        pytest.param(
            dated("2026-12-20T00:00:00.000Z", "2026-12-21T00:00:00.000Z"),
            model.ModelSpec,
            id="a dated freeze window",
        ),
        pytest.param(scaling(), model.ModelSpec, id="autoscaling with one field"),
        pytest.param(
            scaling(provider="keda", minReplicas=8, target={"requestsPerSecond": 0.5}),
            model.ModelSpec,
            id="autoscaling by requests",
        ),
        pytest.param(
            check(builtin="success-rate", relative={"margin": 0.01}),
            model.ModelSpec,
            id="a comparison",
        ),
        pytest.param(recorded("live-accuracy", atLeast=0.7), model.ModelSpec, id="labels"),
        pytest.param(
            with_(recorded("live-rmse", relative={"margin": 5}), "spec.task", "regression"),
            model.ModelSpec,
            id="a loss in its own unit",
        ),
        pytest.param(
            with_(
                recorded("prediction-agreement", atLeast=0.9),
                "spec.rollout.strategy",
                "shadow",
            ),
            model.ModelSpec,
            id="agreement of copies",
        ),
        pytest.param(TEMPLATE, template.AnalysisTemplateSpec, id="a template"),
        pytest.param(others(), model.ModelSpec, id="a Gateway of the cluster"),
        pytest.param(
            with_(others(previewHostnames=["b"]), "spec.rollout.strategy", "blueGreen"),
            model.ModelSpec,
            id="a preview behind a Gateway of the cluster",
        ),
        pytest.param(
            with_(others(), "spec.rollout", {"strategy": "abTest", "abTest": AB_TEST}),
            model.ModelSpec,
            id="a test by cookie behind a Gateway of the cluster",
        ),
        pytest.param(
            others(parentRefs=[{"name": "a", "sectionName": s} for s in ("web", "inner")]),
            model.ModelSpec,
            id="two listeners of a Gateway",
        ),
        pytest.param(TRAINING_RUN, training_run.TrainingRunSpec, id="a minimal TrainingRun"),
        pytest.param(ROLLOUT, rollout.RolloutSpec, id="a minimal Rollout"),
        pytest.param(FULL_ROLLOUT, rollout.RolloutSpec, id="a full Rollout"),
    ],
)
def test_the_server_fills_in_what_the_operator_would(
    trial: Desk, whole: Manifest, spec_type: type[Spec]
) -> None:
    stored = trial.try_out(whole)["spec"]

    assert linted(whole) == []
    everything = filled(spec_type, whole["spec"])
    assert stored == without_what_nobody_wrote(everything, whole["spec"])
    assert merged(stored, whole["spec"]) == stored
    assert filled(spec_type, stored) == everything


def without_what_nobody_wrote(node: Any, written: Any, *, listed: bool = False) -> Any:
    """Fields are filled in where their object is there, and nothing within a list."""
    if isinstance(node, dict):
        return {
            key: without_what_nobody_wrote(value, written.get(key), listed=listed)
            for key, value in node.items()
            if key in written or not (listed or isinstance(value, dict))
        }
    if isinstance(node, list) and written:
        pairs = zip(node, written, strict=True)
        return [without_what_nobody_wrote(*pair, listed=True) for pair in pairs]
    return node


def merged(stored: Any, written: Any) -> Any:
    """What a merge patch of the manifest makes of the object: GitOps tools ask whether it differs.

    A list takes the place of the whole list.
    """
    if not isinstance(stored, dict) or not isinstance(written, dict):
        return written
    return stored | {key: merged(stored.get(key), value) for key, value in written.items()}


def filled(spec_type: type[Spec], spec: Manifest) -> Manifest:
    """What the operator makes of a spec; it alone has a word for a list that is not there."""
    whole = spec_type.model_validate(spec).model_dump(mode="json", by_alias=True, exclude_none=True)
    return dict(without_empty_lists(whole))


def without_empty_lists(node: Any) -> Any:
    """The operator alone has a word for a list that is not given."""
    if isinstance(node, dict):
        return {key: without_empty_lists(value) for key, value in node.items() if value != []}
    return [without_empty_lists(item) for item in node] if isinstance(node, list) else node


@pytest.mark.parametrize("amounts", [{"cpu": 2, "memory": 2147483648}, {"cpu": 0, "memory": "1G"}])
@pytest.mark.parametrize("where", ["training", "serving"])
def test_an_amount_may_be_a_number_as_in_a_pod(
    trial: Desk, where: str, amounts: dict[str, Any]
) -> None:
    whole = resources(where, limits=amounts)

    stored = trial.try_out(whole)["spec"]

    assert linted(whole) == []
    read = model.ModelSpec.model_validate(stored)
    limits = getattr(read, where).resources.limits
    assert (limits.cpu, limits.memory) == (str(amounts["cpu"]), str(amounts["memory"]))


@pytest.mark.parametrize(
    ("whole", "field"),
    [
        # What is not there, and what is not known.
        pytest.param(without(MODEL, "spec"), "spec", id="Model without spec"),
        pytest.param(without(MODEL, "spec.task"), "spec.task", id="no task"),
        pytest.param(without(MODEL, "spec.data"), "spec.data", id="no data"),
        pytest.param(without(MODEL, "spec.data.source.uri"), "source.uri", id="no uri"),
        pytest.param(without(MODEL, "spec.data.target"), "data.target", id="no target"),
        pytest.param(with_(MODEL, "sepc", {}), "sepc", id="unknown: beside spec"),
        pytest.param(with_(MODEL, "spec.traning", {}), "spec.traning", id="unknown: in spec"),
        pytest.param(search(trails=3), "spec.training.search.trails", id="unknown: deep"),
        pytest.param(steps({"weight": 5, "wait": "1m"}), "wait", id="unknown: in a list"),
        pytest.param(with_(ROLLOUT, "spec.steps", []), "spec.steps", id="unknown: in a Rollout"),
        pytest.param(with_(TRAINING_RUN, "spec.tries", 1), "spec.tries", id="unknown: in a run"),
        # Names
        pytest.param(with_(MODEL, "metadata.name", "n" * 41), "metadata.name", id="name: long"),
        pytest.param(with_(MODEL, "metadata.name", "a.b"), "metadata.name", id="name: a dot"),
        pytest.param(with_(MODEL, "metadata.name", "1a"), "metadata.name", id="name: a digit"),
        pytest.param(
            with_(MODEL, "metadata.name", "fairlead-gateway"), "metadata.name", id="name: reserved"
        ),
        pytest.param(
            with_(TRAINING_RUN, "metadata.name", "n" * 64), "metadata.name", id="run's name: long"
        ),
        # Task and data
        pytest.param(with_(MODEL, "spec.task", "clustering"), "spec.task", id="task: unknown"),
        pytest.param(source(uri="ftp://b/x.csv"), "source.uri", id="uri: another scheme"),
        pytest.param(source(uri="s3://bucket"), "source.uri", id="uri: a bucket alone"),
        pytest.param(source(uri="s3:///x.csv"), "source.uri", id="uri: no bucket"),
        pytest.param(source(uri="s3://id:key@bucket/x.csv"), "source.uri", id="uri: a key"),
        pytest.param(source(uri="gs://b/x.csv?token=x"), "source.uri", id="uri: a token"),
        pytest.param(source(uri="pvc://Data/x.csv"), "source.uri", id="uri: no name of a claim"),
        pytest.param(source(uri="pvc://data/../x.csv"), "source.uri", id="uri: a way up"),
        pytest.param(source(uri="s3://b/a/.."), "source.uri", id="uri: a way up at its end"),
        pytest.param(
            source(uri="https://h/x.csv", endpoint="https://s3.example.com"),
            "source.endpoint",
            id="endpoint: of no store",
        ),
        pytest.param(source(uri="az://c/x.csv"), "source.endpoint", id="endpoint: missing"),
        pytest.param(
            source(uri="az://c/x.csv", endpoint="https://example.com"),
            "source.endpoint",
            id="endpoint: no account",
        ),
        *(
            pytest.param(
                source(uri="s3://b/x.csv", endpoint=endpoint),
                "source.endpoint",
                id=f"endpoint: {n}",
            )
            for n, endpoint in {
                "no scheme": "s3.example.com",
                "a path": "https://s3.example.com/path",
                "a user": "https://me:secret@s3.example.com",
                "link-local": "http://169.254.169.254",
                "link-local of IPv6": "http://[fe80::1]",
                "the API": "https://kubernetes.default.svc",
            }.items()
        ),
        pytest.param(
            source(uri="gs://b/x.csv", region="eu-west-1"), "source.region", id="region: of Google"
        ),
        pytest.param(
            source(uri="s3://b/x.csv", region="EU west"), "source.region", id="region: not a name"
        ),
        pytest.param(
            source(uri="gs://b/x.csv", pathStyle=False),
            "source.pathStyle",
            id="pathStyle: of Google",
        ),
        pytest.param(
            source(uri="pvc://data/x.csv", credentials={"name": "market"}),
            "source.credentials",
            id="credentials: of a claim",
        ),
        pytest.param(
            source(uri="s3://b/x.csv", query="copy data to 'x'"),
            "source.query",
            id="query: a write of a file",
        ),
        pytest.param(
            source(uri="https://h/prices", format="delta"),
            "source.format",
            id="format: a table over HTTP",
        ),
        pytest.param(
            source(uri="s3://b/prices", version=3), "source.version", id="version: of no table"
        ),
        pytest.param(
            source(uri="s3://b/prices", format="delta", version=-1),
            "source.version",
            id="version: below 0",
        ),
        pytest.param(
            with_(
                MODEL,
                "spec.data.union",
                [{"uri": "s3://b/x", "query": "select 1" + " " * 3000}] * 3,
            ),
            "spec.data",
            id="union: more than a trainer can be told",
        ),
        pytest.param(joined(), "joins[0].keys", id="a join: neither keys nor times"),
        pytest.param(
            joined(keys=["zone", "at"], asOf={"timestampColumn": "at"}),
            "joins[0].keys",
            id="a join: its time is a key",
        ),
        pytest.param(
            joined(asOf={"timestampColumn": "at", "delay": "2h", "tolerance": "2h"}),
            "joins[0].asOf.tolerance",
            id="a join: known after it has ended",
        ),
        pytest.param(
            joined(source={"uri": "ftp://b/w.csv"}, keys=["zone"]),
            "joins[0].source.uri",
            id="a join: another scheme",
        ),
        pytest.param(
            with_(MODEL, "spec.data.union", [{"uri": "postgresql://db/m"}]),
            "union[0].query",
            id="union: no query",
        ),
        pytest.param(source(uri="https://a b"), "source.uri", id="uri: a space"),
        pytest.param(
            source(uri="https://h/" + "x" * 1024), "source.uri", id="uri: longer than it may be"
        ),
        pytest.param(
            source(uri="postgresql://me:secret@db/m", query="select 1"),
            "source.uri",
            id="uri: user and password",
        ),
        pytest.param(source(uri="https://me@h/x.csv"), "source.uri", id="uri: a user"),
        pytest.param(
            source(uri="postgresql://db/m?sslmode=require&password=x", query="select 1"),
            "source.uri",
            id="uri: a password as parameter",
        ),
        pytest.param(
            source(uri="postgresql://me:a/b@db/m", query="select 1"),
            "source.uri",
            id="uri: a password with a /",
        ),
        pytest.param(source(uri="https://me:a?b@h/x"), "source.uri", id="uri: one with a ?"),
        pytest.param(source(uri="http://169.254.169.254/x"), "source.uri", id="uri: link-local"),
        pytest.param(source(uri="http://[fe80::1]/x"), "source.uri", id="uri: that of IPv6"),
        pytest.param(
            source(uri="https://kubernetes.default.svc:443/api"), "source.uri", id="uri: the API"
        ),
        pytest.param(
            source(uri="postgresql://db,169.254.1.1/m", query="select 1"),
            "source.uri",
            id="uri: link-local after another host",
        ),
        pytest.param(
            source(uri="postgresql://db/m", query="delete from prices"),
            "source.query",
            id="query: a write",
        ),
        pytest.param(
            source(uri="postgresql://db/m", query="copy (select 1) to program 'x'"),
            "source.query",
            id="query: a program",
        ),
        pytest.param(source(uri="postgresql://db/m"), "source.query", id="query: missing"),
        pytest.param(source(**POSTGRESQL, format="csv"), "source.format", id="format: of a query"),
        pytest.param(
            source(uri="https://h/x", format="xls"), "source.format", id="format: unknown"
        ),
        pytest.param(
            source(**POSTGRESQL, credentials={"name": "A_b"}),
            "credentials.name",
            id="credentials: not a name",
        ),
        pytest.param(
            source(**POSTGRESQL, credentials={}), "credentials.name", id="credentials: no name"
        ),
        pytest.param(
            with_(MODEL, "spec.data.features", ["x", "price_up"]), "features", id="target a feature"
        ),
        pytest.param(
            with_(MODEL, "spec.data.features", ["timestamp"]), "features", id="time a feature"
        ),
        pytest.param(
            with_(MODEL, "spec.data.features", ["x", "x"]), "features[1]", id="features: twice"
        ),
        pytest.param(with_(MODEL, "spec.data.features", [""]), "features[0]", id="features: empty"),
        pytest.param(
            with_(MODEL, "spec.data.features", [f"{n:03}{'電' * 30}" for n in range(500)]),
            "not have names of more than 40000 bytes",
            id="features: more than a trainer can be told",
        ),
        pytest.param(
            with_(MODEL, "spec.data.target", "timestamp"), "data.target", id="target time"
        ),
        pytest.param(
            with_(MODEL, "spec.data.positiveClass", True), "positiveClass", id="class: no text"
        ),
        pytest.param(with_(MODEL, "spec.data.positiveClass", ""), "positiveClass", id="class: ''"),
        pytest.param(
            with_(with_(MODEL, "spec.task", "regression"), "spec.data.positiveClass", "a"),
            "data.positiveClass",
            id="positiveClass: of no class",
        ),
        pytest.param(
            with_(
                with_(MODEL, "spec.task", "multiclass-classification"),
                "spec.data.positiveClass",
                "a",
            ),
            "data.positiveClass",
            id="positiveClass: of several",
        ),
        pytest.param(
            with_(MODEL, "spec.data.missingLabels", "91%"), "missingLabels", id="missing: 91%"
        ),
        pytest.param(
            with_(MODEL, "spec.data.missingLabels", "05%"), "missingLabels", id="missing: a zero"
        ),
        pytest.param(
            with_(MODEL, "spec.data.missingLabels", 0.05), "missingLabels", id="missing: a number"
        ),
        *(
            pytest.param(with_(MODEL, "spec.data.columns", columns), "data.columns", id=id_)
            for columns, id_ in (
                ({"plan": "words"}, "columns: no type"),
                ({"plan": 1}, "columns: a number for a type"),
                (["plan"], "columns: a list"),
                ({"": "text"}, "columns: no name"),
                ({"p" * 129: "text"}, "columns: a name too long"),
                ({f"{n}{'p' * 100}": "text" for n in range(60)}, "columns: too much to tell"),
                ({f"{n}": "text" for n in range(201)}, "columns: too many"),
                ({"price_up": "category"}, "columns: the target"),
                ({"timestamp": "time"}, "columns: the time"),
            )
        ),
        pytest.param(
            with_(
                with_(UNORDERED, "spec.data.groupBy", "who"), "spec.data.columns", {"who": "text"}
            ),
            "data.columns",
            id="columns: the groups",
        ),
        *(
            pytest.param(
                with_(with_(MODEL, "spec.data.features", ["a"]), "spec.data.columns", columns),
                "data.columns",
                id=id_,
            )
            for columns, id_ in (
                ({"a": "ignore"}, "columns: ignores a feature"),
                ({"a": "text", "b": "text"}, "columns: the type of no feature"),
            )
        ),
        pytest.param(
            with_(MODEL, "spec.data.suspiciousColumns", "fail"),
            "data.suspiciousColumns",
            id="suspicious: of no answer",
        ),
        pytest.param(
            with_(MODEL, "spec.data.groupBy", "who"), "data.groupBy", id="groupBy: beside a time"
        ),
        pytest.param(
            with_(UNORDERED, "spec.data.groupBy", "price_up"), "data.groupBy", id="groupBy: target"
        ),
        pytest.param(
            with_(with_(UNORDERED, "spec.data.groupBy", "a"), "spec.data.features", ["a"]),
            "data.features",
            id="groupBy: a feature",
        ),
        pytest.param(
            with_(UNORDERED, "spec.data.timestampFormat", "seconds"),
            "data.timestampFormat",
            id="timestampFormat: of no column",
        ),
        pytest.param(
            with_(MODEL, "spec.data.timestampFormat", "s"),
            "data.timestampFormat",
            id="timestampFormat: no form",
        ),
        pytest.param(
            with_(MODEL, "spec.training.validation", {"strategy": "random"}),
            "validation.strategy",
            id="strategy: random beside a time",
        ),
        pytest.param(
            with_(UNORDERED, "spec.training.validation", {"strategy": "time-series"}),
            "validation.strategy",
            id="strategy: time-series without a time",
        ),
        pytest.param(with_(MODEL, "spec.data.minRows", 9), "data.minRows", id="minRows: few"),
        # Training
        pytest.param(search(trials=0), "search.trials", id="trials: none"),
        pytest.param(search(trials=1.5), "search.trials", id="trials: a fraction"),
        pytest.param(search(trials="40"), "search.trials", id="trials: a string"),
        pytest.param(search(parallelism=33), "search.parallelism", id="parallelism: 33"),
        pytest.param(
            search(trials=2, parallelism=3), "search.parallelism", id="parallelism: above trials"
        ),
        pytest.param(search(timeout="15 minutes"), "search.timeout", id="timeout: words"),
        pytest.param(search(timeout=""), "search.timeout", id="timeout: empty"),
        pytest.param(search(timeout=900), "search.timeout", id="timeout: a number"),
        pytest.param(search(timeout="1.5h"), "search.timeout", id="timeout: a fraction"),
        pytest.param(search(timeout="30s1h"), "search.timeout", id="timeout: wrong order"),
        pytest.param(search(timeout="29s"), "search.timeout", id="timeout: short"),
        pytest.param(search(timeout="24h1s"), "search.timeout", id="timeout: long"),
        pytest.param(search(timeout="9999999h"), "search.timeout", id="timeout: overflows"),
        pytest.param(search(metric="auc"), "search.metric", id="metric: unknown"),
        pytest.param(search(metric="rmse"), "search.metric", id="metric: of a regression"),
        pytest.param(
            with_(search(metric="accuracy"), "spec.task", "regression"),
            "search.metric",
            id="metric: of a classification",
        ),
        pytest.param(
            with_(search(metric="roc_auc"), "spec.task", "multiclass-classification"),
            "search.metric",
            id="metric: of two classes",
        ),
        pytest.param(
            with_(search(metric="pinball"), "spec.task", "regression"),
            "search.quantile",
            id="quantile: none",
        ),
        pytest.param(search(quantile=0.9), "search.quantile", id="quantile: without pinball"),
        pytest.param(
            with_(search(metric="pinball", quantile=1), "spec.task", "regression"),
            "search.quantile",
            id="quantile: the largest of all",
        ),
        pytest.param(
            with_(
                with_(search(metric="pinball", quantile=0.9), "spec.task", "regression"),
                "spec.training.algorithms",
                ["linear", "extra-trees"],
            ),
            "training.algorithms",
            id="quantile: of a forest",
        ),
        pytest.param(search(seed=-1), "search.seed", id="seed: negative"),
        pytest.param(
            with_(MODEL, "spec.training.algorithms", ["magic"]), "algorithms", id="algorithm"
        ),
        pytest.param(
            with_(MODEL, "spec.training.algorithms", []), "algorithms", id="algorithms: none"
        ),
        pytest.param(
            with_(search(trials=1), "spec.training.ensemble", True),
            "training.ensemble",
            id="ensemble: of one trial",
        ),
        pytest.param(with_(MODEL, "spec.training.retries", 11), "retries", id="retries: many"),
        pytest.param(
            with_(MODEL, "spec.training.validation", {"strategy": "random"}),
            "validation.strategy",
            id="validation: shuffled",
        ),
        pytest.param(
            with_(MODEL, "spec.training.validation", {"folds": 1}), "validation.folds", id="folds"
        ),
        pytest.param(
            with_(MODEL, "spec.training.validation", {"holdout": "51%"}),
            "validation.holdout",
            id="holdout: most",
        ),
        pytest.param(
            with_(MODEL, "spec.training.validation", {"holdout": 0.51}),
            "validation.holdout",
            id="holdout: most, as a number",
        ),
        pytest.param(
            with_(MODEL, "spec.training.validation", {"holdout": 20}),
            "validation.holdout",
            id="holdout: a percent without its sign",
        ),
        pytest.param(
            with_(MODEL, "spec.training.validation", {"holdout": {}}),
            "validation.holdout",
            id="holdout: an object",
        ),
        # Resources
        pytest.param(
            resources("training", limits={"cpu": "two"}), "limits.cpu", id="cpu: not an amount"
        ),
        pytest.param(
            resources("training", limits={"memory": "1GB"}), "limits.memory", id="memory: a unit"
        ),
        pytest.param(
            resources("training", requests={"cpu": "1100m"}, limits={"cpu": "1"}),
            "requests.cpu",
            id="cpu: asks above its limit",
        ),
        pytest.param(
            resources("training", requests={"cpu": "1100m"}, limits={"cpu": 1}),
            "requests.cpu",
            id="cpu: asks above its limit, a number",
        ),
        pytest.param(resources("serving", limits={"cpu": -1}), "limits.cpu", id="cpu: less than 0"),
        pytest.param(resources("serving", limits={"cpu": 0.5}), "limits.cpu", id="cpu: a fraction"),
        pytest.param(resources("serving", limits={"cpu": True}), "limits.cpu", id="cpu: a truth"),
        pytest.param(resources("serving", limits={"cpu": [1]}), "limits.cpu", id="cpu: a list"),
        pytest.param(
            resources("serving", requests={"memory": "1Gi"}, limits={"memory": "1G"}),
            "requests.memory",
            id="memory: asks above its limit",
        ),
        pytest.param(
            resources("serving", requests={"cpu": "2"}, limits={"cpu": "1999m"}),
            "requests.cpu",
            id="a server's cpu: asks above its limit",
        ),
        pytest.param(
            resources("training", requests={"memory": "3Gi"}, limits={"memory": "2Gi"}),
            "requests.memory",
            id="a trainer's memory: asks above its limit",
        ),
        pytest.param(
            resources("serving", limits={"gpu": "1"}), "limits.gpu", id="resources: unknown"
        ),
        # Promotion, version, serving
        pytest.param(
            with_(MODEL, "spec.promotion", {"minImprovement": "1%"}), "minImprovement", id="gain"
        ),
        *(
            pytest.param(
                with_(MODEL, f"spec.promotion.gates.{gate}", said), words, id=f"gate: {name}"
            )
            for gate, said, words, name in (
                ("slices", {"columns": [], "maxLoss": 0.1}, "slices.columns", "by no column"),
                ("slices", {"columns": ["a", "a"], "maxLoss": 1}, "slices.columns", "one twice"),
                ("slices", {"columns": ["a" * 81], "maxLoss": 1}, "80 characters", "long names"),
                ("slices", {"columns": ["a"], "maxLoss": 0}, "must be above 0", "no loss at all"),
                ("slices", {"columns": ["a"]}, "maxLoss", "slices without a bound"),
                ("fairness", {"columns": ["a"]}, "set demographicParity", "nothing to be fair in"),
                ("fairness", {"columns": ["a"], "equalizedOdds": 2}, "equalizedOdds", "above one"),
                ("calibration", {}, "maxError", "calibration without a bound"),
                ("metrics", [{"name": "recall"}], "maxLoss", "a metric without a bound"),
                ("metrics", [{"name": "rec", "maxLoss": 1}], "metrics[0].name", "no such metric"),
                (
                    "metrics",
                    [{"name": "rmse", "maxLoss": 1}],
                    "has not; it has roc_auc",
                    "a metric of another task",
                ),
                ("metrics", [{"name": "f1", "maxLoss": 1}] * 2, "metrics[1]", "a metric twice"),
                ("speed", {}, "promotion.gates.speed", "none that there is"),
            )
        ),
        pytest.param(
            with_(
                with_(MODEL, "spec.task", "regression"),
                "spec.promotion.gates.calibration",
                {"maxError": 0.1},
            ),
            "task: regression has none",
            id="gate: calibration of numbers",
        ),
        pytest.param(
            with_(
                with_(MODEL, "spec.task", "regression"),
                "spec.promotion.gates.fairness",
                {"columns": ["a"], "demographicParity": 0.1},
            ),
            "who is told to be positive",
            id="gate: fairness of numbers",
        ),
        pytest.param(with_(MODEL, "spec.version", "latest"), "spec.version", id="version: a word"),
        pytest.param(with_(MODEL, "spec.version", "1.04.0"), "spec.version", id="version: a zero"),
        pytest.param(
            with_(MODEL, "spec.serving", {"replicas": 0}), "serving.replicas", id="replicas: none"
        ),
        # Autoscaling
        pytest.param(
            with_(scaling(), "spec.serving.replicas", 2), "serving.replicas", id="a fixed number"
        ),
        pytest.param(
            without(scaling(), "spec.serving.autoscaling.maxReplicas"),
            "autoscaling.maxReplicas",
            id="most pods: missing",
        ),
        pytest.param(scaling(maxReplicas=101), "autoscaling.maxReplicas", id="most pods: many"),
        pytest.param(scaling(minReplicas=9), "autoscaling.minReplicas", id="fewest above most"),
        pytest.param(
            scaling(minReplicas=0),
            "autoscaling.minReplicas: Invalid value: 0: minReplicas must be at least 1: the "
            "version in charge always keeps a pod",
            id="fewest pods: none",
        ),
        pytest.param(
            scaling(provider="keda", minReplicas=0),
            "autoscaling.minReplicas",
            id="fewest pods: none, with keda",
        ),
        pytest.param(scaling(target={}), "autoscaling.target", id="target: empty"),
        pytest.param(
            scaling(target={"cpuUtilization": 9}), "target.cpuUtilization", id="target: too little"
        ),
        pytest.param(
            scaling(target={"requestsPerSecond": 5}),
            "target.requestsPerSecond",
            id="target: requests without keda",
        ),
        pytest.param(
            scaling(provider="keda", target={"requestsPerSecond": 0}),
            "target.requestsPerSecond",
            id="target: no requests",
        ),
        pytest.param(scaling(provider="vpa"), "autoscaling.provider", id="provider: unknown"),
        pytest.param(scaling(scaleToZero=True), "autoscaling.scaleToZero", id="scale to zero"),
        pytest.param(
            with_(MODEL, "spec.serving", {"requestTimeout": "11m"}), "requestTimeout", id="answer"
        ),
        pytest.param(
            with_(MODEL, "spec.serving", {"maxBodyMebibytes": 0}), "maxBodyMebibytes", id="no body"
        ),
        pytest.param(
            with_(MODEL, "spec.serving", {"maxBodyMebibytes": 33}),
            "maxBodyMebibytes",
            id="more than the gateway holds",
        ),
        pytest.param(
            with_(MODEL, "spec.serving", {"predictionLog": {"enabled": True, "sample": 0}}),
            "predictionLog.sample",
            id="log: no sample",
        ),
        pytest.param(
            with_(MODEL, "spec.serving", {"predictionLog": {"sample": 0.5}}),
            "sample has no effect",
            id="log: a sample of nothing",
        ),
        pytest.param(
            with_(MODEL, "spec.serving", {"predictionLog": {"feedbackSecret": {"name": "s"}}}),
            "feedbackSecret has no effect",
            id="log: a token for nothing",
        ),
        pytest.param(
            with_(MODEL, "spec.serving", {"warmupRequests": 1001}), "warmupRequests", id="warm-up"
        ),
        pytest.param(
            with_(MODEL, "spec.serving", {"allowArtifactCode": "true"}),
            "allowArtifactCode",
            id="code: a word",
        ),
        pytest.param(with_(MODEL, "spec.suspend", "yes"), "spec.suspend", id="suspend: a word"),
        pytest.param(
            with_(MODEL, "spec.training", {"schedule": {"cron": "0 3 31 2 *"}}),
            "never comes",
            id="schedule: 31 February",
        ),
        pytest.param(
            with_(
                MODEL,
                "spec.training",
                {"schedule": {"cron": "0 3 * * *", "timeZone": "Europe/Atlantis"}},
            ),
            "unknown time zone Europe/Atl",
            id="schedule: no zone",
        ),
        # Freeze windows
        pytest.param(weekly(name=None), "freezeWindows[0].name", id="freeze: no name"),
        pytest.param(weekly(to=None), "weekly (days, from, to", id="freeze: no end"),
        pytest.param(weekly(days=None), "weekly (days, from, to", id="freeze: no day"),
        pytest.param(weekly(days=[]), "freezeWindows[0].days", id="freeze: days: none"),
        pytest.param(weekly(days=["Friday"]), "days[0]", id="freeze: days: whole word"),
        pytest.param(weekly(days=["Fri", "Fri"]), "days[1]", id="freeze: days: twice"),
        pytest.param(weekly(**{"from": "6pm"}), "freezeWindows[0].from", id="freeze: from: words"),
        pytest.param(
            weekly(**{"from": "24:00"}), "freezeWindows[0].from", id="freeze: from: end of day"
        ),
        pytest.param(weekly(to="24:30"), "freezeWindows[0].to", id="freeze: to: after the day"),
        pytest.param(weekly(to="18:00"), "freezeWindows[0].to", id="freeze: to: no time between"),
        pytest.param(
            weekly(timeZone="Europe/Atlantis"), "unknown time zone Europe/Atl", id="freeze: no zone"
        ),
        pytest.param(
            weekly(timeZone="Local"), "freezeWindows[0].timeZone", id="freeze: the server's zone"
        ),
        pytest.param(
            weekly(timeZone="+10:00"), "freezeWindows[0].timeZone", id="freeze: an offset"
        ),
        pytest.param(
            weekly(startsAt="2026-12-20T00:00:00Z"), "weekly (days, from, to", id="freeze: mixed"
        ),
        pytest.param(
            dated("2026-12-20T00:00:00Z", "2026-12-20T00:00:00Z"), "endsAt", id="freeze: empty"
        ),
        pytest.param(
            dated("2026-12-20T00:00:00", "2026-12-21T00:00:00Z"), "startsAt", id="freeze: no offset"
        ),
        pytest.param(
            dated("2026-12-20", "2026-12-21T00:00:00Z"), "startsAt", id="freeze: only a day"
        ),
        pytest.param(
            dated("2026-12-20T00:00:00Z", "9999-12-31T23:59:59Z"), "years", id="freeze: for ever"
        ),
        pytest.param(
            dated("2026-12-20T00:00:00Z", "2026-12-21T00:00:00Z", timeZone="UTC"),
            "dated (startsAt",
            id="freeze: a zone without effect",
        ),
        # Gateway
        pytest.param(gateway(kind="Mesh"), "gateway.kind", id="gateway: unknown"),
        pytest.param(gateway(hostnames=HOSTS), "gateway.hostnames", id="gateway: built-in, hosts"),
        pytest.param(
            gateway(parentRefs=PARENTS), "gateway.parentRefs", id="gateway: built-in, parents"
        ),
        pytest.param(
            gateway(kind="GatewayAPI", hostnames=HOSTS), "gateway.parentRefs", id="gateway: whose"
        ),
        pytest.param(
            gateway(kind="GatewayAPI", parentRefs=PARENTS),
            "gateway.hostnames",
            id="gateway: every host",
        ),
        pytest.param(
            with_(others(), "spec.rollout.fastGuard", {"minRequests": 5}),
            "rollout.fastGuard",
            id="gateway: another's has no guard",
        ),
        pytest.param(
            with_(
                others(),
                "spec.rollout",
                {"strategy": "abTest", "abTest": AB_TEST | {"sticky": BY_HEADER}},
            ),
            "spec.rollout",
            id="gateway: another's has no hash",
        ),
        pytest.param(
            with_(
                others(),
                "spec.serving.autoscaling",
                {"provider": "keda", "maxReplicas": 3, "target": {"requestsPerSecond": 5}},
            ),
            "requestsPerSecond",
            id="gateway: another's does not count for us",
        ),
        pytest.param(
            with_(others(), "spec.rollout.strategy", "blueGreen"),
            "gateway.previewHostnames",
            id="gateway: a preview nobody could reach",
        ),
        pytest.param(
            gateway(previewHostnames=HOSTS),
            "gateway.previewHostnames",
            id="gateway: built-in, preview",
        ),
        pytest.param(
            others(previewHostnames=HOSTS), "gateway.previewHostnames", id="gateway: both at once"
        ),
        pytest.param(others(hostnames=[]), "gateway.hostnames", id="gateway: no host"),
        pytest.param(others(hostnames=["*.a.example"]), "hostnames[0]", id="gateway: any host"),
        pytest.param(others(hostnames=["a b"]), "hostnames[0]", id="gateway: a space"),
        pytest.param(others(hostnames=["a", "a"]), "hostnames[1]", id="gateway: a host twice"),
        pytest.param(others(parentRefs=[{}]), "parentRefs[0].name", id="gateway: no name"),
        # Rollout policy
        pytest.param(policy(strategy="rainbow"), "rollout.strategy", id="strategy: unknown"),
        pytest.param(
            policy(strategy="blueGreen", steps=[{"weight": 5}]),
            "steps has no effect under this strategy; remove it, or choose strategy: canary",
            id="blueGreen with steps",
        ),
        pytest.param(
            policy(strategy="recreate", steps=[{"weight": 5}]), "steps", id="recreate with steps"
        ),
        pytest.param(policy(blueGreen={}), "blueGreen has no effect", id="canary with blueGreen"),
        pytest.param(policy(shadow={}), "shadow has no effect", id="canary with shadow"),
        pytest.param(
            policy(strategy="blueGreen", shadow={}), "choose strategy: shadow", id="blue: shadow"
        ),
        pytest.param(
            policy(strategy="recreate", fastGuard={}), "fastGuard has no effect", id="recreate"
        ),
        pytest.param(
            policy(fastGuard={"slowMilliseconds": 100}), "maxSlowRatio", id="fastGuard: half"
        ),
        pytest.param(policy(fastGuard={"window": "0s"}), "fastGuard.window", id="fastGuard: now"),
        pytest.param(
            policy(fastGuard={"maxFailureRatio": 1}), "maxFailureRatio", id="fastGuard: never"
        ),
        pytest.param(
            policy(fastGuard={"maxRefusalRatio": 1.1}), "maxRefusalRatio", id="refusals: 110 %"
        ),
        pytest.param(
            policy(strategy="blueGreen", blueGreen={"hold": "169h"}), "blueGreen.hold", id="preview"
        ),
        pytest.param(
            policy(strategy="shadow", shadow={"mirror": 0}), "shadow.mirror", id="shadow: no copies"
        ),
        pytest.param(
            policy(strategy="shadow", shadow={"hold": "169h"}), "shadow.hold", id="shadow: long"
        ),
        pytest.param(
            with_(
                check(query="x", atMost=1),
                "spec.rollout.steps",
                [{"weight": 5, "checks": [{"name": "a", "query": "x", "atMost": 1}]}],
            ),
            "must not have the same name as a check in analysis.checks",
            id="step: a check of the analysis again",
        ),
        pytest.param(
            steps({"weight": 5, "checks": [{"name": "a", "query": "x", "atMost": 1}] * 2}),
            "checks must not use a name twice",
            id="step: a check twice",
        ),
        pytest.param(
            steps({"weight": 5, "checks": [{"name": "a", "query": "x"}]}),
            "atLeast, atMost",
            id="step: a check without a bound",
        ),
        pytest.param(policy(strategy="abTest"), "abTest.goal", id="abTest without a goal"),
        pytest.param(policy(strategy="abTest", abTest={}), "abTest.goal", id="abTest: no goal"),
        pytest.param(policy(strategy="bandit"), "bandit.goal", id="bandit without a goal"),
        pytest.param(policy(abTest=AB_TEST), "abTest has no effect", id="canary with abTest"),
        pytest.param(
            policy(strategy="abTest", abTest=AB_TEST, bandit={"goal": {"metric": "reward"}}),
            "bandit has no effect",
            id="abTest with bandit",
        ),
        pytest.param(
            policy(strategy="abTest", abTest=AB_TEST, steps=[{"weight": 5}]),
            "steps has no effect",
            id="abTest with steps",
        ),
        pytest.param(
            goal(metric="reward"), "predictionLog.enabled", id="goal: rewards nobody keeps"
        ),
        pytest.param(
            policy(strategy="bandit", bandit={"goal": {"metric": "live-accuracy"}}),
            "predictionLog.enabled",
            id="bandit: labels nobody keeps",
        ),
        pytest.param(
            with_(
                with_(goal(metric="live-accuracy"), "spec.task", "regression"),
                "spec.serving.predictionLog",
                {"enabled": True},
            ),
            "is for classification",
            id="goal: accuracy of a regression",
        ),
        pytest.param(goal(), "metric and query", id="goal: neither"),
        pytest.param(goal(metric="reward", query="x", total="x"), "metric and query", id="both"),
        pytest.param(goal(query="x"), "goal.total", id="goal: a query without its total"),
        pytest.param(goal(metric="latency"), "latencyMilliseconds", id="goal: how quick"),
        pytest.param(
            goal(metric="reward", latencyMilliseconds=50), "latencyMilliseconds", id="goal: slow"
        ),
        pytest.param(
            goal(metric="latency", latencyMilliseconds=60), "5, 10, 25", id="goal: no such bound"
        ),
        pytest.param(goal(metric="revenue"), "goal.metric", id="goal: unknown metric"),
        pytest.param(sticky(by="header"), "sticky.header", id="sticky: which header"),
        pytest.param(sticky(header="x-user"), "sticky.header", id="sticky: a cookie's header"),
        pytest.param(
            sticky(by="header", header="x-user", maxAge="1h"), "sticky.maxAge", id="sticky: no age"
        ),
        pytest.param(
            sticky(by="header", header="x-fairlead-version"),
            "which Fairlead uses itself",
            id="sticky: ours",
        ),
        pytest.param(sticky(maxAge="59s"), "sticky.maxAge", id="sticky: a minute at least"),
        pytest.param(
            policy(strategy="abTest", abTest=AB_TEST | {"alpha": 0}), "abTest.alpha", id="alpha"
        ),
        pytest.param(
            policy(strategy="abTest", abTest=AB_TEST | {"beta": 0}), "abTest.beta", id="beta"
        ),
        pytest.param(
            policy(strategy="abTest", abTest=AB_TEST | {"minEffect": 0}), "minEffect", id="effect"
        ),
        pytest.param(
            policy(strategy="bandit", bandit={"goal": {"metric": "reward"}, "stopProbability": 0}),
            "stopProbability",
            id="bandit: over at once",
        ),
        pytest.param(
            policy(strategy="abTest", abTest=AB_TEST | {"maxDuration": "0s"}),
            "maxDuration",
            id="abTest: over at once",
        ),
        pytest.param(
            trial_of("1.1.0", "1.1.0"), "name each version once", id="alternatives: the version"
        ),
        pytest.param(
            trial_of("1.1.0", "1.2.0", "1.2.0"), "name each version once", id="alternatives: twice"
        ),
        pytest.param(
            trial_of("1.1.0", *(f"1.{minor}.0" for minor in range(2, 7))),
            "spec.alternatives",
            id="alternatives: too many",
        ),
        pytest.param(
            without(trial_of("1.1.0", "1.2.0"), "spec.version"),
            "set version",
            id="alternatives: to what",
        ),
        pytest.param(
            with_(with_(MODEL, "spec.version", "1.1.0"), "spec.alternatives", ["1.2.0"]),
            "alternatives have no effect under this strategy",
            id="alternatives: canary",
        ),
        pytest.param(
            trial_of("1.1.0", "1.2.0", abTest=AB_TEST | {"weight": 50}),
            "traffic is left for the stable version",
            id="alternatives: nothing is left",
        ),
        pytest.param(
            with_(ROLLOUT, "spec.alternatives", ["1.0.0"]),
            "name each version once",
            id="rollout: an alternative twice",
        ),
        pytest.param(
            with_(MODEL, "spec.versionDigest", f"sha256:{'0' * 64}"),
            "set version, or remove versionDigest",
            id="versionDigest: of what",
        ),
        pytest.param(
            with_(trial_of("1.1.0", "1.2.0"), "spec.alternativeDigests", [_which("1.1.0")]),
            "name each of them once, and no other version",
            id="alternativeDigests: of the version",
        ),
        pytest.param(
            with_(
                trial_of("1.1.0", "1.2.0"),
                "spec.alternativeDigests",
                [_which("1.2.0"), _which("1.2.0", "1")],
            ),
            "name each of them once, and no other version",
            id="alternativeDigests: two of one",
        ),
        pytest.param(
            with_(ROLLOUT, "spec.alternativeDigests", [_which("1.2.0")]),
            "name each of them once, and no other version",
            id="rollout: alternativeDigests of what",
        ),
        pytest.param(
            with_(
                trial_of("1.1.0", "1.2.0"),
                "spec.alternativeDigests",
                [{"version": "1.2.0", "digest": "sha256:9f86"}],
            ),
            "alternativeDigests[0].digest",
            id="alternativeDigests: half a digest",
        ),
        pytest.param(steps(), "rollout.steps", id="steps: none"),
        pytest.param(
            steps({"weight": 50}, {"weight": 25}), "rollout.steps", id="steps: they decrease"
        ),
        pytest.param(steps(*[{"weight": 5}] * 31), "rollout.steps", id="steps: too many"),
        pytest.param(steps({"weight": 0}), "steps[0].weight", id="weight: none"),
        pytest.param(steps({"weight": 101}), "steps[0].weight", id="weight: above all"),
        pytest.param(steps({"hold": "1m"}), "steps[0].weight", id="weight: missing"),
        pytest.param(steps({"weight": 5, "hold": "1d"}), "steps[0].hold", id="hold: days"),
        pytest.param(steps({"weight": 5, "hold": "169h"}), "steps[0].hold", id="hold: long"),
        pytest.param(
            with_(MODEL, "spec.rollout", {"patience": "9s"}), "rollout.patience", id="patience"
        ),
        pytest.param(
            with_(MODEL, "spec.rollout", {"startDeadline": "25h"}), "startDeadline", id="deadline"
        ),
        pytest.param(
            with_(MODEL, "spec.rollout", {"guard": {"duration": "169h"}}), "duration", id="guard"
        ),
        pytest.param(policy(onNewTarget="ignore"), "onNewTarget", id="new target"),
        pytest.param(policy(approvalDeadline="0s"), "approvalDeadline", id="approval: at once"),
        # Analysis
        pytest.param(
            with_(MODEL, "spec.rollout.analysis", {"interval": "0s"}), "interval", id="interval"
        ),
        pytest.param(
            with_(MODEL, "spec.rollout.analysis", {"checks": []}), "checks", id="checks: none"
        ),
        pytest.param(
            with_(
                MODEL,
                "spec.rollout.analysis.checks",
                [{"name": "a", "query": "x", "atMost": 1}] * 2,
            ),
            "checks",
            id="checks: a name twice",
        ),
        pytest.param(check(builtin="uptime", atLeast=1), "builtin", id="check: unknown builtin"),
        pytest.param(
            check(builtin="success-rate", query="x", atLeast=1), "builtin and query", id="both"
        ),
        pytest.param(check(atLeast=1), "builtin and query", id="neither builtin nor query"),
        pytest.param(check(query="", atLeast=1), "query", id="check: empty query"),
        pytest.param(check(query="x"), "atLeast, atMost", id="check: no bound"),
        pytest.param(check(query="x", atLeast=2, atMost=1), "atLeast", id="bounds: crossed"),
        pytest.param(check(query="x", atMost="1s"), "checks[0].atMost", id="bound: a string"),
        pytest.param(check(builtin="success-rate", atLeast=99), "atLeast", id="rate: in percent"),
        pytest.param(
            check(builtin="success-rate", atLeast=0.9, atMost=1),
            "atMost",
            id="rate: an upper bound",
        ),
        pytest.param(
            check(builtin="latency-p99", atLeast=5), "atLeast", id="latency: a lower bound"
        ),
        pytest.param(
            check(query="x", atLeast=1, minSamples=5), "minSamples", id="query with minSamples"
        ),
        pytest.param(check(query="x", atMost=1, window="4s"), "window", id="window: short"),
        pytest.param(check(query="x", atMost=1, failureLimit=-1), "failureLimit", id="failures"),
        pytest.param(check(name="A", query="x", atMost=1), "checks[0].name", id="check's name"),
        pytest.param(
            check(query="x", atMost=1, dryRun=True), "every check is a dry run", id="all dry"
        ),
        pytest.param(
            check(query="x", total="y", relative={"margin": 0.1}),
            "write {{version}} into both",
            id="relative: the same question for both",
        ),
        pytest.param(
            check(query="{{version}}", relative={"margin": 0.1}),
            "relative needs counts",
            id="relative: no total",
        ),
        pytest.param(
            check(builtin="success-rate", total="x", atLeast=1), "total", id="total of a builtin"
        ),
        pytest.param(
            check(builtin="saturation", relative={"margin": 0.1}),
            "relative does not go with saturation",
            id="relative: saturation",
        ),
        pytest.param(
            check(builtin="success-rate", relative={"margin": 1}), "margin", id="margin: all"
        ),
        pytest.param(
            check(builtin="success-rate", relative={"margin": 0}), "margin", id="margin: none"
        ),
        pytest.param(
            check(builtin="success-rate", relative={"margin": 0.1, "alpha": 0}),
            "relative.alpha",
            id="alpha: none",
        ),
        pytest.param(
            check(builtin="success-rate", relative={"margin": 0.1, "alpha": 0.6}),
            "alpha",
            id="alpha: a coin",
        ),
        pytest.param(
            check(builtin="success-rate", relative={"margin": 0.1}, failureLimit=1),
            "failureLimit has no effect",
            id="relative with failureLimit",
        ),
        pytest.param(
            check(builtin="success-rate", relative={"margin": 0.1}, window="1m"),
            "window has no effect",
            id="relative with window",
        ),
        pytest.param(
            recorded("live-accuracy", atLeast=0.5, window="1m"), "window", id="labels with window"
        ),
        pytest.param(recorded("live-accuracy", atMost=0.5), "atMost", id="accuracy: atMost"),
        pytest.param(recorded("prediction-drift", atLeast=0.5), "atLeast", id="drift: atLeast"),
        pytest.param(
            check(builtin="live-accuracy", atLeast=0.5), "predictionLog.enabled", id="no record"
        ),
        pytest.param(
            steps(
                {"weight": 5, "checks": [{"name": "a", "builtin": "live-accuracy", "atLeast": 1}]}
            ),
            "predictionLog.enabled",
            id="no record, in a step",
        ),
        pytest.param(
            recorded("live-mae", atMost=1), "live-rmse for task: regression", id="mae of classes"
        ),
        pytest.param(
            with_(recorded("live-accuracy", atLeast=0.5), "spec.task", "regression"),
            "live-accuracy and live-log-loss are for classification",
            id="accuracy of numbers",
        ),
        pytest.param(
            recorded("prediction-agreement", atLeast=0.9), "choose strategy: shadow", id="no copies"
        ),
        pytest.param(
            policy(
                strategy="blueGreen",
                blueGreen={"mirror": 0},
                analysis={
                    "checks": [{"name": "a", "builtin": "prediction-agreement", "atLeast": 0.9}]
                },
            ),
            "blueGreen with mirror above 0",
            id="blueGreen: no copies",
        ),
        pytest.param(
            policy(
                strategy="recreate",
                analysis={
                    "checks": [
                        {"name": "a", "builtin": "success-rate", "relative": {"margin": 0.1}}
                    ]
                },
            ),
            "is stopped under strategy recreate",
            id="recreate: nothing to compare with",
        ),
        # AnalysisTemplate
        pytest.param(with_(TEMPLATE, "spec.checks", []), "checks", id="template: no checks"),
        pytest.param(
            with_(TEMPLATE, "spec.arguments", [{"name": "unused"}]),
            "no query or total uses",
            id="template: an argument for nothing",
        ),
        pytest.param(
            with_(TEMPLATE, "spec.arguments", [{"name": "shop"}] * 2),
            "arguments must not use a name twice",
            id="template: an argument twice",
        ),
        pytest.param(
            with_(TEMPLATE, "spec.checks", [*TEMPLATE["spec"]["checks"]] * 2),
            "checks must not use a name twice",
            id="template: a check twice",
        ),
        pytest.param(templated(total=None), "relative needs counts", id="template: a bad check"),
        pytest.param(
            with_(MODEL, "spec.rollout.analysis", {"templateRef": {}}),
            "templateRef.name",
            id="templateRef: no name",
        ),
        pytest.param(
            with_(
                MODEL,
                "spec.rollout.analysis",
                {"templateRef": {"name": "a", "arguments": [{"name": "b", "value": ""}] * 2}},
            ),
            "arguments must not use a name twice",
            id="templateRef: an argument twice",
        ),
        # TrainingRun and Rollout
        pytest.param(without(TRAINING_RUN, "spec.model"), "spec.model", id="run: no model"),
        pytest.param(with_(TRAINING_RUN, "spec.model", "a.b"), "spec.model", id="run: no name"),
        pytest.param(with_(TRAINING_RUN, "spec.trigger", "cron"), "trigger", id="run: trigger"),
        pytest.param(without(ROLLOUT, "spec.model"), "spec.model", id="rollout: no model"),
        pytest.param(without(ROLLOUT, "spec.version"), "spec.version", id="rollout: no version"),
        pytest.param(with_(ROLLOUT, "spec.version", "v1"), "spec.version", id="rollout: version"),
        pytest.param(with_(ROLLOUT, "spec.trigger", "cron"), "trigger", id="rollout: trigger"),
        pytest.param(
            with_(ROLLOUT, "spec.policy", {"steps": [{"weight": 9}, {"weight": 8}]}),
            "policy.steps",
            id="rollout: steps decrease",
        ),
    ],
)
def test_a_mistake_is_refused_by_name(trial: Desk, whole: Manifest, field: str) -> None:
    with pytest.raises(client.ApiException) as refused:
        trial.try_out(whole)

    assert refused.value.status in {400, 422}
    assert field in refusal(refused.value)
    assert linted(whole) == causes(refused.value)


@pytest.mark.parametrize(
    ("whole", "example"),
    [
        pytest.param(steps({"weight": 5, "hold": "1d"}), "hold must be a duration", id="a day"),
        pytest.param(search(timeout="15"), "example 90s or 1h30m, and must be", id="no unit"),
        pytest.param(with_(MODEL, "spec.version", "v1.0.0"), "for example 1.4.0", id="v1.0.0"),
        pytest.param(with_(ROLLOUT, "spec.version", "1.0"), "for example 1.4.0", id="1.0"),
        pytest.param(
            with_(ROLLOUT, "spec.versionDigest", "sha256:9f86"),
            "for example sha256:9f86d081884c7d65",
            id="half a digest",
        ),
        pytest.param(
            with_(with_(MODEL, "spec.version", "1.0.0"), "spec.versionDigest", "A" * 64),
            "must be sha256: and 64 hexadecimal digits",
            id="a digest in capitals",
        ),
        pytest.param(trial_of("1.0.0", "latest"), "for example 1.4.0", id="an alternative"),
        pytest.param(
            with_(MODEL, "spec.training.validation", {"holdout": "120%"}), '"20%"', id="120%"
        ),
        *(
            pytest.param(
                with_(whole, "metadata.name", name),
                "is invalid: metadata.name: ",
                id=f"named {name}",
            )
            for whole, name in (
                (MODEL, "1a"),
                (MODEL, "fairlead-gateway"),
                (TRAINING_RUN, "n" * 64),
            )
        ),
        pytest.param(
            with_(ROLLOUT, "spec.model", "NSW_price"), "for example nsw-price", id="a name"
        ),
        pytest.param(
            with_(
                check(query="x", atMost=1),
                "spec.rollout.analysis.checks",
                [{"name": "Own", "query": "x", "atMost": 1}],
            ),
            "for example nsw-price",
            id="a check's name",
        ),
        pytest.param(
            resources("serving", requests={"memory": "2GB"}), "512Mi or 2Gi", id="an amount"
        ),
        pytest.param(
            others(hostnames=["https://a.example"]),
            "for example prices.example.com",
            id="a URL for a host",
        ),
        pytest.param(source(uri="ftp://b/x.csv"), "https://data.example.com/prices.csv", id="uri"),
        pytest.param(sticky(by="header", header="X-User"), "for example x-user-id", id="a header"),
        pytest.param(weekly(to="8am"), "for example 08:00", id="a time"),
        pytest.param(weekly(timeZone="AEST +10"), "for example Australia/Sydney", id="a zone"),
        pytest.param(
            templated(query="x{v='{{version}}',s='{{shop}}'}"), "{{arguments.NAME}}", id="template"
        ),
        *(
            pytest.param(
                check(query=query, atMost=1),
                "{{namespace}}, {{model}}, {{version}}, {{stable}}, {{window}}",
                id=f"placeholder: {query}",
            )
            for query in (
                "sum(x{v='{{ver}}'})",
                "sum(x{v='{{ version }}'})",
                "sum(x{v='{{Version}}'})",
                "sum(x{v='{{version}'})",
                "rate(x[{{window}}]) + sum(x{v='{{candidate}}'})",
            )
        ),
        pytest.param(
            check(query="sum(x{v='{version}'})", atMost=1),
            "a placeholder with two braces",
            id="placeholder: single braces",
        ),
        pytest.param(
            goal(query="sum(a{v='{{version}}',s='{{stable}}'})", total="sum(b{v='{{version}}'})"),
            "{{namespace}}, {{model}}, {{version}}, {{window}}",
            id="placeholder: a goal has no stable",
        ),
    ],
)
def test_a_form_is_told_with_an_example(trial: Desk, whole: Manifest, example: str) -> None:
    with pytest.raises(client.ApiException) as refused:
        trial.try_out(whole)

    assert example in refusal(refused.value)
    assert "should match" not in refusal(refused.value)
    assert linted(whole) == causes(refused.value)


@pytest.mark.parametrize(
    "whole",
    [
        *(
            pytest.param(
                with_(MODEL, "spec.training.validation", {"holdout": share}), id=f"holdout {share}"
            )
            for share in (0.05, 0.2, 0.29, 0.5, "5%", "50%")
        ),
        pytest.param(UNORDERED, id="rows without times"),
        pytest.param(with_(UNORDERED, "spec.data.groupBy", "patient"), id="rows in groups"),
        pytest.param(
            with_(MODEL, "spec.data.columns", {"plan [EUR]": "category", "größe.cm": "ignore"}),
            id="columns with odd names",
        ),
        pytest.param(with_(MODEL, "spec.data.columns", {}), id="no columns"),
        pytest.param(with_(MODEL, "spec.data.columns", {"plan": None}), id="a column of null"),
        pytest.param(
            with_(
                with_(MODEL, "spec.data.features", [f"feature {n}" for n in range(500)]),
                "spec.data.columns",
                {f"feature {n}": "category" for n in range(200)},
            ),
            id="as many columns as may be declared",
        ),
        pytest.param(
            with_(UNORDERED, "spec.training.validation", {"strategy": "random", "folds": 5}),
            id="the split of rows without times, written out",
        ),
        *(
            pytest.param(with_(MODEL, "spec.data.timestampFormat", form), id=f"times as {form}")
            for form in ("seconds", "microseconds", "%d.%m.%Y", "%Y-%m-%d %H:%M")
        ),
        pytest.param(
            source(uri="postgres://market-db:5432/market", query="select * from rows"),
            id="postgres://",
        ),
        *(
            pytest.param(check(query=query, atMost=1), id=query)
            for query in (
                "sum(rate(x{v='{{version}}',s=~'{{stable}}'}[{{window}}]))",
                "x{path=~'/a{2}'} / on() y{}",
            )
        ),
    ],
)
def test_what_people_write_is_taken(trial: Desk, whole: Manifest) -> None:
    trial.try_out(whole)

    assert linted(whole) == []


@pytest.mark.parametrize(
    ("whole", "change", "field"),
    [
        pytest.param(ROLLOUT, {"version": "1.0.1"}, "spec", id="rollout: another version"),
        pytest.param(ROLLOUT, {"policy": {}}, "spec", id="rollout: a policy where none was"),
        pytest.param(FULL_ROLLOUT, {"policy": None}, "spec", id="rollout: no policy any more"),
        pytest.param(TRAINING_RUN, {"model": "other"}, "spec.model", id="run: another model"),
        pytest.param(TRAINING_RUN, {"dryRun": True}, "spec.dryRun", id="run: a dry one at last"),
    ],
)
def test_what_is_decided_stays(desk: Desk, whole: Manifest, change: Manifest, field: str) -> None:
    desk.create(whole)

    with pytest.raises(client.ApiException) as refused:
        desk.change(whole, {"spec": change})

    assert f" {field}: Invalid value: " in refusal(refused.value)
    assert "immutable" in refusal(refused.value)


def test_a_run_can_be_suspended(desk: Desk) -> None:
    desk.create(TRAINING_RUN)

    suspended = desk.change(TRAINING_RUN, {"spec": {"suspend": True}})

    assert suspended["spec"]["suspend"] is True


def test_a_rollout_that_is_not_changed_may_be_labeled(desk: Desk) -> None:
    """The whole spec is compared; defaults must not make it another one."""
    desk.create(FULL_ROLLOUT)

    labeled = desk.change(FULL_ROLLOUT, {"metadata": {"labels": {"a": "b"}}})

    assert labeled["metadata"]["generation"] == 1


def test_who_writes_the_spec_cannot_write_the_status(desk: Desk) -> None:
    created = desk.create(MODEL | {"status": {"phase": "Made up"}})

    assert "status" not in created


def test_who_writes_the_status_cannot_write_the_spec(desk: Desk) -> None:
    desk.create(MODEL)

    reported = desk.report(MODEL, {"spec": {"suspend": True}, "status": {"phase": "Serving"}})

    assert reported["status"]["phase"] == "Serving"
    assert reported["spec"]["suspend"] is False
    assert reported["metadata"]["generation"] == 1


@pytest.mark.parametrize(
    ("whole", "status", "shown"),
    [
        pytest.param(
            MODEL,
            {
                "phase": "Serving",
                "stable": {"version": "1.4.0"},
                "trainingRun": "columns-training-3",
                "conditions": [
                    {"type": "Progressing", "status": "False", "reason": "Idle"},
                    {"type": "Ready", "status": "True", "reason": "Verified", "message": "fine"},
                    {"type": "UpToDate", "status": "False", "reason": "Paused"},
                ],
                "weight": 10,
                "url": "http://columns.energy",
            },
            {
                "READY": "True",
                "PHASE": "Serving",
                "STABLE": "1.4.0",
                "WEIGHT": "10",
                "REASON": "Paused",
                "URL": "http://columns.energy",
                "TRAINING": "columns-training-3",
                "MESSAGE": "fine",
            },
            id="Model",
        ),
        pytest.param(
            TRAINING_RUN,
            {"phase": "Searching", "summary": "17/40", "trained": TRAINED},
            {"MODEL": "nsw-price", "PHASE": "Searching", "PROGRESS": "17/40", "VERSION": "1.4.0"},
            id="TrainingRun",
        ),
        pytest.param(
            ROLLOUT,
            {"phase": "Progressing", "observedWeight": 25, "step": 1, "verdict": "Successful"},
            {"MODEL": "nsw-price", "PHASE": "Progressing", "WEIGHT": "25", "CANDIDATE": "1.0.0"},
            id="Rollout",
        ),
    ],
)
def test_kubectl_get_shows_the_state(
    plane: ControlPlane, desk: Desk, whole: Manifest, status: Manifest, shown: dict[str, str]
) -> None:
    desk.create(whole)
    desk.report(whole, {"status": status})

    table = plane.kubectl(
        f"--namespace={desk.namespace}", "get", PLURALS[whole["kind"]], "--output=wide"
    ).stdout

    assert cells(table).items() >= shown.items()


def test_kubectl_get_lists_templates(plane: ControlPlane, desk: Desk) -> None:
    desk.create(TEMPLATE)

    table = plane.kubectl(f"--namespace={desk.namespace}", "get", "mat").stdout

    shown = {"DESCRIPTION": "paid orders", "CHECK": "orders"}
    assert cells(table).items() >= shown.items()


def cells(table: str) -> dict[str, str]:
    """The one row of a table by heading; a cell begins below its heading's first letter."""
    headings, row = table.splitlines()
    starts = [found.start() for found in re.finditer(r"\S+", headings)]
    ends = [*starts[1:], None]
    return {
        headings[start:end].strip(): row[start:end].strip()
        for start, end in zip(starts, ends, strict=True)
    }


@pytest.mark.parametrize(
    ("short", "found"),
    [
        ("mdl", [MODEL]),
        ("trun", [TRAINING_RUN]),
        ("mro", [ROLLOUT]),
        ("fairlead", [MODEL, TRAINING_RUN, ROLLOUT]),
    ],
)
def test_short_names_and_the_category_find_the_kinds(
    plane: ControlPlane, desk: Desk, short: str, found: list[Manifest]
) -> None:
    for whole in (MODEL, TRAINING_RUN, ROLLOUT):
        desk.create(whole)

    listed = plane.kubectl(f"--namespace={desk.namespace}", "get", short, "--output=name").stdout

    names = {line.partition("/")[2] for line in listed.splitlines()}
    assert names == {whole["metadata"]["name"] for whole in found}
