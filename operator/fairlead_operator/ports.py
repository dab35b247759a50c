"""What reconcilers need from outside, declared where it is used.

The real ones are in ``kube``, ``prometheus``, ``mlflow`` and ``record``; the fakes of the
tests pass the same conformance suite.  All of them raise ``TransientError`` when the other
side does not answer, or refuses for now.
"""

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from fairlead_operator.api.builtins import Loss
from fairlead_operator.api.common import VersionReference
from fairlead_operator.api.gateway import GatewayKind
from fairlead_operator.api.history import HistoryEntry
from fairlead_operator.api.registered import RegisteredVersion
from fairlead_operator.api.runs import OpenRun, RunEnd
from fairlead_operator.renewal import Turns
from fairlead_operator.signature import Signature
from fairlead_operator.upgrades import Upgrades


class Kube(Protocol):
    """The cluster.  Kinds are named as in a manifest: ``Deployment``, ``Model``.

    A read may be a moment old, but is never older than our own last write; and of two objects,
    one may be older than the other.
    """

    async def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """Return the object, or None when there is none."""

    async def reread(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """Return the object as the API server has it now, for what moves traffic."""

    async def list(
        self, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> Sequence[dict[str, Any]]:
        """Return the objects with all of these labels, sorted by name.

        Raises:
            UnknownKindError: the cluster does not know the kind.
        """

    async def relist(
        self, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> Sequence[dict[str, Any]]:
        """List as the API server has them now, where another kind's watch may be ahead."""

    async def children(self, kind: str, namespace: str, model: str) -> Sequence[dict[str, Any]]:
        """Return the TrainingRuns or Rollouts whose ``spec.model`` is this one, sorted by name."""

    async def models_at(self, host: str) -> Sequence[dict[str, Any]]:
        """Return the Models of all namespaces that ask for this host name, or had it in a route.

        Their last routes are what the status of their Rollouts says.
        """

    async def events(self, about: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
        """Return what others have told of an object lately; each time a request of its own.

        Raises:
            ClusterRefusalError: we may not read it.
        """

    async def apply(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Apply on the server's side as our field manager; applying twice is the same as once.

        A ``uid`` in the metadata binds it to that object, and a ``resourceVersion`` to that
        state; one that no object ever had creates.

        Raises:
            ConflictError: the object is not the one it is bound to.
            TakenError: it is neither owned by nor labelled for whom the manifest is for.
            UnknownKindError: the cluster has no such kind.
        """

    async def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Create as our field manager, what may not change once it is there.

        Raises:
            ConflictError: there is an object of that name; or the cluster is too busy to say.
            UnknownKindError: the cluster has no such kind.
        """

    async def annotate(
        self,
        kind: str,
        namespace: str,
        name: str,
        annotations: Mapping[str, str | None],
        *,
        version: str | None = None,
    ) -> dict[str, Any] | None:
        """Set annotations; None removes one.  Return the object, or None when it is gone.

        Args:
            version: resourceVersion that the object must still have, where that matters.

        Raises:
            TransientError: it has changed since.
        """

    async def patch_status(
        self, kind: str, namespace: str, name: str, status: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """Merge into the status; None removes a field.  Return what ``annotate`` does."""

    async def patch_data(
        self, namespace: str, name: str, data: Mapping[str, str | None]
    ) -> dict[str, Any] | None:
        """Merge into a ConfigMap's data; None removes a key.  Return what ``annotate`` does."""

    async def scale(self, deployment: Mapping[str, Any], replicas: int) -> dict[str, Any]:
        """Set the number of pods of a Deployment that was just read.

        From then on ``apply`` may leave ``replicas`` out without resetting it: the number is
        whoever's changes it next, for example an autoscaler's.

        Raises:
            TransientError: it has changed since it was read.
        """

    async def delete(self, kind: str, namespace: str, name: str, *, uid: str) -> None:
        """Delete the object that was seen, with its dependents; do nothing when there is none.

        Raises:
            ConflictError: the object of that name is another by now.
        """


class Prometheus(Protocol):
    async def query(self, promql: str) -> float | None:
        """Return the value of the only sample; None when there is none or it is NaN.

        Raises:
            ValueError: the query is refused, or yields something else than one number.
        """

    async def query_by(self, promql: str, label: str) -> Mapping[str, float]:
        """Return the numbers of one answer by a label that tells them apart, NaN left out.

        Raises:
            ValueError: the query is refused, or yields something else.
        """

    async def find_mistake(self, promql: str) -> str | None:
        """Return why the query can never be answered, in Prometheus' words; None when it can."""


class Registry(Protocol):
    """MLflow's model registry and its runs."""

    async def find_versions(
        self, registered_model: str, version: str
    ) -> Sequence[RegisteredVersion]:
        """Return every registration whose tag names this semantic version, in any order.

        ``versions.choose`` says which one it is: a tag is written by whoever may write to MLflow.
        """

    async def signature(self, registered_model: str, registry_version: str) -> Signature:
        """Return what a registered version takes and gives.

        Raises:
            ValueError: MLflow does not have it, or it cannot be read.
        """

    async def code(self, registered_model: str, registry_version: str) -> str:
        """Return what of a version's artifact its server would run as code; empty for data alone.

        Raises:
            ValueError: the version does not say it.
        """

    async def form(self, registered_model: str, registry_version: str) -> str:
        """Return the flavor by which a server opens a version's artifact; empty: by none.

        Raises:
            ValueError: the version does not say it.
        """

    async def registrations(self) -> Mapping[tuple[str, str], RegisteredVersion]:
        """Return all registrations, by registered model and registry version."""

    async def start_run(self, *, experiment: str, name: str, key: str, now: datetime) -> str:
        """Return the ID of the run that carries ``key``; create it when there is none.

        Raises:
            ValueError: a person deleted the experiment; MLflow keeps its name, and takes no run.
        """

    async def progress(self, run_id: str) -> str | None:
        """Return the run's progress document, or None while there is none."""

    async def open_runs(self, namespace: str | None = None) -> Sequence[OpenRun]:
        """Return the runs that we began and have not closed, of one namespace or of all."""

    async def end_run(self, run_id: str, end: RunEnd, *, now: datetime) -> None:
        """End the run; do nothing when it is gone or has ended."""

    async def close_run(self, run_id: str) -> None:
        """Note that nothing is left to tidy up after the run; do nothing when it is gone."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose predictions to look at, and from when on."""

    namespace: str
    model: str
    version: str
    since: datetime


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """A count out of a count; ``successes`` is a sum of values from 0 to 1."""

    successes: float
    trials: int
    newest: datetime | None = dataclasses.field(default=None, compare=False)  # when given


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """A count of values, their sum and the sum of their squares."""

    count: int
    total: float
    squares: float


Rating = Literal["accuracy", "reward"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one namespace may take of the database, so that there is some for the others.

    A row larger than 1 KiB counts as several.  A session may undo its limit for statements.
    """

    connections: int = 40
    statement: timedelta = timedelta(minutes=2)  # longer than trainers wait for each other
    predictions: int = 10_000_000  # rows that may be written on one day of UTC
    feedback: int = 10_000_000  # the same


class Record(Protocol):
    """What was predicted, what was said of it later, and which version was live when.

    A mirrored prediction, whose ID no client ever saw, takes the label of the live answer to
    the same request, and no reward.  Only the latest 200,000 predictions of a Model are read.
    """

    async def tally(self, rating: Rating, subject: Subject) -> Tally:
        """Count the labels that were met, or the rewards earned, among the rated predictions."""

    async def losses(self, loss: Loss, subject: Subject) -> Moments:
        """Sum up the loss of each prediction that has a label.

        Log loss of a class is in nats, with a probability of at least 1e-15.  None where the
        outputs have no such loss.
        """

    async def agreement(self, candidate: Subject, stable: str) -> Tally:
        """Count, of the requests that both versions answered, the rows that agree.

        That is the same class, or numbers within a tenth of the standard deviation of the
        stable version's.
        """

    async def distributions(
        self, candidate: Subject, stable: str
    ) -> tuple[Sequence[int], Sequence[int]]:
        """Count the candidate's and the stable version's predictions over the same bins.

        Bins are the classes of a multiclass model, else the deciles of both versions together;
        those with no prediction are left out.  Empty when either version has none.
        """

    async def add_history(self, entry: HistoryEntry) -> None:
        """Keep the entry; leave one that is there already as it is."""

    async def history(self, namespace: str, model: str, limit: int) -> Sequence[HistoryEntry]:
        """Return the latest entries of a Model, newest first."""

    async def forget_study(self, namespace: str, uid: str) -> None:
        """Remove the study of a TrainingRun of this namespace; do nothing when there is none."""

    async def provide_login(self, namespace: str, password: str, *, limits: Limits) -> None:
        """Let the namespace's own login in with this password, to what is the namespace's.

        It may be called at every look: it asks the database only where something is new, and now
        and then, to put right what was changed there.

        Raises:
            LoginNotAllowedError: PostgreSQL does not let us; the message says what it needs.
        """

    async def remove_login(self, namespace: str) -> None:
        """Remove the login with its searches, and end its sessions; what it recorded stays.

        Raises:
            LoginNotAllowedError: PostgreSQL does not let us.
        """

    async def tenants(self) -> Sequence[str]:
        """Return the namespaces that have a login."""


class Registrations(Protocol):
    """The registry as it was last listed; answers at once, from memory."""

    def problem(self, registered_model: str, reference: VersionReference) -> str | None:
        """Say what is wrong with this registration.

        Empty when nothing is; None when it has not been listed yet.
        """

    def digests(self, registered_model: str, version: str) -> Collection[str]:
        """Return the digests that registrations of a semantic version say; empty of one without."""

    def code(self, registered_model: str, reference: VersionReference) -> str | None:
        """Name what code of a version would run; empty for data alone, None: not read yet."""

    def note(self, registered_model: str, version: RegisteredVersion) -> None:
        """Note what the registry has said of a registration since."""


class Logins(Protocol):
    """What the pods of a namespace sign in to MLflow with: a Secret, and what it is good for."""

    async def admit(self, namespace: str, kube: Kube, *, model: str | None = None) -> str | None:
        """Have the namespace's Secret; once is enough, but for a Model that is about to need it.

        Return what there is to tell of it, if it has given way to another because of its age.

        Args:
            model: what MLflow shall know of it is made and given to the namespace, whatever was
                there before.

        Raises:
            TakenError: a Secret of that name is not ours.
        """

    async def dismiss(self, namespace: str, kube: Kube) -> None:
        """Take back what a namespace without Models was given."""


class Answers(Protocol):
    """What Prometheus has counted of every version; answers at once, from memory."""

    def problem(self, gateway: GatewayKind, namespace: str, model: str, version: str) -> str | None:
        """Say that a version only fails; empty when it does not, None when that is not known."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    kube: Kube
    prometheus: Prometheus
    registry: Registry
    registrations: Registrations
    answers: Answers
    record: Record
    now: Callable[[], datetime]
    logins: Logins
    upgrades: Upgrades = dataclasses.field(default_factory=Upgrades)
    renewals: Turns = dataclasses.field(default_factory=Turns)
