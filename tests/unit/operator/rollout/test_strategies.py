"""Nothing below the plan asks which strategy: a new one is a plan, not a search for questions."""

import ast
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Final, get_args

import pytest

import fairlead_operator
from fairlead_operator.api.policy import RolloutPolicy, Strategy

NAMES: Final = frozenset(get_args(Strategy))
# What only one strategy understands stands in a field of its name.
SETTINGS: Final = {
    name: get_args(field.annotation)
    for name, field in RolloutPolicy.model_fields.items()
    if field.alias in NAMES
}
FIELDS: Final = frozenset(SETTINGS)
TYPES: Final = frozenset(
    kind.__name__ for kinds in SETTINGS.values() for kind in kinds if kind is not NoneType
)
PACKAGE: Final = Path(fairlead_operator.__file__).parent
MAY_ASK: Final = ("api/", "rollout/decision/plan.py", "rollout/statistics/")
MODULES: Final = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if not path.relative_to(PACKAGE).as_posix().startswith(MAY_ASK)
]


def questions(source: str) -> list[str]:
    """Return what in the source depends on which strategy it is."""
    return [found for node in ast.walk(ast.parse(source)) for found in _questions(node)]


def _questions(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Compare() | ast.MatchValue():
            for part in ast.walk(node):
                if isinstance(part, ast.Constant) and part.value in NAMES:
                    yield f"compares with {part.value}"
                if isinstance(part, ast.Attribute) and part.attr == "strategy":
                    yield "compares a strategy"
        case ast.alias(name=name) | ast.Name(id=name) if name in TYPES:
            yield f"knows {name}"
        case ast.Attribute(attr=name) if name in FIELDS | TYPES:
            yield f"reads {name}"


@pytest.mark.parametrize(
    "source",
    [
        'policy.strategy != "recreate"',
        'step.trial in {"abTest", "bandit"}',
        "policy.strategy == other",
        'match name:\n    case "canary" | "shadow": pass',
        "isinstance(rules, AbTest)",
        "isinstance(rules, BlueGreen)",
        "hold = policy.shadow.hold",
        "from fairlead_operator.api.strategy import Bandit",
        "design = policy.ab_test or policy.bandit",
    ],
)
def test_a_question_is_found(source: str) -> None:
    assert questions(source)


@pytest.mark.parametrize(
    "source",
    [
        "from fairlead_operator.rollout.statistics.ab_test import Trial",
        'policy = {"strategy": "canary"}',
        "status = RolloutStatus(strategy=policy.strategy)",
        "step.trial is not None",
        'port = {"name": "shadow"}',
    ],
)
def test_what_is_no_question(source: str) -> None:
    assert not questions(source)


@pytest.mark.parametrize(
    "path", MODULES, ids=[path.relative_to(PACKAGE).as_posix() for path in MODULES]
)
def test_nothing_below_the_plan_asks_which_strategy(path: Path) -> None:
    assert questions(path.read_text(encoding="utf-8")) == []
