"""The examples' four tables on the real cluster: checked, trained side by side, asked by name.

They need the installation alone, not what the story did on it.
"""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest
import yaml

from e2e.story import energy
from e2e.story.installation import REPOSITORY, Installation, purge_record
from e2e.story.narrator import Narrator
from e2e.story.objects import Objects, status_of
from e2e.story.waiting import wait_for
from e2e.story.world import FAIRLEAD

pytestmark = pytest.mark.e2e

TABLES: Final = REPOSITORY / "examples" / "tables"
NAMESPACE: Final = "tables"
SPACE: Final = f"--namespace={NAMESPACE}"
LOCAL_PORT: Final = 18084
# Four trainings share a small node.
SMALL: Final = {"requests": {"cpu": "20m", "memory": "160Mi"}, "limits": {"memory": "1Gi"}}

TUMOR: Final = {
    "radius": 17.99, "texture": 10.38, "perimeter": 122.8, "area": 1001.0, "smoothness": 0.1184,
    "compactness": 0.2776, "concavity": 0.3001, "concave_points": 0.1471, "symmetry": 0.2419,
    "fractal_dimension": 0.07871,
}  # fmt: skip
WINE: Final = {
    "alcohol": 14.23, "malic_acid": 1.71, "ash": 2.43, "alcalinity_of_ash": 15.6,
    "magnesium": 127.0, "total_phenols": 2.8, "flavanoids": 3.06, "nonflavanoid_phenols": 0.28,
    "proanthocyanins": 2.29, "color_intensity": 5.64, "hue": 1.04, "od280_od315": 3.92,
    "proline": 1065.0,
}  # fmt: skip
HALF_HOUR: Final = {
    "period": 0.5, "nsw_demand": 0.6, "vic_demand": 0.5, "vic_price": 0.003, "transfer": 0.4,
}  # fmt: skip
MOMENT: Final = {
    "period": 0.5, "demand": 0.6, "vic_demand": 0.5, "demand_half_an_hour_before": 0.59,
    "demand_a_day_before_then": 0.58,
}  # fmt: skip


def is_labelled(label: str, *names: str) -> Callable[[Any], bool]:
    """Tell whether an answer has this label, and a probability for each of the names."""
    return lambda answer: answer["label"] == label and set(answer["probabilities"]) == {*names}


# A row for each Model, and what its answer must be.
ASKED: Final[Mapping[str, tuple[Mapping[str, float], Callable[[Any], bool]]]] = {
    "tumors": (TUMOR, is_labelled("yes", "no", "yes")),
    "wines": (WINE, is_labelled("barolo", "barolo", "grignolino", "barbera")),
    "prices": (HALF_HOUR, lambda answer: 0 < answer < 0.3),
    "demand": (MOMENT, lambda answer: 0.4 < answer < 0.8),
}


@pytest.fixture(name="objects", scope="module")
def _objects(installed: Installation, say: Narrator) -> Iterator[Objects]:
    """The namespace with its tables full and its Models applied."""
    cluster = installed.cluster
    cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=180s")
    purge_record(cluster, NAMESPACE)  # or the Models would take up what an earlier run trained
    try:
        cluster.kubectl("apply", f"--filename={TABLES / '00-namespace.yaml'}")
        database = yaml.safe_load_all((TABLES / "tables-db.yaml").read_text())
        image = installed.images.get("postgres")
        manifest = yaml.safe_dump_all(energy.with_image(item, image) for item in database)
        cluster.kubectl("apply", "--filename=-", input=manifest)
        cluster.kubectl("rollout", "status", "deployment/tables-db", SPACE, "--timeout=240s")
        for table in ("tumors", "wines", "half_hours"):
            say(f"copying {table}")
            cluster.kubectl(
                "exec", "--stdin", SPACE, "deployment/tables-db", "--",
                "psql", "--username=owner", "--dbname=tables", "--quiet",
                f"--command=copy {table} from stdin (format csv)",
                input=rows(table),
            )  # fmt: skip
        for name in ASKED:
            cluster.kubectl("apply", "--filename=-", input=json.dumps(model(name)))
        yield Objects(cluster.kubeconfig, NAMESPACE)
    finally:
        cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


def rows(table: str) -> str:
    command = [sys.executable, str(TABLES / "rows.py"), table]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def model(name: str) -> dict[str, Any]:
    """Read the example's Model, with few trials in little room."""
    manifest: dict[str, Any] = yaml.safe_load((TABLES / f"{name}.yaml").read_text())
    training = manifest["spec"]["training"]
    training["search"] |= {"trials": 2, "timeout": "5m"}
    training["resources"] = SMALL
    return manifest


def phases(objects: Objects) -> dict[str, str]:
    return {name: str(status_of(objects.model(name)).get("phase", "")) for name in ASKED}


def test_the_data_is_checked_while_the_model_trains(
    objects: Objects, installed: Installation
) -> None:
    before = status_of(objects.model("wines")).get("trainingNumber")

    done = subprocess.run(
        [FAIRLEAD, "check-data", "wines", SPACE, "--output=json", "--timeout=240",
         f"--kubeconfig={installed.cluster.kubeconfig}"],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    left = installed.cluster.kubectl("get", "trainingruns", SPACE, "--output=name").stdout

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["usable"]
    assert (report["rows"], report["columnCount"]) == (178, 14)
    assert report["columns"][0]["values"] == "barbera: 48, barolo: 59, grignolino: 71"
    assert "check" not in left
    assert status_of(objects.model("wines")).get("trainingNumber") in {before, 1}


def test_every_table_is_learned_from_and_answers_in_its_own_words(
    objects: Objects, installed: Installation, say: Narrator
) -> None:
    wait_for(
        "every Model to serve",
        lambda: phases(objects),
        lambda now: set(now.values()) == {"Serving"},
        describe=lambda now: ", ".join(f"{name} {phase}" for name, phase in now.items()),
        say=say,
        timeout=420,
    )
    url = installed.cluster.expose(
        namespace=NAMESPACE, service="tumors", port=80, local_port=LOCAL_PORT
    )
    answers = {
        name: wait_for(
            f"{name} to answer",
            lambda name=name, row=row: ask(url, f"{name}.{NAMESPACE}", row),  # type: ignore[misc]
            bool,
            describe=lambda answer: "" if answer else "no answer",
            say=say,
            timeout=60,
        )
        for name, (row, _) in ASKED.items()
    }

    for name, (_, is_right) in ASKED.items():
        (prediction,) = answers[name]["predictions"]
        assert is_right(prediction), (name, prediction)


def ask(url: str, host: str, row: Mapping[str, float]) -> dict[str, Any]:
    """Have a row predicted through the gateway; empty while nobody answers."""
    request = urllib.request.Request(
        f"{url}/predict",
        data=json.dumps({"instances": [row]}).encode(),
        headers={"Content-Type": "application/json", "Host": host},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return dict(json.load(answer))
    except OSError:  # also an answer of another status
        return {}
