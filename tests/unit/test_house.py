"""What holds for the tests themselves."""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

UNIT = Path(__file__).parent
REPO = UNIT.parents[1]
IMPORTS_A_TEST = re.compile(
    r"^\s*(from|import) (unit|scenario|integration|e2e)\.([a-z_]+\.)*test_", re.MULTILINE
)


@pytest.mark.parametrize(
    "path", sorted(UNIT.rglob("*.py")), ids=lambda path: path.relative_to(UNIT).as_posix()
)
def test_no_test_module_imports_another(path: Path) -> None:
    """What two of them need is in ``tests/support``."""
    assert IMPORTS_A_TEST.search(path.read_text(encoding="utf-8")) is None


PACKAGES: Final = {
    "contract": REPO / "operator" / "fairlead_contract",
    "operator": REPO / "operator" / "fairlead_operator",
    "serving": REPO / "serving" / "fairlead_serving",
    "training": REPO / "training" / "fairlead_training",
}

_CRDS: Final = "integration/operator/test_crds.py"
_COMMAND: Final = "integration/operator/test_command.py"
_OPERATOR: Final = "integration/operator/test_operator.py"
_RECORD: Final = "integration/operator/test_record_client.py"
_LEARNERS: Final = "unit/training/learners/test_protocol.py"
_LIVES: Final = "scenario/test_lives.py"
_MANIFESTS: Final = "unit/operator/test_manifests.py"
_NAMES: Final = "names that several programs share"
_TYPES: Final = "types without behavior"
_WORDS: Final = "phases and reasons"

# The modules whose test is another one: its file, below ``tests``.
TESTED_ELSEWHERE: Final[Mapping[str, str]] = {
    # Their rules are CEL, which only an API server evaluates.
    "operator/api/autoscaling.py": _CRDS,
    "operator/api/common.py": _CRDS,
    "operator/api/policy.py": _CRDS,
    "operator/api/prediction_log.py": _CRDS,
    "operator/api/serving.py": _CRDS,
    "operator/api/strategy.py": _CRDS,
    "operator/api/template.py": _CRDS,
    "operator/api/gates.py": _CRDS,
    "operator/api/training.py": _CRDS,
    "operator/api/training_run.py": _CRDS,
    "operator/bounded_answer.py": "unit/operator/mlflow/test_client.py",
    # They need what they talk to.
    "operator/command/forward.py": _COMMAND,
    "operator/engine/handlers.py": _OPERATOR,
    "operator/kube/client.py": "integration/operator/test_kube_client.py",
    "operator/kube/login.py": _OPERATOR,
    "operator/mlflow/directory.py": "integration/test_mlflow_tenants.py",
    "operator/record/bounded.py": "integration/operator/test_record_tenants.py",
    "operator/record/client.py": _RECORD,
    "operator/record/connect.py": _RECORD,
    "operator/record/logins.py": "integration/operator/test_record_tenants.py",
    "operator/record/queries.py": _RECORD,
    "operator/record/tenants.py": "unit/contract/test_search.py",
    "operator/record/upgrade.py": "integration/operator/test_record_upgrade.py",
    "serving/gateway/__main__.py": "integration/serving/test_gateway.py",
    "serving/gateway/xds/ads.py": "integration/serving/test_gateway.py",
    "serving/server/service.py": "unit/serving/server/test_application.py",
    "training/artifact.py": "integration/training/test_training.py",
    # A line or two that join what has tests of its own.
    "operator/model/reconcile.py": _LIVES,
    "operator/namespace/reconcile.py": "unit/operator/engine/test_controller.py",
    "operator/rollout/reconcile.py": _LIVES,
    "operator/training_run/reconcile.py": _LIVES,
    # Held to the same standard as all other manifests.
    "operator/kube/mlflow_secret.py": _MANIFESTS,
    "operator/namespace/gateway.py": _MANIFESTS,
    # Held by what is made of it.
    "serving/server/predictors/booster.py": "unit/serving/server/predictors/test_xgboost.py",
    "serving/server/dialects.py": "unit/serving/server/test_inference.py",
    "serving/server/incoming.py": "unit/serving/server/test_connection.py",
    "serving/server/inference_routes.py": "unit/serving/server/test_inference.py",
    # Held as the checks that are made of it.
    "operator/prometheus/counting.py": "unit/operator/rollout/evidence/test_queries.py",
    # Held by what it is a part of.
    "operator/api/time_zone.py": "unit/operator/api/test_schedule.py",
    "operator/model/schedule.py": "unit/operator/model/test_triggers.py",
    # The words of a decision, with the decision.
    "operator/model/states.py": "unit/operator/model/test_state_machine.py",
    "operator/rollout/case.py": "unit/operator/rollout/test_observe.py",
    "serving/server/refusals.py": "unit/serving/server/test_endpoint.py",
    "serving/server/schemas.py": "unit/serving/server/test_application.py",
    # What all learners do.
    "training/learners/baseline.py": _LEARNERS,
    "training/learners/forest.py": _LEARNERS,
    "training/learners/lightgbm.py": _LEARNERS,
    "training/learners/linear.py": _LEARNERS,
    "training/learners/net.py": _LEARNERS,
    "training/learners/pipeline.py": _LEARNERS,
    "training/learners/tree_shap.py": _LEARNERS,
    "training/learners/unit.py": _LEARNERS,
}

# The modules that decide and parse nothing, with what they hold instead.
WITHOUT_A_TEST: Final[Mapping[str, str]] = {
    "contract/cluster.py": _NAMES,
    "contract/data.py": _NAMES,
    "contract/gates.py": _NAMES,
    "contract/histogram.py": _NAMES,
    "contract/http.py": _NAMES,
    "contract/record.py": _NAMES,
    "contract/series.py": _NAMES,
    "contract/tags.py": _NAMES,
    "operator/alert_labels.py": _TYPES,
    "operator/api/events.py": _TYPES,
    "operator/api/group.py": "names that the cluster sees",
    "operator/api/history.py": _TYPES,
    "operator/api/registered.py": _TYPES,
    "operator/api/phases/common.py": _WORDS,
    "operator/api/runs.py": _TYPES,
    "operator/api/phases/model.py": _WORDS,
    "operator/api/phases/rollout.py": _WORDS,
    "operator/api/phases/training_run.py": _WORDS,
    "operator/command/failures.py": "exceptions and their exit codes",
    "operator/errors.py": "exceptions",
    "operator/keys.py": _TYPES,
    "operator/model/seen.py": _TYPES,
    "operator/ports.py": _TYPES,
    "operator/rollout/seen.py": _TYPES,
    "operator/telemetry/metrics.py": "the operator's own metrics",
    "operator/training_run/seen.py": _TYPES,
    "serving/gateway/metrics.py": "the agent's own metrics",
    "serving/server/predictors/protocol.py": _TYPES,
}


def modules() -> Iterator[str]:
    """Yield every module of the packages, as ``package/path``."""
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            if path.name != "__init__.py":
                yield f"{package}/{path.relative_to(folder).as_posix()}"


MODULES: Final = tuple(modules())


def own_test(module: str) -> Path:
    """Return where the test of a module is looked for: ``__main__`` has that of ``main``."""
    path = UNIT / module
    return path.with_name(f"test_{path.stem.strip('_')}.py")


@pytest.mark.parametrize("module", MODULES)
def test_the_test_of_a_module_is_found_by_its_name(module: str) -> None:
    """A module that decides or parses something has a test of its own; the rest is listed above."""
    is_listed = module in TESTED_ELSEWHERE or module in WITHOUT_A_TEST

    assert own_test(module).exists() is not is_listed


def test_what_is_listed_is_there() -> None:
    listed = [*TESTED_ELSEWHERE, *WITHOUT_A_TEST]

    assert sorted(set(listed) - set(MODULES)) == []
    assert len(listed) == len(set(listed)), "in one of the two tables"


@pytest.mark.parametrize("test", sorted(set(TESTED_ELSEWHERE.values())))
def test_a_test_that_stands_elsewhere_is_there(test: str) -> None:
    assert (REPO / "tests" / test).is_file()


def sources_of_pure_contracts() -> list[re.Pattern[str]]:
    """Return what the contracts hold that forbid a clock: each a module, and what is below it."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    words = {"**": r"\w+(\.\w+)*", "*": r"\w+"}
    return [
        re.compile(r"\.".join(words.get(word, word) for word in source.split(".")) + r"(\.|$)")
        for contract in contracts
        if "time" in contract.get("forbidden_modules", ())
        for source in contract["source_modules"]
    ]


def says_it_is_pure(module: str) -> bool:
    package, _, path = module.partition("/")
    text = (PACKAGES[package] / path).read_text(encoding="utf-8")
    return re.search(r"\bPure\b", ast.get_docstring(ast.parse(text)) or "") is not None


@pytest.mark.parametrize("module", [module for module in MODULES if says_it_is_pure(module)])
def test_what_says_it_is_pure_is_held_to_it(module: str) -> None:
    package, _, path = module.removesuffix(".py").partition("/")
    name = f"{PACKAGES[package].name}.{path.replace('/', '.')}"

    assert any(source.match(name) for source in sources_of_pure_contracts())
