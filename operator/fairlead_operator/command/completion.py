"""Completion of the command in a shell, and of ``kubectl fairlead`` by kubectl's own."""

import contextlib
import sys
from typing import Final

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

from fairlead_operator.command.cluster import Cluster
from fairlead_operator.command.failures import CommandError

SHELLS: Final = ("bash", "zsh", "fish")
VARIABLE: Final = "_FAIRLEAD_COMPLETE"  # by which a shell's script asks for the next word
# What kubectl does after the words that it was told.
_FILES_AS_WELL: Final = ":0"
_NOTHING_MORE: Final = ":4"


def complete_models(
    context: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the names of the namespace's Models that begin so; none when it does not answer."""
    chosen = context.params
    with contextlib.suppress(CommandError):
        cluster = Cluster.connect(
            kubeconfig=chosen.get("kubeconfig"),
            context=chosen.get("context"),
            namespace=chosen.get("namespace"),
        )
        names = [model["metadata"]["name"] for model in cluster.models()]
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return []


def write_script(command: click.Command, shell: str) -> str:
    """Return the script that a shell must read."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    return kind(command, {}, "fairlead", VARIABLE).source()


def answer_kubectl(command: click.Command, words: list[str]) -> str:
    """Return what may stand for the last word, one a line, and what kubectl does then."""
    *before, incomplete = words or [""]
    asked = ShellComplete(command, {}, "fairlead", VARIABLE)
    items = asked.get_completions(before, incomplete)
    lines = [f"{item.value}\t{item.help or ''}".rstrip() for item in items if item.type == "plain"]
    ends = _NOTHING_MORE if len(lines) == len(items) else _FILES_AS_WELL
    return "\n".join([*lines, ends]) + "\n"


def main() -> None:
    """Run the script ``kubectl_complete-fairlead``, which kubectl looks for beside the plugin."""
    from fairlead_operator.command.main import fairlead  # noqa: PLC0415 - it imports this module

    sys.stdout.write(answer_kubectl(fairlead, sys.argv[1:]))
