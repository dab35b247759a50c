"""What the command answers without a cluster."""

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from fairlead_operator.command.main import fairlead

PROJECT = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text())["project"]


def test_it_says_its_version() -> None:
    said = CliRunner().invoke(fairlead, ["--version"])

    assert said.output == f"fairlead {PROJECT['version']}\n"


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_what_is_watched_is_no_document(output: str, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        "{current-context: a, contexts: [{name: a, context: {cluster: a, user: a}}],"
        " clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}],"
        " users: [{name: a, user: {}}]}"
    )
    asked = ["status", "m", "--watch", "-o", output, "--kubeconfig", str(kubeconfig)]

    said = CliRunner().invoke(fairlead, asked)

    assert said.exit_code == 2
    assert "kubectl get --watch" in said.output
