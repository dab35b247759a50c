"""What must hold on a real cluster beside the story: outages, and input that cannot work."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import yaml

from e2e.story import energy, installation
from e2e.story.objects import status_of
from e2e.story.rows import EXAMPLE, read_rows
from e2e.story.tell import Told
from e2e.story.waiting import wait_for

pytestmark = pytest.mark.e2e

OPERATOR = "app.kubernetes.io/component=operator"
Change = Callable[[dict[str, Any]], None]


def scale_operator(told: Told, replicas: int) -> None:
    kubectl, namespace = told.world.cluster.kubectl, f"--namespace={installation.NAMESPACE}"
    kubectl("scale", "deployment", namespace, f"--selector={OPERATOR}", f"--replicas={replicas}")
    phase = "delete" if replicas == 0 else "condition=Ready"
    if replicas:
        kubectl("rollout", "status", "deployment", namespace, f"--selector={OPERATOR}")
    kubectl("wait", "pod", namespace, f"--selector={OPERATOR}", f"--for={phase}", "--timeout=180s")


@pytest.fixture
def without_operator(told: Told) -> Iterator[Told]:
    scale_operator(told, 0)
    yield told
    scale_operator(told, 1)


def test_routes_survive_a_new_gateway_while_the_operator_is_away(without_operator: Told) -> None:
    world = without_operator.world
    namespace = f"--namespace={energy.NAMESPACE}"
    world.cluster.kubectl(
        "delete", "pod", namespace, "--selector=fairlead.dev/component=gateway", "--wait=true"
    )
    world.cluster.kubectl(
        "rollout", "status", "deployment/fairlead-gateway", namespace, "--timeout=180s"
    )
    row, *_ = read_rows(first=energy.ALL_ROWS, count=1)

    answer = energy.ask(world.expose_gateway(), row)

    assert answer["version"] == "1.0.1"


def missing_column(spec: dict[str, Any]) -> None:
    spec["data"]["target"] = "price_down"


def constant_target(spec: dict[str, Any]) -> None:
    spec["data"]["source"]["query"] = "select timestamp, period, 1 as price_up from half_hours"


def too_few_rows(spec: dict[str, Any]) -> None:
    spec["data"]["minRows"] = 1_000_000


def unparsable_time(spec: dict[str, Any]) -> None:
    spec["data"]["source"]["query"] = (
        "select 'noon' as timestamp, period, nsw_price, price_up from half_hours"
    )


def no_such_source(spec: dict[str, Any]) -> None:
    spec["data"]["source"]["uri"] = "postgresql://nowhere.energy:5432/market"
    del spec["data"]["source"]["credentials"]  # which may be sent to the market's database alone
    spec["training"]["retries"] = 0


def no_such_version(spec: dict[str, Any]) -> None:
    spec["version"] = "9.9.9"


@pytest.fixture
def apply(told: Told) -> Iterator[Callable[[str, Change], None]]:
    """Apply a Model like the example's, but for one change; it is deleted afterwards."""
    names: list[str] = []

    def apply_changed(name: str, change: Change) -> None:
        manifest = yaml.safe_load((EXAMPLE / "model.yaml").read_text())
        manifest["metadata"]["name"] = name
        change(manifest["spec"])
        names.append(name)
        told.world.cluster.kubectl("apply", "--filename=-", input=json.dumps(manifest))

    yield apply_changed
    for name in names:
        told.world.cluster.kubectl(
            "delete", "model", name, f"--namespace={energy.NAMESPACE}", check=False
        )


def ready(model: Mapping[str, Any]) -> Mapping[str, Any]:
    conditions = status_of(model).get("conditions") or []
    return next((entry for entry in conditions if entry["type"] == "Ready"), {})


@pytest.mark.parametrize(
    ("change", "reason", "named"),
    [
        pytest.param(missing_column, "ColumnMissing", "price_down", id="no such column"),
        pytest.param(constant_target, "TargetConstant", "price_up", id="a constant target"),
        pytest.param(too_few_rows, "TooFewRows", "minRows", id="too few rows"),
        pytest.param(unparsable_time, "TimestampInvalid", "timestamp", id="a time without a date"),
        pytest.param(no_such_source, "Training", "waiting for postgresql://", id="no source"),
        pytest.param(no_such_version, "VersionBlocked", "9.9.9", id="no such version"),
    ],
)
def test_input_that_cannot_work_is_told_in_a_condition(
    told: Told, apply: Callable[[str, Change], None], change: Change, reason: str, named: str
) -> None:
    """The reason is of the documented list, and the message names the thing.

    A source that may come up yet is waited for, and that is told.
    """
    name = f"broken-{change.__name__.replace('_', '-')}"
    apply(name, change)

    model = wait_for(
        f"Model {name} to say {reason}",
        lambda: told.world.objects.model(name),
        lambda seen: ready(seen).get("reason") == reason and named in ready(seen)["message"],
        describe=lambda seen: str(ready(seen)),
        say=told.world.say,
        timeout=240,
    )

    assert ready(model)["status"] == "False"
