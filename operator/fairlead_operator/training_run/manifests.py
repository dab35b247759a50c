"""The Jobs that a TrainingRun becomes.  Pure: values in, manifests out."""

import itertools
import json
import types
from collections.abc import Mapping
from typing import Any, Final, Literal

from fairlead_contract import mlflow
from fairlead_contract.artifact import CHAMPION_ROOM
from fairlead_contract.data import CLAIM_FOLDER, STORE_KEYS, variable_of
from fairlead_operator.api.common import ResourceList, Resources
from fairlead_operator.api.group import LABEL_STAGE, LABEL_TRAINING_RUN
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.training import DataSource
from fairlead_operator.kube.database_secret import (
    OWN_LOGINS,
    Logins,
    database_file,
    database_mount,
    database_variable,
    database_volume,
)
from fairlead_operator.kube.images import Images
from fairlead_operator.kube.metadata import Owner, child_name, component_labels
from fairlead_operator.kube.mlflow_secret import mlflow_folder, mlflow_mount, mlflow_volume
from fairlead_operator.kube.security import (
    container_security,
    environment,
    pod_security,
    resources,
    scratch,
    secret_variable,
)

Stage = Literal["search", "finish", "check"]

_TRAINER: Final = "trainer"  # its container
_CONFIG: Final = "--config"
_ROOM: Final = "/var/run/fairlead/champion"
_SCORERS_VOLUMES: Final = ("champion-tmp", "question", "answer")
# The trainer ends with this code when another try cannot help (docs/contracts.md).
_EXIT_PERMANENT: Final = 3
# Data, start-up and the last trial may take this long beyond the search's own limit, apart from
# what the trainer waits for others.
_GRACE_SECONDS: Final = 900
_NOTHING_MORE: Final[Mapping[str, str]] = types.MappingProxyType({})


def build_job(  # noqa: PLR0913  all that a Job is made of
    stage: Stage,
    config: str,
    spec: ModelSpec,
    *,
    model: str,
    owner: Owner,
    images: Images,
    mlflow_url: str,
    sources: Mapping[str, str] = _NOTHING_MORE,
    allows_code: bool = False,
    logins: Logins = OWN_LOGINS,
) -> dict[str, Any]:
    """Build a training Job, complete, ready for server-side apply.

    Args:
        sources: variables that say where it may read from, if the platform says anything.
        allows_code: whether the champion may bring code, which then runs in a container of its own.
    """
    name = name_job(stage, owner, model=model)
    workers = json.loads(config)["search"]["parallelism"] if stage == "search" else 1
    timeout = 0 if stage == "check" else int(spec.training.search.timeout.total_seconds())
    # Who has the data checked is told at once who does not answer; an earlier release waited never.
    patience = 0 if stage == "check" else json.loads(config).get("patienceSeconds", 0)
    has_champion = stage == "finish" and json.loads(config).get("champion") is not None
    trainer = _trainer(stage, config, spec, images, mlflow_url=mlflow_url, logins=logins)
    trainer["env"] += environment({"FAIRLEAD_NAMESPACE": owner.namespace, **sources})
    scorer = _scorer(spec, images) if has_champion and allows_code else None
    volumes = [
        scratch(trainer["resources"]["limits"]["memory"]),
        # The second for the certificate authority that the address may name.
        *((mlflow_volume(), database_volume(logins)) if stage != "check" else ()),
        *_claim_volumes(spec),
    ]
    if scorer is not None:
        trainer["env"] += environment({CHAMPION_ROOM: _ROOM})
        trainer["volumeMounts"] += _room(writes="question")
        volumes += [{**volumes[0], "name": name} for name in _SCORERS_VOLUMES]
    return {
        "apiVersion": "batch/v1",
        **name,
        "spec": {
            "completionMode": "Indexed",
            "completions": workers,
            "parallelism": workers,
            # Who has the data checked waits for the answer, and may ask again.
            "backoffLimit": 0 if stage == "check" else spec.training.retries,
            "activeDeadlineSeconds": timeout + patience + _GRACE_SECONDS,
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "FailJob",
                        "onExitCodes": {
                            "containerName": _TRAINER,
                            "operator": "In",
                            "values": [_EXIT_PERMANENT],
                        },
                    },
                    # An evicted or preempted worker is no failure of the training.
                    {
                        "action": "Ignore",
                        "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                    },
                ]
            },
            "template": {
                "metadata": {"labels": name["metadata"]["labels"]},
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 15,
                    "securityContext": pod_security(),
                    "imagePullSecrets": [{"name": name} for name in images.pull_secrets],
                    **({} if scorer is None else {"initContainers": [scorer]}),
                    "containers": [trainer],
                    "volumes": volumes,
                },
            },
        },
    }


def read_config(job: Mapping[str, Any]) -> str | None:
    """Read back what the trainer of a Job is told; None where nothing says it.

    A webhook may have put another container before ours, or more arguments after ours.
    """
    containers = job["spec"]["template"]["spec"].get("containers") or ()
    trainers = (each for each in containers if each.get("name") == _TRAINER)
    trainer: Mapping[str, Any] = next(trainers, {})
    told = itertools.pairwise(trainer.get("args") or ())
    return next((str(value) for name, value in told if name == _CONFIG), None)


def name_job(stage: Stage, owner: Owner, *, model: str) -> dict[str, Any]:
    """Build the manifest of the Job of this stage without its content."""
    labels = job_labels(stage, model=model, run=owner.name)
    return {"kind": "Job", "metadata": owner.metadata(child_name(owner.name, stage), labels)}


def job_labels(stage: Stage, *, model: str, run: str) -> dict[str, str]:
    """Return the labels of the Job of this stage, and of its pods."""
    return component_labels("trainer", model) | {LABEL_TRAINING_RUN: run, LABEL_STAGE: stage}


def _trainer(
    stage: Stage,
    config: str,
    spec: ModelSpec,
    images: Images,
    *,
    mlflow_url: str,
    logins: Logins,
) -> dict[str, Any]:
    # A check of the data keeps nothing, and gets nothing to sign in with but for the data.
    keeps = stage != "check"
    variables = [
        *environment({mlflow.ADDRESS: mlflow_url}),
        mlflow_folder(),
        database_variable(logins),
        database_file(logins),
    ]
    return {
        "name": _TRAINER,
        "image": images.training,
        "imagePullPolicy": images.pull_policy,
        "args": [stage, _CONFIG, config],
        "env": [*(variables if keeps else ()), *_data_credentials(spec)],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(),
        "resources": resources(
            spec.training.resources,
            requests={"cpu": "250m", "memory": "512Mi"},
            limits={"memory": "2Gi"},
        ),
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  the pod's own emptyDir
            *((mlflow_mount(), database_mount()) if keeps else ()),
            *_claim_mounts(spec),
        ],
    }


def _scorer(spec: ModelSpec, images: Images) -> dict[str, Any]:
    """Build what runs a champion's code: it gets rows, and no Secret, address or credentials."""
    return {
        "name": "champion",
        "image": images.training,
        "imagePullPolicy": images.pull_policy,
        "restartPolicy": "Always",  # runs beside the trainer, and is ended after it
        "command": ["python", "-m", "fairlead_training.scorer"],
        "env": environment({CHAMPION_ROOM: _ROOM}),
        "securityContext": container_security(),
        # It sleeps until it is asked.
        "resources": resources(
            Resources(
                requests=ResourceList(cpu=None, memory=None),
                limits=spec.training.resources.limits,
            ),
            requests={"cpu": "10m", "memory": "64Mi"},
            limits={"memory": "2Gi"},
        ),
        "volumeMounts": [
            {"name": "champion-tmp", "mountPath": "/tmp"},  # noqa: S108  its own emptyDir
            *_room(writes="answer"),
        ],
    }


def _room(*, writes: str) -> list[dict[str, Any]]:
    """Mount what lies between trainer and champion; each writes into its own folder alone."""
    return [
        {
            "name": name,
            "mountPath": f"{_ROOM}/{name}",
            **({} if name == writes else {"readOnly": True}),
        }
        for name in ("question", "answer")
    ]


def _data_credentials(spec: ModelSpec) -> list[dict[str, Any]]:
    return [
        variable
        for number, source in enumerate(spec.data.sources)
        if source.credentials is not None
        for variable in _credentials_of(source, source.credentials.name, number)
    ]


def _credentials_of(source: DataSource, secret: str, number: int) -> list[dict[str, Any]]:
    scheme = _scheme(source)
    keys = STORE_KEYS.get(scheme)

    def variable(name: str, key: str, *, optional: bool = False) -> dict[str, Any]:
        return secret_variable(variable_of(name, number), secret, key, optional=optional)

    if keys is None:
        variables = [
            variable("FAIRLEAD_DATA_USERNAME", "username"),
            variable("FAIRLEAD_DATA_PASSWORD", "password"),
        ]
    else:
        variables = [variable(name, key, optional=True) for key, name in keys.items()]
    # Optional: the trainer says in clearer words that it is missing, and what to do.
    variables.append(variable("FAIRLEAD_DATA_HOSTS", "hosts", optional=True))
    if scheme in {"http", "https", "s3"}:
        variables.append(variable("FAIRLEAD_DATA_AUTHORITY", "ca.crt", optional=True))
    return [*variables, *environment({variable_of("FAIRLEAD_DATA_SECRET", number): secret})]


def _claim_volumes(spec: ModelSpec) -> list[dict[str, Any]]:
    """Build the volumes of sources on claims, which nobody writes to by them."""
    return [
        {"name": volume, "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}
        for volume, claim in _claims(spec).items()
    ]


def _claim_mounts(spec: ModelSpec) -> list[dict[str, Any]]:
    return [
        {"name": volume, "mountPath": f"{CLAIM_FOLDER}/{claim}", "readOnly": True}
        for volume, claim in _claims(spec).items()
    ]


def _claims(spec: ModelSpec) -> dict[str, str]:
    """Return each claim that a source is on, once, by the name of its volume."""
    claims = dict.fromkeys(
        source.uri.partition("://")[2].partition("/")[0]
        for source in spec.data.sources
        if _scheme(source) == "pvc"
    )
    return {f"data-{number}": claim for number, claim in enumerate(claims)}


def _scheme(source: DataSource) -> str:
    return source.uri.partition("://")[0]
