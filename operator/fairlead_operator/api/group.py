"""Group, version, labels and names that the cluster sees; those that others read, by reference."""

from typing import Final

from fairlead_contract import cluster

GROUP: Final = "fairlead.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
FIELD_MANAGER: Final = "fairlead"
REPLICAS_MANAGER: Final = "fairlead-replicas"  # so that leaving replicas out resets nothing

LABEL_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "fairlead"
LABEL_COMPONENT: Final = cluster.LABEL_COMPONENT
LABEL_MODEL: Final = cluster.LABEL_MODEL
LABEL_VERSION: Final = f"{GROUP}/version"
LABEL_TRAINING_RUN: Final = f"{GROUP}/training-run"
LABEL_STAGE: Final = f"{GROUP}/stage"

# Beside the requests of people (``requests.Action``).
ANNOTATION_ALERT: Final = f"{GROUP}/alert"  # of Alertmanager, through the webhook
ANNOTATION_REQUEST: Final = f"{GROUP}/request"  # who made a Rollout by hand, when and why

# Of a TrainingRun that a Model started: digest of what it was told (``api.recipe``).  Builds after
# 0.1.0 wrote another digest as ``task``, which changed with an upgrade; it is read no more.
ANNOTATION_TOLD: Final = f"{GROUP}/told"
# Of a child: what we last applied, so that the same is not sent again.
ANNOTATION_APPLIED: Final = f"{GROUP}/applied"
# Set by us on a Deployment: the kind that scales it.
ANNOTATION_AUTOSCALER: Final = f"{GROUP}/autoscaler"
# Set by us on a Deployment: the form of its version's artifact, by which it got its image.
ANNOTATION_FORM: Final = f"{GROUP}/form"
# Set by us on a Deployment: digests of what the spec asks for, and of the pods it was made into.
ANNOTATION_ASKED: Final = f"{GROUP}/asked"
ANNOTATION_BUILT: Final = f"{GROUP}/built"
# Set by us on a Deployment or Job whose pods were refused: when we had them tried again.
ANNOTATION_TRIED: Final = f"{GROUP}/tried"
# Of the gateway's pods: the uid of the ServiceAccount that their token is of.
ANNOTATION_ACCOUNT: Final = f"{GROUP}/service-account"
# Of a Secret with a login: since when its password, and the one that is to follow it, are there.
ANNOTATION_MADE: Final = f"{GROUP}/password-made"
ANNOTATION_NEXT_MADE: Final = f"{GROUP}/next-password-made"

GATEWAY_NAME: Final = cluster.GATEWAY
DATABASE_SECRET: Final = "fairlead-database"  # noqa: S105  the name of a Secret, not its content


def name_registered_model(namespace: str, model: str) -> str:
    """Return the name under which a Model's versions are registered in MLflow."""
    return f"{namespace}.{model}"
