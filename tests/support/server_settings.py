"""Settings of a model server in the test's own process; each test names only what differs."""

import dataclasses
from datetime import timedelta
from typing import Any, Final

from fairlead_contract.mlflow import Access
from fairlead_serving.server.settings import RecordSettings, Settings
from fairlead_serving.server.signature import Task

_SETTINGS: Final = Settings(
    namespace="energy",
    model="nsw-price",
    version="1.1.0",
    registered_model="energy.nsw-price",
    registry_version="4",
    digest="sha256:abc",
    mlflow=Access(address="http://mlflow"),
    request_timeout=timedelta(seconds=60),
    host="127.0.0.1",
    port=3000,
)


def server_settings(**changes: Any) -> Settings:
    """Build the settings of a server of nsw-price 1.1.0."""
    return dataclasses.replace(_SETTINGS, **changes)


def record_settings(url: str, **changes: Any) -> RecordSettings:
    """Build the settings of a record in this database, which keeps every prediction."""
    kept = RecordSettings(url=url, task=Task.BINARY, sample=1.0, feedback_token="")
    return dataclasses.replace(kept, **changes)
