"""Which forms of a model artifact are served, and which of them run what their author wrote.

The operator decides by it before a server starts, and the server before it opens anything.

    XGBoost          a booster: trees, read from JSON or UBJSON, whatever else the artifact says
    ONNX             a graph that takes raw columns, read as data by onnxruntime, where the
                     MLmodel file says that it is one (``graph.MARK``)
    everything else  opened by MLflow's generic interface, which imports the module that the
                     artifact names, from the artifact's own folder if it is there, and unpickles:
                     a pickle, a cloudpickle, a joblib file or a module of Python is a program

A model of several forms is served as the first that takes its columns.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from fairlead_contract import graph

# What a server starts with, as "true" or "false"; without it, no code runs.
ALLOWS_CODE: Final = "FAIRLEAD_ALLOW_ARTIFACT_CODE"
# Where the trainer and the container that runs a champion's code meet; without it, none runs.
CHAMPION_ROOM: Final = "FAIRLEAD_CHAMPION_ROOM"
# Both must say so.
CODE_FIELD: Final = "spec.serving.allowArtifactCode"  # of the Model
CODE_VALUE: Final = "serving.allowArtifactCode"  # of the chart

# What an author may register instead, for people.
WITHOUT_CODE: Final = (
    "an XGBoost booster, or as an ONNX graph of raw columns with "
    + ", ".join(f"{key}: {value}" for key, value in graph.MARK.items())
    + " in the metadata of its MLmodel file"
)
_LONGEST: Final = 60  # characters of a name that are shown
_ODD: Final = re.compile(r"[^\w./:-]")
_NUMBERS: Final = frozenset({"double", "float", "long", "integer"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One form that is served."""

    flavor: str  # as the MLmodel file has it
    types: frozenset[str]  # MLflow's types of the columns that it takes
    runs_code: bool  # of the artifact, when it is opened
    needs_mark: bool = False  # whether the artifact has to say that it is of our contract


# The fastest first; MLflow's generic interface takes everything else.
FORMS: Final = (
    Form(flavor="xgboost", types=_NUMBERS, runs_code=False),
    Form(
        flavor="onnx",
        types=_NUMBERS | {"boolean", "string", "datetime"},
        runs_code=False,
        needs_mark=True,
    ),
    Form(flavor="python_function", types=_NUMBERS | {"boolean", "string"}, runs_code=True),
)


def choose_form(
    flavors: Collection[str], types: Collection[str], metadata: object = None
) -> Form | None:
    """Choose the first form that takes columns of these types; None when there is none.

    Args:
        metadata: of the ``MLmodel`` file, whatever its author wrote there.
    """
    marked = graph.is_marked(metadata)
    return next(
        (
            form
            for form in FORMS
            if form.flavor in flavors
            and form.types.issuperset(types)
            and (marked or not form.needs_mark)
        ),
        None,
    )


def describe_code(flavors: Mapping[str, Any]) -> str:
    """Name what of an artifact would run, for people: the flavor, its loader, its own files."""
    generic = flavors.get("python_function")
    generic = generic if isinstance(generic, Mapping) else {}
    words = ["python_function"]
    if generic.get("loader_module"):
        words.append(f"opened by {_shown(generic['loader_module'])}")
    if generic.get("code"):
        words.append(f"with the Python files in {_shown(generic['code'])}")
    others = sorted(_shown(name) for name in flavors if name != "python_function")
    if others:
        words.append(f"logged as {' and '.join(others[:3])}")
    return ", ".join(words)


def confine(name: object) -> PurePosixPath:
    """Return the path of a file that an artifact names, within the artifact.

    Raises:
        ValueError: it leads elsewhere.
    """
    path = PurePosixPath(name if isinstance(name, str) else "/")
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"its MLmodel file names {_shown(name)}, which is outside the artifact")
    return path


def _shown(name: object) -> str:
    """Make a foreign name fit for a message; what is no text may be endless as one."""
    return _ODD.sub("?", name[:_LONGEST]) if isinstance(name, str) else "?"
