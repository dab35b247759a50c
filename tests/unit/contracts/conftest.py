"""An import that is quiet; see ``support.quiet_mlflow``."""

from support import quiet_mlflow

__all__ = ["quiet_mlflow"]
