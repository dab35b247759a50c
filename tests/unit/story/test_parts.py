"""Small pure parts: memory by component, chart values, the database's image, answers on disk."""

from pathlib import Path
from typing import Any

import yaml

from e2e.story.answers import Answer, to_line
from e2e.story.energy import with_image
from e2e.story.installation import describe_pods, image_values
from e2e.story.memory import by_component
from e2e.story.rows import EXAMPLE
from e2e.story.traffic import Traffic

MIB = 1024 * 1024


def pod(name: str, **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "n", "labels": labels}, "spec": {}}


def usage(name: str, *mebibytes: int) -> dict[str, Any]:
    containers = [{"memory": {"workingSetBytes": number * MIB}} for number in mebibytes]
    return {"podRef": {"name": name, "namespace": "n"}, "containers": containers}


def test_memory_is_the_largest_pods_of_each_component() -> None:
    pods = [
        pod("a", **{"fairlead.dev/component": "server"}),
        pod("b", **{"fairlead.dev/component": "server"}),
        pod("c", **{"app.kubernetes.io/component": "operator"}),
        pod("d"),
        pod("e", **{"fairlead.dev/component": "gateway"}),
    ]
    stats = [{"pods": [usage("a", 100), usage("b", 120, 30), usage("c", 70), usage("d", 1)]}]

    assert by_component(pods, stats) == {"operator": 70.0, "serving": 150.0}


def test_the_chart_is_told_each_image_under_its_own_name() -> None:
    images = {"serving": "localhost/serving:1", "postgres": "localhost/postgres:1"}

    assert image_values(images) == [
        "images.postgresql=localhost/postgres:1",
        "images.serving=localhost/serving:1",
    ]


def test_only_the_databases_image_is_replaced() -> None:
    documents = list(yaml.safe_load_all((EXAMPLE / "market-db.yaml").read_text()))

    replaced = [with_image(document, "localhost/postgres:1") for document in documents]

    assert replaced[:-1] == documents[:-1]
    (container,) = replaced[-1]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "localhost/postgres:1"
    assert [with_image(document, None) for document in documents] == documents


def test_a_line_in_the_writing_is_read_later(tmp_path: Path) -> None:
    traffic = Traffic(tmp_path)
    answer = Answer(sent=1.0, seconds=0.1, status=200, version="1.0.0", failure=None)
    line = to_line(answer) + "\n"
    file = tmp_path / "answers.jsonl"

    file.write_text(line + line[:10])
    assert traffic.answers() == [answer]
    file.write_text(line + line)
    assert traffic.answers() == [answer, answer]


def test_pods_that_are_waited_for_are_named() -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    pods = [pod("mlflow-1"), pod("operator-1") | {"status": ready}]

    assert describe_pods(pods) == "1 of 2 pods ready; waiting for mlflow-1"
