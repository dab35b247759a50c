"""The alerts, on series made up second by second; promtool is Prometheus's own."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from images.prometheus import promtool_path
from support.chart.rendering import LOCAL_VALUES, Manifest, find, render

CASES = Path(__file__).with_name("rules_test.yaml")
BUNDLED = "bundled.enabled=true"


def promtool(*arguments: str) -> None:
    tool = promtool_path()
    assert tool, "no promtool: run `python3 -m images promtool`, or install Prometheus"
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def rules_text(manifests: list[Manifest]) -> str:
    text = find(manifests, "ConfigMap", "fairlead-prometheus")["data"]["rules.yml"]
    assert isinstance(text, str)
    return text


def alerts(text: str) -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(text)["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def test_the_alerts_fire_when_they_should_and_only_then(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(rules_text(render(BUNDLED)))
    shutil.copy(CASES, tmp_path)

    promtool("test", "rules", str(tmp_path / CASES.name))


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param((), id="defaults"),
        pytest.param(("rules.slow.quantile=0.99", "rules.errors.ratio=0"), id="other thresholds"),
    ],
)
def test_promtool_takes_the_rules(settings: tuple[str, ...], tmp_path: Path) -> None:
    text = rules_text(render(*settings, files=[LOCAL_VALUES]))
    file = tmp_path / "rules.yml"
    file.write_text(text)

    promtool("check", "rules", str(file))
    assert "${" not in text


def test_thresholds_are_values() -> None:
    by_name = alerts(
        rules_text(
            render(
                BUNDLED,
                *('rules.window="1m"', "rules.minRequests=7", 'rules.errors.for="3s"'),
                *("rules.slow.milliseconds=250", "rules.errors.ratio=0.2"),
            )
        )
    )

    assert "> 250\n" in by_name["FairleadVersionSlow"]["expr"]
    assert ">= 7" in by_name["FairleadVersionSlow"]["expr"]
    assert "> 0.2\n" in by_name["FairleadVersionErrors"]["expr"]
    assert by_name["FairleadVersionErrors"]["for"] == "3s"


@pytest.mark.parametrize(
    ("switch", "alert"),
    [
        ("slow", "FairleadVersionSlow"),
        ("errors", "FairleadVersionErrors"),
        ("noEndpoints", "FairleadNoEndpoints"),
        ("operatorDown", "FairleadOperatorDown"),
        ("rolloutPaused", "FairleadRolloutPaused"),
    ],
)
def test_each_alert_has_a_switch(switch: str, alert: str) -> None:
    everything = set(alerts(rules_text(render(BUNDLED))))

    without = set(alerts(rules_text(render(BUNDLED, f"rules.{switch}.enabled=false"))))

    assert everything - without == {alert}


def test_a_rollback_names_the_version() -> None:
    """The operator takes an alert for its own by these labels."""
    for rule in alerts(rules_text(render(BUNDLED))).values():
        if rule["labels"]["fairlead_action"] == "rollback":
            assert "fairlead:version_" in rule["expr"]  # the recorded ones have all three


def test_the_prometheus_operator_gets_the_same_rules() -> None:
    bundled = yaml.safe_load(rules_text(render(BUNDLED)))

    manifests = render(
        BUNDLED, "prometheusOperator.rules=true", 'prometheusOperator.labels={"release":"p"}'
    )

    rule = find(manifests, "PrometheusRule", "fairlead")
    assert rule["spec"] == bundled
    assert rule["metadata"]["labels"]["release"] == "p"


def test_its_monitors_scrape_what_the_bundled_prometheus_does() -> None:
    manifests = render(BUNDLED, "prometheusOperator.monitors=true")

    gateway = find(manifests, "PodMonitor", "fairlead-gateway")["spec"]
    server = find(manifests, "PodMonitor", "fairlead-server")["spec"]
    operator = find(manifests, "ServiceMonitor", "fairlead-operator")["spec"]
    assert gateway["podMetricsEndpoints"][0]["port"] == "metrics"
    assert server["podMetricsEndpoints"][0]["port"] == "http"
    service = find(manifests, "Service", "fairlead-operator")
    selected = operator["selector"]["matchLabels"].items()
    assert selected <= service["metadata"]["labels"].items()
