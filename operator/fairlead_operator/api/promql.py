"""The PromQL that people write: where a policy holds it, and its names filled in.  Pure."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fairlead_operator.api.checks import Check
from fairlead_operator.api.policy import RolloutPolicy


class Written(NamedTuple):
    """A query as it stands in a policy or a template."""

    place: str  # as people look for it
    text: str
    decides: bool  # False in a dry run, which holds nothing


def find_queries(policy: RolloutPolicy) -> Iterator[Written]:
    """Yield every query of a policy; those of its template are not in it."""
    yield from find_in_checks(policy.analysis.checks or (), "analysis.checks")
    for number, step in enumerate(policy.steps or ()):
        yield from find_in_checks(step.checks, f"steps[{number}].checks")
    for name, trial in (("abTest", policy.ab_test), ("bandit", policy.bandit)):
        for field in ("query", "total"):
            text = getattr(trial.goal, field) if trial is not None else None
            if text is not None:
                yield Written(place=f"{name}.goal.{field}", text=text, decides=True)


def find_in_checks(checks: Iterable[Check], place: str) -> Iterator[Written]:
    """Yield the queries of checks that stand there."""
    for check in checks:
        for field in ("query", "total"):
            text = getattr(check, field)
            if text is not None:
                where = f"{place}, {field} of {check.name}"
                yield Written(place=where, text=text, decides=not check.dry_run)


def fill_names(
    text: str, *, namespace: str, model: str, version: str, stable: str, window: str
) -> str:
    """Write a query with the names it asks for; ``window`` is a duration in PromQL."""
    names = {
        "namespace": namespace,
        "model": model,
        "version": version,
        "stable": stable,
        "window": window,
    }
    for name, value in names.items():
        text = text.replace("{{" + name + "}}", value)
    return text
