"""Two tenants on the real cluster: what an editor of one namespace tries gives nothing in another.

Rita edits namespace ``rival``, and nothing else; Emil edits ``energy``, where the story's Model
is.  Both are users of Kubernetes with the ClusterRole ``edit``, to which the chart adds ours.
Rita tries the three ways on which one tenant once reached all others: the login of the database,
a version in MLflow, and a Secret or an address as a source of data.
"""

import base64
import dataclasses
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from cluster.api import Cluster
from e2e.beside import FIRST
from e2e.rival import PLAIN, RIVAL, SOURCES, model, models, name_model
from e2e.story import energy
from e2e.story.installation import NAMESPACE as SYSTEM
from e2e.story.objects import Objects, status_of
from e2e.story.signed_in import headers
from e2e.story.tell import Told
from e2e.story.waiting import wait_for
from e2e.story.world import expose_component
from fairlead_contract.search import search_schema
from fairlead_operator.record.tenants import login_name

pytestmark = pytest.mark.e2e

DATABASE_PORT = 15432
API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
OPERATOR = "fairlead"  # its login in the bundled database
HONEST, FORGED = 0.5, 0.4711  # rewards of a prediction of Emil's, by Emil and by Rita
GUESSED = "half-hours-to-read"  # the password of the market's reader: to know it opens nothing


# --- who they are --------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user of Kubernetes who may edit one namespace."""

    name: str
    namespace: str
    cluster: Cluster

    def kubectl(
        self, *arguments: str, given: object = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Ask the API server as this user."""
        return self.cluster.kubectl(
            f"--as={self.name}", "--as-group=system:authenticated", *arguments,
            input=None if given is None else json.dumps(given), check=check,
        )  # fmt: skip

    def may(self, verb: str, kind: str) -> bool:
        """Tell whether the API server would let the user do it in the own namespace."""
        asked = ("auth", "can-i", verb, kind, f"--namespace={self.namespace}", "--quiet")
        return self.kubectl(*asked, check=False).returncode == 0

    def secret(self, name: str) -> dict[str, str]:
        """Read a Secret of the own namespace; empty when there is none."""
        found = self.kubectl(
            "get", "secret", name, f"--namespace={self.namespace}", "--ignore-not-found",
            "--output=json",
        ).stdout  # fmt: skip
        data = json.loads(found)["data"] if found else {}
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def as_editor(self) -> dict[str, Any]:
        """Build what makes the user an editor, and of this namespace alone."""
        rbac = "rbac.authorization.k8s.io"
        return {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": f"{self.name}-edits", "namespace": self.namespace},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "edit"},
            "subjects": [{"apiGroup": rbac, "kind": "User", "name": self.name}],
        }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A user of MLflow, who sends paths as they are written."""

    uri: str
    headers: Mapping[str, str]

    @classmethod
    def of(cls, person: Person, uri: str) -> "Account":
        """Sign in with what the namespace's pods sign in with."""
        secret = person.secret("fairlead-mlflow")
        pair = base64.b64encode(f"{secret['username']}:{secret['password']}".encode()).decode()
        return cls(uri=uri, headers={"Authorization": f"Basic {pair}"})

    def ask(self, method: str, path: str, body: object = None, /, **query: str) -> tuple[int, str]:
        """Return status and text of the answer."""
        asked = f"?{urllib.parse.urlencode(query)}" if query else ""
        sent = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        request = urllib.request.Request(
            f"{self.uri}{path}{asked}",
            data=None if method == "GET" else sent,
            headers={"Content-Type": "application/json", **self.headers},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode(errors="replace")
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")

    def read(self, path: str, /, **query: str) -> dict[str, Any]:
        status, text = self.ask("GET", f"{API}/{path}", **query)
        assert status == 200, text
        return dict(json.loads(text))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tenants:
    rita: Person
    emil: Person
    database: tuple[str, int]  # where it is reached from here

    def connect(self, person: Person, **other: str) -> "psycopg.Connection[tuple[Any, ...]]":
        """Connect with the login of the person's namespace."""
        host, port = self.database
        url = person.secret("fairlead-database")["own-url"]
        return psycopg.connect(url, host=host, port=port, autocommit=True, **other)  # type: ignore[arg-type]


@pytest.fixture(name="tenants", scope="module")
def _tenants(told: Told) -> Iterator[Tenants]:
    """Two editors; Rita's Models are there, and what the operator gave to her namespace."""
    cluster, say = told.world.cluster, told.world.say
    rita = Person(name="rita", namespace=RIVAL, cluster=cluster)
    emil = Person(name="emil", namespace=energy.NAMESPACE, cluster=cluster)
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": RIVAL,
            "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        },
    }
    try:
        for manifest in (namespace, rita.as_editor(), emil.as_editor()):
            cluster.kubectl("apply", "--filename=-", input=json.dumps(manifest))
        wait_for(  # a binding counts a moment after it is made
            "Rita to be an editor",
            lambda: rita.may("create", "models.fairlead.dev"),
            bool,
            describe=lambda may: "" if may else "not yet",
            say=say,
            timeout=60,
        )
        everything = {"apiVersion": "v1", "kind": "List", "items": [*SECRETS, *ALIASES, *models()]}
        rita.kubectl("apply", "--filename=-", given=everything)
        wait_for(
            "the operator to let the namespace sign in",
            lambda: (rita.secret("fairlead-database"), rita.secret("fairlead-mlflow")),
            all,
            describe=lambda secrets: f"namespace {RIVAL} has {sum(map(bool, secrets))} of 2 logins",
            say=say,
            timeout=120,
        )
        address = urllib.parse.urlsplit(expose_component(cluster, "postgresql", DATABASE_PORT))
        assert address.hostname is not None
        assert address.port is not None
        yield Tenants(rita=rita, emil=emil, database=(address.hostname, address.port))
    finally:
        cluster.kubectl("delete", "namespace", RIVAL, "--ignore-not-found", "--wait=false")
        cluster.kubectl(
            "delete", "rolebinding", "emil-edits", f"--namespace={energy.NAMESPACE}",
            "--ignore-not-found",
        )  # fmt: skip


# --- the cluster ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "namespace"),
    [
        pytest.param("secret/fairlead-database", energy.NAMESPACE, id="their login"),
        pytest.param("secret/fairlead-mlflow", energy.NAMESPACE, id="their user of MLflow"),
        pytest.param(f"model/{energy.MODEL}", energy.NAMESPACE, id="their Model"),
        pytest.param("secret/fairlead-postgresql", SYSTEM, id="the operator's login"),
        pytest.param("secret/fairlead-mlflow-admin", SYSTEM, id="MLflow's administrator"),
    ],
)
@pytest.mark.parametrize("verb", ["get", "delete"])
def test_an_editor_may_do_nothing_with_what_is_in_another_namespace(
    tenants: Tenants, verb: str, what: str, namespace: str
) -> None:
    where = f"--namespace={namespace}"
    dry = ["--dry-run=server"] if verb == "delete" else []  # what is refused is the same

    tenants.rita.cluster.kubectl("get", what, where)  # it is there
    tried = tenants.rita.kubectl(verb, what, where, *dry, check=False)

    assert tried.returncode != 0
    assert "forbidden" in tried.stderr.lower()


def test_nothing_that_a_namespace_signs_in_with_is_the_operators(tenants: Tenants) -> None:
    found = tenants.rita.cluster.kubectl(
        "get", "secrets", f"--namespace={SYSTEM}", "--output=json"
    ).stdout
    kept = {
        base64.b64decode(value).decode(errors="replace")
        for entry in json.loads(found)["items"]
        for value in (entry.get("data") or {}).values()
    }
    rita, emil = (
        {**person.secret("fairlead-database"), **person.secret("fairlead-mlflow")}
        for person in (tenants.rita, tenants.emil)
    )

    assert kept
    assert [
        key for key, value in rita.items() if any(word and word in value for word in kept)
    ] == []
    assert rita.keys() == emil.keys()
    assert not set(rita.values()) & set(emil.values())


# --- the database --------------------------------------------------------------------------

_PREDICT = """
INSERT INTO fairlead_record.predictions (prediction_id, row_index, namespace, model, version, at,
    mirrored, class) VALUES ({id}, 1000, {theirs}, {model}, '1.0.1', now(), false, '1')
"""
_TELL = """
INSERT INTO fairlead_record.feedback (prediction_id, row_index, namespace, model, at, reward)
VALUES ({id}, 0, {theirs}, {model}, now(), {reward})
"""
_REWARDS = "SELECT prediction_id, row_index, reward FROM fairlead_record.feedback ORDER BY 1, 2"
READ = {
    "predictions": "SELECT namespace FROM fairlead_record.predictions",
    "feedback": "SELECT namespace FROM fairlead_record.feedback",
    "feedback, by changing it": "UPDATE fairlead_record.feedback SET reward = {reward}"
    " WHERE namespace = {theirs} RETURNING namespace",
}
REFUSED = {
    "predict for them": _PREDICT,
    "label their prediction": _TELL,
    "label it anew": _TELL + "ON CONFLICT (prediction_id, row_index, namespace, model)"
    " DO UPDATE SET reward = {reward}",
    "find out whether it has a label": _TELL + "ON CONFLICT DO NOTHING",
    "change predictions": "UPDATE fairlead_record.predictions SET class = '0'",
    "remove predictions": "DELETE FROM fairlead_record.predictions",
    "read the history": "SELECT * FROM fairlead_record.history",
    "forge the history": "INSERT INTO fairlead_record.history (rollout_uid, transition, namespace,"
    " model, rollout, at, version, stable, weight, trigger, by, reason, message, numbers) VALUES"
    " ('x', 'Started', {theirs}, {model}, 'x', now(), '6.6.6', '1.0.1', 5, '', '', '', '', '{{}}')",
    "be their tenant": "UPDATE fairlead_record.tenants SET namespace = {theirs}",
    "see past the policies": "SET row_security = off; SELECT 1 FROM fairlead_record.predictions",
    "be the operator": "SET ROLE {operator}",
    "have connected as the operator": "SET SESSION AUTHORIZATION {operator}",
    "be them": "SET ROLE {their_login}",
    "set their password": "ALTER ROLE {their_login} PASSWORD 'rita'",
    "read their searches": "SELECT * FROM {their_schema}.studies",
    "read the passwords": "SELECT * FROM pg_authid",
    "run a program": "COPY (SELECT 1) TO PROGRAM 'id'",
}


def test_a_namespaces_login_reads_and_forges_nothing_of_another(tenants: Tenants) -> None:
    theirs = energy.NAMESPACE
    names: dict[str, sql.Composable] = {
        "theirs": sql.Literal(theirs),
        "model": sql.Literal(energy.MODEL),
        "operator": sql.Identifier(OPERATOR),
        "their_login": sql.Identifier(login_name(theirs)),
        "their_schema": sql.Identifier(search_schema(theirs)),
    }
    names["id"] = sql.Literal(str(uuid.uuid4()))
    with tenants.connect(tenants.emil) as own:  # there is something to read and to forge
        own.execute(sql.SQL(_PREDICT).format(**names))
        told = sql.SQL(_TELL + "ON CONFLICT DO NOTHING")
        own.execute(told.format(**names, reward=sql.Literal(HONEST)))
        before = own.execute(_REWARDS).fetchall()
    names["reward"] = sql.Literal(FORGED)

    with tenants.connect(tenants.rita) as connection:
        seen = {
            title: {row[0] for row in connection.execute(sql.SQL(text).format(**names))}
            for title, text in READ.items()
        }
        done = {
            title: told
            for title, text in REFUSED.items()
            if (told := refusal(connection, sql.SQL(text).format(**names))) != "refused"
        }

    with tenants.connect(tenants.emil) as own:
        after = own.execute(_REWARDS).fetchall()
    assert {title: rows for title, rows in seen.items() if rows} == {}  # she has none of her own
    assert done == {}
    assert after == before


def refusal(connection: "psycopg.Connection[Any]", statement: sql.Composed) -> str:
    """Try it; say ``refused`` where that is all that came of it."""
    try:
        connection.execute(statement)
    except errors.InsufficientPrivilege:
        return "refused"
    except psycopg.Error as error:  # refused for the attack's own mistake: it proves nothing
        return str(error)
    return "done"


def test_a_namespaces_login_opens_no_other_database(tenants: Tenants) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        tenants.connect(tenants.rita, dbname="mlflow")


# --- MLflow --------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What the story's first version is in MLflow."""

    model: str  # registered
    number: str
    logged: str  # model
    run: str
    experiment: str

    @property
    def file(self) -> str:
        return f"{self.experiment}/models/{self.logged}/artifacts/MLmodel"


def find_place(admin: Account, model: str, version: str) -> Place:
    found = admin.read("model-versions/search", filter=f"name='{model}'")["model_versions"]
    entry = next(
        each
        for each in found
        if {"key": "fairlead.version", "value": version} in each.get("tags", [])
    )
    run = admin.read("runs/get", run_id=entry["run_id"])["run"]["info"]
    return Place(
        model=model,
        number=str(entry["version"]),
        logged=str(entry["source"]).removeprefix("models:/"),
        run=str(run["run_id"]),
        experiment=str(run["experiment_id"]),
    )


def list_versions(admin: Account, model: str) -> Sequence[object]:
    found = admin.read("model-versions/search", filter=f"name='{model}'", max_results="1000")
    return sorted(found["model_versions"], key=lambda entry: int(entry["version"]))


KNOWN = ("stable", "candidate", "versions")  # what a status says of versions
Call = tuple[str, str, object, dict[str, str]]  # method, path, body, query


def reads(place: Place) -> dict[str, Call]:
    """Return what shows something of the place to who may see it."""
    version = {"name": place.model, "version": place.number}
    return {
        "the run": ("GET", f"{API}/runs/get", None, {"run_id": place.run}),
        "the experiment": ("GET", f"{API}/experiments/get", None,
                           {"experiment_id": place.experiment}),
        "the version": ("GET", f"{API}/model-versions/get", None, version),
        "the logged model": ("GET", f"{API}/logged-models/{place.logged}", None, {}),
        "its files": ("GET", f"{API}/logged-models/{place.logged}/artifacts/directories", None, {}),
        "a file, by the proxy": ("GET", f"{FILES}/{place.file}", None, {}),
        "files, by the proxy": ("GET", FILES, None,
                                {"path": place.file.removesuffix("/MLmodel")}),
    }  # fmt: skip


def attacks(place: Place, own: str, run: str) -> dict[str, Call]:
    """Return what would bring something into the place, or out of it.

    Args:
        own: registered model of the attacker.
        run: of the attacker.
    """
    version = {"name": place.model, "version": place.number}
    create = f"{API}/model-versions/create"
    return {
        "a way up to a file": ("GET", f"{FILES}/0/%2e%2e/{place.file}", None, {}),
        "code in place of a file": ("PUT", f"{FILES}/{place.file}", b"rita", {}),
        "a version with code under their name": (
            "POST", create,
            {"name": place.model, "source": f"runs:/{run}/model", "run_id": run,
             "tags": [{"key": "fairlead.version", "value": FIRST}]}, {},
        ),
        "their files as a version": (
            "POST", create, {"name": own, "source": f"models:/{place.logged}", "run_id": run}, {},
        ),
        "their digest on another file": (
            "POST", f"{API}/model-versions/set-tag",
            {**version, "key": "fairlead.digest", "value": "sha256:" + "0" * 64}, {},
        ),
        "an end of their version": ("DELETE", f"{API}/model-versions/delete", version, {}),
        "a tag on their run": (
            "POST", f"{API}/runs/set-tag",
            {"run_id": place.run, "key": "fairlead.result", "value": "{}"}, {},
        ),
        "their next Model's name": (
            "POST", f"{API}/registered-models/create", {"name": f"{energy.NAMESPACE}.next"}, {},
        ),
    }  # fmt: skip


def test_a_namespaces_user_reads_and_registers_nothing_of_another(
    told: Told, tenants: Tenants
) -> None:
    uri = told.world.mlflow_url
    admin = Account(uri=uri, headers=headers())
    user = Account.of(tenants.rita, uri)
    place = find_place(admin, energy.REGISTERED_MODEL, FIRST)
    before = list_versions(admin, place.model), told.world.objects.model(energy.MODEL)["status"]
    run = begin_of(tenants.rita)
    own = f"{RIVAL}.{name_model(next(iter(SOURCES)))}"

    there = {title: admin.ask(*call[:3], **call[3]) for title, call in reads(place).items()}
    tried = {
        title: user.ask(*call[:3], **call[3])
        for title, call in {**reads(place), **attacks(place, own, run)}.items()
    }
    searched = user.ask("GET", f"{API}/model-versions/search", filter=f"name='{place.model}'")

    after = list_versions(admin, place.model), told.world.objects.model(energy.MODEL)["status"]
    assert user.read("runs/get", run_id=run)  # Rita is let in: what follows is no wrong password
    assert {title: answer for title, answer in there.items() if answer[0] != 200} == {}
    assert {title: answer for title, answer in tried.items() if answer[0] != 403} == {}
    assert place.logged not in searched[1]
    assert after[0] == before[0]
    assert [after[1].get(key) for key in KNOWN] == [before[1].get(key) for key in KNOWN]


def begin_of(person: Person) -> str:
    """Return the run in MLflow of one of the person's trainings."""
    runs = wait_for(
        "a training to begin its run",
        lambda: trainings(person),
        lambda runs: any(status_of(run).get("mlflowRunId") for run in runs),
        describe=lambda runs: f"{len(runs)} trainings",
        say=str,
        timeout=120,
    )
    return next(
        str(status_of(run)["mlflowRunId"]) for run in runs if "mlflowRunId" in status_of(run)
    )


def trainings(person: Person) -> Sequence[Mapping[str, Any]]:
    found = person.kubectl(
        "get", "trainingruns", f"--namespace={person.namespace}", "--output=json"
    )
    return list(json.loads(found.stdout)["items"])


# --- sources -------------------------------------------------------------------------------


def secret(name: str, **content: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": RIVAL},
        "stringData": {"username": "reader", "password": GUESSED, **content},
    }


SECRETS = (
    secret("silent"),
    secret("elsewhere", hosts="data.example.org:5432"),
    secret("market-reader", hosts="market-db.energy:5432"),
)
# Names of Rita's namespace that lead elsewhere.
ALIASES = tuple(
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": RIVAL},
        "spec": {"type": "ExternalName", "externalName": f"{place}.svc.cluster.local"},
    }
    for name, place in (("api", "kubernetes.default"), ("market", "market-db.energy"))
)


@pytest.mark.parametrize("uri", PLAIN)
def test_a_source_where_none_may_be_is_refused_at_once(tenants: Tenants, uri: str) -> None:
    tried = tenants.rita.kubectl("apply", "--filename=-", given=model("spy", uri), check=False)

    assert tried.returncode != 0
    assert "where no source may be" in tried.stderr


@pytest.mark.parametrize("title", SOURCES)
def test_a_source_that_would_tell_of_others_is_refused(
    told: Told, tenants: Tenants, title: str
) -> None:
    _, _, reason, word = SOURCES[title]
    objects = Objects(tenants.rita.cluster.kubeconfig, RIVAL)

    def ready() -> Mapping[str, Any]:
        conditions = status_of(objects.model(name_model(title))).get("conditions") or []
        return next((entry for entry in conditions if entry["type"] == "Ready"), {})

    condition = wait_for(
        f"{title} to be refused as a source",
        ready,
        lambda entry: entry.get("status") == "False" and entry.get("reason") == reason,
        describe=lambda entry: f"{title}: {entry.get('reason')}: {entry.get('message')}",
        say=told.world.say,
        timeout=240,
    )

    assert word in condition["message"]
    assert GUESSED not in json.dumps(objects.model(name_model(title)))
