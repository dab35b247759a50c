"""Rows as a source gives them, and a training that reads them."""

import json
from typing import Any

import numpy as np
import pandas as pd

from fairlead_training import data
from fairlead_training.config import TrainingConfig, parse_config
from fairlead_training.data import Table
from fairlead_training.prepared import refusing
from support.trainer_config import config_document


def config(**changes: Any) -> TrainingConfig:
    """Build the config of a training on rows of a query, of which a message may show all."""
    source = {"data__uri": "postgresql://market/prices", "data__query": "SELECT 1"}
    return parse_config(json.dumps(config_document(**(source | changes))))


def check(rows: pd.DataFrame, told: TrainingConfig) -> Table:
    return data.check(rows, told, refused_in_names="[]<", find_suspicious=refusing(told))


def frame(rows: int = 30, **columns: Any) -> pd.DataFrame:
    """Half-hourly rows with a target that alternates; a test names the columns that differ."""
    content = {
        "timestamp": pd.date_range("2026-01-01", periods=rows, freq="30min", tz="UTC"),
        "demand": np.arange(rows) / 10,
        "up": np.arange(rows) % 2,
    }
    return pd.DataFrame(content | columns)
