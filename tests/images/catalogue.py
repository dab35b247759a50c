"""The images there are, what goes into each, and which of them only stand in for upstream ones."""

import dataclasses
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CONTRACT = "operator/fairlead_contract"  # in each of our images
STANDINS = Path(__file__).resolve().parent / "standins"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GoProgram:
    """Commands built from one Go module version, outside the image, and copied into it."""

    commands: tuple[str, ...]  # import paths; the last element names the binary
    module: Path | None = None  # a folder with go.mod; `None` takes `version` as published
    version: str = ""
    locked: str = ""  # a module that cannot be installed: it is built with its own go.sum
    build_tags: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image of the local cluster."""

    name: str
    dockerfile: Path
    context: Path
    files: tuple[Path, ...]  # folders are taken whole
    extras: tuple[str, ...] = ()  # of pyproject.toml: the Python packages installed in it
    target: str = ""  # the Dockerfile's stage that it is; empty: the last
    program: GoProgram | None = None
    seconds: int = 60  # that a first build takes on two cores
    stands_in: bool = False  # where registries are reachable the chart's own default is used


def _python_image(
    name: str,
    *,
    folder: Path,
    extras: tuple[str, ...],
    sources: tuple[str, ...] = (),
    target: str = "",
    seconds: int = 60,
) -> Image:
    return Image(
        name=name,
        dockerfile=folder / "Dockerfile",
        context=REPOSITORY,
        files=(
            folder / "Dockerfile",
            REPOSITORY / ".dockerignore",
            REPOSITORY / "constraints.txt",
            *(REPOSITORY / source for source in sources),
        ),
        extras=extras,
        target=target,
        seconds=seconds,
        stands_in=not sources,
    )


PROMETHEUS = GoProgram(
    module=STANDINS / "prometheus",
    commands=(
        "github.com/prometheus/prometheus/cmd/prometheus",
        "github.com/prometheus/prometheus/cmd/promtool",
    ),
    build_tags="remove_all_sd,enable_kubernetes_sd",
)

# Later versions do not build from the module: their web page is not in it.
ALERTMANAGER = GoProgram(
    version="v0.28.1",
    commands=(
        "github.com/prometheus/alertmanager/cmd/alertmanager",
        "github.com/prometheus/alertmanager/cmd/amtool",
    ),
)

# In no image: the integration tests run it as a process.
ENVOY_GATEWAY = GoProgram(
    version="v1.9.1",
    commands=("github.com/envoyproxy/gateway/cmd/envoy-gateway",),
)
# In no image either: its operator, and the adapter that brings its metrics to the API server.
KEDA = GoProgram(
    version="v2.21.0",
    locked="github.com/kedacore/keda/v2",
    commands=(
        "github.com/kedacore/keda/v2/cmd/operator",
        "github.com/kedacore/keda/v2/cmd/adapter",
    ),
)
# In no image either: an S3 server before a folder, from which trainings read.
VERSITYGW = GoProgram(version="v1.8.0", commands=("github.com/versity/versitygw/cmd/versitygw",))
# Simulated nodes and pods, for `make bench-scale`; part of no image.
KWOK = GoProgram(version="v0.8.0", commands=("sigs.k8s.io/kwok/cmd/kwok",))
# Pushes archives to a registry, for `make images-push`.
CRANE = GoProgram(version="v0.21.9", commands=("github.com/google/go-containerregistry/cmd/crane",))


def _go_image(name: str, program: GoProgram) -> Image:
    dockerfile = STANDINS / name / "Dockerfile"
    return Image(
        name=name,
        dockerfile=dockerfile,
        context=dockerfile.parent,
        files=(dockerfile,),
        program=program,
        seconds=120 if program is PROMETHEUS else 30,
        stands_in=True,
    )


IMAGES = (
    Image(
        name="postgres",
        dockerfile=STANDINS / "postgres" / "Dockerfile",
        context=STANDINS / "postgres",
        files=(STANDINS / "postgres",),
        seconds=40,
        stands_in=True,
    ),
    _python_image("mlflow", folder=STANDINS / "mlflow", extras=("tracking",)),
    _python_image(
        "training",
        folder=REPOSITORY / "training",
        extras=("training",),
        sources=(CONTRACT, "training/fairlead_training"),
    ),
    _python_image(
        "onnx",
        folder=REPOSITORY / "serving",
        extras=("serving",),
        sources=(CONTRACT, "serving/fairlead_serving"),
        target="onnx",
        seconds=40,
    ),
    _python_image(
        "serving",
        folder=REPOSITORY / "serving",
        extras=("serving", "frameworks", "gateway"),
        sources=(CONTRACT, "serving/fairlead_serving"),
    ),
    _python_image(
        "operator",
        folder=REPOSITORY / "operator",
        extras=("operator",),
        sources=(CONTRACT, "operator/fairlead_operator"),
    ),
    _go_image("prometheus", PROMETHEUS),
    _go_image("alertmanager", ALERTMANAGER),
)
