"""Artifacts that leave a mark when any of their code runs, and what each of them brings."""

import json
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

# An MLmodel file that is whole but for its merge keys: each line has ten times what is before it.
MERGES: Final = """flavors: {python_function: {loader_module: mine}}
signature: {inputs: '[{"name": "a", "type": "double"}]'}
a0: &a0 {x: 1}
""" + "".join(
    f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 10)}]}}\n" for level in range(1, 5)
)
NUMBERS: Final = ({"name": "a", "type": "double"},)
WORDS: Final = ({"name": "a", "type": "double"}, {"name": "region", "type": "string"})


class Touch:
    """An object that makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self._mark = str(mark)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str, str]]:
        return open, (self._mark, "w")


def pickled(mark: Path) -> bytes:
    return pickle.dumps(Touch(mark))


def module(mark: Path) -> bytes:
    return f"open({str(mark)!r}, 'w').close()\n".encode()


def write_artifact(
    folder: Path,
    *,
    flavors: Mapping[str, Any],
    files: Mapping[str, bytes],
    columns: tuple[Mapping[str, Any], ...] = NUMBERS,
    **more: Any,
) -> Path:
    """Write a model directory by hand, as somebody may who can write to MLflow."""
    description = {
        "flavors": flavors,
        "signature": {"inputs": json.dumps([{"required": True, **each} for each in columns])},
        **more,
    }
    contents = {"MLmodel": yaml.safe_dump(description).encode(), **files}
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def generic(**fields: Any) -> dict[str, Any]:
    """The flavor that MLflow's generic interface opens."""
    return {"python_function": {"env": {"virtualenv": "python_env.yaml"}, **fields}}


def write_loader(folder: Path, mark: Path) -> Path:
    """Write an artifact whose own module is its loader."""
    flavors = generic(loader_module="bait", code="code", data="data")
    return write_artifact(
        folder, flavors=flavors, files={"code/bait.py": module(mark), "data": b""}
    )


def write_script(folder: Path, mark: Path) -> Path:
    """Write an artifact that is one script ("models from code")."""
    flavors = generic(loader_module="mlflow.pyfunc.model", model_code_path="bait.py")
    return write_artifact(folder, flavors=flavors, files={"bait.py": module(mark)})


def write_cloudpickle(folder: Path, mark: Path) -> Path:
    """Write an artifact with a pickled Python model."""
    flavors = generic(
        loader_module="mlflow.pyfunc.model",
        python_model="python_model.pkl",
        cloudpickle_version="3.1.2",
    )
    return write_artifact(folder, flavors=flavors, files={"python_model.pkl": pickled(mark)})


def write_sklearn(folder: Path, mark: Path) -> Path:
    """Write a pickled scikit-learn model."""
    flavors = {
        **generic(loader_module="mlflow.sklearn", model_path="model.pkl"),
        "sklearn": {"pickled_model": "model.pkl", "serialization_format": "pickle"},
    }
    return write_artifact(folder, flavors=flavors, files={"model.pkl": pickled(mark)})


def write_joblib(folder: Path, mark: Path) -> Path:
    """Write what only a foreign loader reads: joblib's file is a pickle."""
    flavors = {
        **generic(loader_module="mlflow.lightgbm", data="model.joblib"),
        "lightgbm": {"data": "model.joblib", "model_class": "lightgbm.sklearn.LGBMModel"},
    }
    return write_artifact(folder, flavors=flavors, files={"model.joblib": pickled(mark)})


def write_booster_of_words(folder: Path, mark: Path) -> Path:
    """Write a booster with a column that only the generic interface takes, and a loader."""
    flavors = {
        **generic(loader_module="bait", code="code", data="model.ubj"),
        "xgboost": {"data": "model.ubj", "code": "code"},
    }
    return write_artifact(
        folder, flavors=flavors, files={"code/bait.py": module(mark), "model.ubj": b"{"},
        columns=WORDS,
    )  # fmt: skip


_OWN: Final = "python_function, opened by bait, with the Python files in code"

# How each is written, and what of it is named.
CODE: Final = (
    (write_loader, _OWN),
    (write_script, "python_function, opened by mlflow.pyfunc.model"),
    (write_cloudpickle, "python_function, opened by mlflow.pyfunc.model"),
    (write_sklearn, "python_function, opened by mlflow.sklearn, logged as sklearn"),
    (write_joblib, "python_function, opened by mlflow.lightgbm, logged as lightgbm"),
    (write_booster_of_words, f"{_OWN}, logged as xgboost"),
)
