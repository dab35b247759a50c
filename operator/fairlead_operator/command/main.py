"""``fairlead``, also as ``kubectl fairlead``: show rollouts, and control them.

A shell: it reads the arguments, and turns failures into a line and an exit code.
"""

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Group
from rich.text import Text

from fairlead_operator.api.group import LABEL_TRAINING_RUN
from fairlead_operator.command.ask import LONGEST_WHY, Patience, ask, compose, confirm
from fairlead_operator.command.check_data import (
    Report,
    build_check,
    describe_report,
    draw_report,
    find_report,
    is_cut,
    is_usable,
    read_report,
    say_unusable,
)
from fairlead_operator.command.cluster import Cluster, Object
from fairlead_operator.command.completion import SHELLS, VARIABLE, complete_models, write_script
from fairlead_operator.command.describe import describe, draw_lineage
from fairlead_operator.command.documents import describe_models, describe_status, render
from fairlead_operator.command.draw import draw, draw_models
from fairlead_operator.command.export import export, split_target
from fairlead_operator.command.failures import CommandError, RefusedError
from fairlead_operator.command.forward import DEFAULT_NAMESPACE, forwarded
from fairlead_operator.command.going_back import (
    build_back,
    describe_pin,
    known_versions,
    plan_back,
)
from fairlead_operator.command.history import draw_history, fetch, to_csv
from fairlead_operator.command.output import Frame, follow, show
from fairlead_operator.command.refusals import refuse_for_model, refuse_for_rollout, status_of
from fairlead_operator.command.view import View, build_view
from fairlead_operator.command.waiting import Standing, judge, judge_check, wait
from fairlead_operator.requests import Action, Word

_HELP: Final = {
    Action.APPROVE: "Let a rollout that is waiting for approval continue.",
    Action.PAUSE: "Hold traffic where it is until you resume.",
    Action.RESUME: "Continue a rollout that was paused.",
    Action.ABORT: "Abort the rollout in flight and return to the stable version.",
    Action.PROMOTE: "Skip the remaining steps and give the candidate all traffic.",
    Action.RETRY: "Retry the version that was rolled back.",
    Action.RETRAIN: "Train a new version.",
}

_WORDS: Final = {
    Word.UNMEASURED: "Promote although no request of the candidate was measured.",
    Word.END_GUARD: "End the guard window, in which it can still go back, as well.",
}


def _cluster_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--namespace``, ``--context`` and ``--kubeconfig``, as kubectl has them."""

    @click.option("-n", "--namespace", help="Namespace; by default that of the context.")
    @click.option("--context", help="Kubeconfig context; by default the current one.")
    @click.option(
        "--kubeconfig",
        type=click.Path(path_type=Path),
        help="Kubeconfig file; by default $KUBECONFIG or ~/.kube/config.",
    )
    @functools.wraps(command)
    def connected(
        *, namespace: str | None, context: str | None, kubeconfig: Path | None, **rest: Any
    ) -> None:
        cluster = Cluster.connect(kubeconfig=kubeconfig, context=context, namespace=namespace)
        command(cluster, **rest)

    return connected


def _output_option(*more: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return what adds ``-o``: a table, or a document for scripts."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "yaml", *more]),
        default="table",
        show_default=True,
        help="Output format.",
    )


_model_argument = click.argument("model", shell_complete=complete_models)


def _request_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--why``, ``--no-wait`` and ``--timeout``."""

    @click.option("--why", default="", help="Reason for the request, recorded with your name.")
    @click.option(
        "--no-wait", is_flag=True, help="Send the request and do not wait for the answer."
    )
    @click.option(
        "--timeout",
        type=click.FloatRange(1, 3600),
        default=30.0,
        show_default=True,
        help="Longest wait for the answer, in seconds.",
    )
    @functools.wraps(command)
    def asking(*, why: str, no_wait: bool, timeout: float, **rest: Any) -> None:
        if len(why) > LONGEST_WHY:
            raise click.UsageError(f"--why has {len(why)} characters; use at most {LONGEST_WHY}")
        command(why=why, patience=None if no_wait else Patience(seconds=timeout), **rest)

    return asking


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fairlead-operator", message="fairlead %(version)s")
def fairlead() -> None:
    """Show Fairlead's rollouts, and control them.

    Exit codes: 0 done, or accepted; 1 refused, or not reached; 2 wrong usage; 3 the cluster did
    not answer, did not allow it, or does not have the object; 4 not in time.
    """


@fairlead.command()
@_model_argument
@click.option("-w", "--watch", is_flag=True, help="Refresh every second until Ctrl-C.")
@_output_option()
@_cluster_options
def status(cluster: Cluster, *, model: str, watch: bool, output: str) -> None:
    """Show a Model's versions, traffic, checks and requests.

    As json or yaml: the Model and its current Rollout, as the cluster has them.
    """
    if watch and output != "table":
        raise click.UsageError(
            "--watch goes with the table only; to follow the objects themselves, use "
            "kubectl get --watch"
        )
    if output != "table":
        click.echo(render(describe_status(*_read(cluster, model)), output), nl=False)
    elif watch:
        follow(_frames(cluster, model))
    else:
        show(_frame(_look(cluster, model)))


@fairlead.command(name="wait")
@_model_argument
@click.option(
    "--timeout",
    type=click.FloatRange(1, 7 * 86400),
    default=3600.0,
    show_default=True,
    help="Longest wait, in seconds.",
)
@_cluster_options
def wait_for(cluster: Cluster, *, model: str, timeout: float) -> None:
    """Wait until a Model has what was asked for: trained, compared, rolled out.

    For pipelines. Exit code 1: it does not come by itself, since the version was taken back, the
    training failed or the cluster refuses the change; 4: not in time, for example while a pause
    waits for a person.
    """

    def look() -> Standing:
        body, rollout = _read(cluster, model)
        training = status_of(body).get("trainingRun")
        trained = cluster.training_run(training) if training else None
        return judge(body, rollout=rollout, training=trained)

    click.echo(wait(look, seconds=timeout, say=click.echo))


@fairlead.command(name="check-data")
@_model_argument
@click.option(
    "--timeout",
    type=click.FloatRange(1, 86400),
    default=900.0,
    show_default=True,
    help="Longest wait for the check, in seconds.",
)
@click.option("--keep", is_flag=True, help="Leave the TrainingRun of the check in the cluster.")
@_output_option()
@_cluster_options
def check_data(cluster: Cluster, *, model: str, timeout: float, keep: bool, output: str) -> None:
    """Read and check a Model's data, and train nothing.

    Shows what would be learned from, or all that is wrong with it. Nothing of the Model changes:
    it may be suspended, or in training. Exit code 1: the data cannot be used; 4: not in time.
    """
    body = cluster.model(model)
    name = cluster.create(build_check(body))["metadata"]["name"]

    def look() -> Standing:
        return judge_check(_read_run(cluster, name))

    try:
        wait(look, seconds=timeout, say=lambda line: click.echo(f"{line} ({name})", err=True))
        run = _read_run(cluster, name)
        report = _complete(cluster, name, read_report(run))
    finally:
        if not keep:
            _remove(cluster, name)
    if output != "table":
        click.echo(render(describe_report(body, run, report), output), nl=False)
    else:
        show(lambda _: draw_report(report))
    if not is_usable(run):
        raise RefusedError(say_unusable(body, report))


def _read_run(cluster: Cluster, name: str) -> Object:
    run = cluster.training_run(name)
    if run is None:
        raise CommandError(f"TrainingRun {name} was deleted before it ended")
    return run


def _remove(cluster: Cluster, name: str) -> None:
    """Remove the check, with what still runs of it."""
    try:
        cluster.delete("TrainingRun", name)
    except CommandError as error:  # no reason to hide what was found
        click.echo(f"{name} is left: {error}", err=True)


def _complete(cluster: Cluster, name: str, report: Report) -> Report:
    """Read in the log what status had no room for, as far as one may."""
    if not is_cut(report):
        return report
    with contextlib.suppress(CommandError):
        for log in cluster.logs({LABEL_TRAINING_RUN: name}, "trainer"):
            return find_report(log) or report
    return report


@fairlead.command(name="list")
@click.option(
    "-A", "--all-namespaces", is_flag=True, help="Models of all namespaces, each with its own."
)
@_output_option()
@_cluster_options
def list_models(cluster: Cluster, *, all_namespaces: bool, output: str) -> None:
    """List the Models of a namespace, one per line."""
    models = cluster.models(everywhere=all_namespaces)
    if output != "table":
        click.echo(render(describe_models(models), output), nl=False)
    elif not models:
        where = "any namespace" if all_namespaces else f"namespace {cluster.namespace}"
        click.echo(f"there are no Models in {where}", err=True)
    else:
        show(lambda _: draw_models(models, namespaces=all_namespaces))


@fairlead.command()
@_model_argument
@_output_option("csv")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=100,
    show_default=True,
    help="Show at most this many entries.",
)
@click.option(
    "--operator-namespace",
    envvar="FAIRLEAD_OPERATOR_NAMESPACE",
    default=DEFAULT_NAMESPACE,
    show_default=True,
    help="Namespace of the operator.",
)
@_cluster_options
def history(
    cluster: Cluster, *, model: str, output: str, limit: int, operator_namespace: str
) -> None:
    """Show what was live when, who started it, and why it ended.

    Newest first. Requires permission to port-forward into the operator's namespace.
    """
    connect = forwarded(cluster, operator_namespace)
    entries = fetch(connect, cluster.namespace, model, limit)
    if output == "csv":
        click.echo(to_csv(entries), nl=False)
    elif output != "table":
        click.echo(render(list(entries), output), nl=False)
    elif not entries:
        click.echo(f"no history is recorded for {model} in namespace {cluster.namespace}", err=True)
    else:
        show(lambda width: draw_history(entries, width=width))


def _look(cluster: Cluster, name: str) -> View:
    model, rollout = _read(cluster, name)
    return build_view(model, rollout, now=datetime.now(UTC))


def _read(cluster: Cluster, name: str) -> tuple[Object, Object | None]:
    """Read the Model and its current Rollout."""
    model = cluster.model(name)
    current = status_of(model).get("rollout")
    return model, cluster.rollout(current) if current else None


def _frame(view: View, note: str = "") -> Frame:
    def frame(width: int) -> Group:
        return Group(draw(view, width=width), *([Text(note, "yellow")] if note else []))

    return frame


def _frames(cluster: Cluster, name: str) -> Iterator[Frame]:
    """Yield frames without end; repeat the last state while the cluster does not answer."""
    view = _look(cluster, name)
    while True:
        note = ""
        try:
            view = _look(cluster, name)
        except CommandError as error:
            note = str(error)
        yield _frame(view, note)


def _word_options(action: Action) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return what adds an option for each word that can be said besides."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for word, text in _WORDS.items() if action is Action.PROMOTE else ():
            command = click.option(word.value, word.field, is_flag=True, help=text)(command)
        return command

    return add


def _add_action(action: Action, *, of_model: bool) -> None:
    """Add the command for one action."""

    @fairlead.command(name=action.value, help=_HELP[action])
    @_model_argument
    @_word_options(action)
    @_request_options
    @_cluster_options
    def command(
        cluster: Cluster, *, model: str, why: str, patience: Patience | None, **said: bool
    ) -> None:
        words = [word for word in Word if said.get(word.field)]
        body, rollout = _read(cluster, model)
        refusal = (
            refuse_for_model(action, body)
            if of_model
            else refuse_for_rollout(action, body, rollout)
        )
        if refusal is not None:
            raise RefusedError(refusal)
        kind, name = ("Model", model) if of_model else ("Rollout", status_of(body)["rollout"])
        click.echo(ask(cluster, action, kind, name, why=why, words=words, patience=patience))


for _action in (Action.APPROVE, Action.PAUSE, Action.RESUME, Action.ABORT, Action.PROMOTE):
    _add_action(_action, of_model=False)
for _action in (Action.RETRY, Action.RETRAIN):
    _add_action(_action, of_model=True)


@fairlead.command()
@_model_argument
@click.option("--to", metavar="VERSION", help="Version to go back to; by default the previous one.")
@click.option(
    "--by-steps",
    is_flag=True,
    help="Follow the Model's own steps instead of moving all traffic at once.",
)
@_request_options
@_cluster_options
def rollback(
    cluster: Cluster,
    *,
    model: str,
    to: str | None,
    by_steps: bool,
    why: str,
    patience: Patience | None,
) -> None:
    """Take back the rollout in flight, or roll out an earlier version."""
    body, rollout = _read(cluster, model)
    rollouts = cluster.rollouts(model)
    back = plan_back(body, rollout, rollouts, to)
    if back.refusal is not None:
        raise RefusedError(back.refusal)
    if back.to is not None:
        if patience is None and back.to not in known_versions(body, rollouts):
            raise RefusedError(
                f"{model} has not served {back.to} yet, and without waiting nobody can tell "
                "whether it exists; leave --no-wait out"
            )
        request = compose(by=cluster.whoami(), at=datetime.now(UTC), why=why)
        made = cluster.create(build_back(body, back.to, request=request, by_steps=by_steps))
        if patience is not None:
            confirm(cluster, made, patience=patience)
        turn = f"once {back.abort} has ended" if back.abort else "now"
        click.echo(
            f"{made['metadata']['name']} created; it rolls out {back.to} {turn}; "
            f"follow it with: fairlead status {model} --watch"
        )
        if pin := describe_pin(body, back.to):
            click.echo(pin)
    if back.abort is not None:
        click.echo(ask(cluster, Action.ABORT, "Rollout", back.abort, why=why, patience=patience))


_target_argument = click.argument(
    "target", metavar="MODEL[@VERSION]", shell_complete=complete_models
)


@fairlead.command(name="describe")
@_target_argument
@_output_option()
@_cluster_options
def describe_version(cluster: Cluster, *, target: str, output: str) -> None:
    """Show where a version is from and what became of it: rows, training, gate, rollouts.

    Without VERSION: the one in charge.
    """
    name, version = split_target(target)
    model = cluster.model(name)
    lineage = describe(model, cluster.rollouts(name), cluster.training_runs(name), version)
    if output != "table":
        click.echo(render(lineage, output), nl=False)
    else:
        show(lambda _: draw_lineage(lineage))


@fairlead.command(name="export")
@_target_argument
@click.option(
    "-o",
    "--output",
    type=click.Choice(["yaml", "json"]),
    default="yaml",
    show_default=True,
    help="Output format.",
)
@_cluster_options
def export_manifest(cluster: Cluster, *, target: str, output: str) -> None:
    """Write a Model's manifest with a version pinned, and its artifact's digest, for Git.

    Without VERSION: the one in charge. Nothing in the cluster changes.
    """
    name, version = split_target(target)
    model = cluster.model(name)
    manifest = export(model, cluster.rollouts(name), cluster.training_runs(name), version)
    click.echo(render(manifest, output), nl=False)


@fairlead.command(name="lint")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@click.option(
    "-R", "--recursive", is_flag=True, help="Read the folders below a folder as well, as kubectl."
)
@_output_option()
def lint_files(*, files: tuple[str, ...], recursive: bool, output: str) -> None:
    """Check manifests as the API server would, without a cluster.

    FILE is a file, a folder, or - for standard input; other kinds are skipped. Exit code 0: no
    problem; 1: what the API server would refuse; 2: wrong usage, or what cannot be read.
    """
    # Its types and rules are loaded for this command alone: the others should answer at once.
    from fairlead_operator.command import lint  # noqa: PLC0415

    result = lint.lint(lint.read_texts(files, recursive=recursive))
    if not result.checked + result.skipped:
        raise click.UsageError(f"there is no manifest in {', '.join(files)}")
    if output != "table":
        click.echo(render(lint.describe_result(result), output), nl=False)
    else:
        for line in lint.to_lines(result):
            click.echo(line)
    if result.findings:
        raise RefusedError(lint.summarize(result))
    click.echo(lint.summarize(result), err=True)


@fairlead.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that completes commands, options and Models in a shell."""
    click.echo(write_script(fairlead, shell))


def main() -> None:
    """Run the console scripts."""
    program = Path(sys.argv[0]).name
    name = "kubectl fairlead" if program.startswith("kubectl-") else "fairlead"
    try:
        fairlead.main(prog_name=name, complete_var=VARIABLE, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except CommandError as error:
        click.echo(f"{name}: {error}", err=True)
        sys.exit(error.exit_code)
