"""The report's shape, and its reading for people."""

import json
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from e2e.story.answers import Requests
from e2e.story.measured import Promoted, Rollback, Trained
from e2e.story.report import Report, build_report, write_report
from e2e.story.summary import to_text, where_to_look

TRAINED = Trained(version="1.0.0", metric="roc_auc", value=0.81, trials=24, seconds=30.0)
PROMOTED = Promoted(
    version="1.0.1",
    metric="roc_auc",
    value=0.83,
    trials=24,
    seconds=40.0,
    champion_value=0.75,
    gain=0.08,
    gain_low=0.05,
    gain_high=0.11,
    rollout_seconds=35.0,
)
ROLLBACK = Rollback(
    version="1.1.0",
    trigger="analysis",
    reason="AnalysisFailed",
    detection_seconds=4.2,
    reaction_seconds=0.35,
    candidate_requests=31,
    candidate_errors=9,
)


def report(**changes: Any) -> Report:
    parts: dict[str, Any] = {
        "trained": TRAINED,
        "promoted": PROMOTED,
        "rollbacks": [ROLLBACK] * 3,
        "requests": Requests(total=4000, failed_not_from_bad_version=0, failed_by_bad_version=9),
        "seconds": {"cluster": 9.0, "images": 5.0, "install": 7.0, "story": 180.0},
        "memory_mib": {"operator": 70.0, "gateway": 90.0, "serving": 200.0, "mlflow": 480.0},
    }
    return build_report(**parts | changes)


def test_a_whole_report_has_the_issues_keys() -> None:
    assert list(report()) == [
        "trained", "promoted", "rollbacks", "requests", "seconds", "memory_mib",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"rollbacks": [ROLLBACK] * 2}, id="a rollback is missing"),
        pytest.param({"seconds": {"story": 180.0}}, id="a stage was not timed"),
        pytest.param({"memory_mib": {"operator": 70.0}}, id="a component was not measured"),
    ],
)
def test_a_report_with_a_gap_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        report(**changes)


def test_it_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "build" / "demo-report.json"

    write_report(report(), path)

    assert json.loads(path.read_text()) == report()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_the_table_lines_up() -> None:
    text = to_text(report())

    assert "1.1.0       analysis  AnalysisFailed  4.2 s       0.35 s      31        9" in text
    assert "4000 in all, 9 failed by a bad version, 0 by anything else" in text


def test_the_last_lines_can_be_typed() -> None:
    text = where_to_look(
        kubeconfig=Path("/state/kubeconfig"),
        kubectl=Path("/bin/kubectl"),
        fairlead=Path(".venv/bin/fairlead"),
        gateway_url="http://127.0.0.1:18080",
        mlflow_url="http://127.0.0.1:15000",
        prometheus_url="http://127.0.0.1:19090",
        row={"period": 0.5},
    )

    assert "export KUBECONFIG=/state/kubeconfig" in text
    assert "  .venv/bin/fairlead status nsw-price --namespace energy" in text
    assert "  /bin/kubectl get models,trainingruns,rollouts --namespace energy" in text
    assert "/bin/kubectl get secret fairlead-mlflow-admin --namespace fairlead-system" in text


def test_the_last_line_is_a_prediction_to_paste() -> None:
    text = where_to_look(
        kubeconfig=Path("/state/kubeconfig"),
        kubectl=Path("/bin/kubectl"),
        fairlead=Path(".venv/bin/fairlead"),
        gateway_url="http://127.0.0.1:18080",
        mlflow_url="http://127.0.0.1:15000",
        prometheus_url="http://127.0.0.1:19090",
        row={"period": 0.5},
    )
    program, url, *options = shlex.split(text.splitlines()[-1])

    assert (program, url) == ("curl", "http://127.0.0.1:18080/predict")
    assert options == [
        *("-H", "Host: nsw-price.energy"),
        *("-H", "Content-Type: application/json"),
        *("--data", '{"instances": [{"period": 0.5}]}'),
    ]
