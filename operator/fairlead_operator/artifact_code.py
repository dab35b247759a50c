"""How a version's server opens its artifact, what code of it runs then, and whether it may.  Pure.

It is read from the ``MLmodel`` file, as the signature is.  The server looks at the bytes that it
got, and refuses for itself: what is said here is said before a pod starts.
"""

from collections.abc import Mapping
from typing import Any

from fairlead_contract.artifact import (
    CODE_FIELD,
    CODE_VALUE,
    WITHOUT_CODE,
    Form,
    choose_form,
    describe_code,
)
from fairlead_contract.mlmodel import InvalidMlmodelError, read_mlmodel
from fairlead_operator.signature import read_signature
from fairlead_operator.text import printable


def find_code(mlmodel: str) -> str:
    """Name what would run; empty when the version is data alone, or is served by nothing.

    Raises:
        ValueError: the text of its ``MLmodel`` file does not say it.
    """
    form, flavors = _read(mlmodel)
    return describe_code(flavors) if form is not None and form.runs_code else ""


def find_form(mlmodel: str) -> str:
    """Name the flavor by which a server would open it; empty when none would.

    Raises:
        ValueError: the text of its ``MLmodel`` file does not say it.
    """
    form, _ = _read(mlmodel)
    return "" if form is None else form.flavor


def _read(mlmodel: str) -> tuple[Form | None, Mapping[str, Any]]:
    """Return the form, and all flavors there are."""
    types = {column.type for column in read_signature(mlmodel).inputs}
    try:
        described = read_mlmodel(mlmodel)
        flavors = dict(described["flavors"])
        return choose_form(flavors, types, described.get("metadata")), flavors
    except (InvalidMlmodelError, TypeError, AttributeError, KeyError) as error:
        raise ValueError(
            f"its MLmodel file cannot be read: {printable(error, limit=200)}"
        ) from error


def explain_refusal(version: str, code: str, *, by_model: bool, by_operator: bool) -> str:
    """Say that a version may not run this code, who forbids it, and the way out.

    Args:
        by_model: whether the Model allows it.
        by_operator: whether the operator's values do.
    """
    return (
        f"{_says(version, code)}, and {_missing(by_model, by_operator)}; allow it if you trust "
        f"everyone who can write to this model's MLflow, or register the version as {WITHOUT_CODE}"
    )


def explain_kept(version: str, code: str, *, by_model: bool, by_operator: bool) -> str:
    """Say that the version in charge runs code though it may not any more, or never might."""
    return (
        f"{_says(version, code)}, and {_missing(by_model, by_operator)}: it goes on serving, as it "
        "began when it might; the next version that brings code is refused"
    )


def _says(version: str, code: str) -> str:
    return f"{version} runs code from its artifact ({code})"


def _missing(by_model: bool, by_operator: bool) -> str:
    missing = [
        *([] if by_model else [f"{CODE_FIELD} of the Model is not true"]),
        *([] if by_operator else [f"{CODE_VALUE} in the chart's values is not true"]),
    ]
    return " and ".join(missing)
