"""What the serving tests share: a real tracking server."""

from support.mlflow_server import mlflow_server

__all__ = ["mlflow_server"]
