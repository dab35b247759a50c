"""A desk from which tests start trainings, against servers that are real."""

import dataclasses
import gzip
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import psycopg
from mlflow import MlflowClient

from fairlead_training.__main__ import main
from support.postgres import Postgres
from support.trainer_config import config_document

REPO = Path(__file__).parents[2]
PRICES = REPO / "examples" / "nsw-price" / "nsw-electricity.csv.gz"
TABLE = """CREATE TABLE prices (
    "timestamp" timestamptz, period real, nsw_price real, nsw_demand real,
    vic_price real, vic_demand real, transfer real, price_up int)"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything a trainer is given, with the words to start one."""

    folder: Path
    mlflow: str
    variables: dict[str, str]
    market: str  # address without credentials
    model: str

    def config(self, **changes: Any) -> dict[str, Any]:
        """Build a config of a new run; ``data__query="…"`` changes a field within a section."""
        name = f"run-{secrets.token_hex(3)}"
        defaults: dict[str, Any] = {
            "model": self.model,
            "trainingRun": name,
            "trainingRunUid": f"uid-{name}",
            "registeredModel": f"energy.{self.model}",
            "experiment": f"energy/{self.model}",
            "mlflowRunId": self._start_run(),
            "data__uri": self.market,
            "data__query": 'SELECT * FROM prices ORDER BY "timestamp" LIMIT 2000',
            "data__target": "price_up",
            "search__trials": 4,
            "validation__folds": 2,
        }
        return config_document(**(defaults | changes))

    def run(self, stage: str, config: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Run a stage in this process; the exit code and the result document."""
        log = self.folder / "termination-log"
        log.unlink(missing_ok=True)
        code = main([stage, "--config", json.dumps(config)])
        message = log.read_bytes()
        assert len(message) <= 4096
        return code, json.loads(message)

    def train(self, config: dict[str, Any]) -> dict[str, Any]:
        """Run both stages; the result of a training that succeeds."""
        assert self.run("search", config) == (0, {"outcome": "Succeeded", "stage": "search"})
        code, result = self.run("finish", config)
        assert code == 0, result
        return result

    def start(self, stage: str, config: dict[str, Any], index: int) -> "subprocess.Popen[bytes]":
        """Start a stage as a process of its own."""
        variables = {
            **self.variables,
            "JOB_COMPLETION_INDEX": str(index),
            "FAIRLEAD_TERMINATION_LOG": str(self.folder / f"log-{index}"),
        }
        command = [sys.executable, "-m", "fairlead_training", stage]
        return subprocess.Popen(
            [*command, "--config", json.dumps(config)],
            env={**os.environ, **variables},
            cwd=self.folder,
        )

    def ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call MLflow's REST API once."""
        request = urllib.request.Request(
            f"{self.mlflow}/api/2.0/mlflow/{path}",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            answer: dict[str, Any] = json.load(response)
        return answer

    def run_tags(self, config: dict[str, Any]) -> dict[str, str]:
        run = self.ask(f"runs/get?run_id={config['mlflowRunId']}")["run"]
        return {tag["key"]: tag["value"] for tag in run["data"].get("tags", [])}

    def version_tags(self, registry_version: str) -> dict[str, str]:
        query = f"name=energy.{self.model}&version={registry_version}"
        found = self.ask(f"model-versions/get?{query}")["model_version"]
        return {tag["key"]: tag["value"] for tag in found.get("tags", [])}

    def artifact(self, config: dict[str, Any], name: str) -> Any:
        """Read a JSON document of a training's run."""
        path = MlflowClient(self.mlflow).download_artifacts(
            config["mlflowRunId"], name, str(self.folder)
        )
        return json.loads(Path(path).read_text())

    def _start_run(self) -> str:
        now = int(time.time() * 1000)
        answer = self.ask("runs/create", {"experiment_id": "0", "start_time": now})
        return str(answer["run"]["info"]["run_id"])


def load_prices(server: Postgres, rows: int) -> str:
    """Create a database of the first half hours of the NSW market; return its name."""
    database = server.create_database("market")
    lines = gzip.decompress(PRICES.read_bytes()).splitlines(keepends=True)[: rows + 1]
    with psycopg.connect(server.uri(database)) as connection:
        connection.execute(TABLE)
        with connection.cursor().copy("COPY prices FROM STDIN (FORMAT csv, HEADER)") as copy:
            copy.write(b"".join(lines))
    return database
