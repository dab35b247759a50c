"""The report for a person, and where to look now.  Pure."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from e2e.story import energy, installation
from e2e.story.report import Report
from e2e.story.signed_in import ADMINISTRATOR, SECRET

_PASSWORD = (
    f"--namespace {installation.NAMESPACE} "
    """--output go-template='{{index .data "admin-password" | base64decode}}'"""
)


def to_text(report: Report) -> str:
    """Write a compact table of what was measured."""
    return "\n".join(
        [
            _trained(report["trained"]),
            _promoted(report["promoted"]),
            "",
            *_table(report["rollbacks"]),
            "",
            _requests(report["requests"]),
            f"seconds    {_pairs(report['seconds'])}",
            f"MiB        {_pairs(report['memory_mib'])}",
        ]
    )


def where_to_look(
    *,
    kubeconfig: Path,
    kubectl: Path,
    fairlead: Path,
    gateway_url: str,
    mlflow_url: str,
    prometheus_url: str,
    row: Mapping[str, Any],
) -> str:
    """Say how to look at everything that is left running."""
    body = json.dumps({"instances": [row]})
    address = f"{gateway_url}/predict -H 'Host: {energy.HOST}'"
    return "\n".join(
        [
            "everything keeps running; try:",
            f"  export KUBECONFIG={kubeconfig}",
            f"  {fairlead} status {energy.MODEL} --namespace {energy.NAMESPACE}",
            f"  {kubectl} get models,trainingruns,rollouts --namespace {energy.NAMESPACE}",
            f"  MLflow      {mlflow_url}  as user {ADMINISTRATOR}, whose password prints",
            f"              {kubectl} get secret {SECRET} {_PASSWORD}",
            f"  Prometheus  {prometheus_url}",
            "  make cluster-down    removes everything",
            "",
            "a prediction to paste:",
            f"  curl {address} -H 'Content-Type: application/json' --data '{body}'",
        ]
    )


def _trained(trained: Mapping[str, Any]) -> str:
    return (
        f"trained    {trained['version']}  {trained['metric']} {trained['value']:.4f}, "
        f"{trained['trials']} trials, {trained['seconds']:.0f} s"
    )


def _promoted(promoted: Mapping[str, Any]) -> str:
    return (
        f"promoted   {promoted['version']}  {promoted['metric']} {promoted['value']:.4f} against "
        f"{promoted['champion_value']:.4f} on the same rows, gain {promoted['gain']:+.4f} "
        f"({promoted['gain_low']:+.4f} to {promoted['gain_high']:+.4f}), "
        f"rollout {promoted['rollout_seconds']:.0f} s"
    )


def _requests(requests: Mapping[str, Any]) -> str:
    return (
        f"requests   {requests['total']} in all, {requests['failed_by_bad_version']} failed by a "
        f"bad version, {requests['failed_not_from_bad_version']} by anything else"
    )


def _table(rollbacks: Sequence[Mapping[str, Any]]) -> list[str]:
    heads = ("taken back", "trigger", "reason", "seen after", "zero after", "requests", "errors")
    rows = [
        (
            rollback["version"],
            rollback["trigger"],
            rollback["reason"],
            f"{rollback['detection_seconds']:.1f} s",
            f"{rollback['reaction_seconds']:.2f} s",
            str(rollback["candidate_requests"]),
            str(rollback["candidate_errors"]),
        )
        for rollback in rollbacks
    ]
    widths = [max(len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    ]


def _pairs(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.0f}" for name, value in values.items())
