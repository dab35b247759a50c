"""``python -m e2e.story``: everything ``make demo`` does."""

import sys

from cluster.errors import ClusterError
from e2e.story import energy, installation
from e2e.story.errors import StoryError
from e2e.story.installation import Installation, alone, install
from e2e.story.narrator import Narrator
from e2e.story.rows import read_rows
from e2e.story.summary import to_text, where_to_look
from e2e.story.tell import BUILD, REPORT, Told, open_world, tell
from e2e.story.world import FAIRLEAD
from images.commands import BuildError

_FAILURE = BUILD / "demo-failure.txt"
_INTERRUPTED = 130


def main() -> int:
    """Install, tell, sum up; return the exit code."""
    say = Narrator()
    installed: Installation | None = None
    try:
        with alone():
            installed = install(say)
            told = tell(open_world(installed, say), installed)
    except (StoryError, ClusterError, BuildError) as error:
        sys.stderr.write(f"\ndemo: {error}\n")
        if installed is not None:
            sys.stderr.write(
                f"demo: the state of the cluster is saved in {_keep_state(installed)}\n"
            )
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(
            "\ndemo: interrupted; make demo starts again and keeps what is built, "
            "make cluster-down removes everything\n"
        )
        return _INTERRUPTED
    _sum_up(told, say)
    return 0


def _sum_up(told: Told, say: Narrator) -> None:
    world = told.world
    row, *_ = read_rows(first=energy.ALL_ROWS, count=1)
    say.chapter("summary")
    objects = world.cluster.kubectl(
        "get", "models,trainingruns,rollouts", f"--namespace={energy.NAMESPACE}"
    )
    say.block(objects.stdout)
    world.fairlead("history", energy.MODEL)
    say.block("\n" + to_text(told.report))
    say.block(f"\nthe full report is in {REPORT}")
    say.block(
        where_to_look(
            kubeconfig=world.cluster.kubeconfig,
            kubectl=world.cluster.kubectl_path,
            fairlead=FAIRLEAD,
            gateway_url=world.expose_gateway(),
            mlflow_url=world.mlflow_url,
            prometheus_url=world.prometheus_url,
            row=row,
        )
    )


def _keep_state(installed: Installation) -> str:
    """Write down what the cluster looked like when the story failed."""
    looks: list[str] = []
    for namespace in (energy.NAMESPACE, installation.NAMESPACE):
        for what in (
            ("get", "models,trainingruns,rollouts", "--output=wide"),
            ("get", "pods,jobs", "--output=wide"),
            ("get", "events", "--sort-by=.lastTimestamp"),
        ):
            done = installed.cluster.kubectl(*what, f"--namespace={namespace}", check=False)
            looks.append(f"# {namespace}: kubectl {' '.join(what)}\n{done.stdout}{done.stderr}")
    text = "\n".join(looks)
    sys.stderr.write(text)
    _FAILURE.parent.mkdir(parents=True, exist_ok=True)
    _FAILURE.write_text(text)
    return str(_FAILURE)


if __name__ == "__main__":
    sys.exit(main())
