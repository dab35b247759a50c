"""What a shell and kubectl are told to complete."""

from pathlib import Path

import pytest

from fairlead_operator.command.completion import SHELLS, answer_kubectl, write_script
from fairlead_operator.command.main import fairlead


@pytest.mark.parametrize(
    ("words", "told", "ends"),
    [
        pytest.param(["pro"], {"promote"}, ":4", id="a command"),
        pytest.param(["re"], {"resume", "retry", "retrain"}, ":4", id="several commands"),
        pytest.param(["completion", ""], set(SHELLS), ":4", id="a choice"),
        pytest.param(["status", "-o", "y"], {"yaml"}, ":4", id="an output"),
        pytest.param(["promote", "--un"], {"--unmeasured"}, ":4", id="an option"),
        pytest.param(["status", "--kubeconfig", "x"], set(), ":0", id="a file is for the shell"),
        pytest.param(["nothing", ""], set(), ":4", id="no such command"),
    ],
)
def test_kubectl_is_answered_in_its_form(words: list[str], told: set[str], ends: str) -> None:
    *lines, last = answer_kubectl(fairlead, words).splitlines()

    assert {line.partition("\t")[0] for line in lines} >= told
    assert bool(lines) == bool(told) or words[0] == "nothing"
    assert last == ends


def test_a_cluster_that_is_not_there_completes_no_model_and_says_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["status", "--kubeconfig", str(tmp_path / "none"), ""]

    assert answer_kubectl(fairlead, words) == ":4\n"
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_asks_by_the_variable_that_the_command_reads(shell: str) -> None:
    script = write_script(fairlead, shell)

    assert f"_FAIRLEAD_COMPLETE={shell}_complete" in script
