"""A TrainingRun is one training of a Model, from reading the data to registering the new
version in MLflow.

A Model creates its own TrainingRuns. One that you create is an experiment: its version is
registered, and never rolled out by itself. With `dryRun`, it only checks the data.
"""

from typing import Annotated, Any, Final

from pydantic import Field

from fairlead_operator.api.base import Message, Moment, ObjectName, Rule, Spec, Status
from fairlead_operator.api.conditions import Conditions
from fairlead_operator.api.phases.training_run import Trigger

COLUMNS_LENGTH: Final = 512


class TrainingRunSpec(Spec):
    """Which Model to train. The data and training settings are the Model's at the time the run
    starts.
    """

    rules = (
        Rule(
            "self.model == oldSelf.model",
            "model is immutable; create another TrainingRun",
            ".model",
        ),
        Rule(
            "self.dryRun == oldSelf.dryRun",
            "dryRun is immutable; create another TrainingRun",
            ".dryRun",
        ),
    )

    model: Annotated[
        ObjectName, Field(description="Name of a Model in the same namespace. Immutable.")
    ]
    trigger: Annotated[
        Trigger,
        Field(
            default=Trigger.HAND,
            description="Why the run was created. initial: the first version. recipe: the data "
            "or training settings changed. schedule: a moment of the schedule came. request: a "
            "person asked for it on the Model. hand: created by a person, as an experiment. "
            "Defaults to hand.",
        ),
    ]
    dry_run: Annotated[
        bool,
        Field(
            default=False,
            description="When true, one Job reads and checks the data, and nothing is trained, "
            "registered or kept in MLflow: `status.message` and `status.result` say what would be "
            "learned from, or all that is wrong. Immutable. Defaults to false.",
        ),
    ]
    suspend: Annotated[
        bool,
        Field(
            default=False,
            description="When true, the Jobs are stopped and finished trials are kept; set it to "
            "false to go on. Defaults to false.",
        ),
    ]


class Progress(Status):
    """How far the trainer is."""

    stage: Annotated[
        str,
        Field(
            default="",
            max_length=32,
            description="Stage of the training, for example search or evaluate.",
        ),
    ]
    trial: Annotated[int, Field(default=0, description="Number of finished trials.")]
    trials: Annotated[int, Field(default=0, description="Number of trials in total.")]
    best: Annotated[
        float | None, Field(default=None, description="Best value of the metric so far.")
    ]
    metric: Annotated[
        str, Field(default="", max_length=32, description="Metric that `best` is measured in.")
    ]
    seconds_left: Annotated[
        float | None, Field(default=None, description="Estimated seconds until the stage is over.")
    ]
    waiting: Annotated[
        str,
        Field(
            default="",
            max_length=1024,
            description="Who does not answer, and is waited for: a source of the data, MLflow or "
            "the study database. Empty while the training works.",
        ),
    ]


class TrainedVersion(Status):
    """The version that the training registered."""

    version: Annotated[
        str, Field(max_length=32, description="Semantic version, for example 1.4.0.")
    ]
    registry_version: Annotated[
        str, Field(max_length=32, description="Version number in the MLflow registry.")
    ]
    digest: Annotated[
        str, Field(max_length=71, description="SHA-256 digest of the artifact's files.")
    ]
    metric: Annotated[str, Field(max_length=32, description="Metric that `value` is measured in.")]
    value: Annotated[
        float | None, Field(default=None, description="Value of the metric on the held-out rows.")
    ]
    columns: Annotated[
        str | None,
        Field(
            default=None,
            max_length=COLUMNS_LENGTH,
            description="Types of the columns that it takes, as declared in the Model or found in "
            "the data, for example `category: plan, region; text: note; number: age, income`. "
            "Unset when all of them are numbers.",
        ),
    ]


class TrainingRunStatus(Status):
    """Observed state of the TrainingRun. Written by the operator."""

    phase: Annotated[
        str | None,
        Field(
            default=None,
            max_length=32,
            description="Where the training stands, for example Searching, Finishing or "
            "Succeeded; Checking, in a dry run.",
        ),
    ]
    observed_generation: Annotated[
        int | None,
        Field(default=None, description="metadata.generation that the operator last acted on."),
    ]
    since: Annotated[Moment | None, Field(default=None, description="When the phase was entered.")]
    started_at: Annotated[
        Moment | None, Field(default=None, description="When the training started.")
    ]
    finished_at: Annotated[
        Moment | None, Field(default=None, description="When the training ended.")
    ]
    summary: Annotated[
        str | None,
        Field(
            default=None,
            max_length=256,
            description="Progress in one line, as `kubectl get` shows it.",
        ),
    ]
    progress: Annotated[Progress | None, Field(default=None, description="Progress in numbers.")]
    mlflow_run_id: Annotated[
        str | None, Field(default=None, max_length=64, description="ID of the run in MLflow.")
    ]
    config: Annotated[
        str | None,
        Field(
            default=None,
            max_length=262144,  # no spec that is accepted makes a longer one
            description="Settings that the trainer was started with, as JSON. Fixed when the run "
            "starts.",
        ),
    ]
    trained: Annotated[
        TrainedVersion | None, Field(default=None, description="The version that was registered.")
    ]
    result: Annotated[
        str | None,
        Field(
            default=None, max_length=4096, description="Result document of the trainer, as JSON."
        ),
    ]
    reason: Annotated[
        str | None,
        Field(
            default=None,
            max_length=64,
            description="Why the run is in this phase, in one word, for example ColumnMissing.",
        ),
    ]
    message: Annotated[
        Message | None,
        Field(default=None, description="Why the run is in this phase, in a sentence."),
    ]
    conditions: Conditions = ()


COLUMNS: tuple[dict[str, Any], ...] = (
    {
        "name": "Model",
        "description": "Model that is trained.",
        "type": "string",
        "jsonPath": ".spec.model",
    },
    {
        "name": "Phase",
        "description": "Where the training stands.",
        "type": "string",
        "jsonPath": ".status.phase",
    },
    {
        "name": "Progress",
        "description": "Progress in one line.",
        "type": "string",
        "jsonPath": ".status.summary",
    },
    {
        "name": "Version",
        "description": "Version that was registered.",
        "type": "string",
        "jsonPath": ".status.trained.version",
    },
    {
        "name": "Trigger",
        "description": "Why the run was created.",
        "type": "string",
        "jsonPath": ".spec.trigger",
        "priority": 1,
    },
    {
        "name": "Age",
        "description": "Time since the TrainingRun was created.",
        "type": "date",
        "jsonPath": ".metadata.creationTimestamp",
    },
)
