"""Every command and manifest in the documentation is one that works."""

import functools
import itertools
import json
import os
import re
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from cluster.binaries import binaries
from cluster.layout import layout
from e2e.story.rows import read_rows
from fairlead_operator.api.model import ModelSpec
from fairlead_operator.api.template import AnalysisTemplateSpec
from fairlead_operator.command.main import fairlead
from fairlead_operator.lint.check import check
from fairlead_operator.rollout.decision.plan import compile_plan
from support.chart.rendering import CHART, helm
from support.documents import PAGES, ROOT, blocks, commands, manifests

SPECS = {"Model": ModelSpec, "AnalysisTemplate": AnalysisTemplateSpec}
CHART_PAGE = "charts/fairlead/README.md"  # its YAML is of values and of Alertmanager
TOLD = [(page, words) for page in PAGES for words in commands(page)]
SHOWN = [(page, item) for page in PAGES if page != CHART_PAGE for item in manifests(page)]
RENDERED = frozenset({"install", "upgrade", "template"})
WRITTEN = {  # by a push, and by the reader
    "build/images.yaml": "images: {operator: registry.example.com/ml/x:1}\n",
    "my-values.yaml": "bundled: {enabled: true}\n",
}
_TAKES_A_FILE = frozenset({"-f", "--filename", "--values"})


def of_program(*programs: str, of: Callable[[list[str]], bool] = bool) -> Any:
    told = [pytest.param(page, words, id=f"{page} {' '.join(words)[:70]}")
            for page, words in TOLD if words[0] in programs and of(words)]  # fmt: skip
    assert told, f"no page has a command of {programs}"
    return pytest.mark.parametrize(("page", "words"), told)


def folder_of(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


@functools.cache
def targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_no_command_is_of_a_program_that_no_test_looks_at() -> None:
    looked_at = {"make", "fairlead", "helm", "kubectl", "python", "python3", "pip", "curl"}
    others = {"jq", "openssl", "export"}  # which read what ours wrote, and make what ours read

    programs = {words[0].rpartition("$(")[2] for _, words in TOLD}
    assert programs == looked_at | others


@of_program("make")
def test_a_target_of_make_is_there_and_uses_its_variables(page: str, words: list[str]) -> None:
    text = (ROOT / "Makefile").read_text()
    variables = [word.partition("=")[0] for word in words[1:] if "=" in word]

    assert {word for word in words[1:] if "=" not in word} <= targets()
    assert [name for name in variables if f"$({name})" not in text] == []


@of_program("fairlead")
def test_the_command_takes_the_words(page: str, words: list[str]) -> None:
    name, *rest = words[1:]

    with (
        click.Context(fairlead, info_name="fairlead") as group,
        fairlead.commands[name].make_context(name, rest, parent=group) as context,
    ):
        assert context.args == []


@of_program("helm")
def test_helm_renders_the_chart_with_the_values(
    page: str, words: list[str], tmp_path: Path
) -> None:
    verb, release, *rest = words[1:]
    if verb not in RENDERED:  # it needs a cluster
        assert (verb, release) in {("rollback", "fairlead"), ("uninstall", "fairlead")}
        return
    chart, *rest = rest
    kept = [word for word in rest if word != "--wait"]
    if "--timeout" in kept:
        at = kept.index("--timeout")
        del kept[at : at + 2]
    for at, word in enumerate(kept):
        if word == "--values":
            kept[at + 1] = str(values_file(page, kept[at + 1], tmp_path))

    done = helm("template", release, str(ROOT / chart), *kept, "--kube-version=1.36.0")

    assert done.returncode == 0, done.stderr


def values_file(page: str, name: str, folder: Path) -> Path:
    """Write the values that the page shows under this name, or those that a push writes."""
    shown = [text for text in blocks(page, "yaml") if text.startswith(f"# {name}\n")]
    target = folder / Path(name).name
    target.write_text(shown[0] if shown else WRITTEN[name])
    return target


@of_program("kubectl")
def test_kubectl_takes_the_words(page: str, words: list[str], tmp_path: Path) -> None:
    """What only makes objects runs without a cluster; of the rest, kubectl knows each option."""
    verb, *rest = words[1:]
    if verb == "create":
        done = kubectl(verb, *without(rest, "--dry-run"), "--dry-run=client", "--validate=false")
    else:
        options = kubectl(verb, *subcommand(verb, rest), "--help").stdout
        options += kubectl("options").stdout
        known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", options))
        used = before_dashes(rest)
        options_used = [word for word in used if word.startswith("-") and word != "-"]
        unknown = [word for word in options_used if word.partition("=")[0] not in known]
        assert unknown == []
        return

    assert done.returncode == 0, done.stderr


def kubectl(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = binaries(layout(os.environ).cache)["kubectl"]
    assert program.exists(), f"no kubectl at {program}: run `make tools`"
    return subprocess.run(
        [str(program), "--kubeconfig=/dev/null", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def subcommand(verb: str, rest: list[str]) -> list[str]:
    return rest[:1] if verb in {"rollout", "create", "config"} else []


def before_dashes(words: list[str]) -> list[str]:
    return words[: words.index("--")] if "--" in words else words


def without(words: list[str], option: str) -> list[str]:
    return [word for word in words if not word.startswith(option)]


@pytest.mark.parametrize("page", PAGES)
def test_the_files_that_commands_read_are_there(page: str) -> None:
    folder = (ROOT / page).parent
    made = {*WRITTEN, "model.yaml"}
    made |= {text.splitlines()[0].removeprefix("# ") for text in blocks(page, "yaml")}
    read = [
        after
        for told, words in TOLD
        if told == page
        for word, after in itertools.pairwise(words)
        if word in _TAKES_A_FILE or words[0].startswith("python")
        if after.endswith((".py", ".yaml"))
    ]

    assert [
        file
        for file in read
        if file not in made and not (ROOT / file).exists() and not (folder / file).exists()
    ] == []


@of_program("python", "python3")
def test_a_script_takes_the_options(page: str, words: list[str]) -> None:
    script = next(p for p in (ROOT / words[1], (ROOT / page).parent / words[1]) if p.exists())

    used = {word for word in words[2:] if word.startswith("--")}

    assert {option for option in used if f'"{option}"' not in script.read_text()} == set()


@of_program("pip")
def test_an_extra_is_there(page: str, words: list[str]) -> None:
    (extra,) = re.findall(r"^\.\[(\w+)\]$", words[-1])

    assert f"\n{extra} = [" in (ROOT / "pyproject.toml").read_text()


def is_of_mlflow(words: list[str]) -> bool:
    return any("MLFLOW" in word for word in words)


@of_program("curl", of=is_of_mlflow)
def test_a_request_to_mlflow_is_one_that_it_takes(page: str, words: list[str]) -> None:
    (address,) = (word for word in words if word.startswith("$MLFLOW/"))
    body = words[words.index("--json") + 1].replace('\\"', '"')

    # Read, not imported: that would load MLflow's server.
    routes = folder_of("mlflow") / "server" / "auth" / "routes.py"
    call = re.fullmatch(r"\$MLFLOW/api/\d\.0(/mlflow/[a-z/-]+)", address)
    assert call
    assert f'"{call[1]}"' in routes.read_text()
    assert "username" in json.loads(body)


@of_program("curl", of=lambda words: not is_of_mlflow(words))
def test_a_request_has_a_row_of_the_example(page: str, words: list[str]) -> None:
    (row,) = json.loads(words[words.index("--data") + 1])["instances"]
    (real,) = read_rows(first=20160, count=1)

    assert row == real
    assert "Content-Type: application/json" in words


@pytest.mark.parametrize(
    ("page", "item"),
    [pytest.param(page, item, id=f"{page} {at}") for at, (page, item) in enumerate(SHOWN)],
)
def test_a_manifest_says_what_the_api_takes(page: str, item: dict[str, Any]) -> None:
    """The integration tests ask an API server, too."""
    assert check(item) == []
    spec = SPECS[item["kind"]].model_validate(item["spec"])

    if isinstance(spec, ModelSpec):
        assert compile_plan(spec.rollout, candidates=1 + len(spec.alternatives)).steps


def test_every_strategy_has_a_manifest() -> None:
    told = {item["spec"].get("rollout", {}).get("strategy", "canary") for _, item in SHOWN}

    assert told == {"canary", "blueGreen", "shadow", "abTest", "bandit", "recreate"}


def test_the_chart_page_shows_values_or_receivers() -> None:
    shown = [yaml.safe_load(text) for text in blocks(CHART_PAGE, "yaml")]
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    assert [set(block) - set(values) for block in shown if isinstance(block, dict)] == [
        set() for block in shown if isinstance(block, dict)
    ]


_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES)
def test_a_link_leads_to_a_file(page: str) -> None:
    folder = (ROOT / page).parent
    links = [link for link in _LINK.findall((ROOT / page).read_text()) if "://" not in link]

    assert [link for link in links if not (folder / link).exists()] == []


def test_the_readme_comes_in_the_order_in_which_a_user_needs_it() -> None:
    headings = re.findall(r"^## (.+)", (ROOT / "README.md").read_text(), re.MULTILINE)

    assert headings == [
        "Try it",
        "Install on your cluster",
        "A first Model",
        "Strategies in brief",
        "Read on",
    ]
