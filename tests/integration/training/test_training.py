"""Trainings on real prices against a real PostgreSQL and a real MLflow."""

import gzip
import json
import signal
import time
from pathlib import Path

import psycopg
import pytest

from fairlead_training.artifact import digest_directory
from fairlead_training.database import lock_key
from support.mlflow_server import MlflowServer
from support.ports import free_port
from support.postgres import Postgres

from .conftest import PRICES, Desk  # noqa: TID252
