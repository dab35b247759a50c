"""TrainingRun: one training, from the data to a registered version."""

from typing import Annotated, Any, Literal

from pydantic import Field

from fairlead_operator.api.base import Message, Moment, ObjectName, Rule, Spec, Status
from fairlead_operator.api.conditions import Conditions


class TrainingRunSpec(Spec):
    """What to train; the recipe is the Model's at the time the run starts."""

    rules = (
        Rule(
            "self.model == oldSelf.model",
            "model is immutable; create another TrainingRun",
            ".model",
        ),
    )

    model: Annotated[ObjectName, Field(description="The Model in the same namespace.")]
    trigger: Annotated[
        Literal["initial", "recipe", "request", "hand"],
        Field(
            default="hand",
            description="Why: first version, changed recipe, a person's request on the Model, "
            "or created by hand (an experiment: registered, never shipped by itself).",
        ),
    ]
    suspend: Annotated[
        bool,
        Field(default=False, description="True: stop the Jobs; false again: resume the study."),
    ]


class Progress(Status):
    """Where the trainer is."""

    stage: Annotated[str, Field(default="", max_length=32, description="Stage of the trainer.")]
    trial: Annotated[int, Field(default=0, description="Finished trials.")]
    trials: Annotated[int, Field(default=0, description="Trials in all.")]
    best: Annotated[float | None, Field(default=None, description="Best value so far.")]
    metric: Annotated[str, Field(default="", max_length=32, description="The metric of `best`.")]
    seconds_left: Annotated[float | None, Field(default=None, description="Estimate.")]


class TrainedVersion(Status):
    """What came out."""

    version: Annotated[str, Field(max_length=32, description="Semantic version.")]
    registry_version: Annotated[str, Field(max_length=32, description="Number in the registry.")]
    digest: Annotated[str, Field(max_length=71, description="SHA-256 over the artifact's files.")]
    metric: Annotated[str, Field(max_length=32, description="The metric.")]
    value: Annotated[float | None, Field(default=None, description="On the hold-out.")]


class TrainingRunStatus(Status):
    """What became of it."""

    phase: Annotated[str | None, Field(default=None, max_length=32, description="Where it stands.")]
    observed_generation: Annotated[
        int | None, Field(default=None, description="Generation of the spec acted on.")
    ]
    since: Annotated[Moment | None, Field(default=None, description="When the phase was entered.")]
    started_at: Annotated[Moment | None, Field(default=None, description="When it started.")]
    finished_at: Annotated[Moment | None, Field(default=None, description="When it ended.")]
    summary: Annotated[
        str | None,
        Field(default=None, max_length=256, description="Progress in one line, for kubectl get."),
    ]
    progress: Annotated[Progress | None, Field(default=None, description="Progress in numbers.")]
    mlflow_run_id: Annotated[
        str | None, Field(default=None, max_length=64, description="The run in MLflow.")
    ]
    config: Annotated[
        str | None,
        Field(
            default=None,
            max_length=32768,
            description="What the trainer was told, JSON; fixed when the run starts.",
        ),
    ]
    trained: Annotated[TrainedVersion | None, Field(default=None, description="The new version.")]
    result: Annotated[
        str | None,
        Field(default=None, max_length=4096, description="The trainer's result document, JSON."),
    ]
    reason: Annotated[str | None, Field(default=None, max_length=64, description="Why the phase.")]
    message: Annotated[Message | None, Field(default=None, description="The same for people.")]
    conditions: Conditions = ()


COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "Model", "type": "string", "jsonPath": ".spec.model"},
    {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
    {"name": "Progress", "type": "string", "jsonPath": ".status.summary"},
    {"name": "Version", "type": "string", "jsonPath": ".status.trained.version"},
    {"name": "Trigger", "type": "string", "jsonPath": ".spec.trigger", "priority": 1},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
)
