"""The outside world as values: a cluster, a registry, a clock.

``FakeKube`` has the semantics of the API server that the operator relies on, and
passes the same conformance suite (``support.conformance``) as the real client.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import orjson

from fairlead_operator.api.gateway import hosts_of
from fairlead_operator.api.registered import RegisteredVersion
from fairlead_operator.api.runs import OpenRun, RunEnd
from fairlead_operator.errors import (
    ClusterRefusalError,
    ConflictError,
    SealedError,
    TransientError,
    UnknownKindError,
)
from fairlead_operator.kube.kinds import RESOURCES
from fairlead_operator.signature import Signature

START = datetime(2026, 1, 1, tzinfo=UTC)
_Document = TypeVar("_Document")

# What the API server lets nobody change, of what the operator makes.
_IMMUTABLE = {
    "Rollout": ("spec",),
    "TrainingRun": ("spec", "model"),
    "Job": ("spec", "template"),
    "Deployment": ("spec", "selector"),
    "RoleBinding": ("roleRef",),
}


def copied(document: _Document) -> _Document:
    """Copy what JSON can hold, as an answer of the API server is a copy.

    Worlds spend most of their time on it, and ``copy.deepcopy`` takes eight times as long.
    """
    return cast("_Document", orjson.loads(orjson.dumps(document)))


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.moment = START

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, span: timedelta) -> None:
        self.moment += span


class FakeKube:
    """Objects in a dict, with server-side apply, merge patches and generations."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.writes: list[tuple[str, str, str]] = []  # verb, kind, name
        self.fail_next: list[Exception] = []
        self.refusing: dict[tuple[str, str], Exception] = {}  # kind, name → to all but its deletion
        self.after_write: Callable[[], None] = lambda: None
        self._clock = clock
        self._applied: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._scaled: set[tuple[str, str, str]] = set()  # whose replicas have another owner too
        self.unknown_kinds = {"HTTPRoute"}  # whose CRD is not installed
        self._serial = 0

    @property
    def newest(self) -> int:
        """Return the latest resourceVersion that was given."""
        return self._serial

    async def get(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        self._maybe_fail()
        found = self.objects.get((kind, namespace, name))
        return copied(found)

    async def reread(self, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        return await self.get(kind, namespace, name)

    async def events(self, about: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
        meta = about["metadata"]
        told = await self.list("Event", meta["namespace"], {})
        return [event for event in told if event["involvedObject"].get("uid") == meta["uid"]]

    async def relist(
        self, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> Sequence[dict[str, Any]]:
        return await self.list(kind, namespace, labels)

    async def children(self, kind: str, namespace: str, model: str) -> Sequence[dict[str, Any]]:
        found = await self.list(kind, namespace, {})
        return [item for item in found if item["spec"]["model"] == model]

    async def models_at(self, host: str) -> Sequence[dict[str, Any]]:
        named = {
            (namespace, item["spec"]["model"] if kind == "Rollout" else name)
            for (kind, namespace, name), item in self.objects.items()
            if kind in {"Model", "Rollout"} and host in hosts_of(item)
        }
        found = [self.objects.get(("Model", *place)) for place in sorted(named)]
        return [copied(model) for model in found if model is not None]

    async def list(
        self, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> Sequence[dict[str, Any]]:
        self._maybe_fail()
        if kind in self.unknown_kinds:
            raise UnknownKindError(f"GET {kind}: 404 page not found")
        found = [
            item
            for key, item in self.objects.items()
            if key[:2] == (kind, namespace)
            and labels.items() <= (item["metadata"].get("labels") or {}).items()
        ]
        return copied(sorted(found, key=lambda item: str(item["metadata"]["name"])))

    async def apply(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        self._maybe_fail()
        key = _key(manifest)
        if key[0] in self.unknown_kinds:
            raise UnknownKindError(f"PATCH {key[0]}: 404 page not found")
        self._maybe_refuse(key)
        wanted = copied(dict(manifest))
        live = self.objects.get(key)
        _check_bound(wanted["metadata"], live)
        _check_immutable(wanted, live)
        before = copied(live)
        if live is None:
            live = self._born(key, {})
        replicas = (live.get("spec") or {}).get("replicas", 1) if key in self._scaled else 1
        _forget_fields(live, self._applied.get(key, {}), wanted)
        _merge(live, wanted)
        if key[0] == "Deployment":
            live["spec"].setdefault("replicas", replicas)  # the API server's default
            if "replicas" in wanted["spec"]:
                self._scaled.discard(key)
        self._applied[key] = wanted
        self._store(key, before, live, "apply")
        return copied(live)

    async def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        self._maybe_fail()
        key = _key(manifest)
        if key[0] in self.unknown_kinds:
            raise UnknownKindError(f"POST {key[0]}: 404 page not found")
        self._maybe_refuse(key)
        if key in self.objects:
            raise ConflictError(f"POST {key[2]}: 409 it already exists")
        made = self._born(key, {})
        _merge(made, copied(dict(manifest)))
        self._store(key, None, made, "create")
        return copied(made)

    async def annotate(
        self,
        kind: str,
        namespace: str,
        name: str,
        annotations: Mapping[str, str | None],
        *,
        version: str | None = None,
    ) -> dict[str, Any] | None:
        live = self.objects.get((kind, namespace, name))
        if version is not None and live and live["metadata"]["resourceVersion"] != version:
            raise TransientError(f"annotate {name}: 409 it was changed")
        patch = {"metadata": {"annotations": annotations} if annotations else {}}
        return self._patch((kind, namespace, name), patch, "annotate")

    async def patch_status(
        self, kind: str, namespace: str, name: str, status: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        return self._patch((kind, namespace, name), {"status": status}, "status")

    async def patch_data(
        self, namespace: str, name: str, data: Mapping[str, str | None]
    ) -> dict[str, Any] | None:
        return self._patch(("ConfigMap", namespace, name), {"data": data}, "data")

    async def scale(self, deployment: Mapping[str, Any], replicas: int) -> dict[str, Any]:
        self._maybe_fail()
        key = _key(deployment)
        self._maybe_refuse(key)
        live = self.objects.get(key)
        known = deployment["metadata"]["resourceVersion"]
        if live is None or live["metadata"]["resourceVersion"] != known:
            raise TransientError(f"scale {key[2]}: 409 it was changed")
        self._scaled.add(key)
        before = copied(live)
        live["spec"]["replicas"] = replicas
        self._store(key, before, live, "scale")
        return copied(live)

    async def delete(self, kind: str, namespace: str, name: str, *, uid: str | None = None) -> None:
        self._maybe_fail()
        live = self.objects.get((kind, namespace, name))
        if live is not None and uid not in {None, live["metadata"]["uid"]}:
            raise ConflictError(f"DELETE {name}: 409 the UID in the precondition is another")
        gone = self.objects.pop((kind, namespace, name), None)
        self._scaled.discard((kind, namespace, name))
        self._applied.pop((kind, namespace, name), None)
        if gone is None:
            return
        self.writes.append(("delete", kind, name))
        self.after_write()
        uid = gone["metadata"]["uid"]
        for child in list(self.objects.values()):
            owners = child["metadata"].get("ownerReferences") or []
            if any(owner["uid"] == uid for owner in owners):
                meta = child["metadata"]
                await self.delete(child["kind"], meta["namespace"], meta["name"])

    def put(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Write spec, metadata or status as a person or another controller does."""
        key = _key(manifest)
        before = copied(self.objects.get(key))
        live = copied(self.objects.get(key)) or self._born(key, {})
        _merge(live, copied(dict(manifest)))
        self._store(key, before, live, "put")
        return live

    def _patch(
        self, key: tuple[str, str, str], patch: Mapping[str, Any], verb: str
    ) -> dict[str, Any] | None:
        self._maybe_fail()
        self._maybe_refuse(key)
        live = self.objects.get(key)
        if live is None:
            return None
        before = copied(live)
        _merge(live, copied(dict(patch)))
        self._store(key, before, live, verb)
        return copied(live)

    def _store(
        self,
        key: tuple[str, str, str],
        before: dict[str, Any] | None,
        live: dict[str, Any],
        verb: str,
    ) -> None:
        if before is not None and before == live:
            return
        if before is not None and before.get("spec") != live.get("spec"):
            live["metadata"]["generation"] += 1
        self._serial += 1
        live["metadata"]["resourceVersion"] = str(self._serial)
        self.objects[key] = live
        self.writes.append((verb, key[0], key[2]))
        self.after_write()

    def _born(self, key: tuple[str, str, str], extra: dict[str, Any]) -> dict[str, Any]:
        kind, namespace, name = key
        self._serial += 1
        moment = self._clock().isoformat(timespec="seconds").replace("+00:00", "Z")
        return {
            "apiVersion": RESOURCES[kind].api_version,
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": f"uid-{self._serial}",
                "generation": 1,
                "creationTimestamp": moment,
            },
            **extra,
        }

    def _maybe_fail(self) -> None:
        if self.fail_next:
            raise self.fail_next.pop(0)

    def _maybe_refuse(self, key: tuple[str, str, str]) -> None:
        if (refusal := self.refusing.get((key[0], key[2]))) is not None:
            raise refusal


def _check_bound(wanted: dict[str, Any], live: dict[str, Any] | None) -> None:
    """Take off what an apply is bound to; a version binds to nothing where there is nothing."""
    uid, version = wanted.pop("uid", None), wanted.pop("resourceVersion", None)
    there = {} if live is None else live["metadata"]
    if uid is not None and there.get("uid") != uid:
        raise ConflictError(f"PATCH {wanted['name']}: 409 uid mismatch")
    if version is not None and there.get("resourceVersion", version) != version:
        raise ConflictError(f"PATCH {wanted['name']}: 409 the object has been modified")


def _check_immutable(wanted: Mapping[str, Any], live: Mapping[str, Any] | None) -> None:
    """Refuse what would change a field that cannot change; the fake sets no defaults in them."""
    path = _IMMUTABLE.get(wanted["kind"], ())
    before, after = _read(live or {}, path), _read(wanted, path)
    if path and before not in (None, after):
        where = ".".join(path)
        raise ClusterRefusalError(f"PATCH {wanted['metadata']['name']}: 422 {where}: is immutable")
    sealed = live is not None and live.get("immutable") is True
    if live is not None and sealed and wanted.get("data", {}) != live.get("data", {}):
        raise SealedError(f"PATCH {wanted['metadata']['name']}: 422 data: field is immutable")


def _read(body: Mapping[str, Any], path: Sequence[str]) -> Any:
    value: Any = body
    for key in path:
        value = (value or {}).get(key)
    return value


def _key(manifest: Mapping[str, Any]) -> tuple[str, str, str]:
    meta = manifest["metadata"]
    return manifest["kind"], meta["namespace"], meta["name"]


def _merge(live: dict[str, Any], patch: Mapping[str, Any]) -> None:
    """Merge the patch into the live object, as RFC 7386 says."""
    for key, value in patch.items():
        if value is None:
            live.pop(key, None)
        elif isinstance(value, Mapping):
            inner = live.get(key)
            live[key] = inner if isinstance(inner, dict) else {}
            _merge(live[key], value)
        else:
            live[key] = value


def _forget_fields(
    live: dict[str, Any], before: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
    """Remove what was applied before and is left out now, as server-side apply does."""
    for key, value in before.items():
        if key not in wanted:
            live.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(wanted[key], Mapping):
            inner = live.get(key)
            if isinstance(inner, dict):
                _forget_fields(inner, value, wanted[key])


class FakeRegistry:
    """Versions and runs in dicts."""

    def __init__(self) -> None:
        self.versions: dict[tuple[str, str], RegisteredVersion] = {}
        self.forged: list[tuple[str, RegisteredVersion]] = []  # beside those, under a version again
        self.runs: dict[str, str] = {}
        self.progress_of: dict[str, str] = {}
        self.experiments: dict[str, str] = {}  # of runs
        self.ended: dict[str, RunEnd] = {}
        self.closed: set[str] = set()
        self.others: set[str] = set()  # runs that the operator of another cluster began
        self.down = False
        self.signatures: dict[str, Signature] = {}  # by version; of all others, the same
        self.deleted_experiments: set[str] = set()
        self.unreadable: set[str] = set()  # versions that do not say what they take
        self.code_of: dict[str, str] = {}  # what of a version would run; of all others, nothing
        self.form_of: dict[str, str] = {}  # in which it is opened; of all others, none

    def register(self, registered_model: str, version: str, *, digest: str = "sha256:0") -> None:
        number = str(len(self.versions) + 1)
        self.versions[registered_model, version] = RegisteredVersion(
            version=version, registry_version=number, digest=digest
        )

    def forge(self, registered_model: str, version: str, *, digest: str) -> str:
        """Register under a version that is there already; return its number."""
        number = str(900 + len(self.forged))
        twin = RegisteredVersion(version=version, registry_version=number, digest=digest)
        self.forged.append((registered_model, twin))
        return number

    async def find_versions(
        self, registered_model: str, version: str
    ) -> Sequence[RegisteredVersion]:
        self._maybe_fail()
        forged = [
            twin
            for name, twin in self.forged
            if (name, twin.version) == (registered_model, version)
        ]
        registered = self.versions.get((registered_model, version))
        return [*reversed(forged), *([registered] if registered is not None else [])]

    def _all(self) -> list[tuple[str, RegisteredVersion]]:
        return [*((name, found) for (name, _), found in self.versions.items()), *self.forged]

    async def signature(self, registered_model: str, registry_version: str) -> Signature:
        self._maybe_fail()
        for name, found in self._all():
            if (name, found.registry_version) == (registered_model, registry_version):
                if found.version in self.unreadable:
                    raise ValueError(f"{found.version} was logged without a signature")
                return self.signatures.get(found.version, Signature())
        raise ValueError("MLflow answers HTTP 404 for its MLmodel file")

    async def code(self, registered_model: str, registry_version: str) -> str:
        await self.signature(registered_model, registry_version)
        return next(
            self.code_of.get(found.version, "")
            for name, found in self._all()
            if (name, found.registry_version) == (registered_model, registry_version)
        )

    async def form(self, registered_model: str, registry_version: str) -> str:
        await self.signature(registered_model, registry_version)
        return next(
            self.form_of.get(found.version, "")
            for name, found in self._all()
            if (name, found.registry_version) == (registered_model, registry_version)
        )

    async def registrations(self) -> Mapping[tuple[str, str], RegisteredVersion]:
        self._maybe_fail()
        return {(name, found.registry_version): found for name, found in self._all()}

    async def start_run(self, *, experiment: str, name: str, key: str, now: datetime) -> str:
        self._maybe_fail()
        if experiment in self.deleted_experiments:
            raise ValueError(f"MLflow's experiment {experiment} was deleted")
        run_id = self.runs.setdefault(key, f"run-{len(self.runs) + 1}")
        self.experiments.setdefault(run_id, experiment)
        return run_id

    async def progress(self, run_id: str) -> str | None:
        self._maybe_fail()
        return self.progress_of.get(run_id)

    async def open_runs(self, namespace: str | None = None) -> Sequence[OpenRun]:
        self._maybe_fail()
        runs = (
            OpenRun(run_id=run_id, key=key, namespace=self.experiments[run_id].partition("/")[0])
            for key, run_id in self.runs.items()
            if run_id not in self.others | self.closed
        )
        return [run for run in runs if namespace in {None, run.namespace}]

    async def end_run(self, run_id: str, end: RunEnd, *, now: datetime) -> None:
        self._maybe_fail()
        self.ended.setdefault(run_id, end)

    async def close_run(self, run_id: str) -> None:
        self._maybe_fail()
        self.closed.add(run_id)

    def _maybe_fail(self) -> None:
        if self.down:
            raise TransientError("mlflow: connection refused")
