"""Tags in MLflow: of registered versions, and of the runs they came from."""

from typing import Final

# Of a registered version.
VERSION: Final = "fairlead.version"  # semantic; MLflow's own number is the registry version
DIGEST: Final = "fairlead.digest"  # of the artifact's files, see `digest`
RECIPE: Final = "fairlead.recipe"  # digest of everything in the spec that shapes the model
SIGNATURE: Final = "fairlead.signature"  # digest of inputs and outputs
DATA: Final = "fairlead.data"  # JSON
RESULT: Final = "fairlead.result"  # JSON

# Of a version and of a run: the uid of the TrainingRun.
TRAINING_RUN: Final = "fairlead.training_run"

# Of a run.
OPERATOR: Final = "fairlead.operator"  # uid of the Lease of who began it, and has yet to tidy up
PROGRESS: Final = "fairlead.progress"  # JSON
